// The way in: what is acknowledged is stored, what is not stored is not acknowledged, and what is wrong is refused precisely.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, sleep, stored, until } from './harness.mjs';

const SECRET = 'webhook-secret-1';
const channels = (provider) => [
  { id: 'echo', plugin: 'echo' },
  { id: 'tg', plugin: 'telegram', settings: { mode: 'webhook', api_url: provider }, egress: ['127.0.0.1'],
    secrets: { token: '100:token-of-the-test', webhook: SECRET } },
];
let nats, kanal, client, provider;

before(async () => {
  provider = http.createServer((request, response) => { request.resume(); response.end('{"ok":true,"result":true}'); });
  await new Promise((resolve) => provider.listen(0, '127.0.0.1', resolve));
  nats = await Nats.start();
  kanal = await Kanal.start(nats, channels(`http://127.0.0.1:${provider.address().port}`));
  client = await nats.client();
});

after(async () => {
  await client.close();
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  await nats.kill('SIGTERM');
  provider.close();
});

let number = 1000;
const update = (text, more = {}) => ({
  update_id: number++,
  message: { message_id: number, date: Math.floor(Date.now() / 1000), text,
    chat: { id: 77, type: 'private', first_name: 'Anna' }, from: { id: 77, is_bot: false, first_name: 'Anna', language_code: 'ru' }, ...more },
});
const telegram = (body, secret = SECRET) => kanal.post('/c/tg/', body, secret ? { 'x-telegram-bot-api-secret-token': secret } : {});
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.type === type);
const refusal = async (response) => (await response.json()).error.code;

test('a message is stored before it is acknowledged, under the subject of its node', async () => {
  const response = await telegram(update('Привет'));
  assert.equal(response.status, 200);
  const [event] = (await events('message.received')).filter((e) => e.data.data.message.content[0].text === 'Привет');
  assert.ok(event, 'it is in the stream');
  assert.equal(event.subject, `kanal.events.telegram.tg.message.received.${event.data.data.customer.node}`);
  assert.equal(event.data.data.customer.address, 'telegram:77');
});

test('the same update twice is one event', async () => {
  const body = update('once');
  assert.equal((await telegram(body)).status, 200);
  assert.equal((await telegram(body)).status, 200);
  assert.equal((await events('message.received')).filter((e) => e.data.data.message.content[0].text === 'once').length, 1);
});

test('equal message ids in two chats, and an edit, are all stored', async () => {
  const same = { message_id: 5 };
  for (const body of [update('chat one', same), update('chat two', { ...same, chat: { id: 78, type: 'private', first_name: 'B' }, from: { id: 78, is_bot: false, first_name: 'B' } })])
    assert.equal((await telegram(body)).status, 200);
  const { message } = update('chat one, edited', same);
  assert.equal((await telegram({ update_id: number++, edited_message: { ...message, edit_date: message.date } })).status, 200);
  const texts = (await stored(client, 'KANAL_EVENTS')).map((e) => e.data.data.message?.content?.[0]?.text);
  for (const text of ['chat one', 'chat two', 'chat one, edited']) assert.ok(texts.includes(text), text);
});

test('a wrong, a missing and a longer secret are refused before the plugin sees a byte', async () => {
  const before = (await stored(client, 'KANAL_EVENTS')).length;
  for (const secret of ['wrong', '', null, SECRET + 'x', SECRET + SECRET, SECRET.slice(1), SECRET.slice(0, -1)]) {
    const response = await telegram(update('forged'), secret);
    assert.equal(response.status, 401);
    assert.equal(await refusal(response), 'wrong_signature');
  }
  assert.equal((await stored(client, 'KANAL_EVENTS')).length, before);
  assert.ok((await kanal.metric(/kanal_http_requests_total\{channel="tg",code="401"\}/)) >= 5);
});

test('unknown channels, paths and methods are told apart', async () => {
  let response = await kanal.post('/c/nobody/', '{}');
  assert.deepEqual([response.status, await refusal(response)], [404, 'unknown_channel']);
  response = await kanal.post('/c/tg/other', '{}');
  assert.deepEqual([response.status, await refusal(response)], [404, 'unknown_path']);
  response = await fetch(kanal.url + '/c/tg/');
  assert.deepEqual([response.status, await refusal(response), response.headers.get('allow')], [405, 'wrong_method', 'POST']);
  response = await fetch(kanal.url + '/elsewhere');
  assert.equal(response.status, 404);
});

test('malformed JSON, wrong types and odd bytes never crash it', async () => {
  for (const body of ['', '{', 'null', '[]', '{"update_id":"x"}', '{"update_id":1,"message":5}', '\u0000', `{"a":${'['.repeat(5000)}`, new Uint8Array([0xff, 0xfe, 0x7b])]) {
    const response = await telegram(body);
    assert.ok(response.status === 200 || (response.status >= 400 && response.status < 500), `status ${response.status}`);
  }
  assert.equal((await telegram(update('still here'))).status, 200);
});

test('a body over the limit gets 413, with and without Content-Length', async () => {
  const big = JSON.stringify(update('x'.repeat(2 * 1024 * 1024)));
  const direct = await telegram(big).then((response) => response.status, () => 413); // the client may be cut off in mid-send
  assert.equal(direct, 413);
  const chunked = await new Promise((resolve, reject) => {
    const { hostname, port } = new URL(kanal.url);
    const request = http.request({ hostname, port, method: 'POST', path: '/c/tg/', headers: { 'x-telegram-bot-api-secret-token': SECRET, 'transfer-encoding': 'chunked' } },
      (response) => { response.resume(); resolve(response.statusCode); });
    request.on('error', (error) => (error.code === 'EPIPE' || error.code === 'ECONNRESET' ? resolve(413) : reject(error)));
    for (let i = 0; i < 32; i++) request.write('x'.repeat(64 * 1024));
    request.end();
  });
  assert.equal(chunked, 413);
});

test('Content-Length beside Transfer-Encoding is refused', async () => {
  const { hostname, port } = new URL(kanal.url);
  const answer = await new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, hostname, () => socket.write(`POST /c/tg/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`));
    socket.on('data', (data) => { text += data; socket.end(); });
    socket.on('close', () => resolve(text));
    socket.on('error', () => resolve(text));
  });
  assert.match(answer, /^HTTP\/1\.1 400 /);
});

test('while the broker is paused nothing is acknowledged; then it is, once', async () => {
  await nats.pause();
  let acknowledged = false;
  const body = update('paused');
  const first = telegram(body).then((response) => { acknowledged = response.status === 200; return response; });
  await sleep(1000);
  assert.equal(acknowledged, false, 'no 200 without a PubAck');
  nats.resume();
  const response = await first;
  if (response.status !== 200) assert.equal((await telegram(body)).status, 200);
  assert.equal((await events('message.received')).filter((e) => e.data.data.message.content[0].text === 'paused').length, 1);
});

test('a broker that is killed costs no message: 503 with Retry-After, then 200', async () => {
  await nats.kill('SIGKILL');
  const body = update('killed');
  const refused = await until('a refusal', async () => { const r = await telegram(body); return r.status === 503 && r; });
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await fetch(kanal.admin + '/livez')).status, 200);
  assert.equal((await fetch(kanal.admin + '/readyz')).status, 200, 'not ready would keep it from refusing');
  await nats.run();
  await until('it is taken', async () => (await telegram(body)).status === 200, 20000);
  await until('it is stored', async () => (await events('message.received')).filter((e) => e.data.data.message.content[0].text === 'killed').length === 1);
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 5);
});
