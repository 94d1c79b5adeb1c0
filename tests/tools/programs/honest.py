# SPDX-License-Identifier: Apache-2.0
# sg-test: ok
print(sum(range(10)))
