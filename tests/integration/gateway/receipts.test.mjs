// A receipt or a reply names a message as the provider does; the event names the command that sent it, on every gateway.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, sleep, stored, until } from './harness.mjs';

const TOKEN = '445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9';
const USER = '01234567890A/+BcD==';
let nats, kanal, other, client, js, provider, address;
const tokens = new Map(); // text → message_token
let slow_ms = 0;

before(async () => {
  provider = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', async () => {
      const call = JSON.parse(body || '{}');
      if (!request.url.includes('send_message')) return response.end('{"status":0,"status_message":"ok","id":"pa:1","event_types":[]}');
      const token = 5000 + tokens.size;
      tokens.set(call.text, token);
      await sleep(slow_ms);
      return response.end(JSON.stringify({ status: 0, status_message: 'ok', message_token: token }));
    });
  });
  await new Promise((resolve) => provider.listen(0, '127.0.0.1', resolve));
  nats = await Nats.start();
  const channel = { id: 'viber', plugin: 'viber', settings: { api_url: `http://127.0.0.1:${provider.address().port}` }, egress: ['127.0.0.1'], secrets: { token: TOKEN } };
  kanal = await Kanal.start(nats, [channel]);
  other = await Kanal.start(nats, [channel]);
  client = await nats.client();
  js = client.jetstream();
  const first = await post(kanal, { event: 'message', timestamp: Date.now(), message_token: 1, sender: { id: USER, name: 'Анна' }, message: { type: 'text', text: 'hello' } });
  assert.equal(first.status, 200);
  address = (await until('the message', async () => (await stored(client, 'KANAL_EVENTS')).find((e) => e.data.type === 'message.received'))).data.data.customer.address;
});

after(async () => {
  await client.close();
  await kanal.stop();
  await other.stop();
  await nats.kill('SIGTERM');
  provider.close();
});

function post(gateway, object) {
  const body = JSON.stringify(object);
  return gateway.post('/c/viber/', body, { 'x-viber-content-signature': createHmac('sha256', TOKEN).update(body).digest('hex') });
}
const receipt = (gateway, event, text) => post(gateway, { event, timestamp: Date.now(), message_token: tokens.get(text), user_id: USER });
const send = (id, text, more = {}) => js.publish('kanal.commands.viber.message.send', json.encode({ id, to: { address }, content: [{ type: 'text', text }], ...more }));
const find = async (type, token) => (await stored(client, 'KANAL_EVENTS')).find((e) => e.data.type === type && e.data.data.message?.external_id === String(token))?.data.data;
const told = (type, text) => until(`${type} of ${text}`, () => find(type, tokens.get(text)));

test('a receipt finds its command: id, reference, part', async () => {
  await send('r-1', 'one', { reference: 'order-1' });
  await until('sent', async () => tokens.has('one') && (await find('message.sent', tokens.get('one'))));
  assert.equal((await receipt(kanal, 'delivered', 'one')).status, 200);
  const { message } = await told('message.delivered', 'one');
  assert.deepEqual([message.id, message.reference, message.part, message.parts], ['r-1', 'order-1', 1, 1]);
});

test('a receipt that comes to another gateway finds it, too', async () => {
  assert.equal((await receipt(other, 'seen', 'one')).status, 200);
  const { message } = await told('message.read', 'one');
  assert.equal(message.id, 'r-1');
});

test('a receipt before the answer of the request that sent the message waits for it', async () => {
  slow_ms = 700;
  await send('r-2', 'two');
  await until('the request is there', () => tokens.has('two'));
  assert.equal((await receipt(other, 'delivered', 'two')).status, 200);
  const { message } = await told('message.delivered', 'two');
  assert.equal(message.id, 'r-2');
  slow_ms = 0;
});

test('a receipt of what others sent is stored without a command', async () => {
  tokens.set('stranger', 999999);
  const from = Date.now();
  assert.equal((await receipt(kanal, 'delivered', 'stranger')).status, 200);
  assert.ok(Date.now() - from < 8000);
  const data = await told('message.delivered', 'stranger');
  assert.equal(data.message.id, undefined);
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) >= 6);
});
