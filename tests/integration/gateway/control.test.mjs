// Channels of a running gateway: added, changed, paused, removed over the API and by SIGHUP, on every replica; and what must not work.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { headers as natsHeaders } from 'nats';
import { Kanal, Nats, isolation, json, root, run, scratchDir, sleep, until } from './harness.mjs';
import { TOKEN, call, probe, raw, startKanal } from './probe.mjs';

let nats, client, key;

before(async () => {
  nats = await Nats.start();
  client = await nats.client();
  key = path.join(scratchDir(), 'key');
  writeFileSync(key, Buffer.alloc(32, 7));
});

after(async () => {
  await client?.close();
  await nats?.kill('SIGTERM');
});

const top = () => ({ runtime: { seal_key: key } });
async function start(channels, more = {}) {
  const kanal = await startKanal(nats, channels, { top: top(), ...more });
  await until('its API answers', async () => (await client.request('$SRV.PING.kanal', '', { timeout: 500 })).data.length > 0);
  return kanal;
}
// Every reply is kept, and held against the contract at the end.
const replies = new Map();
async function api(name, body = {}) {
  const reply = json.decode((await client.request(`kanal.api.channel-${name}`, json.encode(body), { timeout: 60000 })).data);
  replies.set(name, [...(replies.get(name) ?? []), reply]);
  return reply;
}
const states = async (kanal) => Object.fromEntries((await kanal.channels()).map((one) => [one.id, one.state]));
const stateIs = (kanal, wanted) => until(JSON.stringify(wanted), async () => { try { assert.deepEqual(await states(kanal), wanted); return true; } catch { return false; } });
const record = async (id) => { const bucket = await client.jetstream().views.kv('kanal_channels'); const entry = await bucket.get(`channel.${id}`); return entry && entry.operation === 'PUT' ? entry.json() : null; };
const echo = (id, more = {}) => ({ id, plugin: 'echo', ...more });
const say = (kanal, id, text) => kanal.post(`/c/${id}/`, { id: text, from: 'anna', text });

test('a channel is added, serves, is changed and removed; its secrets are sealed', async () => {
  const kanal = await start([echo('first')]);
  const added = await api('add', { channel: probe('shop') });
  assert.deepEqual([added.channel.state, added.channel.origin], ['up', 'api']);
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'shop')).status, 0);
  const kept = await record('shop');
  assert.match(kept.channel.secrets.token.sealed, /^v1\./);
  assert.ok(!JSON.stringify(kept).includes(TOKEN));
  const exists = await api('add', { channel: probe('shop') });
  assert.equal(exists.error.code, 'conflict');
  const changed = await api('change', { channel: probe('shop', { settings: { stop: 'ok' } }) });
  assert.equal(changed.channel.state, 'up');
  assert.equal((await api('get', { id: 'shop' })).channel.id, 'shop');
  assert.deepEqual(await api('remove', { id: 'shop' }), { id: 'shop' });
  assert.equal((await kanal.post('/c/shop/call', {})).status, 404);
  assert.equal(await record('shop'), null);
  assert.equal((await api('get', { id: 'shop' })).error.code, 'not_found');
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  assert.ok(!kanal.child.lines.join('\n').includes(TOKEN), 'no secret in the log');
});

test('what was added is there after a restart, and on another replica', async () => {
  const kanal = await start([]);
  await api('add', { channel: probe('kept') });
  const other = await start([]);
  await stateIs(other, { kept: 'up' });
  assert.equal((await call(other, 'timer', { delay_ms: 0 }, 'kept')).status, 0);
  await api('pause', { id: 'kept', direction: 'in' });
  const refused = (one) => until('its requests are refused', async () => (await raw(one, 'timer', { delay_ms: 0 }, 'kept')).status === 503);
  const served = (one) => until('its requests are served', async () => (await raw(one, 'timer', { delay_ms: 0 }, 'kept')).status === 200);
  await refused(kanal);
  await refused(other);
  await kanal.stop();
  await kanal.run({ wait: false });
  await stateIs(kanal, { kept: 'up' });
  await refused(kanal);
  await api('resume', { id: 'kept' });
  await served(kanal);
  await served(other);
  assert.deepEqual(await api('remove', { id: 'kept' }), { id: 'kept' });
  await stateIs(kanal, {});
  await stateIs(other, {});
  await kanal.stop();
  await other.stop();
});

