# SPDX-License-Identifier: Apache-2.0
# sg-test: exit=7
raise SystemExit(7)
