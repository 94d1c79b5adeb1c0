#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The live tests of sgrun: launcher, stream and verbs, in every tier.

run.py --sgrun PATH [--bin DIR] [--tier bpf|unprivileged|user] [--only TEXT] [--verbose]

--bin: where meson built the helper programs; without it they are compiled here. --only: tests whose
`module.Class.test[tier]` holds this text. Ends with a line `N passed, N failed`, and `, N skipped` where this host
cannot do something. With CI=true a skip is a failure.
"""
import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import harness  # noqa: E402

TIERS = ("bpf", "unprivileged", "user")


class TestTimeout(Exception):
    pass


def on_alarm(signum, frame):
    raise TestTimeout("the test took longer than it may")


class Report(unittest.TestResult):
    def __init__(self, verbose):
        super().__init__()
        self.verbose, self.passed, self.slow = verbose, 0, []
        self.began = 0.0

    def name(self, test):
        return f"{type(test).__module__}.{test.base_name}.{test._testMethodName}[{test.tier.name}]"

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, test.limit)

    def stopTest(self, test):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)
        self.slow.append((time.monotonic() - self.began, self.name(test)))

    def addSuccess(self, test):
        self.passed += 1
        if self.verbose:
            print(f"ok    {self.name(test)}", flush=True)

    def failed(self, test, err):
        print(f"FAIL  {self.name(test)}")
        print("      " + self._exc_info_to_string(err, test).replace("\n", "\n      "))
        if getattr(test, "last", None) is not None:
            print("      last run: " + test.last.describe().replace("\n", "\n      "))
        sys.stdout.flush()

    def addFailure(self, test, err):
        self.failures.append((self.name(test), ""))
        self.failed(test, err)

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            test.last = getattr(test, "last", None)
            self.failures.append((self.name(test), ""))
            print(f"      in {subtest._subDescription()}:")
            self.failed(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skip  {self.name(test)}: {reason}", flush=True)


# name: sources and options, for a run by hand; meson passes --bin
PROGRAMS = {"act": ["act.c", "-pthread"], "act_static": ["act.c", "-pthread", "-static"], "probe": ["probe.c"]}


def build(here, programs, target):
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter"]
    for name, words in programs.items():
        words = [os.path.join(here, w) if w.endswith(".c") else w for w in words]
        subprocess.run(["cc", *flags, "-o", os.path.join(target, name), *words], check=True)


def collect(here, args, programs, work):
    suite = []
    tiers = {name: harness.Tier(name, args.sgrun, work) for name in TIERS if args.tier in (None, name)}
    if args.tier == "lsm":
        tiers["lsm"] = harness.Tier("lsm", args.sgrun, work)
    modules = sorted(f[:-3] for f in os.listdir(here) if f.startswith("test_") and f.endswith(".py"))
    for module in map(importlib.import_module, modules):
        for base in vars(module).values():
            if not (isinstance(base, type) and issubclass(base, harness.LiveTest)) or base.__module__ != module.__name__:
                continue
            for tier in (tiers[t] for t in (*base.tiers, *("lsm" for b in base.tiers if b == "bpf")) if t in tiers):
                cls = type(base.__name__, (base,), {"tier": tier, "base_name": base.__name__,
                                                    "__module__": module.__name__, **programs})
                if os.geteuid() != 0 and tier.name != "user":
                    cls = unittest.skip("needs root")(cls)
                for name in unittest.TestLoader().getTestCaseNames(cls):
                    full = f"{module.__name__}.{base.__name__}.{name}[{tier.name}]"
                    if args.only is None or args.only in full:
                        suite.append(cls(name))
    return suite


def main(here=HERE, names=PROGRAMS, about=__doc__):
    p = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sgrun", required=True)
    p.add_argument("--bin")
    p.add_argument("--tier", choices=(*TIERS, "lsm"), help="default: all but lsm, which few machines have")
    p.add_argument("--only")
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()

    work = tempfile.mkdtemp(prefix="sg" + os.path.basename(here) + "-")
    os.chmod(work, 0o755)
    report = Report(args.verbose)
    signal.signal(signal.SIGALRM, on_alarm)
    os.umask(0o022)
    try:
        source = args.bin or work
        if not args.bin:
            build(here, names, work)
        programs = {}
        for name in names:
            target = os.path.join(work, "programs", name)
            os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
            shutil.copy(os.path.join(source, name), target)
            os.chmod(target, 0o755)
            programs[name] = target
        programs["policy"] = shutil.copy(os.path.join(HERE, "policies", "open.yaml"), work)
        os.chmod(programs["policy"], 0o644)
        suite = collect(here, args, programs, work)
        for test in suite:
            test.run(report)
    finally:
        for pid in harness.processes_naming(work):
            print(f"left over at the end: process {pid}")
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(work, ignore_errors=True)
    if args.verbose:
        for seconds, name in sorted(report.slow, reverse=True)[:15]:
            print(f"{seconds:6.2f} s  {name}")
    failed = len({name for name, _ in report.failures})
    skipped = len(report.skipped)
    if harness.CI:
        failed, skipped = failed + skipped, 0
    print(f"{report.passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
