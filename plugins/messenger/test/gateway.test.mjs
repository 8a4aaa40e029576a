// The whole gateway with a real nats-server, a Messenger and an Instagram channel. Webhooks are signed by @octokit/webhooks-methods. Where
// Meta is, a server takes what the Send API takes; what the gateway sends there must equal what messaging-api-messenger sends there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { sign } from '@octokit/webhooks-methods';
import library from 'messaging-api-messenger';
import { Kanal, Nats, checkContract, json, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs';

const secrets = { token: 'EAAGm0PX4ZCpsBAKZD', app_secret: '5f2a1c0d9e8b7a6f', verify_token: 'chosen-by-us' };
const page = '1906385232743451', person = '7654321098765432', account = '17841405822304914', follower = '6543210987654321';
let nats, kanal, client, meta, messenger;

function startMeta() {
  const requests = [];
  let fail, number = 0;
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname, searchParams } = new URL(request.url, 'http://meta');
    const body = Buffer.concat(chunks).toString();
    requests.push({ method: request.method, pathname, type: request.headers['content-type'], body });
    const answer = (code, value, headers = {}) => { response.writeHead(code, { 'content-type': 'application/json', ...headers }); response.end(JSON.stringify(value)); };
    if (pathname === '/v/1.jpg') {
      assert.equal(request.headers.authorization, undefined, 'the token is for the Graph API only');
      response.writeHead(200, { 'content-type': 'image/jpeg' });
      return response.end('JPEG');
    }
    if (request.headers.authorization !== `Bearer ${secrets.token}` && searchParams.get('access_token') !== secrets.token) return answer(401, { error: { code: 190, message: 'Invalid OAuth access token' } });
    if (!pathname.endsWith('/messages')) return answer(200, { id: page, name: 'Shop' });
    if (fail) { const now = fail; fail = null; return answer(...now); }
    return answer(200, { recipient_id: person, ...(!body.includes('sender_action') && { message_id: `m_${++number}` }) });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({
    url: `http://127.0.0.1:${server.address().port}`, requests, failOnce: (...answer) => { fail = answer; }, close: () => server.close(),
  })));
}

before(async () => {
  meta = await startMeta();
  messenger = new library.MessengerClient({ accessToken: secrets.token, version: '24.0', origin: meta.url });
  nats = await Nats.start();
  const egress = ['127.0.0.1', '127.0.0.0/8'];
  kanal = await Kanal.start(nats, [
    { id: 'shop-messenger', plugin: 'messenger', secrets, egress, settings: { page_id: page, api_url: meta.url } },
    { id: 'uploads', plugin: 'messenger', secrets, egress, settings: { page_id: page, api_url: meta.url, media: 'upload' } },
    { id: 'shop-instagram', plugin: 'instagram', secrets, egress, settings: { account_id: account, api_url: meta.url } },
  ]);
  client = await nats.client();
});

after(async () => {
  if (client) await checkContract(client);
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  meta?.close();
});

const fixture = (plugin, name) => readFileSync(new URL(`../../${plugin}/fixtures/${name}.json`, import.meta.url), 'utf8');
const hook = async (plugin, text, secret = secrets.app_secret) =>
  kanal.post(`/c/shop-${plugin}/`, text, { 'x-hub-signature-256': await sign(secret, text) });
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).map((one) => one.data).filter((event) => event.type === type);

async function send(content, more = {}, channel = 'shop-messenger') {
  const id = `crm-${Math.random().toString(36).slice(2)}`;
  const address = channel === 'shop-instagram' ? `instagram:${account}/${follower}` : `messenger:${page}/${person}`;
  await client.jetstream().publish(`kanal.commands.${channel}.${more.type ?? 'message.send'}`, json.encode({ id, to: { address }, ...(content && { content }), ...more }));
  return id;
}
const ended = (id, type) => until(`${id} ${type}`, async () => (await storedTypes(client, id)).includes(type));

for (const plugin of ['messenger', 'instagram']) {
  test(`${plugin}: the handshake of the webhook`, async () => {
    const ask = (query) => fetch(`${kanal.url}/c/shop-${plugin}/?${query}`);
    const response = await ask('hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=chosen-by-us');
    assert.deepEqual([response.status, await response.text()], [200, '1158201444']);
    assert.equal((await ask('hub.mode=subscribe&hub.challenge=1&hub.verify_token=guessed')).status, 401);
  });

  test(`${plugin}: signed webhooks become events, others do not`, async () => {
    const text = fixture(plugin, 'text');
    assert.equal((await hook(plugin, text)).status, 200);
    assert.equal((await hook(plugin, text)).status, 200); // delivered twice
    assert.equal((await hook(plugin, text, 'another secret')).status, 401);
    const received = (await events('message.received')).filter((event) => event.data.channel.plugin === plugin);
    assert.equal(received.length, 1);
    assert.equal(received[0].data.customer.address, plugin === 'messenger' ? `messenger:${page}/${person}` : `instagram:${account}/${follower}`);
    for (const name of ['quick-reply', 'postback', 'reaction', 'read', 'deleted', 'echo', 'referral-link']) assert.equal((await hook(plugin, fixture(plugin, name))).status, 200, name);
  });
}

