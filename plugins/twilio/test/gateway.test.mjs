// The Twilio plugin in the whole gateway, with a real nats-server. Requests are signed by npm twilio, whose validator checks them too; Twilio is
// prism over its own OpenAPI description, and before it stands a small server for what prism has no state for: ids, errors on demand, files.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, freePort, isolation, json, pluginDirs, root, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs';
import { startPrism } from './prism.mjs';

const twilio = createRequire(import.meta.url)('twilio');
const description = path.join(process.env.KANAL_SPECS ?? path.join(root, '../shared/specs'), 'twilio-api.json');
const account = 'AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f', token = '0d9e8b7a6f5f2a1c0d9e8b7a6f5f2a1c', number = 'PN00000000000000000000000000000001';
const place = 'https://hub.example.com/c/shop-sms', basic = `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`;
const again = '#rc=5&rp=5xx,ct,rt'; // what asks Twilio for repetitions; Twilio takes it off
const fixture = (name) => JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), 'utf8'));
let nats, kanal, client, js, prism, provider;

function startProvider() {
  const requests = [], plans = new Map();
  let sids = 0;
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString(), form = new URLSearchParams(body);
    const answer = (code, value) => { response.writeHead(code, { 'content-type': 'application/json' }); response.end(JSON.stringify(value)); };
    requests.push({ url: request.url, form, authorization: request.headers.authorization });
    if (request.url === '/stored.jpg') { // where the media lie: another origin gets no credentials
      response.writeHead(request.headers.authorization ? 500 : 200, { 'content-type': 'image/jpeg' });
      return response.end('JPEG');
    }
    if (request.headers.authorization !== basic) return answer(401, { code: 20003, message: 'Authenticate', status: 401 });
    if (request.url.includes('/Media/')) { response.writeHead(307, { location: `http://localhost:${server.address().port}/stored.jpg` }); return response.end(); }
    if (request.url.includes('/Recordings/')) { response.writeHead(200, { 'content-type': 'audio/mpeg' }); return response.end('MP3'); }
    const planned = (plans.get(form.get('Body')) ?? []).shift();
    if (planned === 'drop') return request.socket.destroy();
    if (planned) return answer(...planned);
    const proxied = await fetch(prism.url + request.url, { method: 'POST', body, headers: { 'content-type': request.headers['content-type'], authorization: basic } });
    const told = await proxied.json();
    if (!proxied.ok) console.error(`prism refuses ${request.url} ${body}: ${JSON.stringify(told)}`);
    const prefix = request.url.includes('/Calls') ? 'CA' : 'SM';
    return answer(proxied.status, proxied.ok ? { ...told, sid: prefix + String(++sids).padStart(32, '0'), error_code: null } : told);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, requests, plans, close: () => server.close() })));
}

before(async () => {
  prism = await startPrism(description);
  provider = await startProvider();
  nats = await Nats.start();
  const listen = `127.0.0.1:${await freePort()}`;
  kanal = await Kanal.start(nats, [{ id: 'shop-sms', plugin: 'twilio', secrets: { auth_token: token }, egress: ['127.0.0.1', 'localhost', '127.0.0.0/8'], on_unknown: 'fail',
    settings: { account_sid: account, from: '+14155550100', number_sid: number, api_url: provider.url, calls: { answer: 'record', greeting: 'Nobody is here & that is that.' } } }],
  { http: { listen, public_url: 'https://hub.example.com' }, top: { plugins: { path: pluginDirs(), twilio: { isolation } } } });
  kanal.url = `http://${listen}`; // not the public one
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  if (client) await checkContract(client);
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  provider?.close();
  await prism?.stop();
});

const sign = (target, params) => twilio.getExpectedTwilioSignature(token, place + target, params);
const post = (target, params, signature = sign(target, params)) => fetch(`${kanal.url}/c/shop-sms${target}`, { method: 'POST', body: new URLSearchParams(params),
  headers: signature === null ? {} : { 'x-twilio-signature': signature } });
const postFixture = (name) => post(fixture(name).path, fixture(name).params);
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).map((one) => one.data).filter((event) => event.type === type);
const send = (id, content, more = {}, verb = 'message.send') => js.publish(`kanal.commands.shop-sms.${verb}`, json.encode({ id, to: { address: 'tel:+14155551212' }, content, ...more }));
const ends = (id, type) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type));
const text = (words) => [{ type: 'text', text: words }];
const asked = (words) => provider.requests.filter(({ form }) => form.get('Body') === words);

