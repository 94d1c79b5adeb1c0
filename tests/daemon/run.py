#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon, its control socket and sgctl. Needs root and a cgroup2.

run.py --sgrun FILE [--only TEXT] [--lsm]

FILE lies in the build's runner/; sgd and sgctl are taken from daemon/ beside it. The last line is `N passed, N failed`.
"""
import argparse
import ctypes
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import test_abuse  # noqa: E402
import test_again  # noqa: E402
import test_again_more  # noqa: E402
import test_arguments  # noqa: E402
import test_attach  # noqa: E402
import test_batch  # noqa: E402
import test_closing  # noqa: E402
import test_discover  # noqa: E402
import test_launch  # noqa: E402
import test_lsm  # noqa: E402
import test_many  # noqa: E402
import test_namespace  # noqa: E402
import test_survive  # noqa: E402
import test_traced  # noqa: E402
import test_watch  # noqa: E402


CLONE_NEWNS, MS_PRIVATE, MS_REC = 0x20000, 1 << 18, 1 << 14


def own_mounts():
    """sgd lets go of the launches that it keeps whenever something is mounted: whatever others mount is not seen here."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_PRIVATE | MS_REC, None):
        raise OSError(ctypes.get_errno(), "a mount namespace for the tests")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sgrun", required=True)
    p.add_argument("--only", default="")
    p.add_argument("--lsm", action="store_true", help="the lsm tier, which must be to be had, and nothing else")
    p.add_argument("--rounds", type=int, default=1, help="with --lsm: how often sgd is killed under load")
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    own_mounts()
    test_lsm.ROUNDS = a.rounds
    build = os.path.dirname(os.path.dirname(os.path.abspath(a.sgrun)))
    passed = failed = 0
    for module in (test_lsm,) if a.lsm else (test_launch, test_again, test_again_more, test_batch, test_watch, test_abuse, test_arguments, test_closing, test_attach, test_discover, test_survive, test_traced, test_many, test_namespace):
        tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
        tests = [(n, f) for n, f in tests if a.only in f"{module.__name__}.{n}"]
        if not tests:
            continue
        daemon = harness.Daemon(build, *getattr(module, "OPTIONS", ()))
        try:
            for name, test in tests:
                begin = time.monotonic()
                try:
                    test(daemon)
                    assert daemon.process.poll() is None, "sgd died: " + daemon.errors()
                    passed += 1
                    if a.verbose:
                        print(f"ok    {module.__name__}.{name} {time.monotonic() - begin:.1f} s", flush=True)
                except Exception:  # whatever a test stumbles over is its failure
                    failed += 1
                    print(f"FAIL  {module.__name__}.{name}", flush=True)
                    traceback.print_exc(file=sys.stdout)
                    if daemon.process.poll() is not None:
                        print(daemon.errors())
                        daemon.start()
        finally:
            daemon.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