test('a paused channel: in, out, both, until', async () => {
  const kanal = await start([echo('pause')]);
  const command = async (id) => client.jetstream().publish('kanal.commands.pause.message.send', json.encode({ id, to: { address: 'echo:anna' }, content: [{ type: 'text', text: 'later' }] }));
  const sent = () => kanal.metric(/^kanal_deliveries_total\{channel="pause",outcome="sent"\}/);
  const paused = await api('pause', { id: 'pause', reason: 'the shop moves', agent: { id: 'anna', kind: 'person' } });
  assert.deepEqual([paused.channel.state, paused.channel.paused.direction, paused.channel.paused.reason], ['paused', 'out', 'the shop moves']);
  assert.equal((await say(kanal, 'pause', 'p1')).status, 200, 'what comes in is taken');
  await command(`paused-${Date.now()}`);
  await sleep(300);
  assert.equal(await sent(), 0);
  const both = await api('pause', { id: 'pause', direction: 'both' });
  assert.equal(both.channel.paused.direction, 'both');
  const response = await say(kanal, 'pause', 'p2');
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '5']);
  assert.match(await response.text(), /paused/);
  await api('restart', { id: 'pause' });
  assert.equal((await say(kanal, 'pause', 'p3')).status, 503, 'a restart does not end it');
  await api('pause', { id: 'pause', direction: 'in' });
  await until('it is delivered', async () => await sent() === 1);
  await api('pause', { id: 'pause', direction: 'both', until: new Date(Date.now() + 1500).toISOString() });
  await command(`until-${Date.now()}`);
  assert.equal((await say(kanal, 'pause', 'p4')).status, 503);
  await until('it goes on by itself', async () => await sent() === 2 && (await say(kanal, 'pause', 'p5')).status === 200);
  assert.equal((await api('get', { id: 'pause' })).channel.state, 'up');
  for (const wrong of [{ direction: 'sideways' }, { until: 'tomorrow' }])
    assert.equal((await api('pause', { id: 'pause', ...wrong })).error.code, 'invalid_request');
  await api('resume', { id: 'pause' });
  await kanal.stop();
});

test('what is wrong is refused with every place, and nothing changes', async () => {
  const kanal = await start([echo('good')]);
  const cases = [
    ['add', { channel: { id: 'x', plugin: 'nothing' } }, 'invalid_request', /no such plugin/],
    ['add', { channel: { id: 'a b', plugin: 'echo' } }, 'invalid_request', /id/],
    ['add', { channel: echo('x', { colour: 'red' }) }, 'invalid_request', /colour/],
    ['add', { channel: { id: 'x', plugin: 'telegram' } }, 'invalid_request', /secrets[./]token/],
    ['add', { channel: probe('x', { settings: { start: 7 } }) }, 'invalid_request', /settings[./]start/],
    ['add', { channel: { id: 'x', plugin: 'echo', secrets: { any: '${file:/etc/passwd}' } } }, 'invalid_request', /no such secret/],
    ['add', {}, 'invalid_request', /id/],
    ['change', { channel: echo('none') }, 'not_found', /no channel/],
    ['change', { channel: echo('good') }, 'conflict', /kanal\.yaml/],
    ['remove', { id: 'good' }, 'conflict', /kanal\.yaml/],
    ['restart', { id: 'none' }, 'not_found', /no channel/],
    ['pause', {}, 'not_found', /no channel/],
    ['upgrade', { id: 'good', file: '../../etc/passwd' }, isolation === 'none' ? 'conflict' : 'not_found', /./],
  ];
  for (const [name, body, code, words] of cases) {
    const { error } = await api(name, body);
    assert.equal(error?.code, code, `${name} ${JSON.stringify(body)}: ${JSON.stringify(error)}`);
    assert.match(`${error.detail} ${JSON.stringify(error.errors ?? '')}`, words);
  }
  for (const body of ['', '[', '[]', 'null', '"x"', 'x'.repeat(300000)]) {
    const { error } = json.decode((await client.request('kanal.api.channel-add', body, { timeout: 5000 })).data);
    assert.equal(error.code, 'invalid_request');
  }
  assert.deepEqual(await states(kanal), { good: 'up' });
  await kanal.stop();
});

