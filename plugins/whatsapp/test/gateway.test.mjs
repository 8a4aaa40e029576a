// The whole gateway with a real nats-server. Meta is prism over Meta's own OpenAPI description, which refuses requests of the wrong
// shape; before it stands a small server for what prism has no state for: media, and errors on demand. Webhooks are signed by
// @octokit/webhooks-methods.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { sign } from '@octokit/webhooks-methods';
import { Kanal, Nats, checkContract, json, root, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs';
import { startPrism } from './prism.mjs';

const description = path.join(process.env.KANAL_SPECS ?? path.join(root, '../shared/specs'), 'whatsapp-cloud-api.yaml');
const secrets = { token: 'EAAGm0PX4ZCpsBAKZD', app_secret: '5f2a1c0d9e8b7a6f', verify_token: 'chosen-by-us' };
const number = '106540352242922';
let nats, kanal, client, prism, meta;

// Everything that asks for it with the token gets the media, and everything else goes to prism.
function startMeta() {
  const requests = [];
  let fail; // the next answer to a message
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    requests.push({ method: request.method, url: request.url, headers: request.headers, body: body.toString('latin1') });
    const answer = (code, value, headers = {}) => { response.writeHead(code, { 'content-type': 'application/json', ...headers }); response.end(JSON.stringify(value)); };
    if (request.url === '/picture.png') { response.writeHead(200, { 'content-type': 'image/png' }); return response.end('PNG'); }
    if (request.headers.authorization !== `Bearer ${secrets.token}`) return answer(401, { error: { code: 190, message: 'Invalid OAuth access token' } });
    if (request.url.startsWith('/v24.0/1003383421387256')) return answer(200, { messaging_product: 'whatsapp', url: `${meta.url}/file?mid=1`, mime_type: 'image/jpeg', id: '1003383421387256' });
    if (request.url === '/file?mid=1') { response.writeHead(200, { 'content-type': 'image/jpeg' }); return response.end('JPEG'); }
    if (fail && request.url.endsWith('/messages')) { const now = fail; fail = null; return answer(...now); }
    const isJson = request.headers['content-type'] === 'application/json';
    const sentBody = isJson ? JSON.stringify({ ...JSON.parse(body), biz_opaque_callback_data: undefined }) : body; // documented, not described
    const { host, 'content-length': length, connection, ...headers } = request.headers;
    const proxied = await fetch(prism.url + request.url, { method: request.method, headers, body: body.length > 0 ? sentBody : undefined });
    const text = await proxied.text();
    if (!proxied.ok) console.error(`prism refuses ${request.method} ${request.url} ${body}: ${text}`);
    response.writeHead(proxied.status, { 'content-type': 'application/json' });
    response.end(text);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({
    url: `http://127.0.0.1:${server.address().port}`, requests, failOnce: (...answer) => { fail = answer; }, close: () => server.close(),
  })));
}

before(async () => {
  prism = await startPrism(description);
  meta = await startMeta();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [{ id: 'shop-whatsapp', plugin: 'whatsapp', secrets, egress: ['127.0.0.1', '127.0.0.0/8'],
    settings: { phone_number_id: number, api_url: meta.url } },
  { id: 'uploads', plugin: 'whatsapp', secrets, egress: ['127.0.0.1', '127.0.0.0/8'], settings: { phone_number_id: number, api_url: meta.url, media: 'upload' } }]);
  client = await nats.client();
});

after(async () => {
  if (client) await checkContract(client);
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  meta?.close();
  await prism?.stop();
});

const fixture = (name) => readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), 'utf8');
// As Meta writes it: other than ASCII characters as escapes.
const onTheWire = (text) => JSON.stringify(JSON.parse(text)).replace(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const hook = async (text, signature) => kanal.post('/c/shop-whatsapp/', text, { 'x-hub-signature-256': signature ?? await sign(secrets.app_secret, text) });
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).map((one) => one.data).filter((event) => event.type === type);

async function send(content, more = {}, channel = 'shop-whatsapp') {
  const id = `crm-${Math.random().toString(36).slice(2)}`;
  await client.jetstream().publish(`kanal.commands.${channel}.${more.type ?? 'message.send'}`,
    json.encode({ id, to: { address: 'tel:+79161234567' }, ...(content && { content }), ...more }));
  return id;
}
const ended = (id, type) => until(`${id} ${type}`, async () => (await storedTypes(client, id)).includes(type));

