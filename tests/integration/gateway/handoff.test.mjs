// Hand-off links: made, followed once, attacked; two gateways, one broker, kills.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Nats, checkContract, json, root, run, scratchDir, sleep, stored, until } from './harness.mjs';
import { probe, raw, startKanal } from './probe.mjs';

const SALT = 'a salt for tests only';
let nats, one, two, client, handoffs;
const channels = [
  probe('shop', { settings: { link: 'https://t.me/shopbot?start={ref}' } }),
  probe('phone', { settings: { link: 'https://wa.me/79161234567?text={text}' } }),
  probe('bare'),
];
const directories = [scratchDir(), scratchDir()];
const gateway = (index) => startKanal(nats, channels, { data_dir: directories[index] });

before(async () => {
  nats = await Nats.start();
  [one, two] = [await gateway(0), await gateway(1)];
  client = await nats.client();
  handoffs = await client.jetstream().views.kv('kanal_handoffs');
  await until('the API answers', async () => (await client.request('$SRV.PING.kanal', '', { timeout: 500 })).data.length > 0);
});

after(async () => {
  await client?.close();
  await one?.stop();
  await two?.stop();
  await nats?.kill('SIGTERM');
});

let number = 0;
const ask = async (command) => json.decode((await client.request('kanal.api.link-create', json.encode({ id: `l-${++number}`, channel: 'shop', ...command }), { timeout: 10000 })).data);
const refused = async (command) => (await ask(command)).error;
const make = async (command) => { const answer = await ask(command); assert.equal(answer.error, undefined, JSON.stringify(answer)); return answer; };

// What the channel reports of somebody who came by a link: two events of one update, as Telegram's.
const arrival = (who, payload, { at = Date.now(), more = {} } = {}) => [
  { type: 'conversation.started', dedupe: `${who}-${at}:started`, address: who, chat: who, time_ms: at, data: JSON.stringify({ referral: { payload, kind: 'link', source: 'start' }, ...more }) },
  { type: 'message.received', dedupe: `${who}-${at}`, external_id: `${who}-${at}`, address: who, chat: who, time_ms: at,
    data: JSON.stringify({ message: { content: [{ type: 'text', text: `/start ${payload}` }] }, referral: { payload, kind: 'link', source: 'start' } }) },
];
const says = (who, text, more = {}, at = Date.now()) => [{ type: 'message.received', dedupe: `${who}-${at}`, external_id: `${who}-${at}`, address: who, time_ms: at,
  data: JSON.stringify({ message: { content: [{ type: 'text', text }], ...more } }) }];
async function publish(batch, channel = 'shop', kanal = one) {
  const response = await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [batch] }, channel);
  assert.equal(response.status, 200, await response.text());
}

const all = async () => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data);
const ours = (event) => event.type === 'conversation.started' && event.data.referral?.link;
const startedBy = async (link) => (await all()).filter((event) => ours(event) === link.id);
const refusalsOf = async (who) => (await all()).filter((event) => event.type === 'link.refused' && event.data.customer.address === who);
const linksOf = async (link) => (await all()).filter((event) => event.type === 'identity.linked' && event.data.link.evidence.link === link.id);
const one_ = (list) => { assert.equal(list.length, 1, JSON.stringify(list, null, 1)); return list[0]; };
// Everything that was stored so far has been told to the projections.
async function settled() {
  await until('the projector has nothing left', async () => {
    const { num_pending: pending, num_ack_pending: told } = await (await client.jetstreamManager()).consumers.info('KANAL_EVENTS', 'kanal-projector');
    return pending === 0 && told === 0;
  }, 20000);
}
async function customerOf(who, channel = 'phone') {
  await publish(says(who, 'hello'), channel);
  return (await all()).findLast((event) => event.data.customer?.address === who).data.customer;
}
const isRefused = async (who, reason) => {
  const event = one_(await until(`${who} is refused`, async () => { const list = await refusalsOf(who); return list.length > 0 && list; }, 20000));
  assert.equal(event.data.refusal.reason, reason);
  return event;
};

