// Dead letters over the API and from a shell: seen, found, given again (once), dropped.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, root, run, sleep, stored, storedTypes, until } from './harness.mjs';
import { BotProvider, TOKEN, blocked, telegram } from './bot_provider.mjs';

let provider, nats, kanal, client, js;

before(async () => {
  provider = await BotProvider.start();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [telegram(provider), { ...telegram(provider, 'other') }, { id: 'echo', plugin: 'echo' }]);
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

// Every reply is kept, and held against the contract at the end.
const replies = new Map();
async function api(name, body = {}) {
  const reply = json.decode((await client.request(`kanal.api.dead-${name}`, json.encode(body), { timeout: 20000 })).data);
  replies.set(name, [...(replies.get(name) ?? []), reply]);
  return reply;
}
const send = (id, text, more = {}, channel = 'tg') =>
  js.publish(`kanal.commands.${channel}.message.send`, json.encode({ id, to: { address: 'telegram:77' }, content: [{ type: 'text', text }], ...more }));
const types = (id) => storedTypes(client, id);
const lettersOf = async (id) => (await stored(client, 'KANAL_DEAD')).map((letter) => letter.data).filter((letter) => letter.command_id === id);
const letterOf = (id, count = 1) => until(`the dead letter of ${id}`, async () => { const all = await lettersOf(id); return all.length === count && all.at(-1); }, 20000);
async function die(id, text = id, more = {}, channel = 'tg') {
  provider.answers.set(text, [blocked]);
  await send(id, text, more, channel);
  return letterOf(id);
}

test('the list has the newest first, without content, by channel, code and time, in pages', async () => {
  const letters = [];
  for (let i = 0; i < 5; i++) letters.push(await die(`list-${i}`, `list-${i}`, {}, i === 4 ? 'other' : 'tg'));
  await js.publish('kanal.commands.nobody.message.send', json.encode({ id: 'list-nobody', to: { address: 'telegram:1' }, content: [{ type: 'text', text: 'x' }] }));
  await letterOf('list-nobody');
  const all = await api('list');
  assert.deepEqual(all.items.map((item) => item.command_id), ['list-nobody', 'list-4', 'list-3', 'list-2', 'list-1', 'list-0']);
  assert.ok(all.items.every((item) => !item.command && !item.payload && item.sequence > 0) && !all.next);
  assert.deepEqual((await api('list', { channel: 'other' })).items.map((item) => item.command_id), ['list-4']);
  assert.deepEqual((await api('list', { channel: '_' })).items.map((item) => item.command_id), ['list-nobody']);
  assert.equal((await api('list', { code: 'recipient_blocked' })).items.length, 5);
  assert.equal((await api('list', { code: 'recipient_blocked', channel: '_' })).items.length, 0);
  assert.deepEqual((await api('list', { until: letters[1].time })).items.map((item) => item.command_id), ['list-1', 'list-0']);
  assert.deepEqual((await api('list', { from: letters[3].time, channel: 'tg' })).items.map((item) => item.command_id), ['list-3']);
  const pages = [];
  for (let before; ;) {
    const page = await api('list', { limit: 2, ...(before && { before }) });
    pages.push(page.items.map((item) => item.command_id));
    if (!(before = page.next)) break;
  }
  assert.deepEqual(pages.flat(), all.items.map((item) => item.command_id));
  assert.deepEqual(pages.map((page) => page.length), [2, 2, 2]);
});

test('one letter, whole', async () => {
  const { id } = await letterOf('list-2');
  const { dead_letter: letter } = await api('get', { id });
  assert.equal(letter.command.content[0].text, 'list-2');
  assert.equal(letter.error.code, 'recipient_blocked');
  assert.equal((await api('get', { id: `e_${'a'.repeat(26)}` })).error.code, 'not_found');
});

test('what is wrong is refused', async () => {
  for (const [name, body] of [['get', {}], ['replay', {}], ['drop', {}], ['replay', { ids: [] }], ['replay', { ids: [7] }], ['drop', { code: 'network' }],
    ['list', { from: 'yesterday' }], ['list', { before: 'nonsense' }], ['list', { before: '-1.0' }], ['drop', { channel: 'tg', until: 'never' }], ['drop', { all: false }]])
    assert.equal((await api(name, body)).error?.code, 'invalid_request', `${name} ${JSON.stringify(body)}`);
  assert.equal((await api('replay', { ids: [`e_${'a'.repeat(26)}`] })).error.code, 'not_found');
});

test('replayed twice at once, the command is sent once; its events are not taken for repetitions', async () => {
  const letter = await die('again');
  provider.answers.set('again', [undefined]);
  const answers = await Promise.all([api('replay', { ids: [letter.id] }), api('replay', { ids: [letter.id, letter.id] }), api('replay', { ids: [letter.id] })]);
  assert.equal(answers.reduce((sum, answer) => sum + (answer.count ?? 0), 0), 1, JSON.stringify(answers));
  await until('it is sent', async () => (await types('again')).includes('message.sent'));
  await sleep(500);
  assert.equal(provider.of('again').length, 2, 'the one that failed, and one');
  assert.deepEqual(await types('again'), ['message.accepted', 'message.failed', 'message.accepted', 'message.sent']);
  assert.equal((await api('get', { id: letter.id })).error.code, 'not_found');
  assert.equal((await api('replay', { ids: [letter.id] })).error.code, 'not_found');
});

test('one that fails again is a dead letter again, another one, and can be replayed again', async () => {
  const first = await die('stubborn');
  assert.equal((await api('replay', { ids: [first.id] })).count, 1);
  const second = await until('the second letter', async () => (await lettersOf('stubborn')).find((letter) => letter.id !== first.id));
  assert.equal((await lettersOf('stubborn')).length, 1);
  provider.answers.set('stubborn', [undefined]);
  assert.equal((await api('replay', { ids: [second.id] })).count, 1);
  await until('it is sent', async () => (await types('stubborn')).includes('message.sent'));
  assert.deepEqual(await types('stubborn'), ['message.accepted', 'message.failed', 'message.accepted', 'message.failed', 'message.accepted', 'message.sent']);
});

test('parts that were sent are not sent again', async () => {
  const text = (n) => `part ${n} ${'x'.repeat(30)}`;
  provider.answers.set(text(2), [blocked]);
  await js.publish('kanal.commands.tg.message.send', json.encode({ id: 'parts', to: { address: 'telegram:79' }, content: [
    { type: 'text', text: text(1) }, { type: 'location', lat: 1, lon: 2 }, { type: 'text', text: text(2) }] }));
  const letter = await letterOf('parts');
  assert.ok(letter.part > 1, JSON.stringify(letter));
  const sent = provider.of(text(1)).length;
  provider.answers.set(text(2), [undefined]);
  assert.equal((await api('replay', { ids: [letter.id] })).count, 1);
  await until('the rest is sent', async () => provider.of(text(2)).length === 2);
  await sleep(300);
  assert.equal(provider.of(text(1)).length, sent);
});

test('expired commands and what is none are left where they are, and told', async () => {
  await send('late', 'late', { expires: '2020-01-01T00:00:00Z' });
  const late = await letterOf('late');
  await js.publish('kanal.commands.tg.message.send', new TextEncoder().encode('no JSON'));
  const none = await until('the letter', async () => (await stored(client, 'KANAL_DEAD')).map((one) => one.data).find((one) => one.payload === 'no JSON'));
  assert.deepEqual(await api('replay', { ids: [late.id, none.id] }), { count: 0, refused: 2 });
  assert.deepEqual(await api('drop', { ids: [late.id, none.id] }), { count: 2 });
  assert.equal((await api('get', { id: late.id })).error.code, 'not_found');
});

test('a whole channel in the order in which it was given, and nothing of another', async () => {
  const others = (await api('list', { channel: 'tg' })).items.map((item) => item.id);
  if (others.length) await api('drop', { ids: others });
  for (let i = 0; i < 6; i++) await die(`order-${i}`, `order-${i}`, { to: { address: 'telegram:501' } });
  for (let i = 0; i < 6; i++) provider.answers.set(`order-${i}`, [undefined]);
  const until4 = (await letterOf('order-4')).time;
  assert.deepEqual(await api('replay', { channel: 'tg', code: 'auth_failed' }), { count: 0, refused: 0 });
  assert.deepEqual(await api('replay', { channel: 'tg', code: 'recipient_blocked', until: until4 }), { count: 5, refused: 0 });
  await until('they are sent', async () => (await types('order-4')).includes('message.sent'));
  const texts = provider.calls.map((call) => call.text).filter((text) => /^order-/.test(text)).slice(6);
  assert.deepEqual(texts, ['order-0', 'order-1', 'order-2', 'order-3', 'order-4']);
  assert.equal((await lettersOf('order-5')).length, 1);
  assert.equal((await api('list', { channel: 'other' })).items.length, 1);
  const dropped = await api('drop', { all: true });
  assert.ok(dropped.count >= 2 && !dropped.next);
  assert.deepEqual((await api('list')).items, []);
  assert.deepEqual(await api('drop', { all: true }), { count: 0 });
});

test('a letter whose command cannot be stored stays', async () => {
  const letter = await die('full');
  const manager = await client.jetstreamManager();
  const { config } = await manager.streams.info('KANAL_COMMANDS');
  await manager.streams.update('KANAL_COMMANDS', { ...config, subjects: ['elsewhere.>'] });
  try {
    assert.equal((await api('replay', { ids: [letter.id] })).error.code, 'unavailable');
    assert.equal((await lettersOf('full')).length, 1);
  } finally {
    await manager.streams.update('KANAL_COMMANDS', config);
  }
  provider.answers.set('full', [undefined]);
  assert.equal((await api('replay', { ids: [letter.id] })).count, 1);
  await until('it is sent', async () => (await types('full')).includes('message.sent'));
});

test('a letter of a lane goes back to its commands; one with any other subject goes nowhere', async () => {
  const put = (letter, subject, id) => js.publish('kanal.dead.tg', json.encode({ id: letter, time: new Date().toISOString(), channel: 'tg', subject, verb: 'message.send', command_id: id, attempts: 0,
    error: { code: 'channel_unknown', scope: 'channel' }, command: { id, to: { address: 'telegram:77' }, content: [{ type: 'text', text: id }] } }));
  const ids = ['a', 'b', 'c', 'd'].map((letter) => `e_${letter.repeat(26)}`);
  await put(ids[0], 'kanal.lanes.3.tg.message.send', 'of-a-lane');
  await put(ids[1], '$JS.API.STREAM.DELETE.KANAL_EVENTS', 'of-the-api');
  await put(ids[2], 'kanal.commands.*.message.send', 'of-all');
  await put(ids[3], 'kanal.lanes.3', 'of-none');
  assert.deepEqual(await api('replay', { ids }), { count: 1, refused: 3 });
  await until('it is sent', async () => (await types('of-a-lane')).includes('message.sent'));
  assert.equal((await (await client.jetstreamManager()).streams.info('KANAL_EVENTS')).config.name, 'KANAL_EVENTS');
  assert.deepEqual(await api('drop', { ids: ids.slice(1) }), { count: 3 });
});

test('kanal dead: the same from a shell', async () => {
  const dead = (...args) => run(['dead', ...args, '-s', nats.url]);
  const letters = [await die('cli-0'), await die('cli-1'), await die('cli-2')].map((letter) => letter.id);
  const list = await dead('list', '--channel', 'tg');
  assert.deepEqual([list.code, list.stderr], [0, '']);
  assert.match(list.stdout, /^ID +TIME +CHANNEL +VERB +CODE +COMMAND\n/);
  assert.ok(letters.every((id) => list.stdout.includes(id)));
  assert.equal((await dead('list', '--limit', '2')).stdout.trim().split('\n').length, 3);
  assert.equal((await dead('list', '--from', '1h', '--code', 'network')).stdout, '');
  assert.equal(JSON.parse((await dead('list', '--json')).stdout).items.length, 3);
  const show = await dead('show', letters[0]);
  assert.equal(show.code, 0);
  assert.match(show.stdout, /recipient_blocked[\s\S]*"text": "cli-0"/);
  provider.answers.set('cli-0', [undefined]);
  assert.match((await dead('replay', letters[0])).stdout, /^1 given as commands again/);
  assert.equal((await dead('show', letters[0])).code, 1);
  for (const words of [['fly'], ['list', 'x'], ['show'], ['show', 'a', 'b'], ['replay'], ['replay', '--all'], ['drop', letters[1], '--all', '--yes'], ['list', '--yes'], ['list', '--from', 'soon'], ['show', letters[1], '--code', 'x']])
    assert.equal((await dead(...words)).code, 2, words.join(' '));
  assert.match((await dead('drop', '--all', '--channel', 'tg', '--yes')).stdout, /^2 dropped/);
  assert.match((await dead('drop', '--all', '--yes')).stdout, /^0 dropped/);
  assert.equal((await run(['dead', 'list', '-s', 'nats://127.0.0.1:1'])).code, 4);
});

test('every event, dead letter and reply keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 10);
  for (const [name, list] of replies)
    execFileSync(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', `api.dead-${name}.reply`, '-q', '-'],
      { input: list.map((reply) => JSON.stringify(reply)).join('\n') + '\n' });
  assert.equal(replies.size, 4);
  for (const line of kanal.child.lines) assert.ok(!line.includes(TOKEN), line);
});
