// A hundred upgrades of a channel's plugin while messages go in and out: none is lost, none comes twice, and each chat keeps its order.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, buildDir, isSanitized, isolation, json, scratchDir, sleep, until } from './harness.mjs';

const CHATS = 32;
const RATE = Number(process.env.KANAL_TEST_RATE ?? 2000); // a second, in and out each; what the machine cannot do is less
const UPGRADES = Number(process.env.KANAL_TEST_UPGRADES ?? (isSanitized() ? 20 : 100));
const SECRET = 'a-webhook-secret';

let nats, client, provider, kanal, plugin;

// The provider: takes each call, and keeps what was sent to whom.
async function startProvider() {
  const sent = new Map();
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      let result = true;
      if (request.url.endsWith('/getMe')) result = { id: 1, is_bot: true, first_name: 'Shop', username: 'shop_bot' };
      if (request.url.endsWith('/sendMessage')) {
        const { chat_id: chat, text } = JSON.parse(Buffer.concat(pieces));
        if (!sent.has(String(chat))) sent.set(String(chat), []);
        sent.get(String(chat)).push(Number(text));
        result = { message_id: ++server.messages, date: 1, chat: { id: chat, type: 'private' }, text };
      }
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ok: true, result }));
    });
  });
  server.messages = 0;
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { sent, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  client = await nats.client();
  const directory = scratchDir();
  mkdirSync(path.join(directory, 'plugins'));
  plugin = { built: path.join(buildDir, 'plugins/telegram/telegram.so'), file: path.join(directory, 'plugins/telegram.so') };
  copyFileSync(plugin.built, plugin.file);
  kanal = await Kanal.start(nats, [{ id: 'shop', plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url },
    secrets: { token: '1:abc', webhook: SECRET }, egress: ['127.0.0.1'], rate: { per_second: 1e6, per_recipient_second: 1e6 } }], { plugins: [path.join(directory, 'plugins')] });
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  provider?.close();
});

const api = async (name, body) => json.decode((await client.request(`kanal.api.channel-${name}`, json.encode(body), { timeout: 60000 })).data);

// Keeps to the rate, if the machine does.
function pacer(rate) {
  let next = performance.now();
  return async () => {
    next = Math.max(next + 1000 / rate, performance.now() - 100);
    const wait = next - performance.now();
    if (wait > 1) await sleep(wait);
  };
}

const agent = new http.Agent({ keepAlive: true, maxSockets: CHATS });
function post(body) {
  const { hostname, port } = new URL(kanal.url);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, agent, method: 'POST', path: '/c/shop/', headers: { 'content-type': 'application/json', 'content-length': body.length, 'x-telegram-bot-api-secret-token': SECRET } },
      (response) => { response.resume(); response.on('end', () => resolve(response.statusCode)); });
    request.on('error', reject);
    request.end(body);
  });
}

// One chat after the other speaks; each waits for its 200 before it says more, as the provider does, and repeats what got none.
async function speak(chat, load) {
  for (let i = 0; load.on; i++) {
    await load.pace();
    const update = Buffer.from(JSON.stringify({ update_id: 1 + chat * 1000000 + i, message: { message_id: i + 1, date: Math.floor(Date.now() / 1000),
      chat: { id: 1000 + chat, type: 'private', first_name: 'Anna' }, from: { id: 1000 + chat, is_bot: false, first_name: 'Anna' }, text: String(i) } }));
    while (await post(update) !== 200) { load.refused++; await sleep(20); }
    load.count[chat] = i + 1;
  }
}

async function answer(chat, load) {
  const stream = client.jetstream();
  for (let i = 0; load.on; i++) {
    await load.pace();
    await stream.publish('kanal.commands.shop.message.send', json.encode({ id: `c${chat}-${i}`, to: { address: `telegram:${1000 + chat}` }, content: [{ type: 'text', text: String(i) }] }));
    load.count[chat] = i + 1;
  }
}

function begin(run) {
  const load = { on: true, pace: pacer(RATE), count: new Array(CHATS).fill(0), refused: 0, started: performance.now() };
  load.done = Promise.all(load.count.map((_, chat) => run(chat, load)));
  load.end = async () => { load.on = false; await load.done; load.total = load.count.reduce((a, b) => a + b, 0); return load; };
  return load;
}

async function receivedByChat() {
  const stream = client.jetstream();
  const consumer = await stream.consumers.get('KANAL_EVENTS');
  const info = await (await client.jetstreamManager()).streams.info('KANAL_EVENTS');
  const chats = new Map();
  const messages = await consumer.consume({ max_messages: 1000 });
  for await (const message of messages) {
    const event = json.decode(message.data);
    if (event.type === 'message.received') {
      const { id } = event.data.chat;
      if (!chats.has(id)) chats.set(id, []);
      chats.get(id).push(Number(event.data.message.content[0].text));
    }
    if (message.seq >= info.state.last_seq) break;
  }
  return chats;
}

const counted = (count) => Array.from({ length: count }, (_, i) => i);

test(`${UPGRADES} upgrades under load`, { skip: isolation === 'none' && 'a plugin in the gateway is not upgraded' }, async (t) => {
  const inward = begin(speak), outward = begin(answer);
  let took = 0;
  for (let i = 0; i < UPGRADES; i++) {
    copyFileSync(plugin.built, `${plugin.file}.new`);
    renameSync(`${plugin.file}.new`, plugin.file); // as a package manager does
    const start = performance.now();
    const result = await api('upgrade', { id: 'shop' });
    took = Math.max(took, performance.now() - start);
    assert.equal(result.channel?.state, 'up', JSON.stringify(result));
  }
  const [incoming, outgoing] = [await inward.end(), await outward.end()];
  assert.equal(incoming.refused, 0, 'requests are held, not refused');
  const seconds = (performance.now() - incoming.started) / 1000;
  await until('every command was sent', async () => [...provider.sent.values()].reduce((sum, list) => sum + list.length, 0) >= outgoing.total, 60000);
  await sleep(500); // one too many would come now
  const received = await receivedByChat();
  for (let chat = 0; chat < CHATS; chat++) {
    assert.deepEqual(received.get(String(1000 + chat)), counted(incoming.count[chat]), `in, chat ${chat}`);
    assert.deepEqual(provider.sent.get(String(1000 + chat)), counted(outgoing.count[chat]), `out, chat ${chat}`);
  }
  t.diagnostic(`${Math.round(incoming.total / seconds)}/s in (${incoming.refused} refused and repeated), ${Math.round(outgoing.total / seconds)}/s out, ${seconds.toFixed(1)} s, the longest upgrade ${Math.round(took)} ms`);
  const workers = await kanal.metric(/^kanal_worker_restarts_total/);
  assert.equal(workers, 0, 'an upgrade is no accident');
});
