// Beyond the stream's duplicate window: what is delivered again later is looked for in the stream, and is stored once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Nats, checkContract, scratchDir, sleep, stored, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

const WINDOW_MS = 2000, HOUR = 3600000, DAY = 24 * HOUR;
let nats, kanal, other, client;

before(async () => {
  nats = await Nats.start();
  const more = { broker: { duplicate_window: '2s' } };
  kanal = await startKanal(nats, [probe()], { ...more, data_dir: scratchDir() });
  other = await startKanal(nats, [probe()], { ...more, data_dir: scratchDir() });
  client = await nats.client();
});

after(async () => {
  await client?.close();
  for (const gateway of [kanal, other]) assert.deepEqual(await gateway?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
});

const publish = (batch, gateway = kanal) => raw(gateway, 'publish', { cause: 'self', respond: 200, batches: [batch] }).then((response) => response.status);
const forget = () => sleep(WINDOW_MS + 500);
const texts = async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.received.*')).map((event) => event.data.data.message.content[0].text);
const count = async (text) => (await texts()).filter((one) => one === text).length;
const looked = (outcome) => kanal.metric(new RegExp(`^kanal_events_looked_up_total\\{outcome="${outcome}"\\}`));

test('a fresh event is not looked for', async () => {
  assert.equal(await publish([message('fresh', 'fresh', { time_ms: Date.now() })]), 200);
  assert.equal(await kanal.metric(/^kanal_events_looked_up_total/), 0);
});

test('again after the window, with its own time: once', async () => {
  const time_ms = Date.now();
  for (let i = 0; i < 3; i++) {
    assert.equal(await publish([message('again', 'again', { time_ms })]), 200);
    await forget();
  }
  assert.equal(await count('again'), 1);
  assert.equal(await looked('stored'), 2);
});

test('without the look-up it would be two: the stream has forgotten', async () => {
  await client.jetstream().publish('kanal.events.test.none', '{}', { msgID: 'forgotten' });
  await forget();
  assert.equal((await client.jetstream().publish('kanal.events.test.none', '{}', { msgID: 'forgotten' })).duplicate, false);
  const manager = await client.jetstreamManager();
  await manager.streams.purge('KANAL_EVENTS', { filter: 'kanal.events.test.none' });
});

test('an event of yesterday that was never stored is', async () => {
  assert.equal(await publish([message('yesterday', 'yesterday', { time_ms: Date.now() - DAY })]), 200);
  assert.equal(await count('yesterday'), 1);
  assert.ok((await looked('new')) >= 1);
});

test('an event of yesterday comes again, after many others of its customer', async () => {
  const time_ms = Date.now() - DAY, address = 'probe:busy';
  assert.equal(await publish([message('old', 'old', { time_ms, address })]), 200);
  for (let i = 0; i < 4; i++)
    assert.equal(await publish(Array.from({ length: 100 }, (_, n) => message(`busy-${i}-${n}`, 'busy', { time_ms: Date.now(), address }))), 200);
  await forget();
  assert.equal(await publish([message('old', 'old', { time_ms, address })]), 200);
  assert.equal(await publish([message('busy-0-50', 'busy', { time_ms: Date.now() - HOUR / 2, address })]), 200);
  assert.equal(await count('old'), 1);
  assert.equal(await count('busy'), 400);
});

test('without a time, and with one that lies ahead: once', async () => {
  for (const [text, more] of [['timeless', {}], ['ahead', { time_ms: Date.now() + DAY }]]) {
    assert.equal(await publish([message(text, text, more)]), 200);
    assert.equal(await publish([message(`${text} 2`, `${text} 2`, more)]), 200);
    await forget();
    assert.equal(await publish([message(text, text, more)]), 200);
    assert.equal(await count(text), 1, text);
  }
});

test('two replicas get the same at once, fresh, late and without a time: once', async () => {
  for (const [text, more] of [['twin fresh', { time_ms: Date.now() }], ['twin late', { time_ms: Date.now() - DAY }], ['twin timeless', {}]]) {
    const batch = [message(text, text, more)];
    assert.deepEqual(await Promise.all([kanal, other, kanal, other].map((gateway) => publish(batch, gateway))), [200, 200, 200, 200]);
    assert.equal(await count(text), 1, text);
    await forget();
    assert.deepEqual(await Promise.all([kanal, other].map((gateway) => publish(batch, gateway))), [200, 200]);
    if (text !== 'twin fresh') assert.equal(await count(text), 1, `${text}, later`);
    else assert.equal(await count(text), 1, 'its time is old by now');
  }
});

test('a batch of which some are there: the others are stored, each once', async () => {
  const time_ms = Date.now() - DAY;
  const album = (from, to) => Array.from({ length: to - from }, (_, i) => message(`album-${from + i}`, `album ${from + i}`, { time_ms }));
  assert.equal(await publish(album(0, 3)), 200);
  await forget();
  assert.equal(await publish(album(0, 6)), 200);
  for (let i = 0; i < 6; i++) assert.equal(await count(`album ${i}`), 1, `${i}`);
});

test('what comes behind a late one does not pass it', async () => {
  const send = (number, more) => publish([message(`order-${number}`, `order ${number}`, { address: 'probe:order', ...more })]);
  for (let round = 0; round < 10; round++)
    assert.deepEqual(await Promise.all([send(3 * round, { time_ms: Date.now() - DAY }), send(3 * round + 1, { time_ms: Date.now() }), send(3 * round + 2, {})]), [200, 200, 200]);
  const order = (await texts()).filter((text) => text.startsWith('order ')).map((text) => Number(text.slice(6)));
  // Requests on several connections have no order of their own: each is there once. Those of one request have.
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 30 }, (_, i) => i));
  const batch = [message('seq-0', 'seq 0', { time_ms: Date.now() - DAY, address: 'probe:seq' })];
  const rest = Array.from({ length: 20 }, (_, i) => [message(`seq-${i + 1}`, `seq ${i + 1}`, { time_ms: Date.now(), address: 'probe:seq' })]);
  assert.equal(await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [batch, ...rest] }).then((response) => response.status), 200);
  assert.deepEqual((await texts()).filter((text) => text.startsWith('seq ')), Array.from({ length: 21 }, (_, i) => `seq ${i}`));
});

