// The way out: commands, deliveries, retries, failures and dead letters, against a provider that does as it is told.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, run, sleep, stored, storedTypes, until } from './harness.mjs';

// A provider that records each call and answers what the test set for the text it was sent.
const provider = { calls: [], answers: new Map() };
const ok = (call) => [200, { ok: true, result: { message_id: provider.calls.length, date: 1, chat: { id: Number(call.chat_id), type: 'private' } } }];

async function startProvider() {
  provider.server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      const method = request.url.split('/').pop().split('?')[0];
      const call = { method, path: request.url, at: Date.now(), ...(body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))) };
      if (!method.startsWith('send')) return response.end('{"ok":true,"result":true}');
      provider.calls.push(call);
      const planned = provider.answers.get(call.text) ?? [];
      const answer = planned.length > 1 ? planned.shift() : planned[0];
      if (answer === 'drop') return request.socket.destroy();
      const [code, object, headers] = answer ?? ok(call);
      response.writeHead(code, { 'content-type': 'application/json', ...headers });
      return response.end(JSON.stringify(object));
    });
  });
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
  provider.url = `http://127.0.0.1:${provider.server.address().port}`;
}

let nats, kanal, client, js;
const telegram = () => ({ id: 'tg', plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url }, egress: ['127.0.0.1'],
  secrets: { token: '100:token-of-the-test', webhook: 'webhook-secret-1' } });

before(async () => {
  await startProvider();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [telegram(), { ...telegram(), id: 'tg-careful', on_unknown: 'fail' }, { id: 'echo', plugin: 'echo' }]);
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  await client.close();
  await kanal.stop();
  await nats.kill('SIGTERM');
  provider.server.close();
});

const send = (id, text, more = {}, subject = 'kanal.commands.tg.message.send') =>
  js.publish(subject, json.encode({ id, to: { address: 'telegram:77' }, content: [{ type: 'text', text }], ...more }));
const callsOf = (text) => provider.calls.filter((call) => call.text === text);
const types = (id) => storedTypes(client, id);
const ends = (id, type, ms) => until(`${type} of ${id}`, async () => (await types(id)).includes(type), ms);
const eventOf = async (id, type) => (await stored(client, 'KANAL_EVENTS')).find((e) => e.data.data.message?.id === id && e.data.type === type)?.data;
const deadOf = async (id) => (await stored(client, 'KANAL_DEAD')).filter((letter) => letter.data.command_id === id);

test('a command reaches the provider once; accepted and sent are told, in that order', async () => {
  await send('ok-1', 'hello', { reference: 'order-5' });
  await ends('ok-1', 'message.sent');
  assert.deepEqual(await types('ok-1'), ['message.accepted', 'message.sent']);
  assert.equal(callsOf('hello').length, 1);
  assert.match(callsOf('hello')[0].path, /^\/bot100:token-of-the-test\/sendMessage/);
  const sent = await eventOf('ok-1', 'message.sent');
  assert.equal(sent.data.message.reference, 'order-5');
  assert.ok(sent.data.message.external_id);
  assert.equal(sent.data.customer.address, 'telegram:77');
});

test('the same command twice is sent once', async () => {
  await send('twice', 'only once');
  await ends('twice', 'message.sent');
  await send('twice', 'only once');
  await sleep(500);
  assert.equal(callsOf('only once').length, 1);
});

test('500 is tried again and then sent', async () => {
  provider.answers.set('flaky', [[500, {}], [502, {}], undefined]);
  await send('flaky', 'flaky');
  await ends('flaky', 'message.sent', 20000);
  assert.equal(callsOf('flaky').length, 3);
});

test('429 waits as long as the provider says', async () => {
  provider.answers.set('slow down', [[429, { ok: false, error_code: 429, description: 'Too Many Requests: retry after 2', parameters: { retry_after: 2 } }], undefined]);
  await send('slow', 'slow down');
  await ends('slow', 'message.sent', 15000);
  const [first, second] = callsOf('slow down');
  assert.ok(second.at - first.at >= 2000, `${second.at - first.at} ms`);
});

test('a later message to the same recipient waits for the retry of the earlier; another recipient does not', async () => {
  provider.answers.set('first', [[500, {}], undefined]);
  await send('order-a', 'first');
  await send('order-b', 'second');
  await send('order-c', 'other', { to: { address: 'telegram:78' } });
  await ends('order-b', 'message.sent', 15000);
  const texts = provider.calls.map((call) => call.text).filter((text) => ['first', 'second', 'other'].includes(text));
  assert.deepEqual(texts.filter((text) => text !== 'other'), ['first', 'first', 'second']);
  assert.ok(texts.indexOf('other') < texts.indexOf('second'), texts.join());
});

test('more recipients at once than deliveries are made at once: each gets theirs, the refused ones later', async () => {
  const ids = Array.from({ length: 200 }, (_, i) => `crowd-${i}`);
  for (const id of ids.filter((_, i) => i % 10 === 0)) provider.answers.set(id, [[500, {}], undefined]);
  await Promise.all(ids.map((id, i) => send(id, id, { to: { address: `telegram:${9000 + i}` } })));
  await until('all are sent', async () => {
    const sent = new Set((await stored(client, 'KANAL_EVENTS', 'kanal.events.telegram.tg.message.sent.*')).map((e) => e.data.data.message.id));
    return ids.every((id) => sent.has(id));
  }, 20000);
  assert.equal(ids.filter((id, i) => callsOf(id).length === (i % 10 === 0 ? 2 : 1)).length, ids.length);
});

