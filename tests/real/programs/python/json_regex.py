# SPDX-License-Identifier: Apache-2.0
import json
import re

data = {"name": "Zoë", "list": [1, 2.5, None, True], "nested": {"k": ["v"] * 3}, "text": "line\nbreak\t\"q\""}
text = json.dumps(data, sort_keys=True, ensure_ascii=False, indent=2)
print(text)
print(json.loads(text) == data)
try:
    json.loads('{"a": }')
except json.JSONDecodeError as e:
    print(e)
log = "\n".join(f"10.0.0.{i % 5} - [{i:02d}/Nov] \"GET /p{i}?q={i * i} HTTP/1.1\" {200 + i % 3} {i * 100}" for i in range(40))
pat = re.compile(r'(?P<ip>[\d.]+) - \[(?P<day>\d+)/(?P<mon>\w+)\] "(?P<verb>\w+) (?P<path>\S+)[^"]*" (?P<st>\d{3}) (?P<n>\d+)')
count = {}
for mt in pat.finditer(log):
    count[mt["ip"]] = count.get(mt["ip"], 0) + int(mt["n"])
print(sorted(count.items()))
print(re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@home you@work"), re.split(r"[,;]\s*", "a, b;c,d"))
print(re.findall(r"\b\w*é\w*\b", "café thé bar"), bool(re.fullmatch(r"(a|aa)+$", "a" * 40)))
print(re.compile(r"(?<=-)\w+(?!\d)").search("spam-egg1").group())
