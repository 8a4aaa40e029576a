// Plugins that crash, hang, eat memory or talk nonsense: their worker ends, their channels come back, and nobody else notices.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, buildDir, isSanitized, json, probeDirs, run, scratchDir, sleep, stored, storedTypes, until } from './harness.mjs';
import { BUSY, OK, call, message, probe, raw, startKanal, startProvider } from './probe.mjs';

let nats, client, provider;

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await nats?.kill('SIGTERM');
  provider?.close();
});

const worker = { deadline: '1s', memory: '64M' };
const echo = (id) => ({ id, plugin: 'echo' });
const start = (channels, more = {}) => startKanal(nats, channels, { worker, ...more });
const channelOf = async (kanal, id) => (await kanal.channels()).find((one) => one.id === id);
const state = (kanal, id, wanted, ms) => until(`${id} is ${wanted}`, async () => (await channelOf(kanal, id)).state === wanted, ms);
const restarts = (kanal, plugin, reason) => kanal.metric(new RegExp(`^kanal_worker_restarts_total\\{plugin="${plugin}",reason="${reason}"\\}`));
const health = async (type, id) => (await stored(client, 'KANAL_EVENTS', `kanal.events.*.${id}.channel.*.>`)).filter((event) => event.data.type === type).map((event) => event.data.data.health);
const end = async (kanal) => assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
// A request that its worker does not survive.
const harm = async (kanal, slot, args, id) => {
  const response = await raw(kanal, slot, args, id);
  return [response.status, response.headers.get('retry-after')];
};
const send = (id, text, more = {}) => client.jetstream().publish(`kanal.commands.${id}.message.send`, json.encode({ id: `${id}-${text}-${Math.random()}`, to: { address: 'probe:anna' }, content: [{ type: 'text', text }], ...more }));
const received = (id) => ({ id, from: 'anna', text: id });

// Messages and answers of another plugin's channel, all the while.
function load(kanal, id) {
  const seen = { sent: [], refused: 0, slowest_ms: 0, on: true };
  seen.done = (async () => {
    for (let i = 0; seen.on; i++) {
      const key = `${id}-load-${i}`, before = performance.now();
      const response = await kanal.post(`/c/${id}/`, received(key));
      seen.slowest_ms = Math.max(seen.slowest_ms, performance.now() - before);
      if (response.status === 200) seen.sent.push(key); else seen.refused++;
      await response.arrayBuffer();
    }
  })();
  seen.stop = async () => { seen.on = false; await seen.done; return seen; };
  return seen;
}
const texts = async (id) => (await stored(client, 'KANAL_EVENTS', `kanal.events.*.${id}.message.received.*`)).map((event) => event.data.data.message.content[0].text);

test('a crash: 503 with Retry-After, the channel is down and says why, and comes back', async () => {
  const kanal = await start([probe('crash')]);
  const { worker: first } = await channelOf(kanal, 'crash');
  assert.deepEqual(await harm(kanal, 'die', { signal: 11 }, 'crash'), [503, '5']);
  const down = await channelOf(kanal, 'crash');
  assert.deepEqual([down.state, down.healthy], ['down', false]);
  assert.match(down.reason, /on_http\(\).*SIGSEGV/);
  assert.equal((await raw(kanal, 'timer', {}, 'crash')).status, 503);
  await state(kanal, 'crash', 'up');
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'crash')).status, OK);
  assert.notEqual((await channelOf(kanal, 'crash')).worker.pid, first.pid);
  assert.equal(await restarts(kanal, 'probe', 'crash'), 1);
  await until('it was told', async () => (await health('channel.up', 'crash')).length === 2);
  const [told] = await health('channel.down', 'crash');
  assert.match(told.reasons[0].detail, /SIGSEGV/);
  await end(kanal);
});

