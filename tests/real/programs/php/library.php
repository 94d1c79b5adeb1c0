<?php
// SPDX-License-Identifier: Apache-2.0
foreach (['md5', 'sha1', 'sha256', 'crc32b', 'xxh3', 'sha3-256'] as $a) {
	echo $a, ' ', hash($a, 'sandgate'), "\n";
}
echo hash_hmac('sha256', 'm', 'k'), ' ', base64_encode("\0\xff"), ' ', bin2hex(hash_pbkdf2('sha1', 'pw', 'salt', 1000, 8, true)), "\n";
echo password_verify('pw', password_hash('pw', PASSWORD_BCRYPT, ['cost' => 4])) ? 'verified' : 'no', ' ', crc32('abc'), ' ', uniqid() !== '' ? 'id' : '', "\n";
$z = gzcompress(str_repeat('text ', 1000), 9);
echo strlen(gzuncompress($z)), ' ', strlen(gzdecode(gzencode('x'))), ' ', gzinflate(gzdeflate('deflated')), "\n";
$d = new DateTimeImmutable('2024-02-29 12:00', new DateTimeZone('Europe/Berlin'));
echo $d->modify('+1 year')->format(DATE_ATOM), ' ', $d->setTimezone(new DateTimeZone('Asia/Tokyo'))->format('D, d M Y H:i T'), ' ', $d->diff(new DateTime('2025-01-01'))->days, "\n";
foreach (new DatePeriod($d, new DateInterval('P1W'), 2) as $p) {
	echo $p->format('W '), '';
}
echo date('Y-m-d', 0), ' ', mktime(0, 0, 0, 1, 1, 2000), ' ', strtotime('1 January 2001 UTC'), ' ', checkdate(2, 30, 2024) ? 'valid' : 'invalid', "\n";
$j = json_decode('{"a":[1,{"b":"\u00e9"}],"c":1e3}', true, flags: JSON_THROW_ON_ERROR);
echo $j['a'][1]['b'], ' ', $j['c'], ' ';
try {
	json_decode('{bad', flags: JSON_THROW_ON_ERROR);
} catch (JsonException $e) {
	echo $e->getMessage(), "\n";
}
echo htmlspecialchars('<a href="x">'), ' ', strip_tags('<b>bold</b>'), ' ', urlencode('a b&ü'), ' ', http_build_query(['a' => [1, 2]]), ' ', parse_url('https://u@h:1/p?q#f')['port'], "\n";
echo filter_var('a@example.org', FILTER_VALIDATE_EMAIL), ' ', filter_var('12x', FILTER_VALIDATE_INT) === false ? 'not int' : '', ' ', iconv('UTF-8', 'ISO-8859-1//TRANSLIT', 'é') === "\xe9" ? 'iconv' : '', ' ', ctype_digit('123') ? 'digits' : '', "\n";
echo bin2hex(openssl_encrypt('block', 'aes-128-cbc', str_repeat('k', 16), OPENSSL_RAW_DATA, str_repeat('i', 16))), ' ', bin2hex(sodium_crypto_generichash('x', '', 16)), "\n";
usleep(1000);
echo hrtime(true) > 0 ? 'time' : '', ' ', microtime(true) > 1e9 ? 'now' : '', ' ', gethostname() !== '' ? 'host' : '', ' ', sys_getloadavg() !== false ? 'load' : '', ' ', php_uname('s'), ' ', round(2.5), ' ', fdiv(1, 3), ' ', base_convert('ff', 16, 2), ' ', M_PI, "\n";
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, function ($n) {
	echo "signal $n\n";
});
posix_kill(posix_getpid(), SIGUSR1);
pcntl_alarm(0);
echo ob_start() ? '' : '', strlen(ob_get_clean()), ' ', ini_get('memory_limit'), ' ', setlocale(LC_ALL, 'C.UTF-8'), "\n";
