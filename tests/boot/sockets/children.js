// SPDX-License-Identifier: MIT
// node's children, whose standard streams and messages are UNIX sockets, and a server with a path.
const { execFile, execSync, fork } = require('child_process');
const net = require('net');

if (process.argv[2] === 'child') {
    process.on('message', (m) => process.send({ got: m }));
} else {
    let left = 3;
    const done = (ok) => {
        if (!ok) process.exit(1);
        if (--left === 0) console.log('all ' + 'is well');
    };
    if (execSync('echo sync').toString() !== 'sync\n') process.exit(1);
    execFile('/bin/sh', ['-c', 'echo child; cat'], (e, out) => done(!e && out === 'child\nto the child')).stdin.end('to the child');
    const child = fork(__filename, ['child']);
    child.on('message', (m) => { child.disconnect(); done(m.got.number === 7); });
    child.send({ number: 7 });
    const server = net.createServer((c) => c.on('data', (d) => c.end(d.toString().toUpperCase()))).listen('/tmp/node.sock', () => {
        const c = net.connect('/tmp/node.sock', () => c.write('abc'));
        c.on('data', (d) => { server.close(); done(d.toString() === 'ABC'); });
    });
}