test('the number is told where we are', async () => {
  const request = await until('the registration', () => provider.requests.find(({ url }) => url.endsWith(`/IncomingPhoneNumbers/${number}.json`)));
  assert.deepEqual(Object.fromEntries(request.form), { SmsUrl: `${place}/${again}`, SmsMethod: 'POST', VoiceUrl: `${place}/voice${again}`, VoiceMethod: 'POST', StatusCallback: `${place}/call${again}`, StatusCallbackMethod: 'POST' });
});

test('only what npm twilio signs is taken, and what is sent again is one event', async () => {
  const { params } = fixture('text'), right = sign('/', params);
  assert.ok(twilio.validateRequest(token, right, `${place}/`, params));
  for (const wrong of [null, '', right.slice(1), sign('/status', params), twilio.getExpectedTwilioSignature('another', `${place}/`, params), sign('/', { ...params, Body: 'Other words' })])
    assert.equal((await post('/', params, wrong)).status, 401, String(wrong));
  assert.equal((await events('message.received')).length, 0);
  for (let i = 0; i < 2; i++) {
    const response = await post('/', params);
    assert.deepEqual([response.status, await response.text()], [200, '<?xml version="1.0" encoding="UTF-8"?><Response/>']);
    assert.match(response.headers.get('content-type'), /^text\/xml/);
  }
  assert.equal((await post('/status', params, right)).status, 401, 'replayed at another place');
  const received = await events('message.received');
  assert.equal(received.length, 1);
  assert.equal(received[0].data.customer.address, 'tel:+14155551212');
  assert.equal(received[0].data.message.content[0].text, params.Body);
});

test('lists and empty values are signed as npm twilio does', async () => {
  const params = { ...fixture('text').params, MessageSid: 'SM00000000000000000000000000000fff', Extra: ['b', 'a', 'b'], Empty: '' };
  const body = new URLSearchParams(Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => [name, one])));
  const response = await fetch(`${kanal.url}/c/shop-sms/`, { method: 'POST', body, headers: { 'x-twilio-signature': sign('/', params) } });
  assert.equal(response.status, 200);
});

test('JSON is proved by its digest', async () => {
  const body = JSON.stringify(fixture('events-several').body), digest = createHash('sha256').update(body).digest('hex');
  const ask = (target, bytes = body) => fetch(`${kanal.url}/c/shop-sms${target}`, { method: 'POST', body: bytes, headers: { 'content-type': 'application/json', 'x-twilio-signature': sign(target, {}) } });
  assert.ok(twilio.validateRequestWithBody(token, sign(`/events?bodySHA256=${digest}`, {}), `${place}/events?bodySHA256=${digest}`, body));
  assert.equal((await ask('/events')).status, 401, 'without a digest the signature holds nothing of the body');
  assert.equal((await ask(`/events?bodySHA256=${digest}`, body + ' ')).status, 401);
  assert.equal((await ask(`/events?bodySHA256=${digest}`)).status, 204);
  assert.equal((await events('message.failed')).filter((event) => event.data.message.external_id.endsWith('93')).length, 1);
});

test('a text goes out, and its statuses name it', async () => {
  await send('c-1', text('Your order is ready & waiting'));
  await ends('c-1', 'message.sent');
  const { form } = asked('Your order is ready & waiting')[0];
  assert.deepEqual([form.get('To'), form.get('From')], ['+14155551212', '+14155550100']);
  const sid = (await events('message.sent')).find((event) => event.data.message.id === 'c-1').data.message.external_id;
  const target = form.get('StatusCallback').slice(place.length).replace(again, '');
  assert.equal(form.get('StatusCallback'), place + target + again);
  for (const status of ['queued', 'sent', 'delivered']) assert.equal((await post(target, { ...fixture('status-delivered').params, MessageSid: sid, SmsSid: sid, MessageStatus: status, SmsStatus: status })).status, 204);
  const [delivered] = (await events('message.delivered')).filter((event) => event.data.message.external_id === sid);
  assert.deepEqual([delivered.data.message.id, delivered.data.message.part, delivered.data.message.parts], ['c-1', 1, 1]);
  assert.equal((await events('message.sent')).length, 2, 'one of ours, and one of another sender in the stream');
});

