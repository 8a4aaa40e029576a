// The WebSocket server against the client of npm's ws. Usage: node websocket_client.test.mjs PATH-OF-http-site
// Exits with 77, which meson counts as skipped, where npm or its packages cannot be had.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import test from 'node:test';

const here = dirname(fileURLToPath(import.meta.url));
if (!existsSync(join(here, 'node_modules', 'ws'))) {
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--silent'], { cwd: here, timeout: 60000 });
  if (npm.status !== 0) {
    console.error('skipped: npm could not install ws');
    process.exit(77);
  }
}
const { WebSocket } = await import('ws');

const site = spawn(process.argv[2], { stdio: ['pipe', 'pipe', 'inherit'] });
const port = Number((await once(site.stdout, 'data'))[0].toString());
test.after(async () => {
  site.stdin.end();
  const [code] = await once(site, 'exit');
  assert.equal(code, 0, 'the server ended badly');
});

async function open(options) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options);
  await once(socket, 'open');
  return socket;
}

async function closed(socket) {
  const [code, reason] = await once(socket, 'close');
  return { code, reason: reason.toString() };
}

async function echo(socket, message, options) {
  const answer = once(socket, 'message');
  socket.send(message, options);
  const [data, isBinary] = await answer;
  return { data, isBinary };
}

test('text and binary messages come back', async () => {
  const socket = await open();
  for (const text of ['', 'hello', 'Здравствуйте 👋', 'x'.repeat(65536)]) {
    const { data, isBinary } = await echo(socket, text);
    assert.equal(isBinary, false);
    assert.equal(data.toString(), text);
  }
  for (const size of [0, 1, 125, 126, 65535, 65536]) {
    const bytes = Buffer.alloc(size, 0xfe);
    const { data, isBinary } = await echo(socket, bytes);
    assert.equal(isBinary, true);
    assert.ok(bytes.equals(data));
  }
  socket.close(1000, 'done');
  assert.deepEqual(await closed(socket), { code: 1000, reason: 'done' });
});

test('fragments are put together', async () => {
  const socket = await open();
  const answer = once(socket, 'message');
  socket.send('one ', { fin: false });
  socket.ping('between');
  socket.send('two ', { fin: false });
  socket.send('three', { fin: true });
  assert.equal((await once(socket, 'pong'))[0].toString(), 'between');
  assert.equal((await answer)[0].toString(), 'one two three');
  socket.close();
  assert.equal((await closed(socket)).code, 1005);
});

test('many messages keep their order', async () => {
  const socket = await open();
  const seen = [];
  socket.on('message', (data) => seen.push(data.toString()));
  for (let i = 0; i < 5000; i++) socket.send(`message ${i}`);
  while (seen.length < 5000) await once(socket, 'message');
  seen.forEach((text, i) => assert.equal(text, `message ${i}`));
  socket.terminate();
});

test('the server closes with a code and a reason', async () => {
  const socket = await open();
  socket.send('close 4321');
  assert.deepEqual(await closed(socket), { code: 4321, reason: 'bye' });
});

test('a message over the limit closes with 1009', async () => {
  const socket = await open();
  socket.send(Buffer.alloc(3 * 1024 * 1024));
  assert.equal((await closed(socket)).code, 1009);
});

test('text that is not UTF-8 closes with 1007', async () => {
  const socket = await open();
  socket.send(Buffer.from([0x61, 0xff]), { binary: false });
  assert.equal((await closed(socket)).code, 1007);
});

test('a client that is flooded but reads gets 1013', async () => {
  const socket = await open();
  socket.send('flood');
  assert.equal((await closed(socket)).code, 1013);
});

test('another protocol version is refused with 426', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { protocolVersion: 8 });
  socket.on('error', () => {});
  const [, answer] = await once(socket, 'unexpected-response');
  assert.equal(answer.statusCode, 426);
  assert.equal(answer.headers['sec-websocket-version'], '13');
  answer.destroy();
});

test('a page where no socket is refuses the upgrade with its own answer', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/code/403`);
  socket.on('error', () => {});
  const [, answer] = await once(socket, 'unexpected-response');
  assert.equal(answer.statusCode, 403);
  answer.destroy();
});

test('200 sockets at once', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => open()));
  const answers = await Promise.all(sockets.map((socket, i) => echo(socket, `socket ${i}`)));
  answers.forEach(({ data }, i) => assert.equal(data.toString(), `socket ${i}`));
  const ends = sockets.map((socket) => closed(socket));
  sockets.forEach((socket) => socket.close(1001));
  for (const end of await Promise.all(ends)) assert.equal(end.code, 1001);
});