test('an update that does not become ready is undone', async () => {
  const kanal = await start([]);
  await api('add', { channel: probe('careful') });
  const refused = await api('change', { channel: probe('careful', { settings: { start: 'fail' } }) });
  assert.equal(refused.error.code, 'conflict');
  assert.match(refused.error.detail, /old one goes on/);
  assert.deepEqual(await states(kanal), { careful: 'up' });
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'careful')).status, 0);
  await api('remove', { id: 'careful' });
  await kanal.stop();
});

test('one change of a channel at a time', async () => {
  const kanal = await start([echo('busy')]);
  const answers = await Promise.all([api('restart', { id: 'busy' }), api('restart', { id: 'busy' })]);
  assert.deepEqual(answers.map((answer) => answer.error?.code ?? answer.channel.state).sort(), ['conflict', 'up']);
  await kanal.stop();
});

test('a channel that is down is upgraded, and comes up', { skip: isolation === 'none' && 'a plugin in the gateway is not upgraded' }, async () => {
  const kanal = await start([probe('fallen')]);
  const before = (await kanal.channels())[0].worker.pid;
  assert.equal((await raw(kanal, 'die', { signal: 11 }, 'fallen')).status, 503);
  assert.equal((await kanal.channels())[0].state, 'down');
  const upgraded = await api('upgrade', { id: 'fallen' });
  assert.equal(upgraded.channel?.state, 'up', JSON.stringify(upgraded));
  assert.notEqual((await kanal.channels())[0].worker.pid, before);
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 }, 'fallen')).status, 0);
  await kanal.stop();
});

test('SIGHUP: what changed in kanal.yaml is changed, the others go on', async () => {
  const kanal = await start([echo('stays'), echo('goes'), probe('changes')]);
  const config = JSON.parse(readFileSync(kanal.config, 'utf8'));
  const since = (await kanal.channels()).find((one) => one.id === 'stays').since;
  config.channels = [echo('stays'), probe('changes', { settings: { stop: 'ok' } }), echo('comes')];
  config.log = { level: 'warn' };
  writeFileSync(kanal.config, JSON.stringify(config));
  kanal.child.kill('SIGHUP');
  await until('the channels are these', async () => { const now = await states(kanal); return now.comes === 'up' && !now.goes && now.changes === 'up'; });
  assert.equal((await kanal.channels()).find((one) => one.id === 'stays').since, since);
  await until('the rest needs a restart', async () => kanal.log().some((entry) => /log has changed/.test(entry.message)));
  writeFileSync(kanal.config, JSON.stringify({ ...config, channels: [{ id: 'broken', plugin: 'echo', colour: 'red' }] }));
  kanal.child.kill('SIGHUP');
  await until('it says what is wrong', async () => kanal.log().some((entry) => /colour/.test(entry.message)));
  await until('nothing was changed', async () => kanal.log().some((entry) => /nothing was changed/.test(entry.message)));
  assert.deepEqual(Object.keys(await states(kanal)).sort(), ['changes', 'comes', 'stays']);
  await kanal.stop();
});

