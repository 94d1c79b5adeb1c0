# SPDX-License-Identifier: Apache-2.0
"""Says that the interpreter's start is over: `then` of the policy is in force before the first line of user code.

Python imports a module of this name from PYTHONPATH at the end of its own start. In a sandbox without a second phase, and
outside of any, the call finds no such process and does nothing.
"""
import os

os.uname()  # as an example of what only the start may do
try:
    os.kill(0x53474154, 0)
except OSError:
    pass