test('an exit, SIGABRT and a closed socket are told apart', async () => {
  const kanal = await start([probe('ends')]);
  for (const [slot, args, words, reason] of [['exit', { code: 7 }, /exit code 7/, 'exit'], ['die', { signal: 6 }, /SIGABRT/, 'crash'], ['close', {}, /closed its socket/, 'exit']]) {
    await state(kanal, 'ends', 'up', 20000);
    const before = await restarts(kanal, 'probe', reason);
    assert.deepEqual(await harm(kanal, slot, args, 'ends'), [503, '5']);
    assert.match((await channelOf(kanal, 'ends')).reason, words);
    assert.equal(await restarts(kanal, 'probe', reason), before + 1, slot);
  }
  await end(kanal);
});

test('a callback that never returns is a hang: killed after the deadline', async () => {
  const kanal = await start([probe('hang')]);
  const before = Date.now();
  assert.deepEqual(await harm(kanal, 'spin', {}, 'hang'), [503, '5']);
  const took = Date.now() - before;
  assert.ok(took > 900 && took < 4000, `${took} ms`);
  assert.match((await channelOf(kanal, 'hang')).reason, /on_http\(\).*more than 1000 ms/);
  assert.equal(await restarts(kanal, 'probe', 'hang'), 1);
  await state(kanal, 'hang', 'up');
  assert.equal((await call(kanal, 'sleep', { ms: 500 }, 'hang')).status, OK, 'slow is no hang');
  process.kill((await channelOf(kanal, 'hang')).worker.pid, 'SIGSTOP');
  assert.deepEqual(await harm(kanal, 'timer', {}, 'hang'), [503, '5'], 'one that stands still is');
  await end(kanal);
});

test('memory is bounded', { skip: isSanitized() && 'AddressSanitizer maps terabytes' }, async () => {
  const kanal = await start([probe('hoard')]);
  assert.deepEqual(await harm(kanal, 'hoard', {}, 'hoard'), [503, '5']);
  await state(kanal, 'hoard', 'up');
  assert.equal(await restarts(kanal, 'probe', 'crash'), 1);
  await end(kanal);
});

// Each request of the probe is a large body to the worker, and what it sends a large one from it. More at once than the areas hold: the
// rest goes through the socket.
test('large bodies go beside the socket, both ways, as they were', async () => {
  const kanal = await start([probe('large'), probe('larger')]);
  const bodies = Array.from({ length: 16 }, (_, i) => Buffer.alloc(100_000 * (i + 1) + i, randomBytes(997)));
  const answers = await Promise.all(bodies.map((body, i) => call(kanal, 'http_send', { url: `${provider.url}/large-${i}`, body: { hex: body.toString('hex') } }, i % 2 ? 'large' : 'larger')));
  assert.deepEqual(answers.map((answer) => [answer.status, answer.code]), bodies.map(() => [OK, 200]));
  for (const [i, body] of bodies.entries()) assert.ok(provider.last(`/large-${i}`).body.equals(body), `body ${i}`);
  const down = Buffer.alloc(12_000_000, 'y');
  provider.answers.set('/down', [200, {}, down]);
  assert.equal((await call(kanal, 'http_send', { url: `${provider.url}/down`, max_response: 16_000_000 }, 'large')).size, down.length);
  const fds = `/proc/${kanal.child.pid}/fd`;
  const areas = readdirSync(fds).filter((fd) => { try { return /^\/memfd:kanal-worker-(sent|got)/.test(readlinkSync(`${fds}/${fd}`)); } catch { return false; } });
  assert.equal(areas.length, 2);
  for (const fd of areas) {
    const { blocks } = statSync(`${fds}/${fd}`);
    assert.ok(blocks > 0, 'it was used');
    assert.ok(blocks * 512 <= 4 * 1024 * 1024, `${blocks * 512} bytes of it are kept`);
  }
  assert.equal(await kanal.metric(/^kanal_worker_restarts_total/), 0);
  const { worker } = await channelOf(kanal, 'large'), limits = readFileSync(`/proc/${worker.pid}/limits`, 'utf8');
  if (!isSanitized()) assert.match(limits, new RegExp(`Max data size +${56 * 1024 * 1024} `), 'an eighth of 64M is the area');
  await end(kanal);
});

