// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=SIGABRT
'use strict';
require('fs').writeSync(1, 'aborting\n');
process.abort();