test('the broker is away: a late one is refused as any other, and the broker is not asked in vain', async () => {
  await nats.kill('SIGKILL');
  await until('it knows', async () => (await kanal.metric(/^kanal_broker_up /)) === 0);
  const batch = [message('down', 'down', { time_ms: Date.now() - DAY })];
  assert.equal(await publish(batch), 503);
  await nats.run();
  await until('taken', async () => (await publish(batch)) === 200, 20000);
  await until('stored once', async () => (await count('down')) === 1, 20000);
});

test('a stalled broker: 503, and once when it goes on', async () => {
  await nats.pause();
  const batch = [message('stalled', 'stalled', { time_ms: Date.now() - DAY })];
  const status = await publish(batch);
  nats.resume();
  assert.equal(status, 503);
  await until('taken', async () => (await publish(batch)) === 200, 20000);
  assert.equal(await count('stalled'), 1);
});

test('a webhook of many events is acknowledged whole or not at all, however the broker ends', { timeout: 120000 }, async () => {
  let refused = 0;
  for (let round = 0; round < 4; round++) {
    const batch = Array.from({ length: 256 }, (_, i) => message(`whole-${round}-${i}`, `whole ${round}`, { time_ms: Date.now(), address: `probe:w${i % 5}` }));
    const first = publish(batch);
    await sleep(round * 4);
    await nats.kill('SIGKILL');
    const status = await first;
    await nats.run();
    await until('the test is connected again, too', texts, 20000);
    if (status === 200) assert.equal(await count(`whole ${round}`), 256, 'all of it');
    else refused++;
    await until('taken in the end', async () => (await publish(batch)) === 200, 20000);
    assert.equal(await count(`whole ${round}`), 256, `each once in round ${round} (${status})`);
  }
  assert.ok(refused > 0, 'no round hit the middle');
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 400);
});
