// kanal.lease/1 with two gateways: only one polls, whatever happens to it or to the broker.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { call, events, start } from './extensions.mjs';
import { Nats, json, sleep, until } from './harness.mjs';
import { settled } from './leases.mjs';
import { startProvider } from './probe.mjs';

let nats, client, provider;
const polls = []; // { who, at }
const gateways = [];

before(async () => {
  nats = await Nats.start();
  client = await nats.client();
  provider = await startProvider();
  provider.answers.set('/poll', (request, response, body) => { polls.push({ who: body.toString(), at: Date.now() }); response.end(); });
});

afterEach(async () => {
  for (const gateway of gateways.splice(0)) { gateway.child.kill('SIGCONT'); await gateway.stop(); }
  polls.length = 0;
});

after(async () => { provider?.close(); await client?.close(); await nats?.kill('SIGTERM'); });

async function gateway(name, more = {}) {
  const one = await start(nats, [{ id: 'exts', plugin: 'exts', egress: ['127.0.0.1'], settings: { name, ...(more.poll === false ? {} : { poll_url: `${provider.url}/poll` }) } }]);
  gateways.push(one);
  return one;
}
// Two gateways share: when nothing is going to move any more.
async function whoPolls() {
  await settled(client, gateways, 'exts');
  polls.length = 0;
  return onePolls();
}
const onePolls = () => until('somebody polls', async () => { const from = polls.length; await sleep(300); return new Set(polls.slice(from).map((poll) => poll.who)).size === 1 && polls.at(-1); }, 30000);

// No two ever polled at once: what each did lies before or after what the other did.
function exclusive() {
  const turns = [];
  for (const { who, at } of [...polls].sort((a, b) => a.at - b.at)) {
    if (turns.at(-1)?.who !== who) turns.push({ who, from: at });
    turns.at(-1).to = at;
  }
  return turns;
}

test('one of two polls; the other takes over at once when it ends properly', { timeout: 120000 }, async () => {
  const a = await gateway('a'), b = await gateway('b');
  const { who } = await whoPolls();
  await sleep(4000); // over a renewal
  assert.deepEqual(exclusive().map((turn) => turn.who), [who]);
  const [holder, waiter] = who === 'a' ? [a, 'b'] : [b, 'a'];
  const from = Date.now();
  assert.deepEqual(await holder.stop(), { code: 0, signal: null });
  await until('the other polls', () => polls.some((poll) => poll.who === waiter), 20000);
  assert.ok(polls.find((poll) => poll.who === waiter).at - from < 4000, 'it was given back, not waited for');
  assert.deepEqual(exclusive().map((turn) => turn.who), [who, waiter]);
});

test('kill -9 of the holder: the other polls within 15 s', { timeout: 120000 }, async () => {
  const a = await gateway('a'), b = await gateway('b');
  const { who } = await whoPolls();
  const [holder, waiter] = who === 'a' ? [a, 'b'] : [b, 'a'];
  const from = Date.now();
  await holder.stop('SIGKILL');
  await until('the other polls', () => polls.some((poll) => poll.who === waiter), 20000);
  const took = polls.find((poll) => poll.who === waiter).at - from;
  assert.ok(took > 3000 && took < 15000, `took ${took} ms`);
});

test('a holder that stood still does not poll when it wakes', { timeout: 120000 }, async () => {
  const a = await gateway('a'), b = await gateway('b');
  const { who } = await whoPolls();
  const [holder, waiter] = who === 'a' ? [a, 'b'] : [b, 'a'];
  const [{ id, event }] = await events(holder);
  assert.equal(event, 'held');
  assert.equal((await call(holder, 'held', { id })).status, 1);
  holder.child.kill('SIGSTOP');
  const first = call(holder, 'held', { id }); // what wakes it, before any of its timers
  await until('the other polls', () => polls.some((poll) => poll.who === waiter), 20000);
  await sleep(1000);
  const woke = Date.now();
  holder.child.kill('SIGCONT');
  assert.equal((await first).status, 0, 'held() asks the clock');
  await sleep(3000);
  assert.deepEqual(polls.filter((poll) => poll.who === who && poll.at >= woke), [], 'nothing was sent after it woke');
  const told = await events(holder);
  assert.deepEqual(told.map((one) => one.event), ['lost']);
  assert.equal(told[0].status, 0, 'held() says no in on_lost()');
  assert.ok(polls.at(-1).who === waiter && polls.at(-1).at > woke + 2000);
});

