# SPDX-License-Identifier: Apache-2.0
# sg-test: signal=9
Process.kill(:KILL, Process.pid)
