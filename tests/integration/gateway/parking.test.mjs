// A recipient for whom too much waits is parked: others go on, nothing is lost, doubled or out of order, whatever is killed meanwhile.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, sleep, stored, until } from './harness.mjs';

// A provider that refuses chats for as long as the test says.
const provider = { calls: [], closed: new Set() };
const said = (chat) => provider.calls.filter((call) => call.chat === String(chat) && call.sent).map((call) => call.text);

async function startProvider() {
  provider.server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      if (!request.url.split('/').pop().startsWith('send')) return response.end('{"ok":true,"result":true}');
      const { chat_id: chat, text } = body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
      const call = { chat: String(chat), text, sent: !provider.closed.has(String(chat)) };
      provider.calls.push(call);
      response.writeHead(call.sent ? 200 : 500, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(call.sent ? { ok: true, result: { message_id: provider.calls.length, date: 1, chat: { id: Number(chat), type: 'private' } } } : { ok: false, error_code: 500, description: 'Internal' }));
    });
  });
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
  provider.url = `http://127.0.0.1:${provider.server.address().port}`;
}

let nats, kanal, client, js, manager;
const channels = () => ['tg', 'tg-fail'].map((id) => ({ id, plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url }, egress: ['127.0.0.1'],
  secrets: { token: '100:token-of-the-test', webhook: 'webhook-secret-1' }, rate: { per_second: 1e6, per_recipient_second: 1e6 }, ...(id === 'tg-fail' ? { on_unknown: 'fail' } : {}) }));

before(async () => {
  await startProvider();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, channels());
  client = await nats.client();
  js = client.jetstream();
  manager = await client.jetstreamManager();
});

after(async () => {
  await client.close();
  const how = await kanal.stop();
  await nats.kill('SIGTERM');
  provider.server.close();
  provider.server.closeAllConnections();
  assert.deepEqual(how, { code: 0, signal: null });
});

const send = (chat, id, more = {}, channel = 'tg-fail') =>
  js.publish(`kanal.commands.${channel}.message.send`, json.encode({ id, to: { address: `telegram:${chat}` }, content: [{ type: 'text', text: id }], ...more }));
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
async function flood(chat, name, from, to, more = {}) {
  for (let i = from; i < to; i += 500) await Promise.all(range(i, Math.min(to, i + 500)).map((n) => send(chat, `${name}-${n}`, more)));
}
const numbers = (chat, name) => said(chat).filter((text) => text.startsWith(`${name}-`)).map((text) => Number(text.slice(name.length + 1)));
const parked = async () => (await manager.streams.info('KANAL_PARKED')).state.messages;
const inLanes = async () => (await manager.streams.info('KANAL_LANES')).state.messages;
const ask = async (what, body) => json.decode((await client.request(`kanal.api.${what}`, json.encode(body), { timeout: 10000 })).data);
const close = (chat) => provider.closed.add(String(chat));
const open = (chat) => provider.closed.delete(String(chat));
const isEmpty = () => until('nothing is parked, nothing stands in the lanes', async () => (await parked()) === 0 && (await inLanes()) === 0, 60000);

test('5,000 commands behind a retry: they are parked, the others of the channel go on, and they come back in order, once', { timeout: 120000 }, async () => {
  close(1);
  await flood(1, 'slow', 0, 2500);
  await flood(2, 'other', 0, 300); // behind 2,500 of the other's: far more than the window of the lane
  await flood(1, 'slow', 2500, 5000);
  await flood(3, 'third', 0, 300);
  await until('others are sent', () => said(2).length === 300 && said(3).length === 300, 60000);
  assert.deepEqual(said(1), []); // and nothing of the first was
  assert.deepEqual(numbers(2, 'other'), range(0, 300));
  await until('what is in memory is little', async () => (await inLanes()) <= 300, 20000);
  assert.ok((await parked()) >= 4700 / 64, `${await parked()} batches`);
  assert.ok((await kanal.metric(/^kanal_recipients_parked/)) >= 1);
  assert.ok((await kanal.metric(/^kanal_commands_parked_total/)) >= 4700);
  open(1);
  await until('all are sent', () => said(1).length >= 5000, 90000);
  assert.deepEqual(numbers(1, 'slow'), range(0, 5000));
  await isEmpty();
  assert.equal(await kanal.metric(/^kanal_recipients_parked/), 0);
});

