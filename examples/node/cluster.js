// SPDX-License-Identifier: MIT
// A cluster of three: the primary accepts and passes connections on; one worker dies and is replaced.
const assert = require('node:assert')
const cluster = require('node:cluster')
const http = require('node:http')
const { once } = require('node:events')

if (cluster.isPrimary) {
  main().then(() => console.log('all is well'), (e) => { console.error(e); process.exit(1) })
} else {
  http.createServer((request, response) => response.end(String(process.pid))).listen(Number(process.env.PORT))
}

async function ask(port) {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })
  return Number(await response.text())
}

async function main() {
  const port = 8085
  const start = async () => { const w = cluster.fork({ PORT: port }); await once(w, 'listening'); return w }
  const workers = await Promise.all([start(), start(), start()])
  const pids = new Set(workers.map((w) => w.process.pid))
  const seen = new Set()
  for (let i = 0; i < 60; i++) seen.add(await ask(port))
  assert.deepStrictEqual([...seen].sort(), [...pids].sort())
  workers[0].process.kill('SIGKILL')
  await once(workers[0], 'exit')
  workers[0] = await start()
  for (let i = 0; i < 30; i++) assert.notStrictEqual(await ask(port), 0)
  await new Promise((ok) => cluster.disconnect(ok))
}