test('errors are told apart, and who opted out is told as consent', async () => {
  provider.plans.set('too fast', [[429, { code: 20429, message: 'Too Many Requests', status: 429 }]]);
  provider.plans.set('gone', [[400, { code: 21610, message: 'Attempt to send to unsubscribed recipient', status: 400 }]]);
  provider.plans.set('unsure', ['drop']);
  await send('c-2', text('too fast'));
  await ends('c-2', 'message.sent');
  assert.equal(asked('too fast').length, 2);
  await send('c-3', text('gone'));
  await ends('c-3', 'message.failed');
  const failed = (await events('message.failed')).find((event) => event.data.message.id === 'c-3');
  assert.deepEqual([failed.data.error.code, failed.data.error.provider_code, failed.data.error.scope], ['opted_out', '21610', 'recipient']);
  const [withdrawn] = await events('consent.withdrawn');
  assert.deepEqual([withdrawn.data.customer.address, withdrawn.data.consent, withdrawn.data.reason], ['tel:+14155551212', [{ given: false, channel: 'shop-sms' }], 'provider']);
  await send('c-4', text('unsure'));
  await ends('c-4', 'message.failed');
  assert.equal(asked('unsure').length, 1, 'Twilio has no idempotency key: it is not sent twice');
});

test('stop and start are consent', async () => {
  assert.equal((await postFixture('stop')).status, 200);
  assert.equal((await postFixture('start')).status, 200);
  assert.ok((await events('consent.withdrawn')).some((event) => event.data.reason === 'stop_word'));
  assert.equal((await events('consent.given')).length, 1);
});

test('media and recordings are fetched with the credentials, which no other host sees', async () => {
  assert.equal((await postFixture('mms')).status, 200);
  assert.equal((await postFixture('recording-voicemail')).status, 204);
  const part = (await events('message.received')).map((event) => event.data.message.content[0]).find(({ type }) => type === 'image');
  const { voicemail } = (await events('call.ended'))[0].data.call;
  for (const [{ url }, expected] of [[part, 'JPEG'], [voicemail, 'MP3']]) {
    assert.ok(url.startsWith('https://hub.example.com/m/'), url);
    const response = await fetch(kanal.url + new URL(url).pathname + new URL(url).search);
    assert.deepEqual([response.status, await response.text()], [200, expected]);
  }
  const text = JSON.stringify(await stored(client, 'KANAL_EVENTS'));
  assert.ok(!text.includes('api.twilio.com') && !text.includes(token));
});

test('a call that comes in is told and answered', async () => {
  const response = await postFixture('voice');
  assert.equal(response.status, 200);
  const xml = await response.text();
  assert.match(xml, /<Say>Nobody is here &amp; that is that\.<\/Say><Record /);
  assert.equal((await events('call.started')).filter((event) => event.data.call.direction === 'inbound').length, 1);
  const target = /recordingStatusCallback="([^"]+)"/.exec(xml)[1].replaceAll('&amp;', '&').slice(place.length).replace(again, '');
  assert.equal((await post(target, { ...fixture('recording-voicemail').params, RecordingSid: 'RE00000000000000000000000000000077' })).status, 204, 'the URL comes back as it was given');
  assert.equal((await postFixture('call-inbound-recorded')).status, 204);
  assert.equal((await events('call.missed'))[0].data.call.reason, 'voicemail');
});

test('a call goes out that says a text, and is told from ring to end', async () => {
  await send('k-1', [...text('Order 512 is ready.'), ...text('Good bye.')], { record: true }, 'call.start');
  const { form } = await until('the call', () => provider.requests.find(({ url }) => url.endsWith('/Calls.json')));
  assert.equal(form.get('Twiml'), '<Response><Say>Order 512 is ready.</Say><Say>Good bye.</Say></Response>');
  const target = form.get('StatusCallback').slice(place.length).replace(again, '');
  for (const name of ['call-ringing', 'call-answered', 'call-completed']) assert.equal((await post(target, fixture(name).params)).status, 204);
  for (const type of ['call.started', 'call.answered', 'call.ended']) {
    const [event] = (await events(type)).filter(({ data }) => data.call.direction === 'outbound');
    assert.deepEqual([event.data.call.provider.command_id, event.data.customer.address], ['k-1', 'tel:+14155551212'], type);
  }
  assert.equal((await events('call.ended')).find(({ data }) => data.call.direction === 'outbound').data.call.talk_ms, 17000);
  assert.equal(provider.requests.filter(({ url }) => url.endsWith('/Calls.json')).length, 1, 'all of it in one call');
});
