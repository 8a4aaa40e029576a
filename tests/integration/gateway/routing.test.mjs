// A message to a customer: which channel it takes, what follows when that fails or is not heard of, whoever dies meanwhile.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Nats, checkContract, json, run, sleep, stored, storedTypes, until } from './harness.mjs';
import { call, message, probe, raw, startKanal } from './probe.mjs';

let nats, kanal, client, js;
const channels = () => [probe('a'), probe('b'), probe('c')];
const more = { top: { routing: { timezone: 'Asia/Kathmandu', require_consent: ['newsletter'] } } };

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, channels(), more);
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
});

const publish = async (channel, ...events) => assert.equal((await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [events] }, channel)).status, 200);
let said = 0;
// They write on these channels, in that order; the id that they have from then on.
async function customer(name, ...on) {
  for (const channel of on) await publish(channel, message(`${name}-${channel}-${++said}`, 'hello', { address: `probe:${name}` }));
  const event = await until(`${name} wrote`, async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.received.*')).findLast((e) => e.data.data.customer.address === `probe:${name}`));
  await projected();
  return event.data.data.customer;
}
// Everything stored is in the profiles.
const projected = () => until('the projector has caught up', async () => {
  const position = await (await js.views.kv('kanal_profiles')).get('_position');
  return position && json.decode(position.value).at[0] >= (await (await client.jetstreamManager()).streams.info('KANAL_EVENTS')).state.last_seq;
}, 15000);

const command = (id, to, more = {}) => ({ id, to, content: [{ type: 'text', text: 'your order' }], ...more });
const send = (id, to, more = {}, subject = 'kanal.commands.any.message.send') => js.publish(subject, json.encode(command(id, to, more)));
const steps = (...list) => ({ route: { steps: list } });
const on = (channel, text) => ({ channel, content: [{ type: 'text', text }] }); // a variant
const eventsOf = async (id) => (await stored(client, 'KANAL_EVENTS')).map((e) => e.data).filter((e) => e.data.message?.id === id);
const told = (id, type, ms) => until(`${type} of ${id}`, async () => (await eventsOf(id)).find((e) => e.type === type), ms);
const story = async (id) => (await eventsOf(id)).map((e) => `${e.type.split('.')[1]}@${e.data.channel.id}${e.data.attempt?.step ?? ''}`);
const deadOf = async (id) => (await stored(client, 'KANAL_DEAD')).filter((letter) => letter.data.command_id === id);
async function ask(endpoint, body) {
  return json.decode((await client.request(`kanal.api.${endpoint}`, json.encode(body), { timeout: 10000 })).data);
}
const receipt = (channel, type, externalId, data = {}) => publish(channel, { type, dedupe: `${externalId}-${type}`, external_id: externalId, data: JSON.stringify(data) });

test('to a customer: where they wrote last', async () => {
  const anna = await customer('anna', 'a', 'b');
  await send('last-1', { customer: anna.id });
  const sent = await told('last-1', 'message.sent');
  assert.equal(sent.data.channel.id, 'b');
  assert.equal(sent.data.attempt.step, 1);
  assert.equal(sent.data.customer.address, 'probe:anna');
  const accepted = (await eventsOf('last-1'))[0];
  assert.deepEqual([accepted.type, accepted.data.to, accepted.data.channel.id], ['message.accepted', { customer: anna.id }, 'b']);
});

test('the command says which it prefers, and which it does not want', async () => {
  const { id } = await customer('boris', 'a', 'b', 'c');
  await send('prefer-1', { customer: id }, { route: { prefer: ['a'] } });
  assert.equal((await told('prefer-1', 'message.sent')).data.channel.id, 'a');
  await send('prefer-2', { customer: id }, { route: { exclude: ['c'] } });
  assert.equal((await told('prefer-2', 'message.sent')).data.channel.id, 'b');
});

test('a step fails: the next one is taken at once, and nothing is failed', async () => {
  const { id } = await customer('clara', 'a', 'b');
  await send('fail-1', { customer: id }, { ...steps({ channel: 'a' }, { channel: 'b' }), variants: [on('a', 'blocked')], reference: 'order-1' });
  await told('fail-1', 'message.sent');
  assert.deepEqual(await story('fail-1'), ['accepted@a', 'rerouted@b2', 'sent@b2']);
  const rerouted = await told('fail-1', 'message.rerouted');
  assert.deepEqual(rerouted.data.rerouted, { from: 'a', to: 'b', step: 2, reason: 'failed', error: { code: 'recipient_blocked', scope: 'recipient', provider_code: '131026' } });
  assert.equal(rerouted.data.message.reference, 'order-1');
  assert.deepEqual(await deadOf('fail-1'), []);
  const { message: state } = await ask('message-get', { id: 'fail-1' });
  assert.equal(state.state, 'sent');
  assert.equal(state.channel, 'b');
  assert.equal(state.step, 2);
  assert.deepEqual(state.steps.map((s) => [s.step, s.channel, s.state, s.reason, s.error?.code]), [[1, 'a', 'failed', undefined, 'recipient_blocked'], [2, 'b', 'sent', 'failed', undefined]]);
});

test('every step fails: failed once, with what the last one said', async () => {
  const { id } = await customer('dora', 'a', 'b', 'c');
  await send('fail-2', { customer: id }, { content: [{ type: 'text', text: 'blocked' }] });
  const failed = await told('fail-2', 'message.failed');
  assert.deepEqual(await story('fail-2'), ['accepted@c', 'rerouted@b2', 'rerouted@a3', 'failed@a3']);
  assert.equal(failed.data.error.code, 'recipient_blocked');
  const letters = await deadOf('fail-2');
  assert.equal(letters.length, 1);
  assert.deepEqual(letters[0].data.command.to, { customer: id });
  assert.equal((await ask('message-get', { id: 'fail-2' })).message.state, 'failed');
});

test('no receipt in time: the next step; a late receipt is recorded, and changes nothing', async () => {
  const { id } = await customer('egor', 'a', 'b');
  await send('wait-1', { customer: id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT2S', unless: 'delivered' }));
  const first = await told('wait-1', 'message.sent');
  assert.equal(first.data.channel.id, 'a');
  const rerouted = await told('wait-1', 'message.rerouted');
  assert.equal(rerouted.data.rerouted.reason, 'not_delivered');
  assert.ok(Date.parse(rerouted.time) - Date.parse(first.time) >= 1500, 'not before its time');
  await until('sent by b', async () => (await story('wait-1')).includes('sent@b2'));
  await receipt('a', 'message.delivered', first.data.message.external_id);
  const late = await told('wait-1', 'message.delivered');
  assert.deepEqual(late.data.attempt, { step: 1, abandoned: true });
  const { message: state } = await ask('message-get', { id: 'wait-1' });
  assert.deepEqual([state.state, state.channel], ['sent', 'b']);
  assert.deepEqual(state.steps.map((s) => s.state), ['delivered', 'sent']);
});

test('a receipt in time: nothing follows', async () => {
  const { id } = await customer('fanny', 'a', 'b');
  await send('wait-2', { customer: id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT2S', unless: 'delivered' }));
  const first = await told('wait-2', 'message.sent');
  await receipt('a', 'message.delivered', first.data.message.external_id);
  assert.deepEqual((await told('wait-2', 'message.delivered')).data.attempt, { step: 1 });
  await until('the time is over', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 0);
  assert.deepEqual(await story('wait-2'), ['accepted@a', 'sent@a1', 'delivered@a1']);
});

test('a receipt says that it did not arrive: the next step, and no message.failed', async () => {
  const { id } = await customer('greta', 'a', 'b');
  await send('wait-3', { customer: id }, steps({ channel: 'a' }, { channel: 'b' }));
  const first = await told('wait-3', 'message.sent');
  await receipt('a', 'message.failed', first.data.message.external_id, { error: { code: 'recipient_unknown', scope: 'recipient' } });
  await until('sent by b', async () => (await story('wait-3')).includes('sent@b2'));
  assert.deepEqual(await story('wait-3'), ['accepted@a', 'sent@a1', 'rerouted@b2', 'sent@b2']);
});

test('kill -9 between the steps: the next one is taken once', async () => {
  const { id } = await customer('hugo', 'a', 'b');
  await send('kill-1', { customer: id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT3S', unless: 'delivered' }));
  await told('kill-1', 'message.sent');
  await kanal.stop('SIGKILL');
  await sleep(3500);
  await kanal.run();
  await until('sent by b', async () => (await story('kill-1')).includes('sent@b2'), 20000);
  await sleep(500);
  assert.deepEqual(await story('kill-1'), ['accepted@a', 'sent@a1', 'rerouted@b2', 'sent@b2']);
});

test('called back: what was sent stays, and no further step is taken', async () => {
  const { id } = await customer('ida', 'a', 'b');
  await send('cancel-1', { customer: id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT2S', unless: 'delivered' }));
  await told('cancel-1', 'message.sent');
  const { error } = await ask('message-cancel', { id: 'cancel-1' });
  assert.equal(error.code, 'conflict');
  assert.match(error.detail, /no further step/);
  await until('the route has ended', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 0);
  assert.deepEqual(await story('cancel-1'), ['accepted@a', 'sent@a1']);
});

test('it expires before its next step', async () => {
  const { id } = await customer('jan', 'a', 'b');
  await send('expire-1', { customer: id }, { ...steps({ channel: 'a' }, { channel: 'b', after: 'PT2S', unless: 'delivered' }), expires: new Date(Date.now() + 1500).toISOString() });
  await told('expire-1', 'message.sent');
  await until('the route has ended', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 0);
  assert.deepEqual(await story('expire-1'), ['accepted@a', 'sent@a1']);
});

test('a channel that is paused: passed over, if there is another; else the message waits for it', async () => {
  const { id } = await customer('karl', 'a', 'b');
  await ask('channel-pause', { id: 'b', directions: ['out'] });
  try {
    await send('pause-1', { customer: id });
    assert.equal((await told('pause-1', 'message.sent')).data.channel.id, 'a');
    await send('pause-2', { customer: id }, steps({ channel: 'b' }));
    await told('pause-2', 'message.accepted');
    await send('pause-3', { customer: id }, steps({ channel: 'b' }, { channel: 'a' }));
    assert.equal((await told('pause-3', 'message.sent')).data.channel.id, 'a');
    assert.deepEqual(await story('pause-2'), ['accepted@b']);
  } finally {
    await ask('channel-resume', { id: 'b' });
  }
  assert.equal((await told('pause-2', 'message.sent')).data.channel.id, 'b');
});

test('the same id twice is one message', async () => {
  const { id } = await customer('lena', 'a');
  await send('twice-1', { customer: id });
  await told('twice-1', 'message.sent');
  await send('twice-1', { customer: id }, { route: { prefer: ['b'] } });
  await sleep(300);
  assert.deepEqual(await story('twice-1'), ['accepted@a', 'sent@a1']);
});

test('messages to one customer keep their order', async () => {
  const { id } = await customer('mila', 'a');
  const ids = Array.from({ length: 30 }, (_, i) => `order-${i}`);
  for (const one of ids) send(one, { customer: id });
  await until('all are sent', async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.message.sent.*')).filter((e) => ids.includes(e.data.data.message.id)).length === 30);
  const sent = (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.message.sent.*')).map((e) => e.data.data.message.id).filter((one) => ids.includes(one));
  assert.deepEqual(sent, ids);
});

test('nobody is known by that id, nothing reaches them, or the conversation is not there', async () => {
  const nobody = `c_${'b'.repeat(26)}`;
  await send('nobody-1', { customer: nobody });
  assert.equal((await told('nobody-1', 'message.failed')).data.error.code, 'customer_unknown');
  assert.equal((await deadOf('nobody-1')).length, 1);
  assert.equal((await ask('message-get', { id: 'nobody-1' })).message.state, 'failed');
  const { error } = await ask('message-send', command('nobody-2', { customer: nobody }));
  assert.equal(error.code, 'customer_unknown');
  await send('nobody-3', { conversation: `v_${'b'.repeat(26)}` });
  assert.equal((await told('nobody-3', 'message.failed')).data.error.code, 'conversation_unknown');
  const { id } = await customer('nora', 'a');
  await send('nobody-4', { customer: id }, { route: { exclude: ['a'] } });
  assert.equal((await told('nobody-4', 'message.failed')).data.error.code, 'customer_unknown');
  await send('nobody-5', { customer: id }, steps({ channel: 'nosuch' }));
  assert.equal((await told('nobody-5', 'message.failed')).data.error.code, 'channel_unknown');
});

test("a command under a channel's own subject stays on that channel", async () => {
  const { id } = await customer('olga', 'a', 'b');
  await send('own-1', { customer: id }, {}, 'kanal.commands.a.message.send');
  assert.equal((await told('own-1', 'message.sent')).data.channel.id, 'a');
  await send('own-2', { customer: id }, steps({ channel: 'b' }), 'kanal.commands.a.message.send');
  assert.equal((await told('own-2', 'message.failed')).data.error.code, 'denied');
  await send('own-3', { customer: id }, { content: [{ type: 'text', text: 'blocked' }] }, 'kanal.commands.a.message.send');
  await told('own-3', 'message.failed');
  assert.deepEqual(await story('own-3'), ['accepted@a', 'failed@a1'], 'it does not go on elsewhere');
});

test('to an address with a route: other channels, the same address', async () => {
  await send('address-1', { address: 'tel:+491700000001' }, { ...steps({ channel: 'a' }, { channel: 'b' }), variants: [on('a', 'blocked')] });
  await until('sent by b', async () => (await story('address-1')).includes('sent@b2'));
  assert.equal((await told('address-1', 'message.sent')).data.customer.address, 'tel:+491700000001');
});

test('STOP on a channel: consent is withdrawn there; what needs it goes elsewhere, or is refused; START gives it again', async () => {
  const { id } = await customer('petra', 'b', 'a');
  await publish('a', message('petra-stop', ' Стоп! ', { address: 'probe:petra' }));
  const withdrawn = await until('consent.withdrawn', async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.consent.withdrawn.*')).find((e) => e.data.data.customer.address === 'probe:petra')?.data);
  assert.deepEqual([withdrawn.data.consent, withdrawn.data.reason], [[{ given: false, channel: 'a' }], 'stop_word']);
  await projected();
  const marketing = { purpose: 'marketing' };
  await send('stop-1', { customer: id }, marketing);
  assert.equal((await told('stop-1', 'message.sent')).data.channel.id, 'b');
  await send('stop-2', { address: 'probe:petra' }, marketing, 'kanal.commands.a.message.send');
  assert.equal((await told('stop-2', 'message.failed')).data.error.code, 'opted_out');
  const { error } = await ask('message-send', command('stop-3', { customer: id }, { ...marketing, ...steps({ channel: 'a' }) }));
  assert.equal(error.code, 'opted_out');
  await send('stop-4', { customer: id }, { purpose: 'transactional', ...steps({ channel: 'a' }) });
  assert.equal((await told('stop-4', 'message.sent')).data.channel.id, 'a');
  await publish('a', message('petra-start', 'start', { address: 'probe:petra' }));
  await until('consent.given', async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.consent.given.*')).length > 0);
  await projected();
  await send('stop-5', { address: 'probe:petra' }, marketing, 'kanal.commands.a.message.send');
  await told('stop-5', 'message.sent');
  assert.equal((await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.consent.withdrawn.*')).filter((e) => e.data.data.customer.address === 'probe:petra').length, 1);
});

test('a purpose that needs a consent: none was given, then one is', async () => {
  const { id, node } = await customer('quirin', 'a');
  await send('consent-1', { customer: id }, { purpose: 'newsletter' });
  assert.equal((await told('consent-1', 'message.failed')).data.error.code, 'consent_missing');
  await publish('a', { type: 'consent.given', dedupe: 'quirin-yes', address: 'probe:quirin', data: JSON.stringify({ consent: [{ purpose: 'newsletter', given: true }], reason: 'message' }) });
  await projected();
  await send('consent-2', { customer: id }, { purpose: 'newsletter' });
  await told('consent-2', 'message.sent');
  assert.ok(node);
});

async function update(who, data) {
  const { error } = await ask('customer-update', { customer: who.id, ...data });
  assert.equal(error, undefined, JSON.stringify(error));
  await projected();
}
const clock = (offset) => new Date(Date.now() + offset * 60000).toISOString().slice(11, 16); // of UTC

test("the customer's quiet hours: marketing waits, what is urgent does not, and what cannot wait is refused", async () => {
  const who = await customer('rosa', 'a');
  await update(who, { quiet_hours: { from: clock(-60), to: clock(60), timezone: 'UTC' } });
  const marketing = { purpose: 'marketing' };
  await send('quiet-1', { customer: who.id }, marketing);
  await told('quiet-1', 'message.accepted');
  await send('quiet-2', { customer: who.id });
  await told('quiet-2', 'message.sent');
  await send('quiet-3', { customer: who.id }, { ...marketing, expires: new Date(Date.now() + 600000).toISOString() });
  assert.equal((await told('quiet-3', 'message.failed')).data.error.code, 'quiet_hours');
  const [waiting] = await stored(client, 'KANAL_SCHEDULED');
  const until_ms = waiting.data.at_ms - Date.now();
  assert.ok(until_ms > 58 * 60000 && until_ms <= 60 * 60000, `${until_ms}`);
  assert.deepEqual(await story('quiet-1'), ['accepted@a']);
  assert.equal((await ask('message-get', { id: 'quiet-1' })).message.state, 'accepted');
  await ask('message-cancel', { id: 'quiet-1' });
  await told('quiet-1', 'message.cancelled');
  // Their own zone, as a message told it; else the gateway's (Kathmandu: UTC+05:45).
  await update(who, { quiet_hours: { from: clock(345 - 60), to: clock(345 + 1) } });
  await send('quiet-4', { customer: who.id }, marketing);
  await told('quiet-4', 'message.accepted');
  await until('it waits', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 1);
  await ask('message-cancel', { id: 'quiet-4' });
  await told('quiet-4', 'message.cancelled');
});

test("the customer's own choice comes first; the plan says so, and everything else", async () => {
  const who = await customer('sonja', 'a', 'b', 'c');
  await update(who, { preferred_channel: 'b' });
  await publish('a', message('sonja-stop', 'STOP', { address: 'probe:sonja' }));
  await until('consent.withdrawn', async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.a.consent.withdrawn.*')).some((e) => e.data.data.customer.address === 'probe:sonja'));
  await projected();
  const { channels: plan } = await ask('message-plan', command('plan-1', { customer: who.id }, { purpose: 'marketing' }));
  assert.deepEqual(plan.map((c) => [c.channel, c.possible, c.chosen ?? false, c.step, c.error?.code]),
    [['b', true, true, 1, undefined], ['c', true, false, 2, undefined], ['a', false, false, undefined, 'opted_out']]);
  assert.deepEqual(plan[0].why.slice(0, 1), ["the customer's own choice"]);
  assert.match(plan[1].why.join(), /the customer wrote here \d{4}-/);
  assert.match(plan[2].why.join(), /the customer opted out on/);
  assert.equal(plan[0].parts[0].content[0].text, 'your order');
  const shown = await run(['plan', '-s', nats.url, who.id, 'hello']);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^b .*it would go here[\s\S]*the customer's own choice/m);
  const nobody = await run(['plan', '-s', nats.url, `c_${'b'.repeat(26)}`, 'hello']);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr + nobody.stdout, /nothing is known of this customer/);
});

test('two addresses that were linked: both are the customer, and one that never wrote is reached by its kind', async () => {
  const { id } = await customer('tanja', 'a');
  const { link, customer: merged } = await ask('customer-link', { addresses: ['probe:tanja', 'tel:+491700000002'] });
  await projected();
  for (const [name, of] of [['linked-1', id], ['linked-2', merged]]) {
    await send(name, { customer: of }, { ...steps({ channel: 'a' }, { channel: 'b' }), variants: [on('a', 'blocked')] });
    const sent = await told(name, 'message.sent');
    assert.deepEqual([sent.data.channel.id, sent.data.customer.address], ['b', 'tel:+491700000002']);
  }
  await ask('customer-unlink', { link: link.id });
  await projected();
  await send('linked-3', { customer: id }, { ...steps({ channel: 'a' }, { channel: 'b' }), variants: [on('a', 'blocked')] });
  assert.equal((await told('linked-3', 'message.sent')).data.customer.address, 'probe:tanja', 'what is not linked any more is not written to');
});

test('an attack: what somebody claims to be reaches nobody else', async () => {
  const victim = await customer('ursula', 'a');
  await publish('b', message('mallory-claims', 'it is me', { address: 'probe:mallory', data: JSON.stringify({ message: { content: [{ type: 'text', text: 'it is me' }] },
    customer: { identifiers: [{ address: 'probe:ursula', verified: false }, { address: 'tel:+491700000003', verified: false }] } }) }));
  const mallory = await customer('mallory', 'b');
  assert.notEqual(mallory.id, victim.id);
  const addresses = async (id) => (await ask('message-plan', command('claim', { customer: id }))).channels.map((c) => `${c.channel} ${c.address}`);
  assert.deepEqual(await addresses(mallory.id), ['b probe:mallory']);
  assert.deepEqual(await addresses(victim.id), ['a probe:ursula']);
});

test('killed between deciding on a step and taking it: it is taken once, as it was decided', async () => {
  const who = await customer('vera', 'a', 'b');
  await send('decided-1', { customer: who.id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT2S', unless: 'delivered' }));
  await told('decided-1', 'message.sent');
  await kanal.stop('SIGKILL');
  const ledger = await js.views.kv('kanal_sent');
  const [waiting] = await stored(client, 'KANAL_SCHEDULED');
  const key = `r.${waiting.data.route.key}`;
  const record = json.decode((await ledger.get(key)).value);
  assert.deepEqual(record.steps.map((s) => s.channel), ['a']);
  record.steps.push({ step: 2, channel: 'c', address: 'probe:vera', started: Date.now(), from: 'a', reason: 'not_delivered', cause: waiting.seq });
  await ledger.put(key, json.encode(record));
  await kanal.run();
  await until('sent by c', async () => (await story('decided-1')).includes('sent@c2'), 20000);
  assert.deepEqual(await story('decided-1'), ['accepted@a', 'sent@a1', 'rerouted@c2', 'sent@c2']);
  await until('nothing is left', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 0);
});

test('another gateway goes on with what this one waited for', async () => {
  const { id } = await customer('wanda', 'a', 'b');
  const other = await startKanal(nats, channels(), more);
  await send('other-1', { customer: id }, steps({ channel: 'a' }, { channel: 'b', after: 'PT3S', unless: 'delivered' }));
  await told('other-1', 'message.sent');
  await kanal.stop(); // gives its leases back
  await until('sent by b', async () => (await story('other-1')).includes('sent@b2'), 20000);
  assert.deepEqual(await story('other-1'), ['accepted@a', 'sent@a1', 'rerouted@b2', 'sent@b2']);
  await kanal.run();
  await other.stop();
});

test('killed again and again in the middle of it: every message takes each of its steps once', async () => {
  const people = await Promise.all(Array.from({ length: 8 }, (_, i) => customer(`crowd${i}`, 'a', 'b')));
  const ids = Array.from({ length: 48 }, (_, i) => `crowd-${i}`);
  await Promise.all(ids.map((id, i) => send(id, { customer: people[i % 8].id }, { ...steps({ channel: 'a' }, { channel: 'b' }), variants: [on('a', 'blocked')] })));
  const count = async (type, channel) => (await stored(client, 'KANAL_EVENTS', `kanal.events.probe.${channel}.message.${type}.*`)).filter((e) => ids.includes(e.data.data.message.id)).length;
  for (const [type, channel, least] of [['accepted', 'a', 5], ['rerouted', 'b', 3], ['sent', 'b', 20]]) {
    await until(`${least} are ${type}`, async () => (await count(type, channel)) >= least, 20000);
    await kanal.stop('SIGKILL');
    await kanal.run();
  }
  await until('all are sent', async () => (await count('sent', 'b')) === ids.length, 40000);
  for (const id of ids) assert.deepEqual((await eventsOf(id)).map((e) => e.type).toSorted(), ['message.accepted', 'message.rerouted', 'message.sent'], id);
  await until('nothing is left', async () => (await stored(client, 'KANAL_SCHEDULED')).length === 0);
});

test('at its time, it goes where the customer is then', async () => {
  const { id } = await customer('xenia', 'a');
  await send('at-1', { customer: id }, { at: new Date(Date.now() + 2500).toISOString() });
  assert.equal((await told('at-1', 'message.accepted')).data.channel.id, 'a');
  assert.equal((await ask('message-get', { id: 'at-1' })).message.state, 'scheduled');
  await customer('xenia', 'b');
  assert.equal((await told('at-1', 'message.sent')).data.channel.id, 'b');
  assert.deepEqual(await story('at-1'), ['accepted@a', 'sent@b1']);
  assert.equal((await ask('message-get', { id: 'at-1' })).message.channel, 'b');
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 60);
});
