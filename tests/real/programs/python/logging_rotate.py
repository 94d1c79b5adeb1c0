# SPDX-License-Identifier: Apache-2.0
import logging
import logging.handlers
import os
import queue
import sys
import warnings

log = logging.getLogger("app")
log.setLevel(logging.DEBUG)
out = logging.StreamHandler(sys.stdout)
out.setFormatter(logging.Formatter("%(levelname)-8s %(name)s %(threadName)s: %(message)s"))
log.addHandler(out)
log.info("started with %d handlers", len(log.handlers))
try:
    1 / 0
except ZeroDivisionError:
    log.error("failed: %s", sys.exc_info()[1])
rot = logging.handlers.RotatingFileHandler("app.log", maxBytes=200, backupCount=3)
rot.setFormatter(logging.Formatter("%(message)s"))
quiet = logging.getLogger("app.quiet")
quiet.propagate = False
quiet.addHandler(rot)
for i in range(40):
    quiet.warning("message number %04d", i)
rot.close()
print(sorted(n for n in os.listdir(".") if n.startswith("app.log")))
q = queue.Queue()
listener = logging.handlers.QueueListener(q, out)
listener.start()
far = logging.getLogger("far")
far.propagate = False
far.addHandler(logging.handlers.QueueHandler(q))
far.warning("through a thread")
listener.stop()
logging.captureWarnings(True)
logging.getLogger("py.warnings").addHandler(logging.NullHandler())
warnings.warn("quiet")
logging.shutdown()
