// Three gateways share the lanes and what channels hold, while commands pass through all of them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { Kanal, Nats, extensionDirs, json, pluginDirs, sleep, stored, until } from './harness.mjs';
import { EVEN_MS, areEven, areTogether, groupOf, held } from './leases.mjs';

const CHANNELS = Array.from({ length: 12 }, (_, i) => `shop-${i}`); // of all eight lanes
let nats, client, js, provider, load;
let runs = 0;
const gateways = [];

// ---- A provider that remembers what it took, and when; and who polls it ----

async function startProvider() {
  provider = { taken: new Map(), polls: [] };
  provider.server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      if (request.url === '/poll') { provider.polls.push({ who: body, at: Date.now() }); return response.end(); }
      if (!request.url.endsWith('/sendMessage')) return response.end('{"ok":true,"result":true}');
      const { chat_id: chat, text } = JSON.parse(body);
      if (!provider.taken.has(text.split(' ')[0])) provider.taken.set(text.split(' ')[0], []);
      provider.taken.get(text.split(' ')[0]).push(Number(text.split(' ')[1]));
      return setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ok: true, result: { message_id: 1, date: 1, chat: { id: Number(chat), type: 'private' } } })), 5);
    });
  });
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
  provider.url = `http://127.0.0.1:${provider.server.address().port}`;
}

before(async () => {
  await startProvider();
  nats = await Nats.start();
  client = await nats.client();
  js = client.jetstream();
});

afterEach(async () => {
  if (load) await load.stop();
  for (const one of gateways.splice(0)) { one.child.kill('SIGCONT'); await one.stop(); }
  provider.taken.clear();
  provider.polls.length = 0;
});

after(async () => {
  await client?.close();
  await nats?.kill('SIGTERM');
  provider.server.close();
  provider.server.closeAllConnections();
});

// ---- Gateways and who holds what ----

const telegram = (id) => ({ id, plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url }, egress: ['127.0.0.1'], on_unknown: 'fail',
  secrets: { token: '100:token-of-the-test', webhook: 'webhook-secret-1' }, rate: { per_second: 1e6, per_recipient_second: 1e6 } });
const poller = (id, name) => ({ id, plugin: 'exts', egress: ['127.0.0.1'], settings: { name: `${id}@${name}`, poll_url: `${provider.url}/poll` } });

async function gateway(name, channels = CHANNELS.map(telegram)) {
  const one = await Kanal.start(nats, channels, { plugins: [...pluginDirs(), ...extensionDirs()] });
  one.name = name;
  gateways.push(one);
  return one;
}

const become = (what, list) => until(`${what}: even`, () => areEven(list), EVEN_MS);

// ---- Numbered commands, to a recipient of each channel ----

function startLoad() {
  const one = { isOn: true, run: ++runs, sent: new Map(CHANNELS.map((id) => [id, 0])) };
  const speak = async (id) => {
    while (one.isOn) {
      const number = one.sent.get(id);
      await js.publish(`kanal.commands.${id}.message.send`, json.encode({ id: `${one.run}-${id}-${number}`, to: { address: 'telegram:77' }, content: [{ type: 'text', text: `${id} ${number}` }] }));
      one.sent.set(id, number + 1);
      await sleep(60);
    }
  };
  one.done = Promise.all(CHANNELS.map(speak));
  one.stop = async () => { one.isOn = false; load = null; await one.done; };
  return one;
}

