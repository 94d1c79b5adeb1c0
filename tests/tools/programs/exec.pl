# SPDX-License-Identifier: Apache-2.0
# sg-test: violation
exec "/bin/true";
