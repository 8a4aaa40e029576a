// What a provider was asked and answered, and the trace that runs through everything of a message.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, root, run, sleep, stored, storedTypes, until } from './harness.mjs';
import { BotProvider, TOKEN, blocked, telegram } from './bot_provider.mjs';

let provider, nats, kanal, client, js;
const PASS = 'webhook-secret-1';

before(async () => {
  provider = await BotProvider.start();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [telegram(provider), telegram(provider, 'all', { log: 'all' }), telegram(provider, 'off', { log: 'off' }), { id: 'echo', plugin: 'echo' }]);
  client = await nats.client();
  js = client.jetstream();
  await until('its API answers', async () => (await client.request('$SRV.PING.kanal', '', { timeout: 500 })).data.length > 0);
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  provider?.stop();
});

const replies = [];
async function log(id) {
  const reply = json.decode((await client.request('kanal.api.message-log', json.encode(id === undefined ? {} : { id }), { timeout: 10000 })).data);
  replies.push(reply);
  return reply;
}
const send = (id, text, more = {}, channel = 'tg') =>
  js.publish(`kanal.commands.${channel}.message.send`, json.encode({ id, to: { address: 'telegram:77' }, content: [{ type: 'text', text }], ...more }));
const types = (id) => storedTypes(client, id);
const ends = (id, type, ms) => until(`${type} of ${id}`, async () => (await types(id)).includes(type), ms);
const kept = (id, count) => until(`the log of ${id}`, async () => { const { entries } = await log(id); return entries?.length >= count && entries; });
const eventsOf = async (id) => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.data.message?.id === id);
const TRACE = /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/;

test('of a message that goes well at once nothing is kept', async () => {
  await send('well', 'well');
  await ends('well', 'message.sent');
  await sleep(300);
  assert.equal((await log('well')).error.code, 'not_found');
  assert.deepEqual(await stored(client, 'KANAL_LOG'), []);
});

test('of one that is refused: what was asked and answered, without secrets', async () => {
  provider.answers.set('bad', [[403, { ok: false, error_code: 403, description: `Forbidden: bot was blocked by the user`, access_token: 'of-the-provider', echo: TOKEN }]]);
  await send('bad', 'bad');
  await ends('bad', 'message.failed');
  const entries = await kept('bad', 3);
  assert.deepEqual(entries.map((entry) => entry.kind), ['request', 'answer', 'attempt']);
  const [request, answer, attempt] = entries;
  assert.match(request.text, /^POST http:\/\/127\.0\.0\.1:\d+\/sendMessage \(with the secret token\)\n\n[\s\S]*bad/);
  assert.deepEqual([answer.status, answer.part, answer.attempt], [403, 1, 1]);
  assert.match(answer.text, /bot was blocked/);
  assert.match(answer.text, /"access_token":"\*\*\*","echo":"\*\*\*"/);
  assert.ok(answer.duration_ms >= 0 && entries.every((entry) => entry.replica));
  assert.match(attempt.text, /^message\.send: failed, recipient_blocked/);
});

test('each try of one that was tried again, also the last, which went well', async () => {
  provider.answers.set('flaky', [[500, { ok: false }], 'drop', undefined]);
  await send('flaky', 'flaky', { on_unknown: 'retry' });
  await ends('flaky', 'message.sent', 20000);
  const entries = await kept('flaky', 9);
  assert.deepEqual(entries.map((entry) => `${entry.attempt} ${entry.kind}`), [1, 2, 3].flatMap((n) => [`${n} request`, `${n} answer`, `${n} attempt`]));
  assert.deepEqual(entries.filter((entry) => entry.kind === 'answer').map((entry) => entry.status), [500, undefined, 200]);
  assert.match(entries[4].text, /may have arrived/);
  assert.match(entries[8].text, /: sent/);
});

test('`log: all` keeps all, `off` keeps none', async () => {
  provider.answers.set('nowhere', [blocked]);
  await send('of-all', 'of-all', {}, 'all');
  await send('of-off', 'nowhere', {}, 'off');
  await ends('of-off', 'message.failed');
  assert.equal((await kept('of-all', 3))[1].status, 200);
  await sleep(300);
  assert.equal((await log('of-off')).error.code, 'not_found');
});