test('floods of counters, health and events are bounded, and the plugin lives', async () => {
  const kanal = await start([probe('flood'), echo('beside')]);
  const beside = load(kanal, 'beside');
  for (const what of ['metric', 'publish'])
    assert.equal((await call(kanal, 'flood', { what, count: 20000 }, 'flood')).status, OK, what);
  assert.equal(await kanal.metric(/^kanal_plugin_total\{channel="flood",name="flood"/), 20000);
  // Until the broker has stored enough of what it published, its quota of host calls is used up.
  await until('its calls are taken again', async () => (await call(kanal, 'timer', { delay_ms: 0 }, 'flood')).status === OK);
  const seen = await beside.stop();
  assert.equal(seen.refused, 0);
  assert.equal(await kanal.metric(/^kanal_worker_restarts_total/), 0);
  await end(kanal);
});

test('over 1,024 host calls under way end in BUSY, and only until the broker answers', async () => {
  const kanal = await start([probe('quota')]);
  await nats.pause();
  try {
    assert.equal((await call(kanal, 'flood', { what: 'publish', count: 2000 }, 'quota')).status, OK);
    assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'quota')).status, BUSY);
  } finally {
    nats.resume();
  }
  await until('its calls are taken again', async () => (await call(kanal, 'timer', { delay_ms: 0 }, 'quota')).status === OK);
  await end(kanal);
});

test('what is written between the frames ends the worker, and the plugin is named', async () => {
  const kanal = await start([probe('scribble')]);
  assert.deepEqual(await harm(kanal, 'scribble', { fd: 3 }, 'scribble'), [503, '5']);
  assert.equal(await restarts(kanal, 'probe', 'broken_frame'), 1);
  assert.ok(kanal.log().some((line) => /plugin 'probe'.*what is no frame/.test(line.message)));
  await state(kanal, 'scribble', 'up');
  assert.equal((await call(kanal, 'scribble', { fd: 2 }, 'scribble')).status, OK);
  const said = () => kanal.log().filter((line) => /plugin 'probe' on stderr: this is not a frame/.test(line.message)).length;
  await until('it is in the log', () => said() > 0);
  assert.ok(said() <= 40, `${said()} lines`);
  await end(kanal);
});

test('channels of one worker fall together, and only the culprit waits; the second time it gets its own', async () => {
  const kanal = await start([probe('one'), probe('two'), probe('three', { worker: 'own' })]);
  const { worker: own } = await channelOf(kanal, 'three');
  assert.ok(own.own);
  assert.equal((await channelOf(kanal, 'one')).worker.pid, (await channelOf(kanal, 'two')).worker.pid);
  const held = raw(kanal, 'hold', {}, 'two');
  await sleep(100);
  const before = Date.now();
  assert.deepEqual(await harm(kanal, 'die', {}, 'one'), [503, '5']);
  assert.equal((await held).status, 503, 'what was under way beside it');
  await state(kanal, 'two', 'up');
  assert.ok(Date.now() - before < 500, `two came back after ${Date.now() - before} ms`);
  assert.match((await health('channel.down', 'two'))[0].reasons[0].detail, /that it shares.*channel 'one'/);
  await state(kanal, 'one', 'up');
  assert.deepEqual(await harm(kanal, 'die', {}, 'one'), [503, '5']);
  await state(kanal, 'one', 'up', 10000);
  await state(kanal, 'two', 'up');
  const [one, two] = [await channelOf(kanal, 'one'), await channelOf(kanal, 'two')];
  assert.deepEqual([one.worker.own, two.worker.own], [true, false]);
  await harm(kanal, 'die', {}, 'one');
  assert.equal((await channelOf(kanal, 'two')).worker.pid, two.worker.pid, 'it is alone now');
  assert.equal((await channelOf(kanal, 'three')).worker.pid, own.pid);
  await end(kanal);
});

