#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is `sgrun doctor` right on hosts that lack something? Hosts imitated in the kernel lab, one boot each, or with --here this
very machine. Each case names what must be said, and what must work all the same.

run.py --sgrun FILE [--kernel 6.12] [--cpus N] [--only TEXT] [--here]
"""

import argparse
import json
import os
import subprocess
import sys

LAB = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "vm", "run")
EXIT_LAB, TRIES = 125, 3
# The build may lie where only root can look.
USER = ["/bin/sh", "-c", 'cp "$0" /run/sgrun && exec setpriv --reuid=65534 --regid=65534 --clear-groups /run/sgrun "$@"']

# name, options of the lab, command in front, tier, {layer: (works, part of its detail)}
CASES = [
    ("everything", [], [], "lsm", {"bpf_lsm": (True, "bpf is in"), "btf": (True, "vmlinux"), "cgroup": (True, "pids")}),
    ("no securityfs", ["--no-securityfs"], [], "lsm", {"bpf_lsm": (True, "securityfs is not mounted")}),
    ("no bpf in the list", ["--no-bpf-lsm"], [], "bpf", {"bpf_lsm": (False, "bpf is not in"), "bpf": (True, "")}),
    ("no BTF", ["--no-btf"], [], "unprivileged",
     {"btf": (False, "cannot be read"), "bpf_lsm": (False, "BTF"), "seccomp_notify": (True, "")}),
    ("no cgroup2", ["--no-cgroup2"], [], "unprivileged",
     {"cgroup": (False, "cgroup"), "bpf": (False, ""), "bpf_lsm": (True, ""), "seccomp_notify": (True, "")}),
    ("no privilege", [], USER, "unprivileged",
     {"bpf": (False, ""), "bpf_lsm": (False, "not permitted"), "seccomp_notify": (True, "")}),
]
NO_CHILD = (False, "no process could be started to try it: Operation not permitted")
HERE = [
    # A host that lists bpf and refuses LSM programs all the same, such as the build machine.
    ("listed but refused", None, [], "bpf", {"bpf_lsm": (False, "refuses to load"), "bpf": (True, "")}),
    # In a sandbox that lets nothing fork nothing is known, and nothing is called missing.
    ("no processes", None, ["{sgrun}", "--lang", "compiled", "--verdicts", "/dev/null", "--"], "none",
     {name: NO_CHILD for name in ("seccomp", "landlock", "bpf_lsm", "bpf", "seccomp_notify")}),
]


def doctor(command):
    for _ in range(TRIES):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=900, check=False)
        if done.returncode != EXIT_LAB:  # the emulator loses a guest now and then
            break
    return json.loads(done.stdout)


def wrong(found, tier, layers):
    """What is not as it must be, as sentences."""
    said = []
    if found["tier"] != tier:
        said.append(f"tier {found['tier']}, not {tier}")
    for name, (works, part) in layers.items():
        layer = found["layers"][name]
        if layer["works"] != works:
            said.append(f"{name}: {layer['state']} ({layer['detail']})")
        elif part.lower() not in layer["detail"].lower():
            said.append(f"{name}: {layer['detail']!r} does not say {part!r}")
        if part.startswith("no process") and layer["state"] != "not tried":
            said.append(f"{name}: {layer['state']}")
        if not works and not layer.get("fix"):
            said.append(f"{name}: no word on how to get it")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--sgrun", required=True)
    parser.add_argument("--kernel", default="6.12")
    parser.add_argument("--cpus", default="2", metavar="N", help="of a guest (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains this")
    parser.add_argument("--here", action="store_true", help="this machine, which refuses LSM programs")
    options = parser.parse_args()
    passed = failed = 0
    for name, lab, front, tier, layers in HERE if options.here else CASES:
        if options.only not in name:
            continue
        command = [*(word.format(sgrun=options.sgrun) for word in front), options.sgrun, "doctor", "--json"]
        if lab is not None:
            command = [LAB, options.kernel, "--timeout", "300", "--cpus", options.cpus, *lab, "--", *command]
        try:
            said = wrong(doctor(command), tier, layers)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            said = [str(error)]
        print(f"{'FAIL' if said else 'ok':7} {name}", *[f"\n        {line}" for line in said], flush=True)
        passed += not said
        failed += bool(said)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