test('the handshake of the webhook', async () => {
  const ask = (query) => fetch(`${kanal.url}/c/shop-whatsapp/?${query}`);
  const response = await ask('hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=chosen-by-us');
  assert.deepEqual([response.status, await response.text()], [200, '1158201444']);
  assert.equal((await ask('hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guessed')).status, 401);
});

test('signed webhooks become events, others do not', async () => {
  const text = onTheWire(fixture('text'));
  assert.equal((await hook(text)).status, 200);
  assert.equal((await hook(text)).status, 200); // delivered twice
  assert.equal((await hook(text, await sign('another secret', text))).status, 401);
  assert.equal((await hook(text + ' ', await sign(secrets.app_secret, text))).status, 401);
  const received = await events('message.received');
  assert.equal(received.length, 1);
  const { customer, message, chat } = received[0].data;
  assert.equal(customer.address, 'tel:+79161234567');
  assert.equal(message.content[0].text, 'Здравствуйте! Самовар ещё в наличии? 🫖');
  assert.equal(chat.id, '79161234567');
  for (const name of ['status-delivered', 'status-failed', 'reaction', 'order', 'several']) assert.equal((await hook(onTheWire(fixture(name)))).status, 200);
  const delivered = (await events('message.delivered')).find((event) => event.data.message.id);
  assert.equal(delivered.data.message.id, 'crm-7781');
  assert.equal((await events('message.failed'))[0].data.error.code, 'recipient_blocked');
});

test('media are fetched in two steps, with the token', async () => {
  assert.equal((await hook(onTheWire(fixture('image')))).status, 200);
  const part = (await events('message.received')).map((event) => event.data.message.content[0]).find((one) => one.type === 'image');
  const response = await fetch(part.url);
  assert.deepEqual([response.status, response.headers.get('content-type'), await response.text()], [200, 'image/jpeg', 'JPEG']);
  assert.ok(!JSON.stringify(part).includes(secrets.token));
});

test('messages of every kind pass Meta\'s description', async () => {
  const url = 'https://cdn.example.com/picture.png'; // nobody fetches it: the format of a link refuses loopback
  const contents = [
    [{ type: 'text', text: 'Подтвердить заказ?' }],
    [{ type: 'image', url, caption: 'Вот' }],
    [{ type: 'location', lat: 54.19, lon: 37.61, name: 'Музей' }],
    [{ type: 'contact', name: 'Анна', phones: ['+79161234567'] }],
    [{ type: 'text', text: '?' }, { type: 'choice', style: 'buttons', options: [{ text: 'Да', payload: 'Y' }, { text: 'Нет' }] }],
    [{ type: 'text', text: '?' }, { type: 'choice', style: 'list', options: [{ text: 'A', description: 'a' }, { text: 'B' }] }],
    [{ type: 'template', name: 'confirm', locale: 'ru', parameters: [{ value: 'Анна' }] }],
  ];
  for (const content of contents) await ended(await send(content), 'message.sent');
  const sent = await events('message.sent');
  assert.ok(sent.every((event) => event.data.message.external_id.startsWith('wamid.')));
  const bodies = meta.requests.filter((request) => request.url.endsWith('/messages')).map((request) => JSON.parse(Buffer.from(request.body, 'latin1')));
  assert.match(bodies[0].biz_opaque_callback_data, /^kanal:1\/1:crm-/);
});

test('an upload is streamed from its source', async () => {
  await ended(await send([{ type: 'image', url: `${meta.url}/picture.png`, mime: 'image/png' }], {}, 'uploads'), 'message.sent');
  const upload = meta.requests.find((request) => request.url === `/v24.0/${number}/media`);
  assert.match(upload.headers['content-type'], /^multipart\/form-data/);
  assert.match(upload.body, /PNG/);
});

test('throttled is tried again, refused is final', async () => {
  meta.failOnce(400, { error: { code: 130429, message: 'Rate limit hit' } }, { 'retry-after': '1' });
  const id = await send([{ type: 'text', text: 'again' }]);
  await ended(id, 'message.sent');
  meta.failOnce(400, { error: { code: 131026, message: 'Message undeliverable', error_data: { details: 'Not on WhatsApp' } } });
  const refused = await send([{ type: 'text', text: 'never' }]);
  await ended(refused, 'message.failed');
  const { error } = (await events('message.failed')).find((event) => event.data.message.id === refused).data;
  assert.deepEqual([error.code, error.scope, error.provider_code], ['recipient_blocked', 'recipient', '131026']);
});
