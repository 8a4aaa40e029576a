// The life of a channel: starts that fail or never end, registration once in the cluster, and all the ways to stop.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Nats, sleep, stored, until } from './harness.mjs';
import { call, message, probe, raw, startKanal, startProvider } from './probe.mjs';

let nats, client, provider;
const running = new Set();
const start = async (channels, more = {}) => { const kanal = await startKanal(nats, channels, { wait: false, ...more }); running.add(kanal); return kanal; };
const end = async (kanal, how = { code: 0, signal: null }) => { running.delete(kanal); assert.deepEqual(await kanal.stop(), how); };
const channelOf = async (kanal, id) => (await kanal.channels()).find((channel) => channel.id === id);
const state = (kanal, id, wanted, ms) => until(`${id} is ${wanted}`, async () => (await channelOf(kanal, id)).state === wanted, ms);
const events = async (type, id) => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.type === type && event.data.data.channel.id === id);

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  client = await nats.client();
});

after(async () => {
  await client?.close();
  for (const kanal of running) await kanal.stop('SIGKILL');
  await nats?.kill('SIGTERM');
  provider?.close();
});

test('a channel that the provider refuses is ill until the provider takes something', async () => {
  const kanal = await start([probe('locked')]);
  const js = client.jetstream();
  const send = (id, text) => js.publish('kanal.commands.locked.message.send', JSON.stringify({ id, to: { address: `probe:${id}` }, content: [{ type: 'text', text }] }));
  await until('it is registered', () => kanal.log().some((line) => line.channel === 'locked' && line.message === 'registered at the provider'));
  await send('refused', 'no more');
  const ill = await until('it is ill', async () => { const channel = await channelOf(kanal, 'locked'); return !channel.healthy && channel; });
  assert.match(ill.reason, /the account is locked/);
  await send('taken', 'hello');
  await until('it is well', async () => (await channelOf(kanal, 'locked')).healthy);
  await end(kanal);
});

