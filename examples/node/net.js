// SPDX-License-Identifier: MIT
// Plain streams and datagrams: back pressure, half-open ends, resets, a name's time-out, UDP both ways.
const assert = require('node:assert')
const net = require('node:net')
const dgram = require('node:dgram')
const { once } = require('node:events')

async function collect(stream) {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

async function main() {
  const echo = net.createServer({ allowHalfOpen: true }, (c) => { c.on('error', () => {}); c.pipe(c) }).listen(0)
  await once(echo, 'listening')
  const { port } = echo.address()
  const data = Buffer.alloc(8000000, 'what goes out comes back ')
  const c = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const back = collect(c)
  c.end(data)
  assert((await back).equals(data))

  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => new Promise((ok, no) => {
    const s = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    s.on('data', (d) => { text += d })
    s.on('end', () => ok(text))
    s.on('error', no)
    s.end(`number ${i}`)
  })))
  many.forEach((text, i) => assert.strictEqual(text, `number ${i}`))

  const server = net.createServer().listen('/srv/net.sock')
  const local = net.connect('/srv/net.sock')
  const [peer] = await once(server, 'connection')
  local.resume()
  local.write('before the end')
  assert.strictEqual((await once(peer, 'data'))[0].toString(), 'before the end')
  peer.destroy()
  await once(local, 'close')
  server.close()

  const reset = net.connect({ port, host: '127.0.0.1' })
  await once(reset, 'connect')
  reset.resetAndDestroy()
  await once(reset, 'close')
  echo.close()
  await once(echo, 'close')

  for (const [type, address] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
    const a = dgram.createSocket(type)
    const b = dgram.createSocket(type)
    await Promise.all([once(a.bind(0, address), 'listening'), once(b.bind(0, address), 'listening')])
    a.send('question', b.address().port, address)
    const [question, from] = await once(b, 'message')
    b.send(`answer to ${question}`, from.port, from.address)
    assert.strictEqual((await once(a, 'message'))[0].toString(), 'answer to question')
    a.close()
    b.close()
  }
}

main().then(() => console.log('all is well'), (e) => { console.error(e); process.exit(1) })
