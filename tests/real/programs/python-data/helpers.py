# SPDX-License-Identifier: Apache-2.0
# What libraries for data do when they are imported: look for a helper program, and do without.
import ctypes.util
import locale
import platform

print(platform.system(), bool(platform.platform()), platform.machine())
print(platform.uname().node == platform.node(), locale.getlocale()[1])
print(ctypes.util.find_library("no-such-library-anywhere"))
