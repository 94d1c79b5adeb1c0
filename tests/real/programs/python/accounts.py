# SPDX-License-Identifier: Apache-2.0
import getpass
import grp
import os
import platform
import pwd
import sys
import sysconfig

print(pwd.getpwuid(0).pw_name, pwd.getpwnam("nobody").pw_dir, grp.getgrgid(0).gr_name)
try:
    pwd.getpwnam("no-such-user-here")
except KeyError as e:
    print(e)
print(len(pwd.getpwall()) > 3, getpass.getuser() == pwd.getpwuid(os.getuid()).pw_name)
print(os.getuid() == os.geteuid(), os.getgid() == os.getegid(), len(os.getgroups()) >= 0, os.getresuid() == (os.getuid(),) * 3)
print(os.path.expanduser("~root"), os.path.expanduser("~") == os.environ["HOME"])
print(sorted(os.environ))
print(platform.system(), platform.machine(), sys.byteorder, sysconfig.get_platform(), platform.libc_ver()[0])
print(os.uname().sysname, os.cpu_count() > 0, len(os.sched_getaffinity(0)) > 0, os.getpriority(os.PRIO_PROCESS, 0))
print(os.sched_get_priority_max(os.SCHED_RR), os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
print(os.nice(20))
print(os.getpgid(0) > 0, os.getsid(0) > 0, os.getppid() > 0, os.times().elapsed > 0, os.getloadavg()[0] >= 0)
print(os.sysconf("SC_PAGESIZE"), os.confstr("CS_PATH"), sys.flags.isolated)
