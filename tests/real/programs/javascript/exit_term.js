// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=SIGTERM
'use strict';
require('fs').writeSync(1, 'terminating\n');
process.kill(process.pid, 'SIGTERM');
setTimeout(() => console.log('never'), 5000);