test('a holder that stood still for less than its lease goes on', { timeout: 120000 }, async () => {
  const a = await gateway('a');
  await gateway('b');
  const { who } = await whoPolls();
  const holder = gateways[who === 'a' ? 0 : 1];
  assert.ok(a);
  holder.child.kill('SIGSTOP');
  await sleep(2000);
  holder.child.kill('SIGCONT');
  await sleep(6000);
  assert.deepEqual(exclusive().map((turn) => turn.who), [who]);
});

test('the broker is away: nobody polls after the lease has run out; then one does again', { timeout: 120000 }, async () => {
  await gateway('a'); await gateway('b');
  await whoPolls();
  await nats.kill('SIGKILL');
  const away = Date.now();
  await sleep(10500);
  assert.ok(polls.at(-1).at - away < 9000, `polled ${polls.at(-1).at - away} ms after the broker went`);
  const count = polls.length;
  await sleep(500);
  assert.equal(polls.length, count);
  await nats.run();
  await until('one polls again', () => polls.length > count, 25000);
  await sleep(3000);
  const after = exclusive().filter((turn) => turn.to > away + 10000); // whoever came first perhaps gave it to the other one, to be even
  assert.equal(new Set(after.map((turn) => turn.who)).size, after.length, JSON.stringify(after));
});

test('a short stall of the broker costs nothing', { timeout: 120000 }, async () => {
  await gateway('a'); await gateway('b');
  const { who } = await whoPolls();
  await nats.pause();
  await sleep(2500);
  nats.resume();
  await sleep(9000);
  assert.deepEqual(exclusive().map((turn) => turn.who), [who]);
});

test('the slots: names, numbers, release, several at once; the record', { timeout: 120000 }, async () => {
  const a = await gateway('a', { poll: false });
  const acquire = async (args) => (await call(a, 'acquire', args)).id;
  for (const name of ['', 'a b', 'a.b', 'ä', 'x'.repeat(65), 'a/b']) assert.equal(await acquire({ name }), '0', name);
  const one = await acquire({ name: 'x'.repeat(64) }), two = await acquire({ name: 'inbox', ttl_ms: 1 });
  assert.notEqual(one, '0');
  assert.notEqual(one, two);
  assert.equal(await acquire({ name: 'inbox' }), '0', 'wanted already');
  const seen = [];
  await until('both are held', async () => { seen.push(...(await events(a)).map((event) => event.id)); return seen.length === 2; });
  assert.deepEqual(new Set(seen), new Set([one, two]));
  const held = async (id) => (await call(a, 'held', { id })).status;
  assert.deepEqual([await held(one), await held(two), await held('7'), await held('0')], [1, 1, 0, 0]);
  const bucket = await client.jetstream().views.kv('kanal_leases');
  const keys = [];
  for await (const key of await bucket.keys()) if (!key.startsWith('_.')) keys.push(key); // those are the core's own
  assert.ok(keys.length >= 1 && keys.every((key) => /^exts\.\d+$/.test(key)), keys.join());
  const record = async () => json.decode((await bucket.get(keys[0])).value);
  assert.deepEqual(Object.keys(await record()), ['holder', 'ttl_ms', 'count']);
  await until('renewed for the shortest, and not below three seconds', async () => (await record()).ttl_ms === 3000);
  await call(a, 'release', { id: one });
  assert.deepEqual([await held(one), await held(two)], [0, 1]);
  await call(a, 'release', { id: two });
  await until('the record is gone', async () => (await bucket.get(keys[0]))?.operation !== 'PUT');
  // Somebody else writes over the record: lost at once at the next renewal.
  const three = await acquire({ name: 'inbox' });
  await until('held', async () => (await held(three)) === 1);
  await bucket.put(keys[0], json.encode({ holder: 'l_other', ttl_ms: 3000, count: 1 }));
  await until('lost', async () => (await held(three)) === 0, 5000);
  await until('and back when the other is silent', async () => (await held(three)) === 1, 12000);
  assert.deepEqual((await events(a)).map((event) => event.event).slice(-3), ['held', 'lost', 'held']);
  await bucket.put(keys[0], 'no JSON at all');
  await until('lost', async () => (await held(three)) === 0, 5000);
  await until('and back', async () => (await held(three)) === 1, 20000);
  for (let i = 0; i < 15; i++) assert.notEqual(await acquire({ name: `n${i}` }), '0');
  assert.equal(await acquire({ name: 'one-too-many' }), '0');
});
