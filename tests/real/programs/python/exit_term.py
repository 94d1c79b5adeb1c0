# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=SIGTERM
import os
import signal
import sys

print("about to send SIGTERM to ourselves")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGTERM)
print("not reached")
