#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of sgrun: programs that use more than they were given, in every tier, with whatever controllers there are.

run.py --sgrun PATH [--bin DIR] [--tier bpf|unprivileged|user] [--only TEXT] [--verbose]

Runs on a host without cgroup controllers and in the kernel lab, which has all of them:
    tests/vm/run 6.12 -- /usr/bin/python3 tests/limits/run.py --sgrun PATH --bin DIR
Options and last line as those of tests/live/run.py.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
import run as live  # noqa: E402

PROGRAMS = {"bombs": ["bombs.c", "bombs_memory.c", "bombs_output.c", "bombs_tasks.c", "-pthread"]}

if __name__ == "__main__":
    sys.exit(live.main(HERE, PROGRAMS, __doc__))
