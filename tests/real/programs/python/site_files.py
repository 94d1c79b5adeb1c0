# SPDX-License-Identifier: Apache-2.0
# What Debian's packages of libraries read when they are imported; where the package is not there, neither is the file.
for path in ("/etc/matplotlibrc",):
    try:
        with open(path, encoding="utf-8") as f:
            print(path, len(f.read()))
    except OSError as e:
        print(path, e.strerror)
