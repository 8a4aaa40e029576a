// A request and its one answer: early, late, twice, by another, and with arguments that no right plugin makes.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Nats, json, sleep, stored, storedTypes, until } from './harness.mjs';
import { INVALID, OK, call, notes, probe, raw, startKanal } from './probe.mjs';

let nats, kanal, client, js;

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, [probe(), probe('second')]);
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  await client?.close();
  assert.deepEqual(await kanal?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
});

const dropped = (channel = 'probe') => kanal.metric(new RegExp(`^kanal_host_dropped_answers_total\\{channel="${channel}"`));
const said = (pattern) => until(`a log line ${pattern}`, () => kanal.log().find((line) => pattern.test(line.message)));

// ---- Answers ----

test('a second answer is dropped and counted', async () => {
  const before = await dropped();
  const response = await raw(kanal, 'respond', { times: 3, code: 201, body: '{"n":1}' });
  assert.deepEqual([response.status, await response.json()], [201, { n: 1 }]);
  assert.equal(await dropped(), before + 2);
});

test('a request may be read after its answer, until on_http() returns', async () => {
  const response = await kanal.post('/c/probe/late-reader', 'the body', { 'x-probe': 'the header' });
  assert.equal(response.status, 200);
  await said(/^after the answer: the body the header$/);
});

test('a client that leaves before the answer: the answer finds nothing', async () => {
  const before = await dropped();
  const { hostname, port } = new URL(kanal.url);
  const seen = kanal.log().length;
  const request = http.request({ hostname, port, method: 'POST', path: '/c/probe/call', headers: { 'content-type': 'application/json' } });
  request.on('error', () => {});
  request.end('{"slot":"hold"}');
  const line = await until('it is held', () => kanal.log().slice(seen).find((entry) => /^held \d+$/.test(entry.message)));
  request.destroy();
  await until('no request is under way', async () => (await kanal.channels()).every((channel) => channel.requests_under_way === 0));
  await call(kanal, 'answer_other', { op: line.message.split(' ')[1] });
  assert.equal(await dropped(), before + 1);
});

test('another channel cannot answer a request, its own can', async () => {
  const before = await dropped('second');
  const seen = kanal.log().length;
  const held = raw(kanal, 'hold');
  const line = await until('it is held', () => kanal.log().slice(seen).find((entry) => /^held \d+$/.test(entry.message)));
  const op = line.message.split(' ')[1];
  await call(kanal, 'answer_other', { op }, 'second');
  assert.equal(await dropped('second'), before + 1);
  await call(kanal, 'answer_other', { op: String(BigInt(op) + (1n << 20n)) });
  await call(kanal, 'answer_other', { op });
  assert.deepEqual(await (await held).json(), { by: 'another' });
});

test('codes that are none do not make series without end', async () => {
  for (const code of [-5, 0, 99, 100, 199, 600, 777, 123456]) {
    const response = await raw(kanal, 'hostile_respond', { how: 'code', code });
    assert.equal(response.status, 500, String(code));
  }
  const text = await (await fetch(`${kanal.admin}/metrics`)).text();
  for (const [, code] of text.matchAll(/kanal_http_requests_total\{channel="probe",code="([^"]*)"/g)) assert.ok(Number(code) >= 200 && Number(code) <= 599, code);
});

test('answers that are none become 500, at once', async () => {
  for (const how of ['null', 'short', 'body', 'count', 'headers']) {
    const response = await raw(kanal, 'hostile_respond', { how });
    assert.equal(response.status, 500, how);
    assert.equal((await response.json()).error.code, 'internal', how);
  }
});

test('a plugin cannot smuggle headers into its answer', async () => {
  const response = await raw(kanal, 'hostile_respond', { how: 'injection' });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal(response.headers.get('x-good'), 'yes');
  assert.equal(response.headers.get('content-length'), '2');
});

test('accept() of a request that asks for no WebSocket is answered, not left', async () => {
  const response = await raw(kanal, 'accept');
  assert.equal(response.status, 426);
});

// ---- Arguments ----

test('hostile arguments of requests are INVALID, each', async () => {
  await notes(kanal);
  await call(kanal, 'hostile_requests');
  const ends = await until('every callback', async () => { const lines = await notes(kanal); seen.push(...lines); return seen.length >= 28 && seen; });
  assert.deepEqual(ends, Array(28).fill(`status ${INVALID}`));
});
const seen = [];

test('callbacks that are NULL are nobody\'s', async () => {
  await call(kanal, 'hostile_callbacks');
  await sleep(300);
  assert.deepEqual(await notes(kanal), []);
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 })).status, OK);
});

