// on_unknown: ask. A delivery whose fate nobody knows waits for a decision, which any gateway takes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, root, run, stored, storedTypes, until } from './harness.mjs';
import { BotProvider, telegram } from './bot_provider.mjs';

let provider, nats, kanal, second, client, js;
const replies = [];
const channels = () => [telegram(provider, 'tg', { on_unknown: 'ask', rate: { per_second: 1e6, per_recipient_second: 1e6 } })];

before(async () => {
  provider = await BotProvider.start();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, channels());
  second = await Kanal.start(nats, channels());
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  await client.close();
  await second.stop();
  const how = await kanal.stop();
  await nats.kill('SIGTERM');
  provider.stop();
  provider.server.closeAllConnections();
  assert.deepEqual(how, { code: 0, signal: null });
});

const send = (id, texts, more = {}) => js.publish('kanal.commands.tg.message.send', json.encode({ id, to: { address: 'telegram:77' }, content: texts.map((text) => ({ type: 'text', text })), ...more }));
const types = (id) => storedTypes(client, id);
const ends = (id, type, count = 1) => until(`${type} of ${id}`, async () => (await types(id)).filter((one) => one === type).length >= count, 15000);
async function resolve(body) {
  const reply = json.decode((await client.request('kanal.api.message-resolve', json.encode(body), { timeout: 10000 })).data);
  replies.push(reply);
  return reply;
}
const state = async (id) => json.decode((await client.request('kanal.api.message-get', json.encode({ id }), { timeout: 10000 })).data).message.state;
const letters = async (id) => (await stored(client, 'KANAL_DEAD')).filter((letter) => letter.data.command_id === id);
const event = async (id, type) => (await stored(client, 'KANAL_EVENTS')).map((one) => one.data).find((one) => one.type === type && one.data.message?.id === id).data;
const lost = (text, ...then) => provider.answers.set(text, ['drop', ...then]);

test('nothing is sent before it is decided; others of the recipient go on', async () => {
  lost('in doubt', undefined);
  await send('doubt', ['in doubt']);
  await send('behind', ['behind it']);
  await ends('doubt', 'message.unknown');
  await ends('behind', 'message.sent');
  assert.equal(await state('doubt'), 'unknown');
  assert.equal(provider.of('in doubt').length, 1);
  assert.equal((await letters('doubt')).length, 1);
});

test('retry: it is sent again, once, whichever gateway is asked how often', async () => {
  const asked = await Promise.all([1, 2, 3].map(() => resolve({ id: 'doubt', decision: 'retry' })));
  assert.ok(asked.some((reply) => reply.message), JSON.stringify(asked));
  for (const reply of asked) assert.ok(reply.message || reply.error.code === 'conflict', JSON.stringify(reply));
  await ends('doubt', 'message.sent');
  assert.equal(provider.of('in doubt').length, 2);
  assert.equal(await state('doubt'), 'sent');
  assert.deepEqual(await letters('doubt'), []);
  assert.equal((await resolve({ id: 'doubt', decision: 'failed' })).error.code, 'conflict');
  assert.deepEqual((await types('doubt')).filter((type) => type === 'message.failed'), []);
});

test('a retry whose fate is unknown again waits again', async () => {
  lost('twice', 'drop', undefined);
  await send('twice', ['twice']);
  await ends('twice', 'message.unknown');
  assert.ok((await resolve({ id: 'twice', decision: 'retry' })).message);
  await ends('twice', 'message.unknown', 2);
  assert.equal(await state('twice'), 'unknown');
  assert.ok((await resolve({ id: 'twice', decision: 'retry' })).message);
  await ends('twice', 'message.sent');
  assert.equal(provider.of('twice').length, 3);
});

