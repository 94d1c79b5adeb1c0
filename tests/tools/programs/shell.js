// SPDX-License-Identifier: Apache-2.0
// sg-test: violation=setuid time=20s
process.setuid(process.getuid());