test('a gateway without the key leaves sealed channels alone, and says so', async () => {
  const kanal = await start([]);
  await api('add', { channel: probe('sealed') });
  const other = path.join(scratchDir(), 'key');
  writeFileSync(other, Buffer.alloc(32, 9));
  const stranger = await start([], { top: { runtime: { seal_key: other } } });
  await until('it says so', async () => stranger.log().some((entry) => /sealed with a key/.test(entry.message)));
  assert.deepEqual(await states(stranger), {});
  await stranger.stop();
  const rotated = await start([], { top: { runtime: { seal_key: other, old_seal_keys: [key] } } });
  await stateIs(rotated, { sealed: 'up' });
  await rotated.stop();
  const keyless = await start([], { top: {} });
  await until('it says so', async () => keyless.log().some((entry) => /needs runtime\.seal_key/.test(entry.message)));
  await keyless.stop();
  await api('remove', { id: 'sealed' });
  await kanal.stop();
});

test('the micro service answers as the nats CLI expects', async () => {
  const kanal = await start([echo('micro')]);
  const ask = async (subject) => json.decode((await client.request(subject, '', { timeout: 2000 })).data);
  const ping = await ask('$SRV.PING');
  assert.deepEqual([ping.type, ping.name], ['io.nats.micro.v1.ping_response', 'kanal']);
  await ask('$SRV.PING.kanal');
  const info = await ask(`$SRV.INFO.kanal.${ping.id}`);
  assert.ok(info.endpoints.some((one) => one.name === 'channel-list' && one.subject === 'kanal.api.channel-list'));
  await api('list');
  await api('get', { id: 'nothing' });
  const stats = await ask(`$SRV.STATS.kanal.${ping.id}`);
  const get = stats.endpoints.find((one) => one.name === 'channel-get');
  assert.deepEqual([get.num_requests, get.num_errors, get.last_error], [1, 1, 'not_found']);
  const answer = await client.request('kanal.api.channel-get', json.encode({ id: 'nothing' }), { timeout: 2000 });
  assert.deepEqual([answer.headers.get('Nats-Service-Error-Code')], ['404']);
  await kanal.stop();
});

test('an answer goes only to an inbox', async () => {
  const kanal = await start([echo('inbox')]);
  const manager = await client.jetstreamManager();
  client.publish('kanal.api.channel-list', json.encode({}), { reply: '$JS.API.STREAM.DELETE.KANAL_EVENTS', headers: natsHeaders() });
  client.publish('$SRV.PING', '', { reply: '$JS.API.STREAM.DELETE.KANAL_EVENTS' });
  await until('both are dropped', async () => await kanal.metric(/^kanal_api_dropped_total/) === 2);
  assert.equal((await manager.streams.info('KANAL_EVENTS')).config.name, 'KANAL_EVENTS');
  await kanal.stop();
});

test('kanal channel: the same from a shell', async () => {
  const kanal = await start([echo('shell')]);
  const channel = (args, env) => run(['channel', ...args, '-s', nats.url], { env });
  const file = path.join(scratchDir(), 'shop.yaml');
  writeFileSync(file, 'id: cli-shop\nplugin: probe\negress: [127.0.0.1]\nsecrets: { token: "${env:CLI_TOKEN}" }\n');
  assert.deepEqual(await channel(['add', file], { CLI_TOKEN: undefined }).then(({ code, stderr }) => [code, /CLI_TOKEN/.test(stderr)]), [3, true]);
  const added = await channel(['add', file], { CLI_TOKEN: 'a-token' });
  assert.deepEqual([added.code, added.stderr], [0, '']);
  assert.match(added.stdout, /^cli-shop +probe +\S+ +up +api/);
  assert.equal((await channel(['add', file], { CLI_TOKEN: 'a-token' })).code, 1);
  writeFileSync(file, 'id: cli-shop\nplugin: probe\nsecrets: { token: "x" }\nsettings: { start: 7 }\n');
  const wrong = await channel(['change', file]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /settings[./]start/);
  const list = await channel(['list']);
  assert.match(list.stdout, /^ID +PLUGIN[\s\S]*shell +echo/);
  assert.equal(JSON.parse((await channel(['list', '--json'])).stdout).items.length, 2);
  for (const args of [['pause', 'cli-shop'], ['resume', 'cli-shop'], ['restart', 'cli-shop'], ['remove', 'cli-shop']])
    assert.equal((await channel(args)).code, 0, args.join(' '));
  assert.equal((await channel(['fly', 'x'])).code, 2);
  assert.equal((await channel(['get'])).code, 2);
  await kanal.stop();
  assert.equal((await channel(['list'])).code, 4);
});