test('media that a customer sent are fetched without the token', async () => {
  const text = fixture('messenger', 'image').replace(/https:[^"]*/, `${meta.url}/v/1.jpg`);
  assert.equal((await hook('messenger', text)).status, 200);
  const part = (await events('message.received')).map((event) => event.data.message.content[0]).find((one) => one.type === 'image');
  const response = await fetch(part.url);
  assert.deepEqual([response.status, await response.text()], [200, 'JPEG']);
});

const url = 'https://cdn.example.com/a.jpg', link = 'https://example.ru/';
const same = [
  ['text', [{ type: 'text', text: 'Привет' }], () => messenger.sendText(person, 'Привет')],
  ['image', [{ type: 'image', url }], () => messenger.sendImage(person, url)],
  ['video', [{ type: 'video', url }], () => messenger.sendVideo(person, url)],
  ['audio', [{ type: 'audio', url }], () => messenger.sendAudio(person, url)],
  ['file', [{ type: 'file', url }], () => messenger.sendFile(person, url)],
  ['quick replies', [{ type: 'text', text: '?' }, { type: 'choice', style: 'quick_replies', options: [{ text: 'Да', payload: 'Y' }] }],
    () => messenger.sendText(person, '?', { quickReplies: [{ contentType: 'text', title: 'Да', payload: 'Y' }] })],
  ['buttons', [{ type: 'text', text: '?' }, { type: 'choice', style: 'buttons', options: [{ text: 'Да', payload: 'Y' }, { text: 'Сайт', url: link }, { text: 'Звонок', phone: '+79161234567' }] }],
    () => messenger.sendButtonTemplate(person, '?', [{ type: 'postback', title: 'Да', payload: 'Y' }, { type: 'web_url', title: 'Сайт', url: link }, { type: 'phone_number', title: 'Звонок', payload: '+79161234567' }])],
  ['carousel', [{ type: 'carousel', cards: [{ title: 'A', text: 't', image: { url }, url: link, options: [{ text: 'Да', payload: 'Y' }] }, { title: 'B' }] }],
    () => messenger.sendGenericTemplate(person, [{ title: 'A', subtitle: 't', imageUrl: url, defaultAction: { type: 'web_url', url: link }, buttons: [{ type: 'postback', title: 'Да', payload: 'Y' }] }, { title: 'B' }])],
];

test('the Send API is spoken as messaging-api-messenger speaks it', async () => {
  const bodyOf = () => JSON.parse(meta.requests.filter((request) => request.pathname.endsWith('/me/messages')).at(-1).body);
  for (const [what, content, theirs] of same) {
    await ended(await send(content), 'message.sent');
    const ours = bodyOf();
    await theirs();
    const { access_token: token, ...expected } = bodyOf();
    if (expected.messaging_type === 'UPDATE') expected.messaging_type = 'RESPONSE'; // its default
    if (ours.message?.attachment?.payload) delete expected.message?.attachment?.payload?.is_reusable;
    assert.deepEqual(ours, expected, what);
  }
  await ended(await send([{ type: 'text', text: 'late' }], { provider: { tag: 'HUMAN_AGENT' } }), 'message.sent');
  const ours = bodyOf();
  await messenger.sendText(person, 'late', { tag: 'HUMAN_AGENT' });
  const { access_token: token, ...expected } = bodyOf();
  assert.deepEqual(ours, expected);
});

test('an upload is streamed from its source', async () => {
  await ended(await send([{ type: 'image', url: `${meta.url}/v/1.jpg`, mime: 'image/jpeg' }], {}, 'uploads'), 'message.sent');
  const upload = meta.requests.find((request) => /multipart/.test(request.type));
  assert.match(upload.body, /name="recipient"\r\n/);
  assert.match(upload.body, /"type":"image"/);
  assert.match(upload.body, /name="filedata"; filename="1.jpg"/);
  assert.match(upload.body, /JPEG/);
});

test('instagram: text and a window that is closed', async () => {
  await ended(await send([{ type: 'text', text: 'Привет' }], {}, 'shop-instagram'), 'message.sent');
  meta.failOnce(400, { error: { code: 10, error_subcode: 2534022, message: 'This message is sent outside of allowed window.' } });
  const id = await send([{ type: 'text', text: 'late' }], {}, 'shop-instagram');
  await ended(id, 'message.failed');
  const { error } = (await events('message.failed')).find((event) => event.data.message.id === id).data;
  assert.deepEqual([error.code, error.provider_code], ['window_closed', '10/2534022']);
});

test('throttled is tried again', async () => {
  meta.failOnce(400, { error: { code: 613, message: 'Calls to this api have exceeded the rate limit.' } }, { 'retry-after': '1' });
  await ended(await send([{ type: 'text', text: 'again' }]), 'message.sent');
});
