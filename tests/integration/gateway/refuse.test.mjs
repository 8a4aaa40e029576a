// when_broker_down: refuse, the default. Each kind of source is refused in its own way, so that it keeps what it has: a webhook gets 503, a poll keeps its
// place, a chat's client is told to send again, a form gets an error it can show. Gone, stalled and slow brokers alike; nothing is lost, nothing is twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Kanal, Nats, sleep, startTelegram, stored, until } from './harness.mjs';

const SESSION = 'a secret of the sessions for tests', ORIGIN = 'https://shop.example';
let nats, kanal, client, provider;

before(async () => {
  nats = await Nats.start();
  provider = await startTelegram(['--token', '100:token-of-the-test', '--any-chat']);
  const telegram = (id, settings) => ({ id, plugin: 'telegram', settings: { api_url: provider.url, ...settings }, egress: [`127.0.0.1:${provider.port}`],
    secrets: { token: '100:token-of-the-test', webhook: 'webhook-secret-1' } });
  kanal = await Kanal.start(nats, [
    telegram('polls', { mode: 'polling', poll_timeout: 1 }),
    { id: 'hook', plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url }, egress: [`127.0.0.1:${provider.port}`],
      secrets: { token: '100:token-of-the-test', webhook: 'webhook-secret-1' } },
    { id: 'chat', plugin: 'webchat', settings: { origins: [ORIGIN] }, secrets: { session: SESSION } },
    { id: 'form', plugin: 'webform', settings: { origins: [ORIGIN], forms: [{ id: 'callback', fields: [{ name: 'phone', type: 'tel', required: true }] }] }, secrets: { session: SESSION } },
  ]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await provider?.stop();
  await nats?.kill('SIGTERM');
});

const control = (path, body) => fetch(`${provider.url}/_/${path}`, { method: body ? 'POST' : 'GET', body: body && JSON.stringify(body) }).then((response) => response.json());
const events = (channel) => until('the stream answers', async () => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.data.channel.id === channel), 20000);
const texts = async (channel) => (await events(channel)).filter((event) => event.data.type === 'message.received').map((event) => event.data.data.message.content[0].text);
let number = 5000;
const update = (text) => ({ update_id: ++number, message: { message_id: number, date: Math.floor(Date.now() / 1000), text, chat: { id: 7, type: 'private', first_name: 'A' }, from: { id: 7, is_bot: false, first_name: 'A' } } });
const hook = (body) => kanal.post('/c/hook/', body, { 'x-telegram-bot-api-secret-token': 'webhook-secret-1' });
const form = (phone) => kanal.post('/c/form/', { form: 'callback', fields: { phone } }, { origin: ORIGIN });

async function chat() {
  const socket = new WebSocket(`${kanal.url.replace('http', 'ws')}/c/chat/ws`, { origin: ORIGIN });
  socket.heard = [];
  socket.on('message', (data) => socket.heard.push(JSON.parse(data.toString())));
  await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
  socket.tell = (frame) => socket.send(JSON.stringify(frame));
  socket.hears = (type, id) => until(`${type} ${id ?? ''}`, () => socket.heard.find((frame) => frame.type === type && (!id || frame.id === id)), 15000);
  socket.tell({ type: 'hello', v: 1 });
  await socket.hears('welcome');
  return socket;
}

const ways = [
  ['killed', () => nats.kill('SIGKILL'), () => nats.run()],
  ['stopped: connected, and it says nothing', () => nats.pause(), () => nats.resume()],
];
for (const [way, down, up] of ways) {
  test(`the broker is ${way}`, { timeout: 90000 }, async () => {
    const socket = await chat();
    await down();
    await control('user/say', { chat: 77, text: `poll ${way}` });
    socket.tell({ type: 'message', id: `m-${way.slice(0, 6)}-1`, text: `chat ${way}` });
    const body = update(`hook ${way}`);
    const [hooked, formed, told] = await Promise.all([hook(body), form('+79161234567'), socket.hears('error', `m-${way.slice(0, 6)}-1`)]);
    assert.equal(hooked.status, 503);
    assert.ok(Number(hooked.headers.get('retry-after')) > 0);
    assert.equal(formed.status, 503);
    assert.ok(Number(formed.headers.get('retry-after')) > 0, 'a form that is not stored says so');
    assert.ok(told.retry && told.after_ms > 0, JSON.stringify(told));
    assert.equal((await kanal.channels()).length, 4, 'and it lives');
    await sleep(1500);
    assert.equal((await control('state')).pending.length, 1, 'the poll has not gone past it');
    await up();
    await until('the webhook is taken', async () => (await hook(body)).status === 200, 30000);
    await until('the poll brings it', async () => (await texts('polls')).includes(`poll ${way}`), 30000);
    await until('the client sends again', async () => {
      socket.tell({ type: 'message', id: `m-${way.slice(0, 6)}-1`, text: `chat ${way}` });
      await sleep(500);
      return socket.heard.some((frame) => frame.type === 'ack' && frame.id === `m-${way.slice(0, 6)}-1`);
    }, 30000);
    await sleep(500);
    for (const [channel, text] of [['polls', 'poll'], ['hook', 'hook'], ['chat', 'chat']])
      assert.deepEqual((await texts(channel)).filter((one) => one === `${text} ${way}`), [`${text} ${way}`], channel);
    socket.close();
  });
}