test('every reply keeps the contract', async () => {
  const { execFileSync } = await import('node:child_process');
  for (const [name, list] of replies)
    execFileSync(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', `api.channel-${name}.reply`, '-q', '-'],
      { input: list.map((reply) => JSON.stringify(reply)).join('\n') + '\n' });
  assert.ok(replies.size >= 8, [...replies.keys()].join());
});

test('pages of many channels', async () => {
  const kanal = await start(Array.from({ length: 25 }, (_, i) => echo(`many-${String(i).padStart(2, '0')}`)));
  const first = await api('list', { limit: 10 });
  const second = await api('list', { limit: 10, before: first.next });
  const third = await api('list', { limit: 10, before: second.next });
  assert.deepEqual([first.items.length, second.items.length, third.items.length, third.next], [10, 10, 5, undefined]);
  assert.equal(second.items[0].id, 'many-10');
  assert.equal((await api('list', { plugin: 'telegram' })).items.length, 0);
  assert.equal((await api('list', { state: 'up' })).items.length, 25);
  await kanal.stop();
});

// The text in docs/deployment.md.
const OPERATOR = `OPERATOR: {
  users: [ { user: operator, password: s, permissions: { publish: "kanal.api.*", subscribe: "_INBOX.>" } } ]
  imports: [ { service: { account: KANAL, subject: "kanal.api.*" } } ]
}`;

test('an operator in an account of its own changes channels, and can do nothing else', async () => {
  const broker = await Nats.start({ more: `jetstream { store_dir: "DATA" }
accounts {
  KANAL: { jetstream: enabled, users: [ { user: kanal, password: b } ], exports: [ { service: "kanal.api.*" } ] }
  ${OPERATOR}
}` });
  const kanal = await Kanal.start(broker, [echo('one')], { broker: { user: 'kanal', password: 'b' } });
  const ask = (...words) => run(['channel', ...words, '--server', broker.url, '--user', 'operator'], { env: { KANAL_PASSWORD: 's' } });
  await until('the API answers', async () => (await ask('list')).code === 0, 30000); // one that asks too early waits 5 s
  assert.match((await ask('list')).stdout, /^one /m);
  assert.equal((await ask('pause', 'one')).code, 0);
  assert.match((await ask('list')).stdout, /^one .*paused/m);
  const operator = await broker.client({ user: 'operator', pass: 's' });
  await assert.rejects(operator.request('kanal.commands.one.message.send', '{}', { timeout: 500 }), /ermission|503|TIMEOUT/i);
  // The answer goes through the gateway's rights, but never to a subject of the gateway's account.
  operator.publish('kanal.api.channel-list', '{}', { reply: '$JS.API.STREAM.DELETE.KANAL_EVENTS' });
  await operator.flush();
  await sleep(200);
  const owner = await broker.client({ user: 'kanal', pass: 'b' });
  assert.equal((await (await owner.jetstreamManager()).streams.info('KANAL_EVENTS')).config.name, 'KANAL_EVENTS');
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  await Promise.all([operator.close(), owner.close()]);
  await broker.kill('SIGTERM');
});