test('deliveries: nothing had left, tried again; a request had, unknown', async () => {
  const kanal = await start([probe('out', { on_unknown: 'ask' })]);
  await send('out', 'die once', { id: 'out-once' });
  await until('it is sent after all', async () => (await storedTypes(client, 'out-once')).includes('message.sent'), 20000);
  assert.deepEqual(await storedTypes(client, 'out-once'), ['message.accepted', 'message.sent']);
  provider.answers.set('/taken', [200, {}, 'fine']);
  await state(kanal, 'out', 'up', 20000);
  await send('out', `send and die ${provider.url}/taken`, { id: 'out-unknown' });
  await until('it is unknown', async () => (await storedTypes(client, 'out-unknown')).includes('message.unknown'), 20000);
  assert.equal(provider.calls.filter((one) => one.path === '/taken').length, 1);
  await state(kanal, 'out', 'up', 20000);
  await send('out', `send and die http://127.0.0.1:1/`, { id: 'out-refused' }); // nothing listens there
  await until('it was tried again', async () => (await kanal.metric(/^kanal_deliveries_total\{.*"retry"/)) >= 2, 20000);
  assert.ok(!(await storedTypes(client, 'out-refused')).includes('message.unknown'));
  await end(kanal);
});

test('kill -9 of a worker under load: what was acknowledged is stored, and a neighbour notices nothing', async () => {
  const kanal = await start([probe('killed'), echo('neighbour')]);
  const neighbour = load(kanal, 'neighbour');
  const acknowledged = [], refused = [];
  let on = true;
  const publishers = Array.from({ length: 8 }, async (_, lane) => {
    for (let i = 0; on; i++) {
      const key = `killed-${lane}-${i}`;
      const response = await raw(kanal, 'publish', { batches: [[message(key, key)]], cause: 'self', respond: 200 }, 'killed').catch(() => null);
      if (response?.status === 200) acknowledged.push(key); else { refused.push(response?.status); await sleep(20); }
    }
  });
  for (let kill = 0; kill < 3; kill++) {
    await sleep(500);
    const { worker: victim } = await channelOf(kanal, 'killed');
    process.kill(victim.pid, 'SIGKILL');
    await until('it is up again, in another', async () => { const now = await channelOf(kanal, 'killed'); return now.state === 'up' && now.worker.pid !== victim.pid; }, 20000);
  }
  on = false;
  await Promise.all(publishers);
  const seen = await neighbour.stop();
  assert.ok(acknowledged.length > 100, `${acknowledged.length} acknowledged`);
  assert.ok(refused.length > 0 && refused.every((code) => code === 503), String(refused.slice(0, 5)));
  const there = new Set(await texts('killed'));
  assert.deepEqual(acknowledged.filter((key) => !there.has(key)), []);
  assert.equal(seen.refused, 0);
  const beside = await texts('neighbour');
  assert.equal(new Set(beside).size, beside.length, 'nothing doubled');
  assert.deepEqual(seen.sent.filter((key) => !beside.includes(key)), []);
  assert.ok(seen.slowest_ms < 500, `the neighbour's slowest answer: ${seen.slowest_ms} ms`);
  assert.equal(await restarts(kanal, 'probe', 'killed'), 3);
  await end(kanal);
});

test('/channels and /metrics tell of workers', async () => {
  const kanal = await start([probe('told'), echo('also')]);
  const { worker: its } = await channelOf(kanal, 'told');
  assert.ok(its.pid > 0 && its.own === false);
  await until('resident memory is known', async () => (await kanal.metric(/^kanal_worker_rss_bytes\{plugin="probe"\}/)) > 500000);
  assert.ok(await kanal.metric(/^kanal_worker_frames_total\{plugin="probe",direction="in"\}/) > 0);
  await end(kanal);
  await assert.rejects(async () => process.kill(its.pid, 0), /ESRCH/, 'no worker outlives the gateway');
});

test('a gateway that is killed takes its workers with it', async () => {
  const kanal = await start([probe('orphan')]);
  const { worker: its } = await channelOf(kanal, 'orphan');
  await kanal.stop('SIGKILL');
  await until('its worker is gone', () => { try { process.kill(its.pid, 0); return false; } catch { return true; } }, 3000);
});

test('a file that is replaced under a running worker: the next has the same code, and the log says so', async () => {
  const directory = scratchDir(), file = path.join(directory, 'probe.so');
  copyFileSync(path.join(buildDir, 'tests/integration/probe/probe.so'), file);
  const kanal = await start([probe('replaced')], { plugins: [directory] });
  copyFileSync(path.join(buildDir, 'plugins/echo/echo.so'), path.join(directory, 'new'));
  renameSync(path.join(directory, 'new'), file);
  await harm(kanal, 'die', {}, 'replaced');
  await state(kanal, 'replaced', 'up');
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'replaced')).status, OK);
  assert.ok(kanal.log().some((line) => /probe\.so has changed since the gateway started/.test(line.message)));
  await end(kanal);
});