test('a large body is cut, and says so', async () => {
  const text = `${'long '.repeat(700)}`.trim();
  provider.answers.set(text, [[400, { ok: false, error_code: 400, description: 'Bad Request: x'.padEnd(5000, 'y') }]]);
  await send('large', text);
  await ends('large', 'message.failed');
  const [request, answer] = await kept('large', 3);
  assert.ok(request.text.length < 2400 && /… \(\d{4} bytes\)$/.test(request.text), request.text.slice(-40));
  assert.ok(answer.text.length < 2200 && /… \(5\d{3} bytes\)$/.test(answer.text), answer.text.slice(-40));
});

test('no secret is in the stream', async () => {
  const all = JSON.stringify(await stored(client, 'KANAL_LOG'));
  assert.ok(all.length > 5000);
  for (const secret of [TOKEN, 'token-of-the-test', PASS, 'of-the-provider', encodeURIComponent(TOKEN)]) assert.ok(!all.includes(secret), secret);
});

test('what is no id, or unknown, is told', async () => {
  assert.equal((await log()).error.code, 'invalid_request');
  assert.equal((await log('nobody-knows')).error.code, 'not_found');
});

test('kanal log: the same from a shell', async () => {
  const shell = (...args) => run(['log', ...args, '-s', nats.url]);
  const shown = await shell('bad');
  assert.deepEqual([shown.code, shown.stderr], [0, '']);
  assert.match(shown.stdout, /part 1, attempt 1  request  POST [\s\S]*answer   403  \d+ ms[\s\S]*attempt  message\.send: failed/);
  assert.equal(JSON.parse((await shell('bad', '--json')).stdout).entries.length, 3);
  assert.equal((await shell('well')).code, 1);
  assert.match((await shell('well')).stderr, /went well at once/);
  assert.equal((await shell()).code, 2);
  assert.equal((await shell('a', 'b')).code, 2);
});

test('every event of a command has its trace: the one that it brings, or one of its own', async () => {
  const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  provider.answers.set('traced', [blocked]);
  await send('traced', 'traced', { traceparent: given });
  await ends('traced', 'message.failed');
  assert.deepEqual([...new Set((await eventsOf('traced')).map((event) => event.traceparent))], [given]);
  const [letter] = (await stored(client, 'KANAL_DEAD')).map((one) => one.data).filter((one) => one.command_id === 'traced');
  assert.equal(letter.traceparent, given);
  const begun = ['flaky', 'well'];
  const traces = [];
  for (const id of begun) {
    const own = [...new Set((await eventsOf(id)).map((event) => event.traceparent))];
    assert.equal(own.length, 1, own.join());
    assert.match(own[0], TRACE);
    traces.push(own[0]);
  }
  assert.notEqual(traces[0].slice(3, 35), traces[1].slice(3, 35));
});

test('every event of a request has its trace; only who proved who they are may bring one', async () => {
  const given = '00-aaaabbbbccccddddaaaabbbbccccdddd-00f067aa0ba902b7-01';
  const update = (id) => ({ update_id: id, message: { message_id: id, date: 1700000000, from: { id: 5, is_bot: false, first_name: 'A' }, chat: { id: 5, type: 'private', first_name: 'A' }, text: `in ${id}` } });
  const secret = { 'x-telegram-bot-api-secret-token': PASS };
  const ask = (id, headers) => kanal.post('/c/tg/', update(id), { ...secret, ...headers });
  assert.equal((await ask(1, { traceparent: given })).status, 200);
  assert.equal((await ask(2, {})).status, 200);
  assert.equal((await ask(3, { traceparent: 'nonsense' })).status, 200);
  assert.equal((await kanal.post('/c/echo/', { id: 'e1', from: 'anna', text: 'hi' }, { traceparent: given })).status, 200);
  const received = (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.received.*')).map((event) => event.data);
  const traces = Object.fromEntries(received.map((event) => [event.data.message.content[0].text, event.traceparent]));
  assert.equal(traces['in 1'], given);
  for (const text of ['in 2', 'in 3', 'hi']) assert.match(traces[text], TRACE);
  assert.equal(new Set(Object.values(traces)).size, 4);
});

test('every event, dead letter and reply keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 10);
  execFileSync(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', 'api.message-log.reply', '-q', '-'],
    { input: replies.map((reply) => JSON.stringify(reply)).join('\n') + '\n' });
  for (const line of kanal.child.lines) assert.ok(!line.includes(TOKEN), line);
});
