#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPython's own test suite under sgrun with the built-in python policy.

Each module runs bare first, then inside. A module of REQUIRED that passes bare must pass inside, with as many tests run
and none skipped that was not skipped bare. The modules of OUTSIDE ask for what the policy forbids; they are run with
--all and must not begin to pass unnoticed. The last line is `N passed, N failed`.
"""

import argparse
import concurrent.futures
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import harness

PYTHON = "/usr/bin/python3"

REQUIRED = """
    test_abc test_argparse test_array test_ast test_asyncgen test_audioop test_baseexception test_bdb test_binascii
    test_bisect test_buffer test_bufio test_call test_cmath test_code_module test_codecencodings_jp test_codecs
    test_collections test_configparser test_context test_contextlib test_copy test_crypt test_csv test_dataclasses
    test_datetime test_decimal test_deque test_descr test_dict test_difflib test_dis test_enum test_errno
    test_except_star test_file test_filecmp test_fileinput test_fileio test_float test_fnmatch test_fork1 test_format
    test_fractions test_functools test_getopt test_getpass test_gettext test_glob test_grp test_hashlib test_heapq
    test_hmac test_html test_http_cookies test_int test_interpreters test_ipaddress test_iter test_itertools
    test_linecache test_list test_locale test_long test_lzma test_mailbox test_math test_memoryview test_minidom
    test_mmap test_modulefinder test_multibytecodec test_netrc test_operator test_optparse test_ordered_dict
    test_patma test_pickle test_pkgutil test_pprint test_pwd test_pyclbr test_pyexpat test_queue test_random test_re
    test_sax test_sched test_secrets test_selectors test_set test_shelve test_shlex test_statistics
    test_strptime test_strtod test_structseq test_sys_settrace test_syslog test_textwrap test_thread
    test_threadedtempfile test_threading_local test_threadsignals test_types test_typing test_unicode_file
    test_unparse test_urllib test_urlparse test_uu test_wait4 test_wave test_weakset test_xml_etree test_zipapp
    test_zipimport test_zlib test_zoneinfo
""".split()

OUTSIDE = {
    "test_bytes": "starts other programs",
    "test_bz2": "starts other programs",
    "test_ctypes": "starts other programs (find_library asks gcc and ldconfig)",
    "test_epoll": "opens TCP sockets",
    "test_fcntl": "changes a pipe's size and asks for directory notifications",
    "test_gzip": "starts other programs",
    "test_io": "starts other programs",
    "test_json": "starts other programs",
    "test_largefile": "opens TCP sockets",
    "test_ntpath": "starts other programs",
    "test_openpty": "opens a pseudo-terminal",
    "test_os": "starts other programs",
    "test_pathlib": "binds unix sockets",
    "test_pipes": "starts a shell",
    "test_poll": "starts a shell",
    "test_posix": "changes groups and identity",
    "test_posixpath": "starts other programs",
    "test_pty": "opens a pseudo-terminal",
    "test_resource": "changes limits",
    "test_select": "starts a shell",
    "test_shutil": "starts other programs",
    "test_spwd": "reads /etc/shadow",
    "test_stat": "opens unix sockets",
    "test_struct": "starts other programs",
    "test_tarfile": "starts other programs",
    "test_tempfile": "starts other programs",
    "test_time": "tries to set the clock",
    "test_unittest": "starts other programs",
    "test_urllib_response": "opens TCP sockets",
    "test_uuid": "starts other programs (ip, arp)",
    "test_zipfile": "starts other programs",
}


class Count:
    """What a module's JUnit report says: how many tests ran and which were skipped."""

    def __init__(self, path):
        self.tests, self.skipped = 0, set()
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError):
            return
        for case in root.iter("testcase"):
            if case.find("skipped") is not None:
                self.skipped.add(case.get("name"))
            else:
                self.tests += 1


def run(module, place, sandbox):
    place.fresh()
    report = os.path.join(place.home, "report.xml")
    argv = [PYTHON, "-m", "test", "--junit-xml", report, module]
    if sandbox:
        outcome = sandbox.execute("python", argv, place, "pipe", timeout=240)
    else:
        outcome = harness.execute(argv, place, "pipe", timeout=240)
    return outcome, Count(report)


