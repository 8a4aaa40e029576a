// Kept requests are run again through a repaired plugin; what it makes of them now is shown, and published on demand.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Nats, checkContract, run, scratchDir, sleep, stored, storedMessages } from './harness.mjs';
import { probe, raw, startKanal } from './probe.mjs';

let nats, kanal, client, since;
const SECRET = 'telegram-webhook-secret', TOKEN = '100:token-of-the-test', KEY = Buffer.from('a-standard-webhooks-key-of-32-by');
// Its mapping is as good as code: repairing it repairs the plugin.
const rule = (type, text) => ({ when: { '/type': type }, type: 'message.received', address: { $join: ['erp:customer/', { $: '/user' }] }, external_id: { $: '/id' }, dedupe: { $: '/id' }, data: { message: { content: [{ type: 'text', text: { $: text } }] } } });
const hook = (...events) => ({ id: 'hook', plugin: 'webhook', raw: '1d', secrets: { secret: `whsec_${KEY.toString('base64')}` }, settings: { events } });
const broken = hook(rule('chat', '/title')), repaired = hook(rule('chat', '/text'), rule('note', '/text'));

before(async () => {
  since = new Date(Date.now() - 1000).toISOString();
  nats = await Nats.start();
  kanal = await startKanal(nats, [
    { id: 'tg', plugin: 'telegram', raw: '1d', settings: { mode: 'webhook', api_url: 'http://127.0.0.1:9' }, egress: ['127.0.0.1'], secrets: { token: TOKEN, webhook: SECRET } },
    broken, probe('deadly', { raw: '1d' }), { id: 'not-kept', plugin: 'echo' }, { id: 'echo', plugin: 'echo', raw: '1d' },
  ]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
});

const update = (id, text) => ({ update_id: id, message: { message_id: id, date: 1700000000 + id, from: { id: 5, is_bot: false, first_name: 'A' }, chat: { id: 5, type: 'private', first_name: 'A' }, text } });
const telegram = (body, headers = {}) => kanal.post('/c/tg/', body, { 'x-telegram-bot-api-secret-token': SECRET, ...headers });
function signed(body) {
  const id = `msg_${body.id}`, time = String(Math.floor(Date.now() / 1000)), text = JSON.stringify(body);
  const signature = createHmac('sha256', KEY).update(`${id}.${time}.${text}`).digest('base64');
  return kanal.post('/c/hook/', text, { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${signature}` });
}
const replay = (channel, ...more) => run(['replay', '--channel', channel, '--from', since, ...(more.includes('-c') ? [] : ['-c', kanal.config]), ...more]);
const lines = ({ stdout }) => stdout.trim().split('\n').map((line) => JSON.parse(line));
const kept = async (subject) => (await storedMessages(client, 'KANAL_RAW')).filter((message) => message.subject === subject)
  .map((message) => ({ text: message.string(), kind: message.headers?.get('Kanal-Kind'), cuts: message.headers?.get('Kanal-Cuts'), trace: message.headers?.get('traceparent') }));
const received = (plugin, channel) => stored(client, 'KANAL_EVENTS', `kanal.events.${plugin}.${channel}.message.received.*`);

test('a request is kept as it came, without its secrets, before it is answered', async () => {
  assert.equal((await telegram(update(1, `one, and ${TOKEN} in a text`), { cookie: 'session=1', authorization: 'Bearer x' })).status, 200);
  assert.equal((await telegram(update(2, 'two'))).status, 200);
  assert.equal((await kanal.post('/c/not-kept/', { id: 'x', from: 'a', text: 'x' })).status, 200);
  assert.equal((await telegram(update(3, 'a stranger'), { 'x-telegram-bot-api-secret-token': 'wrong' })).status, 401);
  const all = await kept('kanal.raw.tg');
  assert.deepEqual(all.map((one) => one.kind), ['request', 'request']);
  assert.match(all[0].text, /^POST \/ HTTP\/1\.1\r\n/);
  assert.match(all[0].text, /\r\n\r\n\{"update_id":1,/);
  assert.match(all[0].cuts, /^\d+:webhook,\d+:token$/);
  for (const one of all) for (const word of [SECRET, TOKEN, 'session=1', 'Bearer']) assert.ok(!one.text.includes(word), word);
  assert.equal((await received('telegram', 'tg'))[0].data.traceparent, all[0].trace);
  assert.equal((await kept('kanal.raw.not-kept')).length, 0);
});

test('the same plugin makes the same of it', async () => {
  const { code, stdout, stderr } = await replay('tg');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^2 requests: 0 new, 0 changed, 0 gone, 2 the same$/m);
  assert.deepEqual(lines(await replay('tg', '--publish', '--json')), [{ requests: 2, payloads: 0, new: 0, changed: 0, gone: 0, same: 2, refused: 0, published: 0 }]);
});

test('a repaired plugin: what was missed is new, what was misunderstood is changed, what was invented is gone; signatures hold', async () => {
  assert.equal((await signed({ id: 'a', type: 'chat', user: '7', title: 'a title', text: 'a text' })).status, 200);
  assert.equal((await signed({ id: 'b', type: 'note', user: '8', text: 'a note' })).status, 200);
  const [stored] = await received('webhook', 'hook');
  assert.equal(stored.data.data.message.content[0].text, 'a title');
  const invented = structuredClone(stored.data);
  invented.id = invented.data.message.id = `e_${'x'.repeat(26)}`;
  await client.jetstream().publish(stored.subject, JSON.stringify(invented));

  const config = JSON.parse(readFileSync(kanal.config, 'utf8'));
  config.channels = config.channels.map((channel) => channel.id === 'hook' ? repaired : channel);
  const mended = path.join(scratchDir(), 'kanal.yaml');
  writeFileSync(mended, JSON.stringify(config));

  const shown = await replay('hook', '-c', mended);
  assert.deepEqual([shown.code, shown.stderr], [0, '']);
  assert.match(shown.stdout, /^new +message\.received +e_[a-z2-7]{26} +erp:customer\/8$/m);
  assert.match(shown.stdout, new RegExp(`^changed +message\\.received +${stored.data.id} +erp:customer/7\\n +/data/message/content/0/text: "a title" -> "a text"$`, 'm'));
  assert.match(shown.stdout, new RegExp(`^gone +message\\.received +${invented.id}`, 'm'));
  assert.match(shown.stdout, /2 requests: 1 new, 1 changed, 1 gone, 0 the same[\s\S]*nothing was published/);
  assert.equal((await received('webhook', 'hook')).length, 2, 'and nothing was');

  assert.deepEqual(lines(await replay('hook', '-c', mended, '--publish', '--json')).at(-1), { requests: 2, payloads: 0, new: 1, changed: 1, gone: 1, same: 0, refused: 0, published: 2 });
  const now = (await received('webhook', 'hook')).map((event) => event.data);
  assert.equal(now.length, 4);
  const traces = (await kept('kanal.raw.hook')).map((one) => one.trace);
  const missed = now.find((event) => event.data.customer.address === 'erp:customer/8');
  assert.deepEqual([missed.data.message.content[0].text, missed.traceparent, missed.corrects], ['a note', traces[1], undefined]);
  const correction = now.find((event) => event.corrects === stored.data.id);
  assert.notEqual(correction.id, stored.data.id);
  assert.deepEqual([correction.data.message.id, correction.data.message.content[0].text, correction.traceparent], [stored.data.data.message.id, 'a text', traces[0]]);

  assert.deepEqual(lines(await replay('hook', '-c', mended, '--publish', '--json')).at(-1), { requests: 2, payloads: 0, new: 0, changed: 0, gone: 1, same: 2, refused: 0, published: 0 });
  // Beyond the time that is looked at, by the exact subject.
  const later = new Date(Date.now() + 1000).toISOString();
  assert.match((await run(['replay', '--channel', 'hook', '--from', later, '--to', later, '-c', mended])).stdout, /^0 requests/m);
});

test('a body with another signature is not believed', async () => {
  const [first] = (await storedMessages(client, 'KANAL_RAW')).filter((message) => message.subject === 'kanal.raw.hook');
  await client.jetstream().publish('kanal.raw.hook', first.string().replace('a text', 'forged'), { headers: first.headers });
  const { code, stdout, stderr } = await replay('hook');
  assert.equal(code, 0);
  assert.match(stderr, /is answered 401/);
  assert.match(stdout, /^1 refused/m);
});

test('from and to bound the time', async () => {
  const later = new Date(Date.now() + 1).toISOString();
  await sleep(50);
  assert.equal((await kanal.post('/c/echo/', { id: 'e1', from: 'anna', text: 'hi' })).status, 200);
  assert.match((await run(['replay', '--channel', 'echo', '--from', later, '-c', kanal.config])).stdout, /^1 requests: 0 new, 0 changed, 0 gone, 1 the same$/m);
  assert.match((await run(['replay', '--channel', 'echo', '--from', since, '--to', later, '-c', kanal.config])).stdout, /^0 requests/m);
});

test('a request that its plugin dies of is kept, and ends the replay with the reason', async () => {
  assert.equal((await raw(kanal, 'die', { signal: 11 }, 'deadly')).status, 503);
  assert.equal((await kept('kanal.raw.deadly')).length, 1);
  const { code, stderr } = await replay('deadly');
  assert.equal(code, 1);
  assert.match(stderr, /ended by signal 11|Segmentation/);
});

test('requests that wait for the channel to be restarted are kept and answered', async () => {
  const posts = [];
  const restarted = (async () => { for (let i = 0; i < 3; i++) await client.request('kanal.api.channel-restart', '{"id":"echo"}', { timeout: 20000 }); })();
  let over = false;
  restarted.finally(() => { over = true; });
  for (let i = 0; !over; i++) {
    posts.push(kanal.post('/c/echo/', { id: `r${i}`, from: 'anna', text: 'hi' }).then((response) => response.status));
    await sleep(2);
  }
  await restarted;
  const statuses = await Promise.all(posts);
  assert.ok(statuses.length > 5 && statuses.every((status) => status === 200), statuses.join());
  assert.ok((await kept('kanal.raw.echo')).length >= statuses.length);
});

test('words that are wrong', async () => {
  for (const words of [[], ['--channel', 'tg'], ['--channel', 'tg', '--from', 'soon'], ['--channel', 'tg', '--from', '1h', '--to', '2h'], ['--channel', 'tg', '--from', '1h', 'more']])
    assert.equal((await run(['replay', ...words])).code, 2, words.join(' '));
  const unknown = await replay('nothing');
  assert.deepEqual([unknown.code, /no channel 'nothing'/.test(unknown.stderr)], [1, true]);
});

test('every event keeps the contract, and no secret is anywhere', async () => {
  assert.ok((await checkContract(client)) >= 6);
  for (const line of kanal.child.lines) assert.ok(!line.includes(TOKEN) && !line.includes(SECRET), line);
});
