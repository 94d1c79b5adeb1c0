<?php
// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="10\n20\nnot a number\n" exit=255
register_shutdown_function(function () {
	echo "shutdown\n";
});
set_error_handler(function (int $no, string $message) {
	throw new ErrorException($message, 0, $no);
});
$sum = 0;
while (($line = fgets(STDIN)) !== false) {
	try {
		$sum += (int) trim($line) ?: throw new InvalidArgumentException(trim($line));
	} catch (InvalidArgumentException $e) {
		echo 'skipped: ', $e->getMessage(), "\n";
	}
}
echo $sum, ' ', feof(STDIN) ? 'eof' : '', ' ', stream_get_contents(STDIN), "\n";
try {
	echo $undefined;
} catch (ErrorException $e) {
	echo $e->getMessage(), "\n";
}
ini_set('display_errors', 'stderr');
throw new LogicException('not caught');