test('a file that is overwritten with another plugin: refused, the channel stays down and says why', async () => {
  const directory = scratchDir(), file = path.join(directory, 'probe.so');
  copyFileSync(path.join(buildDir, 'tests/integration/probe/probe.so'), file);
  const kanal = await start([probe('overwritten')], { plugins: [directory] });
  const { worker: its } = await channelOf(kanal, 'overwritten');
  process.kill(its.pid, 'SIGKILL'); // first: who runs the old code would crash in any way
  writeFileSync(file, '');
  copyFileSync(path.join(buildDir, 'plugins/echo/echo.so'), file);
  await until('it is refused', () => kanal.log().some((line) => /overwritten by another version/.test(line.message)), 10000);
  assert.equal((await channelOf(kanal, 'overwritten')).state, 'down');
  assert.ok(await restarts(kanal, 'probe', 'start') >= 1);
  await end(kanal);
});

// ---- Workers that are none ----

// A program in the place of kanal-worker. body has `socket`, and says what it sends on it.
function fakeWorker(body) {
  const directory = scratchDir(), file = path.join(directory, 'kanal-worker');
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, `#!${process.execPath}
const net = require('net');
const socket = new net.Socket({ fd: 3, readable: true, writable: true });
socket.on('error', () => process.exit(0)).on('end', () => process.exit(0));
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n >>> 0); return b; };
const frame = (type, body = Buffer.alloc(0), channel = 0xffffffff, length = body.length) => Buffer.concat([u32(length), u32(type), u32(channel), body]);
const hello = (version = 2, minor = 0) => frame(1, Buffer.concat([u32(0x4c4e414b), u32(version), u32(1), u32(minor)]));
${body}
`);
  chmodSync(file, 0o755);
  return file;
}

for (const [what, body, words] of [
  ['says nothing and ends', 'process.exit(3);', /ended while it was being loaded: exit code 3/],
  ['is of another version', 'socket.write(hello(1));', /kanal-worker is of another version \(wire 1/],
  ['begins with something else', 'socket.write(frame(64));', /did not say hello/],
  ['sends what is no frame', 'socket.write(Buffer.concat([hello(), Buffer.alloc(64, 0xee)]));', /broken frame/],
  ['announces 4 GB', 'socket.write(Buffer.concat([hello(), frame(64, Buffer.alloc(8), 0, 0xffffffff)]));', /broken frame/],
  ['describes itself beside the socket, where nothing is its own yet', 'socket.write(Buffer.concat([hello(), frame(64 | 0x10000, Buffer.concat([u32(0), u32(131072)]))]));', /broken frame/],
  ['describes in a broken frame', 'socket.write(Buffer.concat([hello(), frame(64, Buffer.alloc(40, 1))]));', /described it in a broken frame/],
  ['sends a call before it has described anything', 'socket.write(Buffer.concat([hello(), frame(73, Buffer.alloc(12), 0)]));', /may not send now/],
  ['sends what only the core sends', 'socket.write(Buffer.concat([hello(), frame(17, Buffer.alloc(8), 0)]));', /broken frame/],
])
  test(`a worker that ${what} is refused in words`, async () => {
    const result = await run(['plugins', path.join(buildDir, 'plugins/echo')], { env: { KANAL_WORKER: fakeWorker(body) } });
    assert.equal(result.code, 1);
    assert.match(result.stderr, words);
  });

test('without kanal-worker it is said what is missing', async () => {
  const result = await run(['plugins', path.join(buildDir, 'plugins/echo')], { env: { KANAL_WORKER: '/nowhere/kanal-worker' } });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /its worker cannot be started: \/nowhere\/kanal-worker: No such file/);
});