test('killed while they are parked, again and again: in order, each once', { timeout: 120000 }, async () => {
  close(4);
  await flood(4, 'killed', 0, 1500);
  await until('some are parked', async () => (await parked()) > 3, 20000);
  await kanal.stop('SIGKILL'); // perhaps in the middle of it
  await flood(4, 'killed', 1500, 2000);
  await kanal.run();
  await flood(5, 'beside', 0, 100);
  await until('others go on', () => said(5).length === 100, 30000);
  open(4);
  for (const count of [50, 400, 900]) {
    await until(`${count} are sent`, () => said(4).length >= count, 60000);
    await kanal.stop('SIGKILL');
    await kanal.run();
  }
  await isEmpty();
  const failed = (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.failed.*')).map((event) => event.data.data.message.id);
  const got = numbers(4, 'killed');
  assert.deepEqual(got.filter((n, i) => got.indexOf(n) !== i), []); // none twice
  assert.deepEqual([...got].sort((a, b) => a - b), got); // in order
  const missing = range(0, 2000).filter((n) => !got.includes(n));
  assert.ok(missing.every((n) => failed.includes(`killed-${n}`)), missing.join()); // under way at the moment of a kill: in doubt, and told
  assert.ok(missing.length <= 3, missing.join());
});

test('another gateway takes over what is parked', { timeout: 120000 }, async () => {
  close(6);
  close(7);
  await flood(6, 'moved', 0, 1200);
  await flood(7, 'bulk', 0, 600, { class: 'bulk' });
  await until('some are parked', async () => (await parked()) >= 5, 20000);
  const second = await Kanal.start(nats, channels());
  try {
    await kanal.stop('SIGKILL');
    await flood(6, 'moved', 1200, 1500);
    await flood(8, 'next', 0, 100);
    await until('others go on', () => said(8).length === 100, 40000);
    open(6);
    open(7);
    // What was under way at the moment of the kill is in doubt, and told.
    const failed = async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.failed.*')).map((event) => event.data.data.message.id);
    const lost = async (to, run, count) => { const got = numbers(to, run), told = await failed(); return range(0, count).filter((n) => !got.includes(n) && !told.includes(`${run}-${n}`)); };
    await until('all are sent', async () => (await lost(6, 'moved', 1500)).length === 0 && (await lost(7, 'bulk', 600)).length === 0, 60000);
    for (const [to, run, count] of [[6, 'moved', 1500], [7, 'bulk', 600]]) {
      const got = numbers(to, run);
      assert.ok(got.length >= count - 1, `${run}: ${got.length}`);
      assert.deepEqual(got, range(0, count).filter((n) => got.includes(n))); // in order, each once
    }
    await isEmpty();
  } finally {
    await kanal.run();
    await second.stop();
  }
});

test('what is parked can be looked at, called back, and expires', { timeout: 90000 }, async () => {
  close(9);
  await flood(9, 'kept', 0, 600);
  await send(9, 'called-back');
  await send(9, 'too-late', { expires: new Date(Date.now() + 3000).toISOString() });
  await send(9, 'last');
  await until('the last one is parked', async () => (await ask('message-get', { id: 'last' })).message.state === 'parked', 20000);
  assert.equal((await ask('message-get', { id: 'kept-0' })).message.state, 'accepted');
  assert.equal((await ask('message-get', { id: 'called-back' })).message.state, 'parked');
  assert.equal((await ask('message-cancel', { id: 'called-back' })).message?.state, 'cancelled');
  assert.equal((await ask('message-get', { id: 'called-back' })).message.state, 'cancelled');
  await sleep(3000); // until the other has expired
  open(9);
  await until('the last one is sent', () => said(9).includes('last'), 30000);
  await isEmpty();
  assert.deepEqual(said(9), [...range(0, 600).map((n) => `kept-${n}`), 'last']);
  assert.equal((await ask('message-get', { id: 'too-late' })).message.state, 'expired');
  const events = (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.data.message?.id === 'called-back').map((event) => event.type);
  assert.deepEqual(events, ['message.accepted', 'message.cancelled']);
});

test('the broker is killed while they are being parked, and while they come back: in order, each once', { timeout: 90000 }, async () => {
  close(11);
  await flood(11, 'broker', 0, 1500);
  await nats.kill('SIGKILL');
  await nats.run();
  await until('some are parked', async () => (await parked()) >= 10, 30000);
  open(11);
  await until('some are sent', () => said(11).length >= 300, 30000);
  await nats.kill('SIGKILL');
  await nats.run();
  await until('all are sent', () => said(11).length >= 1500, 40000);
  await until('nothing is parked', async () => (await parked()) === 0, 20000); // a lane's lost acknowledgements are noticed after a minute
  assert.deepEqual(numbers(11, 'broker'), range(0, 1500));
});

test('a channel that goes away and comes back finds what was parked for it', { timeout: 120000 }, async () => {
  close(10);
  await flood(10, 'stays', 0, 800);
  await until('some are parked', async () => (await parked()) >= 5, 20000);
  const reload = async (without) => {
    writeFileSync(kanal.config, JSON.stringify({ ...config, channels: config.channels.filter((channel) => channel.id !== without) }));
    kanal.child.kill('SIGHUP');
    await until('the channels are these', async () => { const now = (await kanal.channels()).filter((channel) => channel.state === 'up').map((channel) => channel.id); return now.includes('tg-fail') === (without !== 'tg-fail'); }, 30000);
  };
  const config = JSON.parse(readFileSync(kanal.config, 'utf8'));
  await reload('tg-fail');
  await until('one recipient is parked', async () => (await kanal.metric(/^kanal_recipients_parked/)) === 1, 20000);
  await reload('none');
  open(10);
  await kanal.stop('SIGKILL'); // what is in the lanes comes again at once, not in a minute
  await kanal.run();
  await until('all are sent', () => said(10).length >= 800, 30000);
  assert.deepEqual(numbers(10, 'stays'), range(0, 800));
});

test('nothing is left behind, and every event keeps the contract', { timeout: 60000 }, async () => {
  await isEmpty();
  assert.ok((await checkContract(client)) > 10);
});
