// when_broker_down: spool. What is acknowledged while the broker is away is on local disk, and then in the stream: each once, in order.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, kanalBinary, scratchDir, sleep, stored, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

let nats, kanal, client;
const data_dir = scratchDir();
const channels = [probe('spools', { when_broker_down: 'spool', raw: '1h' }), probe('refuses')];
const more = { data_dir, broker: { duplicate_window: '4s' } };

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, channels, more);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop('SIGKILL');
  await nats?.kill('SIGTERM');
});

// One message of a visitor; their numbers tell their order.
const say = (visitor, number, channel = 'spools', extra = {}) => raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [[
  message(`${channel}-${visitor}-${number}`, `${number}`, { address: `probe:${visitor}`, time_ms: Date.now(), raw: '{"payload":1}', ...extra })]] }, channel);
const away = () => until('kanal knows that the broker is away', async () => (await kanal.metric(/^kanal_broker_up /)) === 0);
const waiting = () => kanal.metric(/^kanal_spool_events /);
const drained = () => until('the spool is drained', async () => (await kanal.channels()) && (await fetch(`${kanal.admin}/channels`).then((r) => r.json())).spool.events === 0, 30000);
const numbers = async (visitor, channel = 'spools') => (await until('the test is connected again, too', () => stored(client, 'KANAL_EVENTS'), 20000))
  .filter((event) => event.data.data.channel.id === channel && event.data.data.customer?.address === `probe:${visitor}`)
  .map((event) => Number(event.data.data.message.content[0].text));
const sayAll = async (visitors, from, to) => { // one after the other of each visitor, visitors at once
  await Promise.all(visitors.map(async (visitor) => {
    for (let number = from; number < to; number++) assert.equal((await say(visitor, number)).status, 200, `${visitor} ${number}`);
  }));
};
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

test('the broker is there: everything goes to it, nothing to disk', async () => {
  await sayAll(['ann'], 0, 5);
  assert.deepEqual(await numbers('ann'), range(0, 5));
  assert.equal(await kanal.metric(/^kanal_spool_stored_total /), 0);
});

test('the broker is killed: 200, and each is stored once, in order, when it is back', async () => {
  const visitors = ['bob', 'eve', 'ida'];
  await nats.kill('SIGKILL');
  await sayAll(visitors, 0, 20);
  assert.equal((await say('bob', 0, 'refuses')).status, 503, 'the other channel refuses');
  assert.equal(await until('60 wait', async () => (await waiting()) === 60 && 60), 60);
  const status = await (await fetch(`${kanal.admin}/channels`)).json();
  assert.equal(status.spool.events, 60);
  assert.ok(status.spool.bytes > 60 * 400 && Date.parse(status.spool.oldest) > Date.now() - 60000);
  assert.deepEqual(status.channels.map((channel) => channel.spooled), [60, undefined]);
  await nats.run();
  await sayAll(visitors, 20, 40); // while it comes back
  await drained();
  for (const visitor of visitors) assert.deepEqual(await numbers(visitor), range(0, 40), visitor);
  const kept = (await stored(client, 'KANAL_RAW')).length;
  assert.ok(kept >= 120, `${kept} payloads`);
});

test('kill -9 of the gateway in between loses nothing and doubles nothing', async () => {
  await nats.kill('SIGKILL');
  await away();
  await sayAll(['kim', 'lee'], 0, 30);
  await kanal.stop('SIGKILL');
  await kanal.run({ wait: false });
  await until('the channels are up', async () => (await kanal.channels()).every((channel) => channel.state === 'up'));
  assert.equal((await (await fetch(`${kanal.admin}/channels`)).json()).channels[0].spooled, 60, 'it knows them again');
  await sayAll(['kim', 'lee'], 30, 40);
  await nats.run();
  await drained();
  for (const visitor of ['kim', 'lee']) assert.deepEqual(await numbers(visitor), range(0, 40), visitor);
});

