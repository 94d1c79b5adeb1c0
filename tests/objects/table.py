#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/object-attacks.md from results of run.py --json: table.py RESULT.json... > docs/object-attacks.md
Results of the same tier and kernel make one column; the later ones are added to the earlier."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import manifest  # noqa: E402

HEAD = """# Attacks on objects

Made by `tests/objects/table.py` from results of `tests/objects/run.py`. Every attack is made by a root without capabilities, under a
policy that **allows every system call**, so that nothing but the rules about objects stands in its way; without a sandbox each takes
effect. What the driver sees from outside decides, never what the attack says of itself. The built-in policies refuse most of these calls
by seccomp before any object is looked at: the last column matters for policies that allow them.

*stopped*: no effect. **effect**: it took effect. The class is that of the `lsm_violation` record; where the lsm tier has none, the kernel itself
refused for want of a capability, before any rule was asked. A dash: this kernel has no such thing. Before 6.1 there is no hook for user
namespaces, before 5.16 none for rings, before 5.12 none for userfaultfd ([bpf-lsm.md](bpf-lsm.md)): there the lsm tier leaves them to the seccomp filter.
"""


def column(result):
    kernel = re.match(r"\d+\.\d+", result["kernel"])[0]
    return f"{result['tier']}, {kernel}" + ("" if result["tier"] == "lsm" else f", Landlock {result['abi']}")


def cell(row):
    if row is None or not row["here"]:
        return "–"
    word = "**effect**" if row["effect"] else "stopped"
    return f"{word} ({row['class']})" if row.get("class") else word


def main():
    results = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            result = json.load(f)
        same = [r for r in results if column(r) == column(result)]
        if same:
            same[0]["rows"].update(result["rows"])
        else:
            results.append(result)
    print(HEAD)
    for r in results:
        here = [x for x in r["rows"].values() if x["here"]]
        print(f"- {column(r)}: {sum(bool(x['effect']) for x in here)} of {len(here)} took effect")
    for family, attacks in manifest.FAMILIES:
        print(f"\n## {family}\n")
        print("| attack | " + " | ".join(map(column, results)) + " | why Landlock alone does not stop it |")
        print("|---" * (len(results) + 2) + "|")
        names = [(a, a.name) for a in attacks]
        names += [(a, a.name + "-sibling") for a in attacks if a.name in manifest.SIBLING]
        for a, name in names:
            what = f"`{a.name}`" + (" (in a sandbox beside)" if name != a.name else "")
            cells = [cell(r["rows"].get(name)) for r in results]
            print(f"| {what} | " + " | ".join(cells) + f" | {a.why} |")


main()
