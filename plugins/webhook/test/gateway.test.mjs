// The library `standardwebhooks` signs what comes in and verifies what goes out, against `kanal run` with a real nats-server.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import standardwebhooks from 'standardwebhooks';
import { Kanal, Nats, checkContract, json, root, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs';

const { Webhook } = standardwebhooks;
const whsec = () => `whsec_${randomBytes(24).toString('base64')}`;
const IN = whsec(), OUT = whsec(), OLD = whsec();
const fixture = (name) => readFileSync(path.join(root, 'plugins/webhook/fixtures', name), 'utf8');
let nats, kanal, client, other;

before(async () => {
  other = { requests: [], answers: [] };
  other.server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      other.requests.push({ headers: request.headers, body });
      const [code, headers] = other.answers.shift() ?? [200];
      response.writeHead(code, headers);
      response.end('{"result":{"id":9007199254740993}}');
    });
  });
  await new Promise((resolve) => other.server.listen(0, '127.0.0.1', resolve));
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [{ id: 'erp', plugin: 'webhook', egress: ['127.0.0.1'],
    settings: { ...JSON.parse(fixture('settings.json')), url: `http://127.0.0.1:${other.server.address().port}/hook`, external_id: '/result/id' },
    secrets: { secret: IN, out_secret: OUT, previous_out_secret: OLD } }]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  other?.server.close();
});

function post(body, { id = `msg_${randomBytes(8).toString('hex')}`, at = new Date(), secret = IN, signature } = {}) {
  return kanal.post('/c/erp/', body, { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at / 1000)), 'webhook-signature': signature ?? new Webhook(secret).sign(id, at, body) });
}
const activities = async () => (await stored(client, 'KANAL_ACTIVITY')).map((event) => event.data);

test('what the library signs is taken and mapped; a replay is no second event', async () => {
  const body = fixture('order.json');
  const at = new Date();
  assert.equal((await post(body, { id: 'msg_order', at })).status, 200);
  assert.equal((await post(body, { id: 'msg_order', at })).status, 200);
  const events = (await activities()).filter((event) => event.data.activity.name === 'Order Completed');
  assert.equal(events.length, 1);
  assert.equal(events[0].data.customer.address, 'erp:customer/C%207%2F1');
  assert.equal(events[0].data.activity.properties.order_id, '9007199254740993');
  assert.equal(events[0].time, '2026-11-21T20:53:00.000Z');
});

test('several signatures, a wrong one, a stale one', async () => {
  const body = '{"type":"order.seen","data":{"customer":{"id":"1"}}}';
  const at = new Date();
  const both = `${new Webhook(whsec()).sign('m', at, body)} ${new Webhook(IN).sign('m', at, body)}`;
  assert.equal((await post(body, { id: 'm', at, signature: both })).status, 200);
  for (const wrong of [{ secret: whsec() }, { at: new Date(Date.now() - 301000) }, { at: new Date(Date.now() + 302000) }, { signature: 'v1,' }])
    assert.equal((await post(body, wrong)).status, 401, JSON.stringify(wrong));
});

test('a message of the other system, and its media', async () => {
  assert.equal((await post(fixture('message.json'))).status, 200);
  const messages = (await stored(client, 'KANAL_EVENTS', 'kanal.events.webhook.erp.message.received.>')).map((event) => event.data.data);
  assert.equal(messages.length, 2);
  assert.equal(messages[0].customer.name, 'Анна');
  assert.equal(messages[0].chat.id, 't-9');
});

const send = (id, text) => client.jetstream().publish('kanal.commands.erp.message.send', json.encode({ id, to: { address: 'erp:customer/7' }, content: [{ type: 'text', text }] }));
const verified = (request, secret) => new Webhook(secret).verify(request.body, request.headers);

test('a command goes out; the library verifies it under either secret', async () => {
  await send('out-1', 'Привет');
  await until('it is sent', async () => (await storedTypes(client, 'out-1')).includes('message.sent'));
  const request = other.requests.at(-1);
  const payload = verified(request, OUT);
  assert.deepEqual(payload, verified(request, OLD));
  assert.deepEqual([payload.type, payload.command_id, payload.address, payload.data.content], ['message.send', 'out-1', 'erp:customer/7', [{ type: 'text', text: 'Привет' }]]);
  assert.throws(() => verified(request, whsec()));
  assert.throws(() => verified({ ...request, body: `${request.body} ` }, OUT));
  const sent = (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).find((event) => event.type === 'message.sent' && event.data.message.id === 'out-1');
  assert.equal(sent.data.message.external_id, '9007199254740993');
});

test('a repeated try has the same webhook-id and a signature of its own', async () => {
  other.answers.push([503, { 'retry-after': '1' }]);
  const before = other.requests.length;
  await send('out-2', 'again');
  await until('it is sent', async () => (await storedTypes(client, 'out-2')).includes('message.sent'), 20000);
  const [first, second] = other.requests.slice(before);
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
  verified(first, OUT);
  verified(second, OUT);
});

test('the receipt that the other system posts finds the command', async () => {
  assert.equal((await post('{"type":"message.delivered","data":{"message":"9007199254740993","reference":"out-1"}}')).status, 200);
  await until('it is told', async () => (await storedTypes(client, 'out-1')).includes('message.delivered'));
});

test('every event is valid by the contract, strictly', async () => { assert.ok(await checkContract(client) > 5); });
