<?php
// SPDX-License-Identifier: Apache-2.0
mkdir('t/a/b', 0755, true);
file_put_contents('t/a/f.txt', "one\ntwo\nthree\n");
file_put_contents('t/a/f.txt', "four\n", FILE_APPEND | LOCK_EX);
echo count(file('t/a/f.txt', FILE_IGNORE_NEW_LINES)), ' ', filesize('t/a/f.txt'), ' ', trim(fgets(fopen('t/a/f.txt', 'r'))), "\n";
copy('t/a/f.txt', 't/a/b/g.txt');
rename('t/a/b/g.txt', 't/h.txt');
symlink('h.txt', 't/link');
echo readlink('t/link'), ' ', is_link('t/link') ? 'link' : '', ' ', is_dir('t/a') ? 'dir' : '', ' ', basename(realpath('t/link')), "\n";
chmod('t/h.txt', 0600);
touch('t/h.txt', 1000000000);
clearstatcache();
echo decoct(fileperms('t/h.txt') & 0777), ' ', filemtime('t/h.txt'), ' ', is_writable('t') ? 'w' : '', "\n";
$f = fopen('t/bin', 'w+b');
fwrite($f, pack('NvC*', 1, 2, 3, 4));
rewind($f);
print_r(unpack('Na/vb/C2c', fread($f, 8)));
echo ftell($f), ' ', fseek($f, -2, SEEK_END), ' ', ord(fgetc($f)), ' ', ftruncate($f, 3) ? 'cut' : '', ' ', fstat($f)['size'], ' ', flock($f, LOCK_EX) ? 'locked' : '', "\n";
fclose($f);
$it = new RecursiveIteratorIterator(new RecursiveDirectoryIterator('t', FilesystemIterator::SKIP_DOTS), RecursiveIteratorIterator::SELF_FIRST);
$all = array_map('strval', iterator_to_array($it, false));
sort($all);
echo implode(' ', $all), ' ', implode(',', array_map('basename', glob('t/*.txt'))), "\n";
$tmp = tempnam(sys_get_temp_dir(), 'pre');
echo filesize($tmp), ' ', dirname($tmp) === getenv('TMPDIR') ? 'in TMPDIR' : 'elsewhere', ' ', unlink($tmp), "\n";
$m = tmpfile();
fwrite($m, str_repeat('x', 100000));
echo fstat($m)['size'], ' ', @file_get_contents('missing') === false ? error_get_last()['message'] : '', "\n";
$csv = fopen('php://memory', 'w+');
fputcsv($csv, ['a', 'b "q"', 'c,d']);
rewind($csv);
echo stream_get_contents($csv);
foreach (new SplFileObject('t/a/f.txt') as $n => $line) {
	echo $n, trim($line), ' ';
}
file_put_contents('compress.zlib://t/z.gz', str_repeat('zip ', 1000));
echo strlen(file_get_contents('compress.zlib://t/z.gz')), ' ', disk_free_space('.') > 0 ? 'space' : '', ' ', getcwd() !== '' ? 'cwd' : '', ' ', posix_getpid() === getmypid() ? 'pid' : '', ' ', posix_getpwuid(0)['name'], "\n";
foreach (array_reverse($all) as $p) {
	is_dir($p) ? rmdir($p) : unlink($p);
}
$env = array_keys(getenv());
sort($env);
echo file_exists('t/a') ? 'left' : 'gone', ' ', implode(',', $env), ' ', PHP_OS, ' ', php_sapi_name(), "\n";
