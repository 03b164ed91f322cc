// SPDX-License-Identifier: MIT
// Workers: messages, transferred and shared memory, Atomics.wait, one that ends itself, many at once.
const assert = require('node:assert')
const { Worker, isMainThread, parentPort, workerData, MessageChannel } = require('node:worker_threads')
const { once } = require('node:events')

if (isMainThread) {
  main().then(() => console.log('all is well'), (e) => { console.error(e); process.exit(1) })
} else if (workerData.what === 'count') {
  const cells = new Int32Array(workerData.shared)
  for (let i = 0; i < 100000; i++) Atomics.add(cells, 0, 1)
  parentPort.postMessage('done')
} else if (workerData.what === 'wait') {
  const cells = new Int32Array(workerData.shared)
  parentPort.postMessage('waits')
  parentPort.postMessage(Atomics.wait(cells, 1, 0))
} else if (workerData.what === 'echo') {
  parentPort.on('message', ({ port, buffer }) => { port.postMessage(buffer.byteLength); port.close(); parentPort.close() })
} else {
  process.exit(workerData.status)
}

async function main() {
  const shared = new SharedArrayBuffer(16)
  const cells = new Int32Array(shared)
  const counters = Array.from({ length: 8 }, () => new Worker(__filename, { workerData: { what: 'count', shared } }))
  await Promise.all(counters.map((w) => once(w, 'exit')))
  assert.strictEqual(cells[0], 800000)

  const waiter = new Worker(__filename, { workerData: { what: 'wait', shared } })
  assert.strictEqual((await once(waiter, 'message'))[0], 'waits')
  const result = once(waiter, 'message')
  while (Atomics.notify(cells, 1) === 0) await new Promise((ok) => setTimeout(ok, 5))
  assert.strictEqual((await result)[0], 'ok')

  const echo = new Worker(__filename, { workerData: { what: 'echo' } })
  const { port1, port2 } = new MessageChannel()
  const buffer = new ArrayBuffer(5000000)
  echo.postMessage({ port: port2, buffer }, [port2, buffer])
  assert.strictEqual((await once(port1, 'message'))[0], 5000000)
  assert.strictEqual(buffer.byteLength, 0)
  await once(echo, 'exit')
  assert.strictEqual((await once(new Worker(__filename, { workerData: { what: 'exit', status: 4 } }), 'exit'))[0], 4)
  const stuck = new Worker('for (;;);', { eval: true })
  await once(stuck, 'online')
  assert.strictEqual(await stuck.terminate(), 1)
}