test('starts that do not end well', { concurrency: true }, async (t) => {
  const kanal = await start([
    probe('fails', { settings: { start: 'fail' } }), probe('flaky', { settings: { fail_starts: 5 } }), probe('refuses', { settings: { create: 'refuse' } }),
    probe('never', { settings: { start: 'never' } }), probe('twice', { settings: { start: 'twice', stop: 'twice' } })]);
  const started = Date.now();

  await t.test('start() that fails is tried again with a new instance, with backoff', async () => {
    await state(kanal, 'flaky', 'up', 30000);
    const lines = kanal.log().filter((line) => line.channel === 'flaky' && /^start failed: told to fail/.test(line.message)).map((line) => Date.parse(line.time));
    assert.ok(lines.length >= 1 && lines.length <= 5, `${lines.length} failures`);
    const up = Date.parse(kanal.log().find((line) => line.channel === 'flaky' && line.message === 'up').time);
    assert.ok(up - lines[0] >= 950, `${up - lines[0]} ms`);
    const instance = await call(kanal, 'instance', {}, 'flaky');
    assert.ok(instance.status > 5, 'a new instance');
  });

  await t.test('it is told once, not at each try', async () => {
    await until('three tries', () => kanal.log().filter((line) => line.channel === 'fails' && /^start failed/.test(line.message)).length >= 3, 20000);
    assert.equal((await events('channel.down', 'fails')).length, 1);
    assert.match(JSON.stringify(await channelOf(kanal, 'fails')), /told to fail/);
    assert.equal(await kanal.metric(/^kanal_channel_up\{channel="fails"/), 0);
    const response = await kanal.post('/c/fails/call', {});
    assert.ok([503, 200].includes(response.status) && response.status === 503, String(response.status));
  });

  await t.test('create() that refuses is final and told', async () => {
    await state(kanal, 'refuses', 'failed');
    assert.ok(kanal.log().some((line) => line.channel === 'refuses' && /told to refuse/.test(line.message)));
    await until('channel.down', async () => (await events('channel.down', 'refuses')).length === 1);
    assert.equal((await kanal.post('/c/refuses/call', {})).status, 503);
  });

  await t.test('a second finish() is dropped and counted', async () => {
    await state(kanal, 'twice', 'up');
    assert.equal(await kanal.metric(/^kanal_host_dropped_answers_total\{channel="twice"/), 1);
  });

  await t.test('requests may come while start() is under way', async () => {
    assert.equal((await call(kanal, 'instance', {}, 'never')).status > 0, true);
  });

  await t.test('start() that never ends is ended after 30 s', async () => {
    await until('the deadline', () => kanal.log().some((line) => line.channel === 'never' && /did not finish start\(\) in 30 s/.test(line.message)), 40000);
    assert.ok(Date.now() - started >= 29000);
  });

  await t.test('and all of it stops', async () => {
    await end(kanal);
    const stops = kanal.log().filter((line) => line.channel === 'twice' && line.message === 'stop() was called').length;
    assert.equal(stops, 1);
  });
});

test('SIGTERM while a start is being given up calls stop() once', async () => {
  const kanal = await start([probe('slow-stop', { settings: { start: 'fail', stop: 'never' } })]);
  await until('stop() was called', () => kanal.log().some((line) => line.message === 'stop() was called'));
  const before = Date.now();
  await end(kanal);
  assert.equal(kanal.log().filter((line) => line.message === 'stop() was called').length, 1);
  assert.ok(Date.now() - before < 14000, 'the deadline counts from the first stop()');
});

test('stop() that never ends is ended after 10 s; meanwhile health answers', async () => {
  const kanal = await start([probe('p', { settings: { stop: 'never' } })]);
  await state(kanal, 'p', 'up');
  const before = Date.now();
  await end(kanal);
  const took = Date.now() - before;
  assert.ok(took >= 9500 && took < 14000, `${took} ms`);
  assert.ok(kanal.log().some((line) => /stop\(\) did not finish in 10 s/.test(line.message)));
});

test('a second SIGTERM ends at once, with requests, sockets and calls under way', async () => {
  const kanal = await start([probe('p', { settings: { stop: 'never' } })]);
  await state(kanal, 'p', 'up');
  provider.answers.set('/hang', () => {});
  const pending = [raw(kanal, 'hold', {}, 'p'), raw(kanal, 'timer', { delay_ms: 60000 }, 'p'), raw(kanal, 'http_send', { url: `${provider.url}/hang`, timeout_ms: 60000 }, 'p'), raw(kanal, 'many_timers', { count: 500 }, 'p')];
  for (const one of pending) one.catch(() => {});
  await sleep(300);
  kanal.child.kill('SIGTERM');
  await until('it stops', () => kanal.log().some((line) => /^stopping/.test(line.message)));
  await sleep(100);
  const before = Date.now();
  running.delete(kanal);
  assert.deepEqual(await kanal.stop(), { code: 1, signal: null });
  assert.ok(Date.now() - before < 5000, `${Date.now() - before} ms`);
  await Promise.allSettled(pending);
});

test('SIGTERM while requests are held back: they are answered when their events are stored', async () => {
  const kanal = await start([probe('p')]);
  await kanal.ready();
  await nats.pause();
  const held = Array.from({ length: 5 }, (_, i) => raw(kanal, 'publish', { batches: [[message(`held-${i}`, `held-${i}`)]], cause: 'self', respond: 200 }, 'p'));
  await sleep(300);
  const stopped = end(kanal);
  await sleep(500);
  nats.resume();
  for (const response of await Promise.all(held)) assert.equal(response.status, 200);
  await stopped;
  const texts = (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.received.*')).map((event) => event.data.data.message.content[0].text);
  for (let i = 0; i < 5; i++) assert.ok(texts.includes(`held-${i}`));
});

test('SIGTERM with a request that the plugin never answers: 503, and the end comes soon', async () => {
  const kanal = await start([probe('p')]);
  await state(kanal, 'p', 'up');
  const held = raw(kanal, 'hold', {}, 'p');
  await sleep(200);
  const before = Date.now();
  const stopped = end(kanal);
  assert.equal((await held).status, 503);
  await stopped;
  assert.ok(Date.now() - before < 12000, `${Date.now() - before} ms`);
});

test('a plugin that never answers: 504 with a clear body, before the server\'s own deadline; the late answer is dropped', async () => {
  const kanal = await start([probe('p')], { http: { limits: { answer_timeout: '1400ms' } } }); // the plugin's 30 s of 35 s: 1.2 s
  await kanal.ready();
  const took = async (response) => { const before = Date.now(), { status } = await response; return [status, Date.now() - before]; };
  const refused = raw(kanal, 'hold', {}, 'p').then(async (response) => [response.status, (await response.json()).error.code]);
  assert.deepEqual(await refused, [504, 'no_answer']);
  const op = /^held (\d+)$/.exec(kanal.log().find((line) => /^held/.test(line.message)).message)[1];
  const dropped = await kanal.metric(/^kanal_host_dropped_answers_total\{channel="p"/);
  await call(kanal, 'answer_other', { op }, 'p');
  assert.equal(await kanal.metric(/^kanal_host_dropped_answers_total\{channel="p"/), dropped + 1);
  const [status, ms] = await took(raw(kanal, 'hold', {}, 'p'));
  assert.ok(status === 504 && ms > 1100, `${status} after ${ms} ms`);
  // Those that answer are not touched by the others' deadlines.
  const mixed = Array.from({ length: 20 }, (_, i) => raw(kanal, ...(i % 2 ? ['timer', { delay_ms: i * 40 }] : ['hold', {}]), 'p'));
  assert.deepEqual((await Promise.all(mixed)).map((response) => response.status), mixed.map((_, i) => (i % 2 ? 200 : 504)));
  // media() too.
  const data = JSON.stringify({ message: { content: [{ type: 'file', ref: 'never' }] } });
  await call(kanal, 'publish', { batches: [[message('late-media', '', { data })]], cause: 'none' }, 'p');
  const event = (await stored(client, 'KANAL_EVENTS')).find((one) => one.data.data.message?.external_id === 'late-media');
  const response = await fetch(event.data.data.message.content[0].url);
  assert.deepEqual([response.status, (await response.json()).error.code], [504, 'no_answer']);
  assert.equal(await kanal.metric(/^kanal_http_requests_total\{channel="p",code="504"/), 13);
  await end(kanal);
});

test('an answer that waits for the broker is not the plugin\'s delay', async () => {
  const kanal = await start([probe('p')], { http: { limits: { answer_timeout: '2100ms' } } }); // 1.8 s of the plugin's
  await kanal.ready();
  await nats.pause();
  const response = raw(kanal, 'publish', { batches: [[message('waits', 'waits')]], cause: 'self', respond: 200 }, 'p');
  await sleep(1950);
  nats.resume();
  assert.equal((await response).status, 200);
  await end(kanal);
});

test('a channel that flaps: /channels tells at once, events come once a second, the last state is told', async () => {
  const kanal = await start([probe('flaps')]);
  await kanal.ready();
  const told = async () => (await events('channel.up', 'flaps')).concat(await events('channel.down', 'flaps')).sort((a, b) => a.seq - b.seq);
  await until('channel.up', async () => (await told()).length === 1);
  const health = (ok, reason = 'flapping') => call(kanal, 'health', { health: ok ? 0 : -5, reason }, 'flaps');
  const before = Date.now();
  for (let i = 0; Date.now() - before < 2500; i++) {
    await health(i % 2 === 0);
    if (i % 50 === 0) assert.equal(await kanal.metric(/^kanal_channel_up\{channel="flaps"/), 1, 'seen at once');
  }
  await health(false, 'the last word');
  assert.match(JSON.stringify(await channelOf(kanal, 'flaps')), /the last word/, 'visible at once');
  assert.equal(await kanal.metric(/^kanal_channel_up\{channel="flaps"/), 0);
  const last = async () => (await told()).at(-1).data;
  await until('the last state is told', async () => (await last()).type === 'channel.down' && /the last word/.test(JSON.stringify(await last())), 3000);
  const count = (await told()).length;
  assert.ok(count >= 2 && count <= 6, `${count} events in ${Date.now() - before} ms`);
  const times = (await told()).map((event) => Date.parse(event.data.time));
  for (let i = 1; i < times.length; i++) assert.ok(times[i] - times[i - 1] >= 950, `${times[i] - times[i - 1]} ms`);
  assert.ok(kanal.log().filter((line) => line.channel === 'flaps' && /^(up|down)/.test(line.message)).length <= 6, 'the log is spared too');
  await sleep(1200);
  assert.equal((await told()).length, count, 'and then it is quiet');
  // Back and forth within the second: nothing has changed for those who listen.
  await health(true);
  await until('up', async () => (await last()).type === 'channel.up');
  await health(false);
  await health(true);
  await sleep(1200);
  assert.equal((await told()).length, count + 1);
  // What still waits is told when the channel stops.
  await health(false, 'at the end');
  await end(kanal);
  await until('down', async () => (await last()).type === 'channel.down');
});

// ---- Registration ----

const registrations = (path) => provider.calls.filter((one) => one.path === path).length;
const registered = (id, path) => probe(id, { settings: { provision_url: provider.url + path } });

test('two gateways register once, and again only for another configuration', async () => {
  const channels = [registered('once', '/once')];
  const two = await Promise.all([start(channels), start(channels)]);
  await until('it is registered', () => registrations('/once') >= 1);
  for (const kanal of two) await state(kanal, 'once', 'up');
  await sleep(1500);
  assert.equal(registrations('/once'), 1);
  await Promise.all(two.map((kanal) => end(kanal)));
  const again = await start(channels);
  await state(again, 'once', 'up');
  await sleep(1000);
  assert.equal(registrations('/once'), 1, 'a restart changes nothing');
  await end(again);
  const changed = await start([registered('once', '/once?changed')]);
  await until('the new one is', () => registrations('/once') === 2);
  await end(changed);
});

test('a provider that is away is asked again; one that refuses makes the channel unhealthy', async () => {
  let tries = 0;
  provider.answers.set('/flaky', (request, response) => { response.writeHead(++tries < 2 ? 503 : 200); response.end(); });
  provider.answers.set('/no', [403, {}, 'no']);
  const kanal = await start([registered('flaky', '/flaky'), registered('no', '/no')]);
  await until('unhealthy meanwhile', async () => (await channelOf(kanal, 'flaky')).healthy === false);
  await until('it refuses', async () => (await channelOf(kanal, 'no')).healthy === false);
  assert.match(JSON.stringify(await channelOf(kanal, 'no')), /the provider said no/);
  await until('healthy again', async () => (await channelOf(kanal, 'flaky')).healthy, 15000);
  assert.equal(tries, 2);
  assert.equal(registrations('/no'), 1);
  await until('channel.down', async () => (await events('channel.down', 'no')).length === 1);
  await end(kanal);
});
