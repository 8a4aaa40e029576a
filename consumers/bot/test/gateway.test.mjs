// The bot as a process, a real nats-server and a real gateway with the channels echo and events: kill -9 in a wait, what comes while it is away, what
// comes twice, a clock that jumps, the account that the README tells to make.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import { connect } from 'nats';
import { Kanal, Nats, run, scratchDir, sleep, stop, stored, until } from '../../../tests/integration/gateway/harness.mjs';
import { Bot } from '../bot.mjs';
import { parseRules } from '../rules.mjs';

const here = path.dirname(new URL(import.meta.url).pathname), script = path.join(here, '../bot.mjs');
const RULES = (wait) => `rules:
  - name: reminder
    when: { type: message.received, where: { /data/message/content/0/text: cart } }
    wait: ${wait}
    unless: { type: message.received, where: { /data/message/content/0/text: bought } }
    send: { content: [ { type: text, text: "{{/data/customer/address}}, your cart" } ] }
  - name: shipped
    when: { type: activity.tracked, where: { /data/activity/name: Order Shipped } }
    send:
      to: { address: "echo:{{/data/activity/properties/who}}" }
      channel: shop
      reference: "{{/data/activity/properties/order_id}}"
      content: [ { type: text, text: "Order {{/data/activity/properties/order_id}} is on its way" } ]
`;
const KEY = 'server-key-1';
const CHANNELS = [{ id: 'shop', plugin: 'echo', settings: { outbox: 500 } }, { id: 'site', plugin: 'events', settings: { origins: ['https://shop.example.com'] }, secrets: { write_key: 'page-key', server_key: KEY } }];
let nats, kanal, client, durables = 0;

before(async () => {
  nats = await Nats.start();
  kanal = await Kanal.start(nats, CHANNELS);
  client = await nats.client();
});
after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
});

// ---- What a person does ----

async function durable(ackWait = '1s') {
  const name = `bot-${++durables}`;
  for (const filter of ['kanal.events.>', 'kanal.activity.>']) {
    const { code, stderr } = await run(['consumer', 'add', name, '--server', nats.url, '--filter', filter, '--ack-wait', ackWait]);
    assert.equal(code, 0, stderr);
  }
  return name;
}

function rulesFile(wait) {
  const file = path.join(scratchDir(), 'rules.yaml');
  writeFileSync(file, RULES(wait));
  return file;
}

const processes = new Set();
process.on('exit', () => { for (const child of processes) child.kill('SIGKILL'); });