def judge(module, place, sandbox):
    """("passed" | "failed" | "bare", what to say)."""
    bare, bare_count = run(module, place, None)
    if bare.status != 0 or not bare_count.tests:
        return "bare", f"does not pass bare (status {bare.status}, {bare_count.tests} tests)"
    inside, count = run(module, place, sandbox)
    said = "\n".join("    | " + x for x in (inside.stdout + inside.stderr).decode("utf-8", "replace").split("\n")[-14:])
    wrong = [x for x in sandbox.objections(inside, place.user)]
    if inside.status != 0:
        return "failed", f"status {inside.status} inside\n  " + "\n  ".join(wrong) + "\n" + said
    if wrong:
        return "failed", "\n  ".join(wrong)
    if count.skipped - bare_count.skipped:
        return "failed", "skipped inside only: " + ", ".join(sorted(count.skipped - bare_count.skipped))
    if count.tests < bare_count.tests:
        return "failed", f"{bare_count.tests} tests bare, {count.tests} inside"
    return "passed", f"{count.tests} tests"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--sgrun", default="sgrun", help="the sgrun to test")
    p.add_argument("--tier", help="force a tier")
    p.add_argument("--uid", type=int, help="run as this user and group (as root: without it root runs them)")
    p.add_argument("--only", nargs="+", metavar="MODULE", help="these modules, whichever list they are on")
    p.add_argument("--all", action="store_true", help="also the modules that are expected to fail inside")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--verbose", "-v", action="store_true")
    args = p.parse_args()

    sgrun = shutil.which(args.sgrun)
    if not sgrun:
        harness.fail(f"{args.sgrun}: not found; name it with --sgrun")
    if not os.path.exists("/usr/lib/python3.11/test/test_pickle.py"):
        print("FAILED" if harness.in_ci() else "skipped", "libpython3.11-testsuite is not installed")
        print(f"0 passed, {int(harness.in_ci())} failed")
        return int(harness.in_ci())
    modules = args.only or REQUIRED + (sorted(OUTSIDE) if args.all else [])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    base = tempfile.mkdtemp(prefix="sandgate-cpython-", dir="/tmp")
    os.chmod(base, 0o755)
    user = harness.User("ordinary", args.uid, args.uid) if args.uid else harness.User("whoever runs this")
    results = {}
    try:
        sandbox = harness.Sandbox(harness.usable_copy(sgrun, base), args.tier)
        slots = queue.Queue()
        for i in range(args.jobs):
            slots.put(i)

        def job(module):
            slot = slots.get()
            try:
                return module, judge(module, harness.Place(os.path.join(base, str(slot)), user), sandbox)
            finally:
                slots.put(slot)

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for module, (verdict, text) in pool.map(job, modules):
                results[module] = verdict
                outside = module in OUTSIDE and not args.only
                if verdict == "failed" and not outside:
                    print(f"FAILED {module}: {text}", flush=True)
                elif verdict == "passed" and outside:
                    print(f"FAILED {module}: it passes now, so it belongs on the required list", flush=True)
                elif verdict == "bare":
                    print(f"skipped {module}: {text}", flush=True)
                elif args.verbose:
                    print(f"outside {module}: {OUTSIDE[module]}" if outside else f"ok {module}: {text}", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)

    required = [m for m in modules if m not in OUTSIDE or args.only]
    passed = [m for m in required if results[m] == "passed"]
    failed = [m for m in required if results[m] == "failed"]
    bare = [m for m in results if results[m] != "bare"]
    failed += [m for m in modules if m not in required and results[m] == "passed"]
    inside = [m for m in bare if results[m] == "passed"]
    seconds = time.monotonic() - began
    print(f"{len(modules)} modules tried, {len(bare)} pass bare, {len(inside)} of those pass inside, {seconds:.0f} s")
    if not args.only and len(passed) < 40:
        print(f"FAILED only {len(passed)} modules passed; 40 must")
        failed.append("too few")
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
