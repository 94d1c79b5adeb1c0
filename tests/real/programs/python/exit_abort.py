# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=SIGABRT
import os
import sys

print("about to abort")
sys.stdout.flush()
os.abort()
