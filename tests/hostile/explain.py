# SPDX-License-Identifier: Apache-2.0
"""Every violation must be explained: one sentence that names who and what, and a policy line that lets exactly that
call through. The line is put into a policy, and that policy is asked about the same call and about ones beside it."""
import copy
import json
import os
import re
import subprocess
import tempfile

import sgtest

# Which register an argument that a line may be narrowed to sits in.
REGISTER = {("socket", "domain"): 0, ("socket", "type"): 1, ("socketpair", "domain"): 0, ("socketpair", "type"): 1,
            ("clone", "flags"): 0, ("unshare", "flags"): 0, ("setns", "nstype"): 1, ("ptrace", "request"): 0,
            ("personality", "persona"): 0, ("keyctl", "op"): 0, ("bpf", "cmd"): 0, ("ioctl", "request"): 1,
            ("fcntl", "cmd"): 1, ("prctl", "op"): 0, ("seccomp", "op"): 0, ("rt_sigqueueinfo", "sig"): 1,
            ("rt_tgsigqueueinfo", "sig"): 2, ("pidfd_send_signal", "sig"): 1, ("process_madvise", "advice"): 3,
            ("kill", "sig"): 1, ("arch_prctl", "op"): 0}


def ask(sgrun, *words, given=None):
    got = subprocess.run([sgrun, "policy", *words], input=given, capture_output=True, text=True, timeout=30,
                         env=sgtest.ENV, check=False)
    return got.returncode, got.stdout, got.stderr


def policy_with(line, language, policy_file):
    """(text of a policy file, its language, what it is to be compared with) with the line added."""
    line, _, _ = line.partition(" # add to ")
    name, _, rest = line.partition(": ")
    if policy_file is None:
        return line + "\n", name.strip('"'), f"builtin:{language}"
    with open(policy_file) as f:
        text = f.read()
    return f"{text}\nwith-line: {{inherit: {name}, {rest[1:]}\n", "with-line", policy_file


def complaints(sgrun, record, policy_file=None):
    status, out, err = ask(sgrun, "explain", "--denial", given=json.dumps(record))
    lines = out.splitlines()
    if status or err or len(lines) != 2 or not lines[1].startswith("  policy: "):
        return [f"explain: exit {status}, {out!r} {err!r}"]
    sentence, line = lines[0], lines[1][len("  policy: "):]
    bad = []
    if not sentence.endswith(".") or sentence.count(". ") or not 40 < len(sentence) < 400:
        bad.append(f"explain: no sentence: {sentence!r}")
    for word in (record["comm"], record["syscall"].replace("syscall_", ""), "stopped before it took effect"):
        if word not in sentence:
            bad.append(f"explain: {word!r} is not in {sentence!r}")
    if record["abi"] != "x86_64" or record["syscall"].startswith("syscall_"):
        if not line.startswith("no policy can allow"):
            bad.append(f"explain: {line!r} for a call that no policy can allow")
        return bad
    text, language, before = policy_with(line, record["language"], policy_file)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as f:
        f.write(text)
    try:
        status, out, err = ask(sgrun, "check", f.name)
        if status:
            return bad + [f"explain: {line!r} is no policy: {err}"]
        bad += lets_through(sgrun, record, line, f.name, language)
        bad += nothing_else(sgrun, record, before, f.name, language)
    finally:
        os.unlink(f.name)
    return bad


def now(sgrun, record, path, language):
    status, out, err = ask(sgrun, "explain", "--denial", "--json", "--policy", path, "--lang", language,
                           given=json.dumps(record))
    return json.loads(out)["now"] if status == 0 else err


def lets_through(sgrun, record, line, path, language):
    bad = []
    if now(sgrun, record, path, language) != "allow":
        bad.append(f"explain: with {line!r} the call is still answered {now(sgrun, record, path, language)}")
    for name in re.findall(r"(?:\"|and )([a-z]+)(?: & [A-Z_]+)? ==", line):
        other = copy.deepcopy(record)
        register = REGISTER[(record["syscall"], name)]
        other["args"][register] = record["args"][register] ^ 3
        if now(sgrun, other, path, language) == "allow":
            bad.append(f"explain: {line!r} lets another {name} through")
    if "==" not in line and (record["syscall"], next(iter(record["decoded"]), "")) in REGISTER:
        bad.append(f"explain: {line!r} is not narrowed to what was tried")
    return bad


def nothing_else(sgrun, record, before, path, language):
    """The two policies differ in that call and in nothing else."""
    if before.startswith("builtin:"):
        words = [before, path, "--lang", language]
    else:
        # Two languages of one file: the one with the line inherits the other.
        status, out, err = ask(sgrun, "explain", "--json", "--lang", language, path)
        old = ask(sgrun, "explain", "--json", "--lang", record["language"], before)[1]
        if status:
            return [f"explain: {err}"]

        def rules(text):
            return {(r["syscall"], r["action"], r["text"]) for r in json.loads(text)["rules"]}
        changed = {r[0] for r in rules(out) ^ rules(old)}
        return [] if changed == {record["syscall"]} else [f"explain: the line changes {changed}"]
    status, out, err = ask(sgrun, "diff", "--json", *words)
    if status != 1:
        return [f"explain: diff: exit {status} {err}"]
    diff = json.loads(out)
    changed = {r["syscall"] for r in diff["added"] + diff["removed"]} | set(diff["reordered"])
    if changed != {record["syscall"]} or diff["settings"]:
        return [f"explain: the line changes {changed} {diff['settings']}"]
    return []
