# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=3
import atexit
import os
import sys

atexit.register(print, "never shown")
print("shown")
sys.stdout.flush()
print("lost in the buffer", end="")
os._exit(3)
