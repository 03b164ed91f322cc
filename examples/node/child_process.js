// SPDX-License-Identifier: MIT
// Children with pipes, with a channel for messages, with a handle passed over it; synchronous ones; signals.
const assert = require('node:assert')
const { spawn, spawnSync, fork, execFile, exec } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')

if (process.argv[2] === 'child') {
  process.on('message', (message, handle) => {
    if (handle) {
      handle.on('connection', (c) => c.end(`from child ${process.pid}`))
      process.send('listening')
    } else if (message === 'end') {
      process.exit(9)
    } else {
      process.send({ twice: message.n * 2, long: message.long })
    }
  })
} else {
  main().then(() => console.log('all is well'), (e) => { console.error(e); process.exit(1) })
}

async function output(child) {
  let text = ''
  child.stdout.on('data', (d) => { text += d })
  const [code, signal] = await once(child, 'close')
  return { text, code, signal }
}

async function main() {
  assert.deepStrictEqual(await output(spawn('sh', ['-c', 'echo out; exit 3'])), { text: 'out\n', code: 3, signal: null })
  const cat = spawn('cat')
  const answer = output(cat)
  const long = 'x'.repeat(1000000)
  cat.stdin.end(long)
  assert.strictEqual((await answer).text, long)
  const sleeper = spawn('sleep', ['1000'])
  setTimeout(() => sleeper.kill('SIGTERM'), 10)
  assert.strictEqual((await output(sleeper)).signal, 'SIGTERM')
  const done = spawnSync('sh', ['-c', 'cat; echo err >&2'], { input: long })
  assert.strictEqual(done.stdout.toString(), long)
  assert.strictEqual(done.stderr.toString(), 'err\n')
  assert.strictEqual(spawnSync('sleep', ['1000'], { timeout: 100 }).error.code, 'ETIMEDOUT')
  await assert.rejects(() => new Promise((ok, no) => execFile('/nowhere', (e) => e ? no(e) : ok())), { code: 'ENOENT' })
  const many = await Promise.all(Array.from({ length: 30 }, (_, i) => new Promise((ok) => exec(`echo ${i}`, (e, out) => ok(out)))))
  assert.deepStrictEqual(many, Array.from({ length: 30 }, (_, i) => `${i}\n`))

  const child = fork(__filename, ['child'])
  child.send({ n: 21, long })
  const [reply] = await once(child, 'message')
  assert.deepStrictEqual(reply, { twice: 42, long })
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  child.send('take', server)
  assert.strictEqual((await once(child, 'message'))[0], 'listening')
  const port = server.address().port
  server.close()
  const c = net.connect(port, '127.0.0.1')
  let said = ''
  c.on('data', (d) => { said += d })
  await once(c, 'end')
  assert.strictEqual(said, `from child ${child.pid}`)
  child.send('end')
  assert.strictEqual((await once(child, 'exit'))[0], 9)
}