// Each told once; taken once by the provider, in order. Where a gateway was killed, what it had under way was perhaps told as failed ("interrupted").
async function account(one, isKilled) {
  const told = new Map();
  await until('every command has its end', async () => {
    told.clear();
    for (const { data: event } of await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.*.*'))
      if (['message.sent', 'message.failed'].includes(event.type)) told.set(event.data.message.id, [...(told.get(event.data.message.id) ?? []), event.data.error?.code ?? 'sent']);
    return [...one.sent].every(([id, count]) => Array.from({ length: count }, (_, i) => `${one.run}-${id}-${i}`).every((command) => told.has(command)));
  }, 30000);
  let inDoubt = 0;
  for (const [id, count] of one.sent) {
    const taken = provider.taken.get(id) ?? [];
    assert.deepEqual(taken, [...new Set(taken)].sort((a, b) => a - b), `${id}: once each, in order`);
    for (let i = 0; i < count; i++) {
      const ends = told.get(`${one.run}-${id}-${i}`);
      assert.equal(ends.length, 1, `${id}-${i}: ${ends}`);
      if (ends[0] === 'sent') assert.ok(taken.includes(i), `${id}-${i} was taken`);
      else { assert.equal(ends[0], 'interrupted'); inDoubt++; }
    }
  }
  assert.ok(isKilled ? inDoubt <= CHANNELS.length : inDoubt === 0, `${inDoubt} in doubt`);
  return [...one.sent.values()].reduce((sum, count) => sum + count);
}

test('shares get even after a join, a leave and a kill; no command is lost, sent twice or out of turn meanwhile', { timeout: 180000 }, async () => {
  const a = await gateway('a');
  await until('the first one has all', async () => (await held(a)) === 9);
  load = startLoad();
  const running = load;
  const b = await gateway('b'), c = await gateway('c');
  await become('after two have joined', [a, b, c]);
  assert.deepEqual(await Promise.all([a, b, c].map((one) => held(one))), [3, 3, 3]);
  assert.equal(await a.metric(/^kanal_replicas /), 3);
  await sleep(2000);
  assert.deepEqual(await Promise.all([a, b, c].map((one) => held(one))), [3, 3, 3], 'and they stay');
  assert.deepEqual(await c.stop(), { code: 0, signal: null });
  await become('after one has left', [a, b]);
  const d = await gateway('d');
  await become('after another has joined', [a, b, d]);
  await load.stop();
  const count = await account(running, false);
  assert.ok(count > 500, `${count}`);
  assert.equal(await a.metric(/^kanal_commands_total.*duplicate/), 0);
});

test('a kill under load: the others have its lanes, evenly, within 15 s; nothing is lost or sent twice', { timeout: 120000 }, async () => {
  const a = await gateway('a'), b = await gateway('b'), c = await gateway('c');
  await become('three', [a, b, c]);
  load = startLoad();
  const running = load;
  await until('commands pass', () => provider.taken.size === CHANNELS.length);
  await b.stop('SIGKILL');
  await become('after the kill', [a, c]);
  const marks = new Map([...running.sent]);
  await until('every channel goes on', () => CHANNELS.every((id) => (provider.taken.get(id)?.at(-1) ?? 0) > marks.get(id)), 10000);
  await load.stop();
  await account(running, true);
});

test('one that stands still loses its share, and gets one again when it has been there for a while', { timeout: 120000 }, async () => {
  const a = await gateway('a'), b = await gateway('b');
  await become('two', [a, b]);
  b.child.kill('SIGSTOP');
  await until('the other one has all', async () => (await held(a)) === 9, EVEN_MS);
  b.child.kill('SIGCONT');
  const from = Date.now();
  await become('after it woke', [a, b]);
  assert.ok(Date.now() - from > 4000, `it was lost once, so it has to be there for twice as long: ${Date.now() - from} ms`);
  assert.equal(await a.metric(/^kanal_replicas /), 2);
});

test('what a channel holds goes with its lane, and only one ever polls', { timeout: 180000 }, async () => {
  const channels = (name) => Array.from({ length: 10 }, (_, i) => poller(`poll-${i}`, name));
  const together = () => until('leases are where the lanes are', () => areTogether(client, 'exts', 6), EVEN_MS);
  const a = await gateway('a', channels('a')), b = await gateway('b', channels('b')), c = await gateway('c', channels('c'));
  await become('three', [a, b, c]);
  await together();
  assert.ok((await Promise.all([a, b, c].map((one) => held(one, 'channel')))).filter((count) => count > 0).length >= 2);
  await a.stop();
  await become('after a leave', [b, c]);
  await together();
  await sleep(1000);
  for (let i = 0; i < 10; i++) { // two that poll at once take turns more often than the lease does
    const turns = [];
    for (const { who } of provider.polls.filter((poll) => poll.who.startsWith(`poll-${i}@`)).sort((x, y) => x.at - y.at)) if (turns.at(-1) !== who) turns.push(who);
    const holdings = [a, b, c].flatMap((one) => one.log()).filter((entry) => entry.message === `exts.${groupOf(`poll-${i}`)} held`).length;
    assert.ok(turns.length >= 1 && turns.length <= holdings, `poll-${i}: ${turns}; ${holdings} holdings`);
  }
});
