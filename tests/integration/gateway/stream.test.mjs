// kanal.stream/1 against node's TCP and TLS servers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { after, before, test } from 'node:test';
import smpp from 'smpp';
import { call, certificates, events, start } from './extensions.mjs';
import { Nats, freePort, sleep, until } from './harness.mjs';
import { BUSY, CANCELLED, DENIED, INVALID, MAYBE, NETWORK, NOT_FOUND, OK, REJECTED, TIMEOUT, TOO_LARGE } from './probe.mjs';

const TLS = 1, PASSWORD = 'geheim-8';
let smscPort, bound;
let nats, kanal, good, other, plain, secure, closedPort, heard = [];
const servers = [];

async function listen(server) {
  servers.push(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

// The peer says what it was told to say when a connection comes.
const peers = { script: () => {}, last: null };
const onPeer = (socket) => { peers.last = socket; socket.on('error', () => {}); socket.bytes = Buffer.alloc(0); socket.on('data', (data) => { socket.bytes = Buffer.concat([socket.bytes, data]); }); peers.script(socket); };

before(async () => {
  nats = await Nats.start();
  good = certificates();
  other = certificates('DNS:elsewhere.example.com');
  plain = await listen(net.createServer({ allowHalfOpen: true }, onPeer));
  secure = await listen(tls.createServer({ key: readFileSync(good.key), cert: readFileSync(good.cert) }, onPeer));
  other.port = await listen(tls.createServer({ key: readFileSync(other.key), cert: readFileSync(other.cert) }, onPeer));
  other.stranger = await listen(tls.createServer({ key: readFileSync(other.key), cert: readFileSync(other.cert) }, onPeer));
  const smsc = smpp.createServer((session) => {
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => {
      bound = { system_id: pdu.system_id, password: pdu.password };
      session.send(pdu.response({ command_status: pdu.password === PASSWORD ? smpp.ESME_ROK : smpp.ESME_RBINDFAIL, system_id: 'smsc' }));
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  });
  smscPort = await listen(smsc);
  closedPort = await freePort();
  // Authorities of both, so that only the name is wrong at other.port.
  const { writeFileSync } = await import('node:fs');
  writeFileSync(`${good.directory}/both.pem`, readFileSync(good.ca, 'utf8') + readFileSync(other.ca, 'utf8'));
  const grants = [smscPort, plain, secure, other.port, closedPort].flatMap((port) => [`127.0.0.1:${port}`, `localhost:${port}`]);
  kanal = await start(nats, [
    { id: 'exts', plugin: 'exts', egress: [...grants, '127.0.0.2'], secrets: { password: PASSWORD, odd: 'a\nb' } },
    { id: 'timid', plugin: 'exts' },
  ], { top: { outgoing: { ca: `${good.directory}/both.pem` } } });
});

after(async () => {
  const how = await kanal?.stop();
  await nats?.kill('SIGTERM');
  for (const server of servers) server.close();
  peers.last?.destroy();
  assert.deepEqual(how, { code: 0, signal: null });
});

const seen = [];
async function event(kind, id) {
  return until(`the event ${kind}`, async () => {
    seen.push(...(await events(kanal)));
    const at = seen.findIndex((one) => one.event === kind && (!id || one.id === id));
    return at >= 0 && seen.splice(at, 1)[0];
  }, 20000);
}
const bytes = async (id, count) => {
  let all = Buffer.alloc(0);
  while (all.length < count) all = Buffer.concat([all, (await event('data', id)).bytes]);
  return all;
};
const mode = (args = {}) => call(kanal, 'mode', args);
async function connect(args = {}, script = () => {}) {
  peers.script = script;
  peers.last = null;
  const { id } = await call(kanal, 'connect', { host: '127.0.0.1', port: plain, ...args });
  assert.notEqual(id, '0');
  return id;
}
async function opened(args, script) {
  const id = await connect(args, script);
  await event('open', id);
  await until('the peer has it', () => peers.last);
  return id;
}
const refusal = async (args) => { const id = await connect(args); return { ...(await event('close', id)), id }; };
const text = async (id, args) => (await call(kanal, 'write', { id, ...args })).status;

test('plain: bytes both ways, end and close', async () => {
  const id = await opened({}, (socket) => socket.write('hello'));
  assert.equal((await bytes(id, 5)).toString(), 'hello');
  assert.equal(await text(id, { data: 'Привет' }), OK);
  await until('it came', () => peers.last.bytes.toString() === 'Привет');
  peers.last.end('bye');
  assert.equal((await bytes(id, 3)).toString(), 'bye');
  await event('end', id);
  assert.equal(await text(id, { data: ' still' }), OK); // half-closed by the peer
  await call(kanal, 'shutdown', { id });
  const { status } = await event('close', id);
  assert.equal(status, OK);
  assert.equal(peers.last.bytes.toString(), 'Привет still');
  assert.equal(await text(id, { data: 'late' }), NOT_FOUND);
});

test('close(): on_close with CANCELLED, once', async () => {
  const id = await opened();
  await call(kanal, 'close', { id });
  await call(kanal, 'close', { id });
  assert.equal((await event('close', id)).status, CANCELLED);
  await sleep(100);
  assert.ok(![...(await events(kanal)), ...seen].some((one) => one.event === 'close'));
});

test('what is not granted, not there, or malformed', async () => {
  assert.equal((await refusal({ port: 9 })).status, DENIED);
  assert.match((await refusal({ host: '127.0.0.2', port: plain })).bytes.toString(), /127\.0\.0\.2:\d+' is not granted: add it, with the port/); // granted without a port: for HTTP
  assert.equal((await refusal({ port: 0 })).status, INVALID);
  assert.equal((await refusal({ port: 70000 })).status, INVALID);
  assert.equal((await refusal({ host: '' })).status, INVALID);
  assert.equal((await refusal({ host: 'a\0b' })).status, INVALID);
  assert.equal((await refusal({ flags: 2 })).status, INVALID);
  assert.equal((await refusal({ null: true })).status, INVALID);
  assert.equal((await refusal({ port: closedPort })).status, NETWORK);
  const silent = await connect({ flags: TLS, connect_ms: 300 });
  assert.equal((await event('close', silent)).status, TIMEOUT);
});

test('a plugin\'s own list does not reach private addresses', async () => {
  const { id } = await call(kanal, 'connect', { host: '127.0.0.1', port: 7 }, 'timid');
  const [close] = await until('the refusal', async () => { const list = (await events(kanal, 'timid')).filter((one) => one.id === id); return list.length && list; });
  assert.equal(close.status, DENIED);
  assert.match(close.bytes.toString(), /127\.0\.0\.1 is not granted/);
});

test('TLS: chain and name are verified, and nothing is said in plain text', async () => {
  const id = await opened({ host: 'localhost', port: secure, flags: TLS }, (socket) => socket.write('over TLS'));
  assert.equal((await bytes(id, 8)).toString(), 'over TLS');
  assert.equal(await text(id, { data: { size: 300000 } }), OK);
  await until('all came', () => peers.last.bytes.length === 300000);
  peers.last.end();
  await event('end', id);
  await call(kanal, 'close', { id });
  await event('close', id);
  const byAddress = await opened({ port: secure, flags: TLS });
  await call(kanal, 'close', { id: byAddress });
  await event('close', byAddress);

  const name = await refusal({ host: 'localhost', port: other.port, flags: TLS });
  assert.equal(name.status, REJECTED);
  assert.match(name.bytes.toString(), /hostname mismatch/i);
  // A plain peer: the handshake fails, there is no way back to plain text.
  const unaware = await connect({ flags: TLS, connect_ms: 5000 }, (socket) => socket.write('220 hello\r\n'));
  assert.equal((await event('close', unaware)).status, NETWORK);
});

test('TLS: an unknown authority is refused', async () => {
  const strange = await start(nats, [{ id: 'exts', plugin: 'exts', egress: [`localhost:${secure}`] }], { top: { outgoing: { ca: other.ca } } });
  try {
    const { id } = await call(strange, 'connect', { host: 'localhost', port: secure, flags: TLS });
    const [close] = await until('the refusal', async () => { const list = (await events(strange)).filter((one) => one.id === id && one.event === 'close'); return list.length && list; });
    assert.equal(close.status, REJECTED);
    assert.match(close.bytes.toString(), /certificate/);
  } finally { await strange.stop(); }
});

test('STARTTLS', async () => {
  const id = await opened({ host: 'localhost' }, (socket) => socket.once('data', () => {
    socket.write('go ahead\r\n');
    socket.removeAllListeners('data');
    const upgraded = new tls.TLSSocket(socket, { isServer: true, key: readFileSync(good.key), cert: readFileSync(good.cert) });
    peers.upgraded = upgraded;
    upgraded.on('error', () => {});
    upgraded.on('data', (data) => upgraded.write(`got ${data}`));
  }));
  assert.equal(await text(id, { data: 'STARTTLS\r\n' }), OK);
  await bytes(id, 10);
  assert.equal((await call(kanal, 'start_tls', { id })).status, OK);
  assert.equal(await text(id, { data: 'secretly' }), OK);
  assert.equal((await bytes(id, 12)).toString(), 'got secretly');
  assert.equal((await call(kanal, 'start_tls', { id })).status, NETWORK); // it stands already
  await event('close', id);
});

test('STARTTLS: what came in plain text before is an attack', async () => {
  const id = await opened({ host: 'localhost', credit: 10 }, (socket) => socket.write('go ahead\r\nA1 OK injected\r\n'));
  await bytes(id, 10);
  await sleep(100);
  assert.equal((await call(kanal, 'start_tls', { id })).status, REJECTED);
  assert.equal((await event('close', id)).status, REJECTED);
});

test('credit: the host reads no more than it may', async () => {
  await mode({ quiet: true });
  const id = await opened({ credit: 1000 }, (socket) => { socket.sent = 0; const more = () => { while (socket.sent < 40e6 && socket.write(Buffer.alloc(65536))) socket.sent += 65536; }; socket.on('drain', more); more(); });
  await sleep(300);
  assert.equal((await events(kanal)).received, 1000);
  await call(kanal, 'credit', { id, bytes: 500000 });
  await until('as much as it may', async () => (await events(kanal)).received === 501000);
  await sleep(200);
  assert.equal((await events(kanal)).received, 501000);
  assert.ok(peers.last.sent < 40e6, 'the peer is held back');
  await call(kanal, 'close', { id });
  await until('closed', async () => (await events(kanal)).some((one) => one.event === 'close'));
  await mode();
});

test('credit: over TLS, a pause in the middle of a record loses nothing', async () => {
  await mode({ quiet: true });
  const id = await opened({ host: 'localhost', port: secure, flags: TLS, credit: 100 }, (socket) => socket.write(Buffer.alloc(20000, 1)));
  for (const total of [100, 5100, 5101, 20000]) {
    await until(`${total} bytes`, async () => (await events(kanal)).received === total);
    await call(kanal, 'credit', { id, bytes: { 100: 5000, 5100: 1, 5101: 100000, 20000: 1 }[total] });
  }
  await call(kanal, 'close', { id });
  await until('closed', async () => (await events(kanal)).some((one) => one.event === 'close'));
  await mode();
});

test('writes: bounded; what a lost connection may have taken is told', async () => {
  const id = await opened({}, (socket) => socket.pause());
  const waiting = [];
  for (let i = 0; i < 100 && waiting.length < 2; i++) { // until the system takes no more
    const write = text(id, { data: { size: 500000 } });
    const status = await Promise.race([write, sleep(500).then(() => 'waits')]);
    if (status === 'waits') waiting.push(write); else assert.equal(status, OK);
  }
  assert.equal(waiting.length, 2);
  assert.equal(await text(id, { data: { size: 500000 } }), BUSY); // over 1 MiB would wait
  assert.equal(await text(id, { data: { size: 1024 * 1024 + 1 } }), TOO_LARGE);
  peers.last.resetAndDestroy();
  const lost = await Promise.all(waiting);
  await event('close', id);
  assert.ok(lost.every((one) => one === NETWORK || one === MAYBE), lost.join());
  assert.ok(lost.filter((one) => one === MAYBE).length <= 1, lost.join()); // only the one that was being sent
});

test('idle: nothing comes for too long', async () => {
  const id = await opened({ idle_ms: 300 }, (socket) => { setTimeout(() => socket.write('x'), 200); });
  const from = Date.now();
  assert.equal((await event('close', id)).status, TIMEOUT);
  assert.ok(Date.now() - from >= 400, 'the byte in between counts');
});

test('the peer resets', async () => {
  const id = await opened();
  peers.last.resetAndDestroy();
  assert.equal((await event('close', id)).status, NETWORK);
});

// bind_transceiver of SMPP 3.4, 4.1.5: length, id, status, sequence; system_id, password, system_type (C strings), version, ton, npi, range.
function bind(password = '') {
  const body = Buffer.concat([Buffer.from('kanal\0'), Buffer.from(`${password}\0`), Buffer.from('\0'), Buffer.from([0x34, 0, 0, 0])]);
  const head = Buffer.alloc(16);
  head.writeUInt32BE(16 + body.length, 0);
  head.writeUInt32BE(9, 4);
  head.writeUInt32BE(1, 12);
  return Buffer.concat([head, body]);
}

test('a secret in SMPP\'s bind: the PDU is the right one, and its length', async () => {
  const id = await opened();
  const use = { position: 22, length_position: 0, length_bytes: 4, max: 8, secret: 'password' };
  assert.equal(await text(id, { data: { base64: bind().toString('base64') }, secrets: [use] }), OK);
  await until('it came', () => peers.last.bytes.length > 0);
  assert.deepEqual(peers.last.bytes, bind(PASSWORD));
  const same = { data: { base64: bind().toString('base64') } };
  assert.equal(await text(id, { ...same, secrets: [{ ...use, max: 7 }] }), TOO_LARGE);
  assert.equal(await text(id, { ...same, secrets: [{ ...use, secret: 'none' }] }), NOT_FOUND);
  assert.equal(await text(id, { ...same, secrets: [{ ...use, secret: 'odd' }] }), REJECTED);
  assert.equal(await text(id, { ...same, secrets: [{ ...use, position: 1000 }] }), INVALID);
  assert.equal(await text(id, { ...same, secrets: [{ ...use, length_bytes: 3 }] }), INVALID);
  assert.equal(await text(id, { ...same, secrets: [{ ...use, length_position: 4294967295 }] }), INVALID);
  assert.equal(await text(id, { ...same, secrets: [use, { ...use, position: 3 }] }), INVALID);
  assert.equal(await text(id, { ...same, secrets: Array(5).fill(use) }), INVALID);
  assert.equal(await text(id, { data: { base64: '/w==' }, secrets: [{ ...use, position: 1, length_bytes: 1 }] }), TOO_LARGE); // 255 + 8
  assert.equal(await text(id, { data: 'two: / ', secrets: [{ position: 5, secret: 'password' }, { position: 7, secret: 'password' }] }), OK);
  await until('it came', () => peers.last.bytes.length > bind(PASSWORD).length);
  assert.equal(peers.last.bytes.subarray(bind(PASSWORD).length).toString(), `two: ${PASSWORD}/ ${PASSWORD}`);
  await call(kanal, 'close', { id });
  await event('close', id);
  assert.ok(!kanal.child.lines.some((line) => line.includes(PASSWORD)), 'no secret in the log');
});

test('an SMSC that others wrote is bound to, with the secret', async () => {
  const id = await connect({ port: smscPort });
  await event('open', id);
  const header = (pdu) => ({ command: pdu.readUInt32BE(4), status: pdu.readUInt32BE(8), sequence: pdu.readUInt32BE(12) });
  assert.equal(await text(id, { data: { base64: bind().toString('base64') }, secrets: [{ position: 22, length_bytes: 4, secret: 'password' }] }), OK);
  assert.deepEqual(header(await bytes(id, 21)), { command: 0x80000009, status: 0, sequence: 1 });
  assert.deepEqual(bound, { system_id: 'kanal', password: PASSWORD });
  const enquire = Buffer.alloc(16);
  enquire.writeUInt32BE(16, 0); enquire.writeUInt32BE(0x15, 4); enquire.writeUInt32BE(2, 12);
  assert.equal(await text(id, { data: { base64: enquire.toString('base64') } }), OK);
  assert.deepEqual(header(await bytes(id, 16)), { command: 0x80000015, status: 0, sequence: 2 });
  await call(kanal, 'close', { id });
  await event('close', id);
});

test('64 streams of a channel, the next is refused', async () => {
  const ids = [];
  for (let i = 0; i < 64; i++) ids.push(await opened());
  const { status } = await refusal({});
  assert.equal(status, BUSY);
  for (const id of ids) await call(kanal, 'close', { id });
  for (const id of ids) await event('close', id);
  assert.equal(await text(await opened(), { data: 'x' }), OK);
});

test('stop(): a farewell may still be said', async () => {
  const id = await opened();
  await mode({ farewell: 1 });
  const peer = peers.last;
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  await until('the farewell', () => peer.bytes.toString() === 'farewell');
  assert.ok(id);
});