// The reference as docs/handoff.md describes it, made without Kanal.
const base32 = (bytes) => {
  let bits = 0, have = 0, text = '';
  for (const byte of bytes) {
    for (bits = (bits << 8) | byte, have += 8; have >= 5; bits &= (1 << have) - 1) text += 'abcdefghijklmnopqrstuvwxyz234567'[bits >> (have -= 5)];
  }
  return text + 'abcdefghijklmnopqrstuvwxyz234567'[(bits << (5 - have)) & 31];
};
const mac = (salt, purpose, text) => base32(createHmac('sha256', createHash('sha256').update(`kanal url\0${salt}`).digest()).update(`${purpose}\0${text}`).digest().subarray(0, 16));
const signed = (id, salt) => id + mac(salt, 'handoff', id);

async function strictly(definition, value) {
  const file = path.join(scratchDir(), 'x.json');
  writeFileSync(file, JSON.stringify(value));
  execFileSync(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', definition, '-q', file], { stdio: 'pipe' });
}

test('a link: its form, its state, and the same command again', async () => {
  const before = Date.now();
  const link = await make({ id: 'crm-1', context: { cart: 'k1' } });
  await strictly('api.link-create.reply', await make({ qr: 'png' }));
  assert.match(link.payload, /^k_[a-z2-7]{52}$/);
  assert.equal(link.payload, signed(link.id, SALT));
  assert.equal(link.url, `https://t.me/shopbot?start=${link.payload}`);
  const days = (Date.parse(link.expires) - before) / 86400000;
  assert.ok(days >= 7 && days < 7.01, link.expires);
  await sleep(5);
  assert.deepEqual(await make({ id: 'crm-1', context: { cart: 'k1' } }), link, 'asked again');
  assert.deepEqual((await make({ id: 'crm-1', context: { cart: 'k1' }, qr: 'svg' })).url, link.url, 'a picture is no other link');
  assert.equal((await refused({ id: 'crm-1', context: { cart: 'k2' } })).code, 'duplicate_id');
  const text = await make({ channel: 'phone', text: 'Мой заказ & счёт' });
  assert.equal(new URL(text.url).searchParams.get('text'), `Мой заказ & счёт ${text.payload}`);
});

test('what is no link is refused, with the reason', async () => {
  const codes = [
    [{ channel: 'nobody' }, 'channel_unknown', /no channel of that id/],
    [{ channel: 'bare' }, 'unsupported_verb', /no link leads to channel bare/],
    [{ channel: undefined }, 'invalid_request', /contract/],
    [{ single_use: false, customer: `c_${'a'.repeat(26)}` }, 'invalid_request', /works once/],
    [{ conversation: `v_${'a'.repeat(26)}` }, 'invalid_request', /customer, too/],
    [{ expires: '2020-01-01T00:00:00Z' }, 'expired', /past/],
    [{ expires: new Date(Date.now() + 91 * 86400000).toISOString() }, 'invalid_request', /retention.handoffs/],
    [{ context: { big: 'x'.repeat(17000) } }, 'payload_too_large', /16 KiB/],
    [{ channel: 'phone', text: 'я'.repeat(512), qr: 'png' }, 'payload_too_large', /shorten `text`/],
    [{ customer: 'anna' }, 'invalid_request', /contract/],
  ];
  for (const [command, code, words] of codes) {
    const error = await refused(command);
    assert.equal(error?.code, code, JSON.stringify([command, error]));
    assert.match(error.detail, words);
  }
});

// Each row of the path's runs, as pixels.
function rasterise(svg) {
  const side = Number(/viewBox="0 0 (\d+)/.exec(svg)[1]), scale = 4;
  const rows = Array.from({ length: side }, () => new Uint8Array(side));
  for (const [, x, y, length] of svg.split('#000')[1].matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) rows[y].fill(1, Number(x), Number(x) + Number(length));
  const pixels = rows.flatMap((row) => Array(scale).fill([...row].flatMap((dark) => Array(scale).fill(dark ? 0 : 255)))).flat();
  return Buffer.concat([Buffer.from(`P5 ${side * scale} ${side * scale} 255\n`), Buffer.from(pixels)]);
}
const scan = (file) => execFileSync('zbarimg', ['--nodbus', '--raw', '-q', '--oneshot', '-Sdisable', '-Sqrcode.enable', file], { encoding: 'utf8' }).trim();

test('QR codes, read by somebody else', async (context) => {
  try { execFileSync('zbarimg', ['--version'], { stdio: 'pipe' }); } catch { return context.skip('no zbarimg (zbar-tools)'); }
  const directory = scratchDir();
  for (const command of [{}, { channel: 'phone', text: 'Здравствуйте!' }]) {
    for (const [qr, mime] of [['png', 'image/png'], ['svg', 'image/svg+xml']]) {
      const link = await make({ ...command, qr });
      assert.equal(link.qr.mime, mime);
      const bytes = Buffer.from(link.qr.data, 'base64'), file = path.join(directory, qr === 'png' ? 'code.png' : 'code.pgm');
      writeFileSync(file, qr === 'png' ? bytes : rasterise(bytes.toString()));
      assert.equal(scan(file), link.url);
    }
  }
  for (const name of ['till.png', 'till.svg']) {
    const file = path.join(directory, name);
    const { code, stdout, stderr } = await run(['link', 'create', '-s', nats.url, '--context', 'till=7', '--reusable', '--qr', file, 'shop']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^https:\/\/t.me\/shopbot\?start=k_[a-z2-7]{52}\n$/);
    if (name.endsWith('.svg')) writeFileSync(`${file}.pgm`, rasterise(readFileSync(file, 'utf8')));
    assert.equal(scan(name.endsWith('.svg') ? `${file}.pgm` : file), stdout.trim());
  }
});

test('kanal link: wrong words', async () => {
  for (const [args, words] of [[[], /action is missing/], [['make'], /unknown action 'make'/], [['create'], /CHANNEL is missing/], [['create', 'shop', 'x'], /unexpected argument 'x'/],
    [['create', '--context', 'cart', 'shop'], /KEY=VALUE/], [['create', '--context', '{"a":', 'shop'], /no JSON object/], [['create', '--qr', 'x.gif', 'shop'], /\.svg or \.png/], [['create', '--expires', 'soon', 'shop'], /duration such as 7d/]]) {
    const { code, stderr } = await run(['link', ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, words);
  }
  const { code, stderr } = await run(['link', 'create', '-s', nats.url, 'nobody']);
  assert.equal(code, 1);
  assert.match(stderr, /no channel of that id/);
});

test('who follows it is the same person; the context comes along, once', async () => {
  const anna = await customerOf('tel:+79160000001');
  const link = await make({ customer: anna.id, conversation: `v_${'b'.repeat(26)}`, context: { cart: 'k1', ref: 'probe:x' }, reference: 'order-5' });
  await publish(arrival('probe:anna', link.payload));
  const event = one_(await until('the conversation has started', async () => { const list = await startedBy(link); return list.length > 0 && list; }, 20000));
  assert.deepEqual(event.data.context, { cart: 'k1', ref: 'probe:x' });
  assert.deepEqual(event.data.referral, { payload: link.payload, kind: 'link', source: 'start', link: link.id });
  assert.deepEqual(event.data.conversation, { id: `v_${'b'.repeat(26)}`, state: 'open', reference: 'order-5' });
  assert.equal(event.data.customer.address, 'probe:anna');
  const linked = one_(await linksOf(link));
  assert.deepEqual(linked.data.link.nodes.toSorted(), [anna.node, event.data.customer.node].toSorted());
  assert.deepEqual([linked.data.link.strength, linked.data.link.evidence.kind, linked.data.link.evidence.channel], ['verified', 'handoff', 'shop']);
  assert.equal((await customerOf('probe:anna', 'shop')).id, (await customerOf('tel:+79160000001')).id, 'one customer');
  assert.equal(event.data.customer.id, linked.data.customer.id);
  await settled();
  assert.equal((await startedBy(link)).length, 1, "the second event of the update is the same arrival's");
  assert.deepEqual(await refusalsOf('probe:anna'), []);
});

test('in a text, and in the subject of a mail', async () => {
  const boris = await customerOf('probe:boris', 'shop');
  const text = await make({ channel: 'phone', customer: boris.id, text: 'Здравствуйте!' });
  await publish(says('tel:+79160000002', `Здравствуйте! ${text.payload}`), 'phone');
  const subject = await make({ channel: 'phone', context: { bill: 7 } });
  await publish(says('mailto:c@example.com', 'see above', { subject: `Re: [${subject.payload}]` }), 'phone');
  await settled();
  assert.equal(one_(await startedBy(text)).data.customer.address, 'tel:+79160000002');
  assert.equal(one_(await linksOf(text)).data.link.evidence.kind, 'handoff');
  assert.deepEqual(one_(await startedBy(subject)).data.context, { bill: 7 });
});

test('nothing but an event: forged, cut, lengthened, of another installation, for another channel, expired, no longer kept', async () => {
  const victim = await customerOf('tel:+79160000003');
  const link = await make({ customer: victim.id, context: { secret: 1 } });
  const other = await make({ customer: victim.id });
  const late = await make({ customer: victim.id, expires: new Date(Date.now() + 1500).toISOString() });
  const gone = await make({ customer: victim.id });
  await handoffs.delete(gone.id);
  await sleep(1600);
  const before = (await all()).length;
  const attacks = [
    ['forged', `${link.payload.slice(0, -2)}${link.payload.at(-2) === 'a' ? 'b' : 'a'}${link.payload.at(-1)}`],
    ['forged', link.id + other.payload.slice(28)],
    ['forged', signed(link.id, 'the salt of another installation')],
    ['malformed', link.payload.slice(0, -1)],
    ['malformed', link.id],
    ['malformed', `${link.payload}a`],
    ['malformed', link.payload.toUpperCase().replace('K_', 'k_')],
    ['expired', late.payload],
    ['unknown', gone.payload],
  ];
  for (const [index, [, payload]] of attacks.entries()) await publish(arrival(`probe:mallory${index}`, payload));
  await publish(arrival('probe:mallory-w', link.payload), 'phone');
  await publish(says('probe:mallory-g', link.payload, {}, Date.now()).map((event) => ({ ...event, chat: 'g1', data: JSON.stringify({ chat: { kind: 'group' }, message: { content: [{ type: 'text', text: link.payload }] } }) })), 'shop');
  await publish(says('probe:mallory-f', link.payload, { forwarded: {} }));
  await settled();
  for (const [index, [reason, payload]] of attacks.entries()) {
    const { data } = await isRefused(`probe:mallory${index}`, reason);
    assert.equal(data.refusal.payload, payload);
  }
  assert.equal((await isRefused('probe:mallory-w', 'wrong_channel')).data.refusal.link, link.id);
  const said = (await all()).slice(before);
  assert.deepEqual(said.filter(ours), [], 'nobody arrived');
  assert.deepEqual(said.filter((event) => event.type.startsWith('identity.')), [], 'nobody was linked');
  assert.equal(JSON.stringify(said).includes('secret'), false, 'nobody was told the context');
  await publish(arrival('probe:victim', link.payload)); // it still works for whom it was made
  await settled();
  one_(await startedBy(link));
});

test('twenty people follow one link at once, by two gateways: one of them arrives, and is linked', async () => {
  const owner = await customerOf('tel:+79160000004');
  const link = await make({ customer: owner.id, context: { prize: 1 } });
  const people = Array.from({ length: 20 }, (_, index) => `visitor:crowd${index}`); // browsers: nothing says that they are not one person
  const batch = (half) => people.filter((_, index) => index % 2 === half).flatMap((who) => arrival(who, link.payload));
  await Promise.all([publish(batch(0), 'shop', one), publish(batch(1), 'shop', two)]); // in one batch of the projector, so at once
  await settled();
  const winner = one_(await startedBy(link)).data.customer.address;
  assert.ok(one_(await linksOf(link)).data.link.addresses.includes(winner));
  for (const who of people) who === winner ? assert.deepEqual(await refusalsOf(who), []) : await isRefused(who, 'used');
  await publish(arrival(winner, link.payload, { at: Date.now() - 60000 })); // the same person, at another time
  await settled();
  await isRefused(winner, 'used');
  assert.equal((await startedBy(link)).length, 1);
});

test('a poster: everybody arrives, nobody is linked', async () => {
  const link = await make({ single_use: false, context: { poster: 'station' } });
  for (const who of ['probe:p1', 'probe:p2']) await publish(arrival(who, link.payload));
  await settled();
  assert.deepEqual((await startedBy(link)).map((event) => event.data.customer.address), ['probe:p1', 'probe:p2']);
  assert.deepEqual(await linksOf(link), []);
});

test('a forwarded link: who is known to be somebody else is not told the context', async () => {
  const vera = await customerOf('tel:+79160000005');
  const link = await make({ channel: 'phone', customer: vera.id, context: { cart: 'of-vera' } });
  await publish(arrival('tel:+79160000006', link.payload), 'phone');
  await settled();
  await isRefused('tel:+79160000006', 'conflict');
  assert.deepEqual(await startedBy(link), []);
  assert.deepEqual(await linksOf(link), []);
  assert.notEqual((await customerOf('tel:+79160000006')).id, (await customerOf('tel:+79160000005')).id);
});

test('as a command: made, told by the API with the same id; a wrong one is a dead letter', async () => {
  const command = { id: 'crm-77', channel: 'shop', context: { a: 1 } };
  await client.jetstream().publish('kanal.commands.shop.link.create', json.encode(command));
  const link = `k_${mac(SALT, 'handoff id', 'crm-77')}`;
  await until('it is made', async () => json.decode((await handoffs.get(link)).value).command === 'crm-77');
  assert.equal((await make(command)).id, link);
  for (const [subject, wrong, code] of [['any', { id: 'crm-78', channel: 'bare' }, 'unsupported_verb'], ['phone', { id: 'crm-79', channel: 'shop' }, 'invalid_command'],
    ['shop', { id: 'crm-77', channel: 'shop', context: { a: 2 } }, 'duplicate_id'], ['shop', { id: 'crm-80', channel: 'shop', qr: 'gif' }, 'invalid_command']]) {
    await client.jetstream().publish(`kanal.commands.${subject}.link.create`, json.encode(wrong));
    await until(`${code} of ${wrong.id}`, async () => (await stored(client, 'KANAL_DEAD')).some(({ data }) => data.command_id === wrong.id && data.error.code === code));
  }
  await until('each command is acknowledged', async () => (await (await client.jetstreamManager()).streams.info('KANAL_COMMANDS')).state.messages === 0);
});

test('kill -9 of the projector at any moment: one start, one link, no refusal', { timeout: 240000 }, async () => {
  for (const wait of [0, 3, 10, 30]) {
    const mother = await customerOf(`tel:+791600001${String(wait).padStart(2, '0')}`);
    const link = await make({ customer: mother.id });
    const who = `probe:kill${wait}`;
    const holds = (await one.metric(/^kanal_projector_held /)) ? one : two;
    await publish(arrival(who, link.payload), 'shop', holds === one ? two : one);
    await sleep(wait);
    await holds.stop('SIGKILL');
    if (holds === one) one = await gateway(0);
    else two = await gateway(1);
    await until(`${who} arrives`, async () => (await startedBy(link)).length > 0, 40000);
    await settled();
    one_(await startedBy(link));
    one_(await linksOf(link));
    assert.deepEqual(await refusalsOf(who), []);
  }
});

test('everything told again, as if killed between taking and saying: nothing new', { timeout: 60000 }, async () => {
  const said = async () => (await all()).filter((event) => ours(event) || event.type === 'link.refused' || event.type.startsWith('identity.')).map((event) => `${event.type} ${event.id}`).toSorted();
  const before = await said(), profiles = await client.jetstream().views.kv('kanal_profiles');
  assert.ok(before.length > 40);
  await one.stop('SIGKILL');
  await two.stop('SIGKILL');
  for await (const key of await handoffs.keys()) {
    const record = json.decode((await handoffs.get(key)).value);
    if (record.used) await handoffs.put(key, json.encode({ ...record, used: { ...record.used, state: 'taken' } }));
  }
  const position = json.decode((await profiles.get('_position')).value);
  await profiles.put('_position', json.encode({ ...position, at: [0, position.at[1]] }));
  [one, two] = [await gateway(0), await gateway(1)];
  const last = (await (await client.jetstreamManager()).streams.info('KANAL_EVENTS')).state.last_seq;
  await until('all is told again', async () => json.decode((await profiles.get('_position')).value).at[0] >= last, 40000);
  assert.deepEqual(await said(), before);
});

test('what was said keeps the contract', async () => { assert.ok((await checkContract(client)) > 50); });
