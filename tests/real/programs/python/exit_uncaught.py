# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=1
import atexit

atexit.register(print, "at exit")
print("before")


def inner():
    raise RuntimeError("not caught")


try:
    inner()
finally:
    print("finally")
