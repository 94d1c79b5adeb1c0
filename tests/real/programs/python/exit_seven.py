# SPDX-License-Identifier: Apache-2.0
# sg-real: exit=7
import sys
import threading

threading.Thread(target=sum, args=([],)).start()
try:
    sys.exit(7)
finally:
    print("leaving with 7")