test('kill -9 while it drains: nothing twice, also after the duplicate window', async () => {
  await nats.kill('SIGKILL');
  await away();
  await Promise.all(range(0, 8).map((visitor) => sayAll([`mob${visitor}`], 0, 250)));
  const drainedSoFar = () => kanal.metric(/^kanal_spool_drained_total /);
  const before = await drainedSoFar();
  await nats.run();
  for (const end = Date.now() + 20000; (await drainedSoFar()) === before;) assert.ok(Date.now() < end); // at the first sign of it
  assert.ok((await drainedSoFar()) - before < 2000, 'it was faster than the test');
  await kanal.stop('SIGKILL');
  await sleep(5000); // the stream has forgotten their ids
  await kanal.run({});
  await drained();
  for (const visitor of range(0, 8)) assert.deepEqual(await numbers(`mob${visitor}`), range(0, 250), `mob${visitor}`);
  assert.ok((await kanal.metric(/^kanal_events_looked_up_total/)) > 0);
});

test('an acknowledgement that was lost is not a second event', async () => {
  await nats.pause(); // what is sent now lies in its socket
  const first = say('pia', 0);
  const second = say('pia', 1);
  assert.deepEqual((await Promise.all([first, second])).map((response) => response.status), [200, 200], 'the disk has them');
  await sleep(5000);
  nats.resume();
  await drained();
  await sleep(300);
  assert.deepEqual(await numbers('pia'), [0, 1]);
});

test('the same again, before and behind the broker: stored once', async () => {
  await nats.kill('SIGKILL');
  await away();
  for (let i = 0; i < 3; i++) assert.equal((await say('sam', 0)).status, 200);
  await nats.run();
  await drained();
  assert.equal((await say('sam', 0)).status, 200);
  assert.deepEqual(await numbers('sam'), [0]);
});

test('later ones of a visitor queue behind those on disk, those of others need not', async () => {
  await nats.kill('SIGKILL');
  await away();
  await Promise.all(range(0, 8).map((visitor) => sayAll([`before${visitor}`], 0, 250))); // it takes a while until it is tom's turn
  await sayAll(['tom'], 0, 50);
  const back = nats.run();
  let isBack = false;
  const watched = back.then(() => until('the spool is drained', async () => (await waiting()) === 0, 30000)).then(() => { isBack = true; });
  let tom = 50;
  for (; !isBack || tom < 60; tom++) assert.equal((await say('tom', tom)).status, 200);
  await Promise.all([watched, sayAll(['uma'], 0, 30)]);
  await drained();
  assert.ok(tom > 60, 'some were said while it drained');
  assert.deepEqual(await numbers('tom'), range(0, tom));
  assert.deepEqual(await numbers('uma'), range(0, 30));
});

test('a graceful end keeps what waits, and closes the file', async () => {
  await nats.kill('SIGKILL');
  await away();
  await sayAll(['vic'], 0, 5);
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  assert.ok(!existsSync(path.join(data_dir, 'spool', 'spool.db-wal')), 'all of it is in the file');
  await nats.run();
  await kanal.run({});
  await drained();
  assert.deepEqual(await numbers('vic'), range(0, 5));
});

test('a second gateway on the same data_dir is refused', async () => {
  const config = path.join(scratchDir(), 'kanal.yaml');
  copyFileSync(kanal.config, config);
  const other = spawnSync(kanalBinary, ['run', '-c', config], { timeout: 10000 });
  assert.equal(other.status, 1);
  assert.match(other.stderr.toString(), /the spool: .*lock is locked: another kanal runs on this data_dir/);
});

test('a damaged spool is set aside, reported, and a new one serves', async () => {
  await kanal.stop();
  writeFileSync(path.join(data_dir, 'spool', 'spool.db'), 'no database '.repeat(1000));
  await kanal.run({});
  const aside = readdirSync(path.join(data_dir, 'spool')).filter((name) => name.startsWith('spool.db.corrupt-'));
  assert.equal(aside.length, 1);
  assert.ok(kanal.log().some((line) => line.level === 'error' && line.message.includes(aside[0])));
  assert.equal(await kanal.metric(/^kanal_spool_set_aside_total /), 1);
  const channel = await until('the channel says so', async () => (await kanal.channels()).find((one) => one.id === 'spools' && !one.healthy));
  assert.match(channel.reason, /spool: a damaged spool was set aside/);
  assert.ok((await kanal.channels()).find((one) => one.id === 'refuses').healthy);
  await nats.kill('SIGKILL');
  await away();
  await sayAll(['wim'], 0, 3);
  await nats.run();
  await drained();
  assert.deepEqual(await numbers('wim'), range(0, 3));
});