test('a recipient who blocked us: failed, and a dead letter with the reason', async () => {
  provider.answers.set('blocked', [[403, { ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' }]]);
  await send('blocked', 'blocked');
  await ends('blocked', 'message.failed');
  const failed = await eventOf('blocked', 'message.failed');
  assert.equal(failed.data.error.code, 'recipient_blocked');
  assert.equal(failed.data.error.scope, 'recipient');
  assert.match(failed.data.error.provider_message, /blocked by the user/);
  const [letter] = await deadOf('blocked');
  assert.equal(letter.subject, 'kanal.dead.tg');
  assert.equal(letter.data.command.content[0].text, 'blocked');
});

test('an unknown recipient is told as such', async () => {
  provider.answers.set('nobody', [[400, { ok: false, error_code: 400, description: 'Bad Request: chat not found' }]]);
  await send('nobody', 'nobody');
  await ends('nobody', 'message.failed');
  assert.equal((await eventOf('nobody', 'message.failed')).data.error.code, 'recipient_unknown');
});

test('a connection that breaks after the request: on_unknown says whether it is sent again', async () => {
  provider.answers.set('lost answer', ['drop', undefined]);
  await send('lost', 'lost answer');
  await ends('lost', 'message.sent', 15000);
  provider.answers.set('careful', ['drop', undefined]);
  await send('careful', 'careful', {}, 'kanal.commands.tg-careful.message.send');
  await ends('careful', 'message.failed', 15000);
  assert.equal(callsOf('careful').length, 1);
});

test('commands that break the contract become dead letters that say every place', async () => {
  await js.publish('kanal.commands.tg.message.send', json.encode({ id: 'wrong', to: { address: 'telegram:77' }, content: [{ type: 'text' }], class: 'urgent' }));
  await ends('wrong', 'message.failed');
  const failed = await eventOf('wrong', 'message.failed');
  assert.equal(failed.data.error.code, 'invalid_command');
  assert.match(failed.data.error.detail, /\/content\/0/);
  assert.match(failed.data.error.detail, /\/class/);
  await js.publish('kanal.commands.tg.message.send', new TextEncoder().encode('no JSON at all'));
  await until('the dead letter', async () => (await stored(client, 'KANAL_DEAD')).some((letter) => letter.data.payload === 'no JSON at all'));
});

test('unknown channels, verbs and addresses, and what a channel cannot show, fail precisely', async () => {
  const cases = [
    ['x-channel', 'kanal.commands.nobody.message.send', {}, 'channel_unknown'],
    ['x-verb', 'kanal.commands.tg.message.explode', {}, 'unsupported_verb'],
    ['x-edit', 'kanal.commands.echo.message.react', { message: { external_id: '1' }, reactions: [], content: undefined }, 'unsupported_verb'],
    ['x-call', 'kanal.commands.echo.call.start', {}, 'unsupported_verb'],
    ['x-customer', 'kanal.commands.tg.message.send', { to: { customer: 'c_' + 'a'.repeat(26) } }, 'customer_unknown'],
    ['x-part', 'kanal.commands.echo.message.send', { to: { address: 'echo:anna' }, content: [{ type: 'sticker', url: 'https://example.com/s.webp' }], adapt: 'strict' }, 'unsupported_content'],
  ];
  for (const [id, subject, more, code] of cases) {
    await send(id, 'x', more, subject);
    await ends(id, 'message.failed');
    assert.equal((await eventOf(id, 'message.failed')).data.error.code, code, id);
    assert.equal((await deadOf(id)).length, 1, id);
  }
});

test('an expired command is not sent', async () => {
  await send('late', 'too late', { expires: '2020-01-01T00:00:00Z' });
  await ends('late', 'message.expired');
  assert.equal(callsOf('too late').length, 0);
});

test('`any` finds the one channel of the address', async () => {
  await send('any-1', 'by any', { to: { address: 'echo:anna' } }, 'kanal.commands.any.message.send');
  await ends('any-1', 'message.sent');
  await send('any-2', 'by any', {}, 'kanal.commands.any.message.send');
  await ends('any-2', 'message.failed'); // two Telegram channels
});

test('the token is in no log line and no event', async () => {
  for (const line of kanal.child.lines) assert.ok(!line.includes('token-of-the-test'), line);
  for (const stream of ['KANAL_EVENTS', 'KANAL_DEAD'])
    for (const message of await stored(client, stream)) assert.ok(!JSON.stringify(message).includes('token-of-the-test'));
});

test('commands that wait in the broker are done after a restart, and SIGTERM drains', async () => {
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  await send('waiting', 'after the restart');
  await kanal.run();
  await ends('waiting', 'message.sent', 20000);
  assert.equal(callsOf('after the restart').length, 1);
});

test('a gateway with another salt refuses to start', async () => {
  const other = await Kanal.start(nats, [], { salt: 'quite another salt', wait: false });
  assert.deepEqual(await other.child.exited, { code: 3, signal: null });
  assert.ok(other.log().some((entry) => /another salt/.test(entry.message)));
});

test('every event and dead letter keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 10);
  assert.equal((await run(['version'])).code, 0);
});
