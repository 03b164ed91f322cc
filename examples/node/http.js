// SPDX-License-Identifier: MIT
// A server and many clients in one process: keep-alive, large bodies both ways, streaming, fetch, time-outs, aborts, a UNIX socket.
const assert = require('node:assert')
const http = require('node:http')
const fs = require('node:fs')
const { once } = require('node:events')

const large = Buffer.alloc(3000000, 'abcdefghij')

function answer(request, response) {
  if (request.url === '/large') return response.end(large)
  if (request.url === '/slow') return
  if (request.url === '/file') return fs.createReadStream('/srv/file').pipe(response)
  const parts = []
  request.on('data', (d) => parts.push(d))
  request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(parts).length}`))
}

function get(options, body) {
  return new Promise((ok, no) => {
    const r = http.request(options, (response) => {
      const parts = []
      response.on('data', (d) => parts.push(d))
      response.on('end', () => ok(Buffer.concat(parts)))
    })
    r.on('error', no)
    r.end(body)
  })
}

async function main() {
  fs.writeFileSync('/srv/file', large)
  const server = http.createServer(answer)
  server.listen(0)
  await once(server, 'listening')
  const port = server.address().port
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 })
  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    assert.strictEqual((await get({ host, port, path: '/x', agent })).toString(), 'GET /x 0')
  }
  const all = await Promise.all(Array.from({ length: 500 }, (_, i) => get({ host: '127.0.0.1', port, path: `/${i}`, agent })))
  all.forEach((a, i) => assert.strictEqual(a.toString(), `GET /${i} 0`))
  assert((await get({ port, path: '/large', agent })).equals(large))
  assert((await get({ port, path: '/file', agent })).equals(large))
  assert.strictEqual((await get({ port, path: '/p', method: 'POST', agent }, large)).toString(), `POST /p ${large.length}`)
  const bodies = await Promise.all(Array.from({ length: 20 }, () => get({ port, path: '/large', agent })))
  assert(bodies.every((b) => b.equals(large)))
  agent.destroy()
  const fetched = await fetch(`http://localhost:${port}/f`, { method: 'PUT', body: 'word' })
  assert.strictEqual(await fetched.text(), 'PUT /f 4')
  await assert.rejects(fetch(`http://localhost:${port}/slow`, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
  await assert.rejects(get({ port: 1, host: '127.0.0.1' }), { code: 'ECONNREFUSED' })
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
  await assert.rejects(get({ port, host: '127.0.0.1' }), { code: 'ECONNREFUSED' })

  const local = http.createServer(answer).listen('/srv/http.sock')
  await once(local, 'listening')
  assert((await get({ socketPath: '/srv/http.sock', path: '/large' })).equals(large))
  assert.throws(() => fs.readFileSync('/srv/http.sock'), { code: 'ENXIO' })
  local.closeAllConnections()
  local.close()
}

main().then(() => console.log('all is well'), (e) => { console.error(e); process.exit(1) })