test('a full spool refuses with 503, and takes again when there is room', async () => {
  const small = await startKanal(nats, [probe('small', { when_broker_down: 'spool' })], { data_dir: scratchDir(), top: { spool: { events: 10 } } });
  const put = (number) => raw(small, 'publish', { cause: 'self', respond: 200, batches: [[message(`small-${number}`, `${number}`, { address: 'probe:zoe' })]] }, 'small');
  await nats.kill('SIGKILL');
  await until('it knows', async () => (await small.metric(/^kanal_broker_up /)) === 0);
  for (let i = 0; i < 10; i++) assert.equal((await put(i)).status, 200);
  const refused = await put(10);
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  await until('the channel says so', async () => /full/.test((await small.channels())[0].reason ?? ''));
  assert.ok((await small.metric(/^kanal_spool_refused_total /)) >= 1);
  await nats.run();
  await until('room', async () => (await put(10)).status === 200, 20000);
  await until('drained and well', async () => (await small.channels())[0].healthy && (await small.channels())[0].spooled === 0, 20000);
  assert.deepEqual(await numbers('zoe', 'small'), range(0, 11));
  assert.deepEqual(await small.stop(), { code: 0, signal: null });
});

test('a disk that is full: 503, nothing of what was acknowledged is lost, and it takes again', async (t) => {
  if (spawnSync('prlimit', ['--version']).status !== 0) return t.skip('no prlimit');
  const small = await startKanal(nats, [probe('disk', { when_broker_down: 'spool' })], { data_dir: scratchDir(), worker: { isolation: 'none' }, wrap: ['prlimit', '--fsize=3000000'] }); // to a file that is a full disk; without a worker, whose memory counts as a file
  const put = (number) => raw(small, 'publish', { cause: 'self', respond: 200,
    batches: [[message(`disk-${number}`, `${number}`, { address: 'probe:disk', time_ms: Date.now(), data: JSON.stringify({ message: { content: [{ type: 'text', text: `${number}` }], provider: { filler: 'x'.repeat(60000) } } }) })]] }, 'disk');
  await nats.kill('SIGKILL');
  await until('it knows', async () => (await small.metric(/^kanal_broker_up /)) === 0);
  const taken = [];
  for (let number = 0; number < 100; number++) {
    const response = await put(number);
    if (response.status === 200) taken.push(number);
    else assert.deepEqual([response.status, Number(response.headers.get('retry-after')) > 0], [503, true]);
  }
  assert.ok(taken.length > 10 && taken.length < 90, `${taken.length}`);
  await until('the channel says so', async () => /full/.test((await small.channels())[0].reason ?? ''));
  await nats.run();
  await until('drained', async () => (await small.channels())[0].spooled === 0, 30000);
  assert.equal((await put(1000)).status, 200);
  assert.deepEqual(await numbers('disk', 'disk'), [...taken, 1000]);
  assert.deepEqual(await small.stop(), { code: 0, signal: null });
});

test('a batch is spooled whole or not at all', async () => {
  const small = await startKanal(nats, [probe('batch', { when_broker_down: 'spool' })], { data_dir: scratchDir(), top: { spool: { events: 10 } } });
  const put = (from, to) => raw(small, 'publish', { cause: 'self', respond: 200,
    batches: [range(from, to).map((number) => message(`batch-${number}`, `${number}`, { address: 'probe:all' }))] }, 'batch');
  await nats.kill('SIGKILL');
  await until('it knows', async () => (await small.metric(/^kanal_broker_up /)) === 0);
  assert.equal((await put(0, 6)).status, 200);
  assert.equal((await put(6, 12)).status, 503, 'four of six would fit');
  await nats.run();
  await until('drained', async () => (await small.channels())[0].spooled === 0, 20000);
  assert.deepEqual(await numbers('all', 'batch'), range(0, 6));
  assert.deepEqual(await small.stop(), { code: 0, signal: null });
});