test('sent: it is told, the rest goes on, and nothing is sent twice', async () => {
  lost('second of three', undefined);
  await send('arrived', ['first of three', 'second of three', 'third of three']);
  await ends('arrived', 'message.unknown');
  assert.equal((await resolve({ id: 'arrived', part: 1, decision: 'sent' })).error.code, 'conflict');
  const { message } = await resolve({ id: 'arrived', part: 2, decision: 'sent', agent: { kind: 'person', id: 'olga' } });
  assert.deepEqual(message.parts.slice(0, 2).map((part) => part.state), ['sent', 'sent']);
  await ends('arrived', 'message.sent', 3);
  assert.deepEqual(['first', 'second', 'third'].map((n) => provider.of(`${n} of three`).length), [1, 1, 1]);
  const told = (await stored(client, 'KANAL_EVENTS')).map((one) => one.data).find((one) => one.type === 'message.sent' && one.data.message.id === 'arrived' && one.data.message.part === 2).data;
  assert.deepEqual(told.agent, { kind: 'person', id: 'olga' });
  assert.deepEqual(await letters('arrived'), []);
  assert.equal(await state('arrived'), 'sent');
});

test('failed: it is told, and stays a dead letter', async () => {
  lost('given up', undefined);
  await send('lost', ['given up'], { reference: 'order-1' });
  await ends('lost', 'message.unknown');
  assert.equal((await resolve({ id: 'lost', decision: 'failed' })).message.state, 'failed');
  const failed = await event('lost', 'message.failed');
  assert.equal(failed.message.reference, 'order-1');
  assert.equal((await letters('lost')).length, 1);
  assert.equal((await resolve({ id: 'lost', decision: 'sent' })).error.code, 'conflict');
  assert.equal(provider.of('given up').length, 1);
});

test('two gateways that are told otherwise at the same moment: one decision counts', async () => {
  lost('disputed', undefined);
  await send('disputed', ['disputed']);
  await ends('disputed', 'message.unknown');
  const decisions = ['sent', 'failed', 'sent', 'failed'];
  const asked = await Promise.all(decisions.map((decision) => resolve({ id: 'disputed', decision })));
  const told = (await types('disputed')).filter((type) => ['message.sent', 'message.failed'].includes(type));
  assert.equal(told.length, 1, told.join());
  const won = told[0].slice('message.'.length);
  asked.forEach((reply, i) => assert.ok(decisions[i] === won ? reply.message || reply.error.code === 'conflict' : reply.error.code === 'conflict', JSON.stringify([decisions[i], reply])));
});

test('wrong words are refused', async () => {
  assert.equal((await resolve({ id: 'doubt' })).error.code, 'invalid_request');
  assert.equal((await resolve({ id: 'doubt', decision: 'maybe' })).error.code, 'invalid_request');
  assert.equal((await resolve({ id: 'doubt', decision: 'sent', part: 0 })).error.code, 'invalid_request');
  assert.equal((await resolve({ id: 'doubt', decision: 'sent', agent: { kind: 'ghost' } })).error.code, 'invalid_request');
  assert.equal((await resolve({ id: 'nobody', decision: 'sent' })).error.code, 'not_found');
  assert.equal((await resolve({ id: 'behind', decision: 'sent' })).error.code, 'conflict');
});

test('kanal resolve', async () => {
  lost('by hand', undefined);
  await send('by-hand', ['by hand']);
  await ends('by-hand', 'message.unknown');
  const kanalResolve = (...args) => run(['resolve', ...args, '--server', nats.url]);
  assert.deepEqual(await kanalResolve('by-hand', 'sent'), { code: 0, stdout: 'by-hand is sent\n', stderr: '' });
  const again = await kanalResolve('by-hand', 'sent');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /nothing of it waits for a decision; the message is sent/);
  assert.equal((await kanalResolve('by-hand')).code, 2);
  assert.equal((await kanalResolve('by-hand', 'perhaps')).code, 2);
  assert.equal((await kanalResolve('by-hand', 'sent', '--part', 'x')).code, 2);
});

test('every event, dead letter and reply keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 10);
  execFileSync(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', 'api.message-resolve.reply', '-q', '-'],
    { input: replies.map((reply) => JSON.stringify(reply)).join('\n') + '\n' });
});
