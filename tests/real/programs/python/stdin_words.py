# SPDX-License-Identifier: Apache-2.0
# sg-real: stdin="the quick brown fox\njumps over the lazy dog\nthe end\nÄpfel und Birnen\n"
import collections
import fileinput
import sys

first = sys.stdin.readline()
print(repr(first), sys.stdin.isatty())
words = collections.Counter(w for line in fileinput.input() for w in line.split())
words.update(first.split())
for word, n in sorted(words.items()):
    print(f"{word:10}{n}")
sys.stdout.buffer.write(b"raw bytes \xff\n")
try:
    input()
except EOFError:
    print("end of input")