test('two gateways spool the same events: stored once', async () => {
  const start = () => startKanal(nats, [probe('twin', { when_broker_down: 'spool' })], { data_dir: scratchDir(), broker: { duplicate_window: '4s' } });
  const both = [await start(), await start()];
  const put = (gateway, number) => raw(gateway, 'publish', { cause: 'self', respond: 200, batches: [[message(`twin-${number}`, `${number}`, { address: 'probe:twin', time_ms: Date.now() })]] }, 'twin');
  await nats.kill('SIGKILL');
  for (const gateway of both) await until('it knows', async () => (await gateway.metric(/^kanal_broker_up /)) === 0);
  for (let number = 0; number < 30; number++)
    assert.deepEqual(await Promise.all(both.map(async (gateway) => (await put(gateway, number)).status)), [200, 200]);
  const late = both[1]; // its events come when the stream has forgotten the other's
  late.child.kill('SIGSTOP');
  await nats.run();
  await until('one has drained', async () => (await both[0].channels())[0].spooled === 0, 20000);
  await sleep(5000);
  late.child.kill('SIGCONT');
  await until('the other, too', async () => (await late.channels())[0].spooled === 0, 30000);
  assert.deepEqual(await numbers('twin', 'twin'), range(0, 30));
  assert.equal(await late.metric(/^kanal_events_looked_up_total\{outcome="stored"\}/), 30);
  for (const gateway of both) assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
});

test('forms and site events, as their plugins send them', async () => {
  const site = await Kanal.start(nats, [
    { id: 'form', plugin: 'webform', when_broker_down: 'spool', settings: { rate_per_minute: 0, forms: [{ id: 'callback', fields: [{ name: 'phone', type: 'tel', required: true }] }] }, secrets: { session: 'a secret of the sessions for tests' } },
    { id: 'site', plugin: 'events', when_broker_down: 'spool', secrets: { write_key: 'the-write-key-of-the-test', server_key: 'the-server-key-of-the-test' } },
  ], { data_dir: scratchDir(), broker: { duplicate_window: '4s' } });
  const submit = (i) => site.post('/c/form/', { form: 'callback', fields: { phone: `+7916000${1000 + i}` } }).then((response) => response.status);
  const track = (i) => site.post('/c/site/v1/track', { writeKey: 'the-write-key-of-the-test', anonymousId: 'v-1', event: 'Product Added', messageId: `m-${i}`, properties: { number: i } }).then((response) => response.status);
  await nats.kill('SIGKILL');
  await until('it knows', async () => (await site.metric(/^kanal_broker_up /)) === 0);
  for (let i = 0; i < 10; i++) assert.deepEqual([await submit(i), await track(i)], [200, 200]);
  assert.deepEqual((await site.channels()).map((channel) => channel.spooled), [10, 10]);
  await nats.run();
  for (let i = 10; i < 20; i++) assert.deepEqual([await submit(i), await track(i)], [200, 200]);
  await until('drained', async () => (await site.channels()).every((channel) => channel.spooled === 0), 20000);
  const forms = (await until('the test is connected again, too', () => stored(client, 'KANAL_EVENTS'), 20000)).filter((event) => event.data.type === 'form.submitted');
  assert.deepEqual(forms.map((event) => event.data.data.form.fields[0].value).sort(), range(0, 20).map((i) => `+7916000${1000 + i}`)); // each of another visitor: without order
  const activity = (await stored(client, 'KANAL_ACTIVITY')).filter((event) => event.data.type === 'activity.tracked');
  assert.deepEqual(activity.map((event) => event.data.data.activity.properties.number), range(0, 20));
  assert.deepEqual(await site.stop(), { code: 0, signal: null });
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 100);
});
