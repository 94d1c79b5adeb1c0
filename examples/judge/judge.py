#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small judge: compiles a C++ solution and runs it against test data, both under sgrun.

    judge.py [--sgrun PATH] [--user UID] PROBLEM SOLUTION.cpp

PROBLEM holds problem.json (limits) and NAME.in with NAME.out. Prints one JSON object: `verdict` is the first that was
not accepted, `tests` one entry each. Verdicts: accepted, wrong_answer, compile_error, runtime_error, time_limit,
memory_limit, output_limit, violation. Where the sandbox itself failed there is no verdict, but a message and exit status 2.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "python"))
from sandgate import Sandgate, SandgateError  # noqa: E402

COMPILER = ["/usr/bin/g++", "-std=c++17", "-O2", "-o", "solution", "solution.cpp"]


class Judge:
    def __init__(self, sandgate, problem):
        self.sandgate = sandgate
        with open(os.path.join(problem, "problem.json"), encoding="utf-8") as f:
            self.limits = json.load(f)
        self.tests = sorted(n[:-3] for n in os.listdir(problem) if n.endswith(".in"))
        self.problem = problem

    def compile(self, place):
        """None, or what the compiler said."""
        result = self.sandgate.run(COMPILER, language="compile", cwd=place, env={"TMPDIR": place},
                                   limits={"wall_time": "60s", "file_size": "64M"})
        if result.verdict == "error":
            raise SandgateError(result.exit["error"])
        if result.ok:
            return None
        said = result.stderr.decode(errors="replace").strip()
        return said if result.verdict == "ok" else f"{result.verdict}: {said}"

    def one(self, place, name):
        with open(os.path.join(self.problem, name + ".in"), "rb") as f:
            given = f.read()
        with open(os.path.join(self.problem, name + ".out"), "rb") as f:
            wanted = f.read()
        # "/" is no tree of a policy's, so nothing can be written: what one test leaves, the next one would find, and
        # what a solution leaves, others.
        result = self.sandgate.run([os.path.join(place, "solution")], language="c++", cwd="/", stdin=given,
                                   env={"TMPDIR": "/"}, limits=self.limits)
        # 126 and 127 are about the program; anything else is no fault of the solution.
        if result.verdict == "error" and result.status == 125:
            raise SandgateError(result.exit["error"])
        told = {"test": name, "wall_ms": result.exit["wall_ms"], "cpu_ms": result.exit["cpu_ms"],
                "memory": result.exit["peak_memory"]}
        if result.verdict in ("time_limit", "memory_limit", "output_limit", "violation"):
            told["verdict"] = result.verdict
            if result.violation:
                told["why"] = self.sandgate.explain([result.violation])[0][0]
        elif not result.ok:
            told["verdict"] = "runtime_error"
            told["why"] = (result.exit["error"] if result.verdict == "error" else
                           f"signal {result.signal}" if result.signal else f"exit code {result.exit_code}")
        else:
            told["verdict"] = "accepted" if result.stdout.split() == wanted.split() else "wrong_answer"
        return told

    def judge(self, solution, user=None):
        place = tempfile.mkdtemp(prefix="judge-")
        try:
            shutil.copyfile(solution, os.path.join(place, "solution.cpp"))
            os.chmod(place, 0o755)
            if user is not None:
                os.chown(place, user, -1)
            error = self.compile(place)
            if error is not None:
                return {"verdict": "compile_error", "tests": [], "compiler": error[:4000]}
            # What was built is the solution's own no longer: a test must not change it for the next one.
            os.chown(place, os.getuid(), -1)
            tests = [self.one(place, name) for name in self.tests]
            bad = next((t["verdict"] for t in tests if t["verdict"] != "accepted"), "accepted")
            return {"verdict": bad, "tests": tests}
        finally:
            shutil.rmtree(place, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--sgrun", default="sgrun")
    p.add_argument("--user", type=int, help="as root: run solutions as this user")
    p.add_argument("problem")
    p.add_argument("solution")
    args = p.parse_args()
    sandgate = Sandgate(args.sgrun, user=args.user)
    try:
        print(json.dumps(Judge(sandgate, args.problem).judge(args.solution, args.user)))
    except SandgateError as e:
        print(f"judge.py: {e}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
