# SPDX-License-Identifier: Apache-2.0
"""The programs of this folder and how each language's are run.

A program says what is particular about it in a comment near its top:

    sg-real: exit=7 stdin="text\\n" args="--x y" cflags="-O2" libs="-lm" jvm="-Xmx64m" mode=emit

exit is a number or a signal's name; without it the program must end with 0, bare and inside.
"""

import os
import re
import shlex
import signal

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


class Language:
    """policy: what --lang is for a run; build_policy: the same for a compiler; build: its command line, or None."""

    def __init__(self, name, needs, policy, run, build=None, build_policy=None, modes=None):
        self.name = name
        self.needs = needs
        self.policy = policy
        self.run = run
        self.build = build
        self.build_policy = build_policy
        self.modes = modes or {}


# In a command, {file} is the program's source, {out} what the build makes of it, {stem} its name without the ending;
# a part that is just {args}, {cflags}, {libs} or {jvm} stands for as many words as the program asks for.
LANGUAGES = {
    lang.name: lang
    for lang in (
        Language("python", ["/usr/bin/python3"], "python", "/usr/bin/python3 {file} {args}"),
        Language("python-data", ["/usr/bin/python3"], "python-data", "/usr/bin/python3 {file} {args}"),
        Language("javascript", ["/usr/bin/node"], "javascript", "/usr/bin/node {file} {args}"),
        Language("java", ["/usr/bin/java", "/usr/bin/javac"], "java", "/usr/bin/java {jvm} {file} {args}",
                 modes={"javac": ("/usr/bin/java {jvm} -cp {out} {stem} {args}", "/usr/bin/javac -d {out} {file}",
                                  "java")}),
        Language("c", ["/usr/bin/gcc"], "c", "{out} {args}",
                 "/usr/bin/gcc -D_GNU_SOURCE {cflags} -o {out} {file} {libs}", "compile",
                 {"emit": ("/usr/bin/gcc {cflags} -S -o - {file}", None, "compile")}),
        Language("cpp", ["/usr/bin/g++"], "cpp", "{out} {args}",
                 "/usr/bin/g++ -std=c++17 {cflags} -o {out} {file} {libs}", "compile",
                 {"emit": ("/usr/bin/g++ -std=c++17 -O2 {cflags} -S -o - {file}", None, "compile")}),
        Language("rust", ["/usr/bin/rustc"], "rust", "{out} {args}",
                 "/usr/bin/rustc --edition 2021 {cflags} -o {out} {file}", "compile",
                 {"check": ("/usr/bin/rustc --edition 2021 --emit metadata -o {stem}.rmeta {file}", None, "compile")}),
        Language("go", ["/usr/bin/go"], "go", "{out} {args}", "/usr/bin/go build -o {out} {file}", "compile",
                 {"run": ("/usr/bin/go run {file} {args}", None, "compile")}),
        Language("ruby", ["/usr/bin/ruby"], "ruby", "/usr/bin/ruby {file} {args}"),
        Language("perl", ["/usr/bin/perl"], "perl", "/usr/bin/perl {file} {args}"),
        Language("php", ["/usr/bin/php"], "php",
                 # as without Debian's php.ini: what php itself complains of is output, too
                 "/usr/bin/php -d display_errors=1 {file} {args}"),
        Language("lua", ["/usr/bin/lua5.4"], "lua", "/usr/bin/lua5.4 {file} {args}"),
        Language("luajit", ["/usr/bin/luajit"], "luajit", "/usr/bin/luajit {file} {args}"),
    )
}

KEYS = {"exit", "stdin", "args", "cflags", "libs", "jvm", "mode"}


class Program:
    def __init__(self, language, path):
        self.language = LANGUAGES[language]
        self.path = path
        self.file = os.path.basename(path)
        self.name = f"{language}/{self.file}"
        self.stem = os.path.splitext(self.file)[0]
        said = self.directives()
        # The escapes of a string literal, in a text that is UTF-8 already.
        self.stdin = said.get("stdin")
        if self.stdin is not None:
            self.stdin = self.stdin.encode().decode("unicode_escape").encode("latin-1").decode()
        self.words = {k: shlex.split(said.get(k, "")) for k in ("args", "cflags", "libs", "jvm")}
        self.status = self.exit_status(said.get("exit", "0"))
        mode = said.get("mode")
        self.run, self.build, self.build_policy = self.language.run, self.language.build, self.language.build_policy
        self.policy = self.language.policy
        if mode:
            self.run, self.build, self.build_policy = self.language.modes[mode]
            if not self.build:
                self.policy = self.build_policy
        self.builds_directory = bool(self.build) and "-d {out}" in self.build

    def directives(self):
        with open(self.path, encoding="utf-8") as f:
            head = [f.readline() for _ in range(5)]
        for line in head:
            m = re.search(r"sg-real: (.*?)\s*(\*/)?$", line)
            if m:
                pairs = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', m.group(1)))
                unknown = pairs.keys() - KEYS
                if unknown:
                    raise SystemExit(f"{self.path}: unknown key {sorted(unknown)[0]}")
                return {k: v[1:-1] if v.startswith('"') else v for k, v in pairs.items()}
        return {}

    @staticmethod
    def exit_status(text):
        return 128 + signal.Signals[text] if text.startswith("SIG") else int(text)

    def command(self, template, out):
        argv = []
        for word in template.split():
            key = word[1:-1]
            if key in self.words:
                argv += self.words[key]
            else:
                argv.append(word.format(file=self.file, out=out, stem=self.stem))
        return argv

    def missing(self):
        return [n for n in self.language.needs if not os.access(n, os.X_OK)]


def programs():
    found = []
    for language in LANGUAGES:
        folder = os.path.join(HERE, language)
        for name in sorted(os.listdir(folder)):
            found.append(Program(language, os.path.join(folder, name)))
    return found
