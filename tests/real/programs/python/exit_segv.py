# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=SIGSEGV
import ctypes
import sys

print("reading address 0")
sys.stdout.flush()
ctypes.string_at(0)