test('hostile answers and values change nothing', async () => {
  await call(kanal, 'hostile_answers');
  await call(kanal, 'hostile_health');
  assert.deepEqual(await notes(kanal), []);
  assert.ok((await kanal.channels()).every((channel) => channel.healthy));
  assert.ok(!/endless|nan/.test(await (await fetch(`${kanal.admin}/metrics`)).text()));
});

// ---- Deliveries ----

const send = (id, text, more = {}) => js.publish('kanal.commands.probe.message.send', json.encode({ id, to: { address: 'probe:anna' }, content: [{ type: 'text', text }], ...more }));
const ends = (id, type, ms) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type), ms);
const eventOf = async (id, type) => (await stored(client, 'KANAL_EVENTS')).find((event) => event.data.data.message?.id === id && event.data.type === type)?.data.data;

test('delivered twice: the first counts', async () => {
  const before = await dropped();
  await send('d-twice', 'twice');
  await ends('d-twice', 'message.sent');
  assert.equal((await eventOf('d-twice', 'message.sent')).message.external_id, 'first');
  assert.equal(await dropped(), before + 1);
});

test('invented op numbers deliver nothing', async () => {
  const before = await dropped();
  await send('d-invent', 'invent');
  await ends('d-invent', 'message.sent');
  assert.equal((await eventOf('d-invent', 'message.sent')).message.external_id, 'right');
  assert.equal(await dropped(), before + 2);
});

test('results that are none count as unknown', async () => {
  for (const text of ['short', 'null', 'null text']) {
    const id = `d-${text.replace(' ', '-')}`;
    await send(id, text, { on_unknown: 'fail', to: { address: `probe:${id}` } });
    await ends(id, 'message.failed');
    await said(new RegExp(`^delivered message.send ${id} probe:${id}$`));
  }
});

test('a delivery may be read after its outcome, also where nothing more is said of it', async () => {
  await js.publish('kanal.commands.probe.typing.start', json.encode({ id: 'd-typing', to: { address: 'probe:anna' } }));
  await said(/^delivered typing.start d-typing probe:anna$/);
});

const shard = (channel) => [...Buffer.from(channel)].reduce((hash, byte) => Math.imul(hash ^ byte, 16777619) >>> 0, 2166136261) % 8;

test('what is no command in a lane becomes a dead letter; a channel that is not here leaves the others going', async () => {
  await js.publish(`kanal.lanes.${shard('probe')}.probe`, new TextEncoder().encode('no command'));
  await until('the dead letter', async () => (await stored(client, 'KANAL_DEAD')).some((letter) => letter.data.payload === 'no command' && letter.data.error.code === 'invalid_command'));
  const ghost = Array.from({ length: 100 }, (_, i) => `ghost${i}`).find((name) => shard(name) === shard('probe'));
  for (let i = 0; i < 20; i++) await js.publish(`kanal.lanes.${shard(ghost)}.${ghost}`, json.encode({ id: `g-${i}`, to: { address: 'probe:x' }, content: [] }));
  await said(new RegExp(`a command waits for channel '${ghost}'`));
  await send('after-ghosts', 'plain', { to: { address: 'probe:after' } });
  await ends('after-ghosts', 'message.sent');
});

// ---- The end ----

test('the gateway is as it was', async () => {
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 })).status, OK);
  assert.equal(kanal.log().filter((line) => line.level === 'error' && /crash|abort/.test(line.message)).length, 0);
  const channel = (await kanal.channels()).find((one) => one.id === 'probe');
  assert.equal(channel.requests_under_way, 0);
});