class Process {
  static async start(name, file, state, more = []) {
    const bot = new Process();
    bot.child = spawn(process.execPath, [script, file, '--server', nats.url, '--domain', '', '--state', state, '--read', `KANAL_EVENTS/${name}`, '--read', `KANAL_ACTIVITY/${name}`, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    bot.lines = [];
    bot.stderr = '';
    bot.ended = new Promise((resolve) => bot.child.once('close', (code, signal) => resolve({ code, signal })));
    bot.child.stderr.on('data', (data) => { bot.stderr += data; });
    readline.createInterface({ input: bot.child.stdout }).on('line', (line) => bot.lines.push(JSON.parse(line))); // every line is JSON
    processes.add(bot.child);
    await until('the bot is at work', () => bot.said('at work') || bot.child.exitCode !== null);
    return bot;
  }
  said(message, more = {}) { return this.lines.find((line) => line.message === message && Object.entries(more).every(([name, value]) => line[name] === value)); }
  kill(signal = 'SIGKILL') { this.child.kill(signal); return this.ended; }
}

let told = 0;
async function say(from, text, id = `m-${++told}`) {
  const response = await kanal.post('/c/shop/', { from, text, id });
  assert.equal(response.status, 200);
}
const got = async (to) => (await (await fetch(`${kanal.url}/c/shop/outbox?to=${to}`)).json()).messages;
async function track(name, properties, id) {
  const response = await kanal.post('/c/site/v1/track', { userId: '42', event: name, properties, messageId: id }, { authorization: `Basic ${Buffer.from(`${KEY}:`).toString('base64')}` });
  assert.equal(response.status, 200);
}
const accepted = async (to) => (await stored(client, 'KANAL_EVENTS')).filter(({ data }) => data.type === 'message.accepted' && data.data.customer?.address === `echo:${to}`).length;

// ---- The tests ----

test('a rule with a wait, one without, and events that are told twice', async () => {
  const bot = await Process.start(await durable(), rulesFile('PT1S'), scratchDir());
  await say('anna', 'cart', 'same');
  await say('anna', 'cart', 'same');
  await say('anna', 'hello');
  await track('Order Shipped', { who: 'boris/x', order_id: '512' }, 'shipped-1');
  await track('Order Shipped', { who: 'boris/x', order_id: '512' }, 'shipped-1');
  await until('boris hears of it', async () => (await got('boris%2Fx')).length > 0);
  assert.equal((await got('boris%2Fx'))[0].text, 'Order 512 is on its way');
  await until('anna hears of it', async () => (await got('anna')).length > 0);
  assert.deepEqual((await got('anna')).map((message) => message.text), ['echo:anna, your cart']);
  assert.ok(bot.said('waiting', { rule: 'reminder' }) && !JSON.stringify(bot.lines).includes('anna'), 'logs tell of no person');
  const { code } = await bot.kill('SIGTERM');
  assert.equal(code, 0);
  assert.ok(bot.said('ended'));
  assert.equal(await accepted('anna'), 1);
});

test('kill -9 in a wait: it is waited on, and sent once', async () => {
  const [name, file, state] = [await durable(), rulesFile('PT3S'), scratchDir()];
  const bot = await Process.start(name, file, state);
  await say('vera', 'cart');
  await until('it waits', () => bot.said('waiting'));
  await bot.kill();
  assert.equal((await got('vera')).length, 0);
  const again = await Process.start(name, file, state);
  assert.equal(again.said('waits are taken up').waits, 1);
  await until('vera hears of it', async () => (await got('vera')).length > 0);
  await until('it is written down', () => again.said('sent'));
  await again.kill();
  const third = await Process.start(name, file, state);
  assert.equal(third.said('waits are taken up').waits, 0);
  await third.kill('SIGTERM');
  assert.equal(await accepted('vera'), 1);
});

test('kill -9 at any moment of a hundred waits: each is sent once', async () => {
  const [name, file, state] = [await durable(), rulesFile('PT1S'), scratchDir()];
  let bot = await Process.start(name, file, state);
  const people = Array.from({ length: 100 }, (_, i) => `p${i}`);
  for (let i = 0; i < 100; i += 10) await Promise.all(people.slice(i, i + 10).map((who) => say(who, 'cart')));
  for (const pause of [300, 700, 400]) { // in the middle of reading, and of sending
    await sleep(pause);
    await bot.kill();
    bot = await Process.start(name, file, state);
  }
  await until('all have heard', async () => (await Promise.all(people.map(got))).every((messages) => messages.length > 0), 30000);
  await bot.kill('SIGTERM');
  const events = (await stored(client, 'KANAL_EVENTS')).filter(({ data }) => data.type === 'message.accepted').map(({ data }) => data.data.customer.address);
  for (const who of people) {
    assert.equal(events.filter((address) => address === `echo:${who}`).length, 1, who);
    assert.equal((await got(who)).length, 1, who);
  }
});

test('what is sent, and not yet written down when it dies, is not sent a second time', async () => {
  const [name, file, state] = [await durable(), rulesFile('PT1S'), scratchDir()];
  const bot = await Process.start(name, file, state);
  await say('galina', 'cart');
  await until('it is written down', () => bot.said('sent', { rule: 'reminder' }));
  await until('galina hears of it', async () => (await got('galina')).length > 0);
  await bot.kill();
  const journal = path.join(state, 'journal'), lines = readFileSync(journal, 'utf8').split('\n').filter((line) => !line.includes('"op":"end"'));
  writeFileSync(journal, lines.join('\n')); // as if it had died before
  const again = await Process.start(name, file, state);
  assert.equal(again.said('waits are taken up').waits, 1);
  await until('it is sent again', () => again.said('sent'));
  await again.kill('SIGTERM');
  await sleep(300);
  assert.equal((await got('galina')).length, 1);
  assert.equal(await accepted('galina'), 1);
});

test('an unless that comes while it is away', async () => {
  const [name, file, state] = [await durable('4s'), rulesFile('PT1S'), scratchDir()];
  const bot = await Process.start(name, file, state);
  await say('dina', 'cart');
  await say('egor', 'cart');
  await until('both wait', () => bot.lines.filter((line) => line.message === 'waiting').length === 2);
  await bot.kill();
  await say('dina', 'bought');
  const reader = await client.jetstream().consumers.get('KANAL_EVENTS', name); // one who takes it, and dies before it is acknowledged: it comes again later
  await until('it was taken', async () => (await reader.next({ expires: 5000 }))?.json().data.message.content[0].text === 'bought');
  await sleep(1500); // both are due
  const again = await Process.start(name, file, state);
  await until('egor hears of it', async () => (await got('egor')).length > 0);
  assert.ok(again.said('unless', { rule: 'reminder' }));
  await again.kill('SIGTERM');
  assert.equal((await got('dina')).length, 0);
});

test('all events once more, from a new durable: nothing is sent anew', async () => {
  const [name, file, state] = [await durable(), rulesFile('PT0S'), scratchDir()];
  const bot = await Process.start(name, file, state);
  await say('fedor', 'cart');
  await until('fedor hears of it', async () => (await got('fedor')).length > 0);
  await bot.kill('SIGTERM');
  const since = (await stored(client, 'KANAL_EVENTS')).filter(({ data }) => data.type === 'message.accepted').length;
  await run(['consumer', 'remove', name, '--server', nats.url, '--stream', 'events']);
  assert.equal((await run(['consumer', 'add', name, '--server', nats.url, '--filter', 'kanal.events.>', '--since', 'all'])).code, 0);
  const again = await Process.start(name, file, state);
  await until('everything is read', async () => { const info = await (await client.jetstreamManager()).consumers.info('KANAL_EVENTS', name); return info.num_pending === 0 && info.num_ack_pending === 0; }, 20000);
  await again.kill('SIGTERM');
  assert.equal(await accepted('fedor'), 1);
  assert.equal((await got('fedor')).length, 1);
  assert.ok(since > 0);
});

test('a clock that jumps, with a real broker', async () => {
  const name = await durable(), clock = { shift: 0, skip: 0, wall() { return Date.now() + this.shift; }, steady() { return performance.now() + this.skip; } }, said = [];
  const bot = new Bot({ rules: parseRules(RULES('PT1H'), 'r.yaml').rules, connection: await connect({ servers: nats.url }), state: scratchDir(), clock, domain: '',
    durables: [{ stream: 'KANAL_EVENTS', durable: name }], say: (level, message) => said.push(message), failed: (error) => { throw error; } });
  await bot.start();
  await say('inna', 'cart');
  await until('it waits', () => bot.engine.waits.size === 1);
  clock.shift = 5 * 3600e3;
  await until('the jump is noticed', () => said.some((message) => message.startsWith('the clock jumped')));
  await sleep(700);
  assert.equal((await got('inna')).length, 0, 'hurried');
  clock.shift = -5 * 3600e3;
  clock.skip = 3600e3; // the hour has passed
  await until('inna hears of it', async () => (await got('inna')).length > 0);
  await bot.stop();
});

test('a broker that is away for a while', async () => {
  const bot = await Process.start(await durable(), rulesFile('PT1S'), scratchDir());
  await say('jana', 'cart');
  await until('it waits', () => bot.said('waiting'));
  await nats.kill();
  await until('it says so', () => bot.said('broker: disconnect'));
  await sleep(1200);
  await nats.run();
  await kanal.ready(30000);
  await until('jana hears of it', async () => (await got('jana')).length > 0, 30000);
  assert.equal((await bot.kill('SIGTERM')).code, 0);
  assert.equal((await got('jana')).length, 1);
});

test('words, rules and durables that are wrong', async () => {
  const file = rulesFile('PT1S'), state = scratchDir();
  const none = await Process.start('nobody', file, state);
  assert.equal((await none.ended).code, 4);
  assert.match(none.stderr, /^there is no durable nobody of KANAL_EVENTS: `kanal consumer add nobody --filter …` makes it\n$/);
  const usage = await Process.start('nobody', file, state, ['--read', 'KANAL_EVENTS']);
  assert.equal((await usage.ended).code, 2);
  assert.match(usage.stderr, /--read: expected STREAM\/NAME such as KANAL_EVENTS\/bot, found 'KANAL_EVENTS'/);
  writeFileSync(file, RULES('soon'));
  const wrong = await Process.start('nobody', file, state, ['--check']);
  assert.equal((await wrong.ended).code, 3);
  assert.match(wrong.stderr, /rules\.yaml:4:11: rules\[0\]\.wait: expected a duration such as PT1H or 90s, or a mapping with for, until, found "soon"/);
});

test('the account of the README: it reads its durables and sends to its channel, and can do nothing else', async () => {
  const readme = readFileSync(path.join(here, '../README.md'), 'utf8'), text = /```conf\n(accounts \{[\s\S]*?)```/.exec(readme)[1];
  const own = await Nats.start({ more: `jetstream { store_dir: "DATA" }\n${text.replaceAll('SECRET', 's')}` });
  const gateway = await Kanal.start(own, CHANNELS, { broker: { user: 'kanal', password: 's' } });
  const before = kanal;
  try {
    kanal = gateway;
    for (const filter of ['kanal.events.>', 'kanal.activity.>']) {
      const { code, stderr } = await run(['consumer', 'add', 'bot', '--server', own.url, '--user', 'kanal', '--filter', filter], { env: { KANAL_PASSWORD: 's' } });
      assert.equal(code, 0, stderr);
    }
    const connection = await connect({ servers: own.url, user: 'bot', pass: 's', inboxPrefix: '_INBOX_bot' });
    const bot = new Bot({ rules: parseRules(RULES('PT1S'), 'r.yaml').rules, connection, state: scratchDir(), domain: 'KANAL', say: () => {}, failed: (error) => { throw error; },
      durables: [{ stream: 'KANAL_EVENTS', durable: 'bot' }, { stream: 'KANAL_ACTIVITY', durable: 'bot' }] });
    await bot.start();
    await say('kira', 'cart');
    await track('Order Shipped', { who: 'lev', order_id: '7' }, 'shipped-7');
    await until('both hear of it', async () => (await got('kira')).length === 1 && (await got('lev')).length === 1);
    const refused = [];
    (async () => { for await (const status of connection.status()) if (status.type === 'error') refused.push(status.permissionContext?.subject); })();
    const elsewhere = ['$JS.KANAL.API.STREAM.PURGE.KANAL_EVENTS', '$JS.API.STREAM.LIST', '$KV.kanal_links.x', 'kanal.api.customer-forget', 'kanal.commands.shop-mail.message.send', 'kanal.events.x.y.message.received.a_1'];
    for (const subject of elsewhere) connection.publish(subject, '{}');
    await connection.flush();
    await until('each was refused', () => elsewhere.every((subject) => refused.includes(subject)));
    await bot.stop();
  } finally {
    kanal = before;
    await gateway.stop();
    await stop(own.child);
  }
});
