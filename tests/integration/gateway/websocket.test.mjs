// WebSocket connections of a channel: open, echo, close, limits, and the end of the gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Nats, sleep, until } from './harness.mjs';
import { OK, call, notes, probe, startKanal } from './probe.mjs';

let nats, kanal;

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, [probe()]);
});

after(async () => {
  await kanal?.stop();
  await nats?.kill('SIGTERM');
});

const address = (mode) => `${kanal.url.replace('http', 'ws')}/c/probe/ws?mode=${mode}`;
async function open(mode = 'echo') {
  const socket = new WebSocket(address(mode));
  socket.heard = [];
  socket.on('message', (data, binary) => socket.heard.push(binary ? data : data.toString()));
  socket.on('error', () => {});
  socket.ended = once(socket, 'close').then(([code, reason]) => [code, reason.toString()]);
  await until('hello', () => socket.heard.length > 0);
  assert.equal(socket.heard.shift(), 'hello');
  return socket;
}
const hears = (socket) => until('a message', () => socket.heard.length > 0 && { value: socket.heard.shift() }).then(({ value }) => value);

test('accept, echo of text and bytes, close by the client', async () => {
  await notes(kanal);
  const socket = await open();
  for (const message of ['Привет', '', 'x'.repeat(65000)]) {
    socket.send(message);
    assert.equal(await hears(socket), message);
  }
  socket.send(Buffer.from([0, 255, 1]));
  assert.deepEqual([...(await hears(socket))], [0, 255, 1]);
  socket.close(4321, 'bye');
  assert.deepEqual(await socket.ended, [4321, 'bye']);
  await until('on_close', async () => (await notes(kanal)).includes('closed 4321'));
});

test('close by the plugin, with the codes that may be sent', async () => {
  for (const code of [1000, 1001, 4000]) {
    const socket = await open();
    socket.send(`close ${code}`);
    assert.deepEqual(await socket.ended, [code, 'as you wish']);
  }
  for (const code of [0, 5, 999, 1004, 1005, 1006, 1015, 5000, 70000]) { // RFC 6455, 7.4: never on the wire
    const socket = await open();
    socket.send(`close ${code}`);
    assert.equal((await socket.ended)[0], 1011, String(code));
  }
  assert.ok(!(await notes(kanal)).some((line) => line.startsWith('sent after')));
});

test('a refusal is an answer like any other; a second accept changes nothing', async () => {
  const socket = new WebSocket(address('refuse'));
  const [, response] = await once(socket, 'unexpected-response');
  assert.equal(response.statusCode, 403);
  response.resume();
  const twice = await open('twice');
  twice.send('still one');
  assert.equal(await hears(twice), 'still one');
  twice.close();
  await twice.ended;
});

test('a message over the limit closes with 1009', async () => {
  const small = await open('small');
  small.send('x'.repeat(1000));
  assert.equal((await hears(small)).length, 1000);
  small.send('x'.repeat(1001));
  assert.equal((await small.ended)[0], 1009);
  const socket = await open();
  socket.send('x'.repeat(64 * 1024 + 1));
  assert.equal((await socket.ended)[0], 1009);
});

test('a slow client is closed with 1013, the others go on', async () => {
  await notes(kanal);
  const other = await open();
  const slow = await open();
  slow._socket.pause();
  slow.send('flood 1000');
  const [line] = await until('the flood ended', async () => { const lines = (await notes(kanal)).filter((one) => one.startsWith('flood sent')); return lines.length && lines; });
  assert.ok(Number(line.split(' ').pop()) < 1000, line);
  other.send('still here');
  assert.equal(await hears(other), 'still here');
  slow._socket.resume();
  assert.equal((await slow.ended)[0], 1013);
  other.close();
  await other.ended;
});

test('a client that floods is bounded', async () => {
  const socket = await open();
  for (let i = 0; i < 20000 && socket.readyState === WebSocket.OPEN; i++) socket.send('x');
  await sleep(1000);
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 })).status, OK);
  socket.terminate();
  await socket.ended;
});

test('clients that vanish: on_close exactly once each', async () => {
  await notes(kanal);
  const sockets = await Promise.all(Array.from({ length: 30 }, () => open()));
  sockets.forEach((socket, i) => { if (i % 3 === 0) socket.send('close 4000'); if (i % 3 !== 1) socket.terminate(); else socket.close(); });
  await Promise.all(sockets.map((socket) => socket.ended));
  await until('all closed', async () => { seen.push(...(await notes(kanal)).filter((line) => line.startsWith('closed'))); return seen.length >= 30; });
  await sleep(200);
  assert.equal(seen.length, 30);
});
const seen = [];

test('stop: every connection is closed with 1001, on_close comes once, before stop()', async () => {
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open()));
  const from = kanal.log().length;
  const stopped = kanal.stop();
  for (const socket of sockets) assert.equal((await socket.ended)[0], 1001);
  assert.deepEqual(await stopped, { code: 0, signal: null });
  const lines = kanal.log().slice(from).map((line) => line.message).filter((text) => /^(socket closed|stop\(\))/.test(text));
  assert.equal(lines.filter((text) => text.startsWith('socket closed 1001')).length, 5, lines.join('\n'));
  assert.equal(lines.at(-1), 'stop() was called');
});
