# SPDX-License-Identifier: Apache-2.0
import codecs
import difflib
import gettext
import locale
import string
import sys
import textwrap
import unicodedata

print(locale.setlocale(locale.LC_ALL, ""), locale.localeconv()["decimal_point"], locale.format_string("%d", 1234567, True))
print(sys.getfilesystemencoding(), sys.stdout.encoding, locale.getpreferredencoding())
print(unicodedata.normalize("NFKD", "é").encode(), unicodedata.name("λ"), "ß".upper(), "İ".lower().encode())
print("日本語 ελληνικά 🙂".encode("utf-8"), "Grüße".encode("latin-1"), codecs.encode("rot", "rot13"))
print("\n".join(difflib.unified_diff("a b c".split(), "a x c".split(), lineterm="")))
print(textwrap.fill("lorem ipsum dolor sit amet " * 5, 30))
print(string.Template("$a and ${b}").substitute(a=1, b=2), "{:>8}|{:^7}|{:<5}|{:08.3f}".format("r", "c", "l", 3.14159))
print(gettext.gettext("untranslated"), sorted(["b", "A", "a", "Ä"], key=locale.strxfrm))
for enc in ("utf-16", "shift_jis", "big5", "cp1252", "gb18030"):
    print(enc, "テスト".encode(enc, "replace")[:12])
with open("naïve.txt", "w", encoding="utf-8") as f:
    f.write("ø")
print(open("naïve.txt", "rb").read())
