# SPDX-License-Identifier: Apache-2.0
import collections
import configparser
import copy
import csv
import io
import pickle
import shelve
import struct
import xml.etree.ElementTree as ET

Point = collections.namedtuple("Point", "x y")
obj = {"p": Point(1, 2), "s": {1, 2}, "t": (None, b"x", 1j), "self": []}
obj["self"].append(obj["p"])
for proto in range(6):
    back = pickle.loads(pickle.dumps(obj, proto))
    print(proto, back == obj, back["self"][0] is back["p"])
print(copy.deepcopy(obj) == obj)
with shelve.open("shelf", flag="n") as s:
    s["a"] = [1, 2]
with shelve.open("shelf") as s:
    print(s["a"], list(s))
with open("t.csv", "w", newline="") as f:
    out = csv.DictWriter(f, ["name", "n"])
    out.writeheader()
    out.writerows({"name": f'q"{i},', "n": i} for i in range(3))
with open("t.csv", newline="") as f:
    print(list(csv.DictReader(f)), csv.Sniffer().sniff("a;b\nc;d\n").delimiter)
c = configparser.ConfigParser()
c.read_string("[a]\nx = 1\ny = %(x)s0\n")
print(c.getint("a", "y"), c.has_section("b"))
root = ET.fromstring("<r><i n='1'>one</i><i n='2'>two</i></r>")
print([(i.get("n"), i.text) for i in root.iter("i")], ET.tostring(root))
print(struct.pack("<IHb4s", 1, 2, -3, b"ab").hex(), struct.calcsize("@lqi"))
print(io.StringIO("a\r\nb\n").readlines())
