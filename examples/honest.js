// SPDX-License-Identifier: Apache-2.0
// Threads, compression and a timer: sgrun --lang javascript -- node examples/honest.js
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');

if (!isMainThread) {
  let sum = 0;
  for (let i = 0; i < workerData; i++) sum += i % 7;
  parentPort.postMessage(sum);
} else {
  const worker = new Worker(__filename, { workerData: 1000000 });
  worker.on('message', (sum) => {
    const packed = zlib.gzipSync(Buffer.alloc(65536, String(sum)));
    setTimeout(() => console.log(`sum ${sum}, unpacked ${zlib.gunzipSync(packed).length} bytes`), 10);
  });
}
