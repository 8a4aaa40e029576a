// kanal.blob/2: blobs that are written piece by piece.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, start } from './extensions.mjs';
import { Nats, sleep, until } from './harness.mjs';
import { BUSY, INVALID, NOT_FOUND, OK, TOO_LARGE } from './probe.mjs';

let nats, kanal, client;

before(async () => {
  nats = await Nats.start();
  kanal = await start(nats, [{ id: 'exts', plugin: 'exts' }]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  const how = await kanal?.stop();
  await nats?.kill('SIGTERM');
  assert.deepEqual(how, { code: 0, signal: null });
});

const open = async (args = { type: 'image/png', filename: 'a.png' }) => (await call(kanal, 'blob_open', args)).id;
const append = async (id, data) => (await call(kanal, 'blob_append', { id, data })).status;
const commit = (id) => call(kanal, 'blob_commit', { id });
const chunks = async () => Number((await (await client.jetstreamManager()).streams.info('OBJ_kanal_media')).state.messages);

test('pieces of all sizes become one blob, which the gateway serves', async () => {
  const id = await open();
  const sizes = [1, 131071, 131072, 131073, 1048576, 7];
  for (const size of sizes) assert.equal(await append(id, { size }), OK);
  const { status, value } = await commit(id);
  assert.equal(status, OK);
  assert.match(value, /^blob:b_/);
  const url = (await call(kanal, 'blob_url', { reference: value })).value;
  const response = await fetch(url.startsWith('/') ? kanal.url + url : url.replace(/^https?:\/\/[^/]+/, kanal.url));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'image/png');
  const body = Buffer.from(await response.arrayBuffer());
  assert.equal(body.length, sizes.reduce((a, b) => a + b));
  assert.ok(body.every((byte) => byte === 120));
  assert.equal(await append(id, 'late'), NOT_FOUND);
  assert.equal((await commit(id)).status, NOT_FOUND);
});

test('an empty blob', async () => {
  const { status, value } = await commit(await open({ type: 'text/plain' }));
  assert.equal(status, OK);
  const store = await client.jetstream().views.os('kanal_media');
  assert.equal((await store.info(value.slice(5))).size, 0);
});

test('malformed arguments; eight at once', async () => {
  assert.equal(await open({ type: 'no type' }), '0');
  assert.equal(await open({ type: 'a/b', filename: 'x'.repeat(513) }), '0');
  const ids = [];
  for (let i = 0; i < 8; i++) ids.push(await open());
  assert.equal(await open(), '0');
  assert.equal(await append(ids[0], ''), INVALID);
  assert.equal(await append(ids[0], { size: 1048577 }), INVALID);
  assert.equal(await append('77', 'x'), NOT_FOUND);
  for (const id of ids) await call(kanal, 'blob_discard', { id });
  assert.equal((await commit(ids[0])).status, NOT_FOUND);
});

test('discarded: nothing is left in the broker', async () => {
  const before = await chunks();
  const id = await open();
  for (let i = 0; i < 4; i++) assert.equal(await append(id, { size: 1000000 }), OK);
  assert.ok(await chunks() > before);
  await call(kanal, 'blob_discard', { id });
  await until('the chunks are gone', async () => (await chunks()) === before);
});

test('over 64 MiB: too large, and lost', async () => {
  const id = await open();
  for (let i = 0; i < 64; i++) assert.equal(await append(id, { size: 1048576 }), OK);
  assert.equal(await append(id, 'x'), TOO_LARGE);
  assert.equal((await commit(id)).status, TOO_LARGE);
  await call(kanal, 'blob_discard', { id });
});

test('a broker that stands still: bounded, and then it goes on', async () => {
  const id = await open();
  await nats.pause();
  const answers = [];
  for (let i = 0; i < 8; i++) answers.push(append(id, { size: 1000000 }));
  await sleep(300);
  nats.resume();
  const statuses = await Promise.all(answers);
  assert.ok(statuses.includes(OK), statuses.join());
  assert.ok(statuses.includes(BUSY), statuses.join());
  assert.equal((await commit(id)).status, OK);
});
