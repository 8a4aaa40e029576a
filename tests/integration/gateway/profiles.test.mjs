// The projector: what traffic is folded into, and that nothing is counted twice or lost, whatever happens to who does it.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { Nats, checkContract, isSanitized, json, kanalBinary, root, run, scratchDir, sleep, stored, storedMessages, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

let nats, client;
const gateways = [];

beforeEach(async () => { nats = await Nats.start(); client = await nats.client(); });
afterEach(async () => {
  for (const gateway of gateways.splice(0)) { gateway.child.kill('SIGCONT'); await gateway.stop(); }
  await client?.close(); await nats?.kill('SIGTERM');
});

async function gateway(more = {}) {
  const one = await startKanal(nats, [probe()], more);
  gateways.push(one);
  return one;
}

const request = async (endpoint, body = {}) => json.decode((await client.request(`kanal.api.${endpoint}`, json.encode(body), { timeout: 5000 })).data);
async function ask(endpoint, body) {
  const reply = await until(`${endpoint} is answered`, () => request(endpoint, body));
  assert.equal(reply.error, undefined, JSON.stringify(reply.error));
  return reply;
}
const known = async (who) => (await ask('customer-get', who)).customer;
const publish = async (kanal, events) => assert.equal((await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [events] })).status, 200);
const event = (type, dedupe, data, more = {}) => ({ type, dedupe, address: 'probe:anna', data: JSON.stringify(data), ...more });

const bucket = () => client.jetstream().views.kv('kanal_profiles');
const kv = async (key) => {
  const value = await (await bucket()).get(key);
  return value?.operation === 'PUT' ? json.decode(value.value) : undefined;
};
const keys = async () => { const all = []; for await (const key of await (await bucket()).keys()) all.push(key); return all.sort(); };
const lastSequence = async (stream) => (await (await client.jetstreamManager()).streams.info(stream)).state.last_seq;
// Everything stored is projected.
const settled = (ms = 30000) => until('everything is projected', async () => {
  const position = await kv('_position');
  return position?.at[0] === (await lastSequence('KANAL_EVENTS')) && position?.at[1] === (await lastSequence('KANAL_ACTIVITY')) && position;
}, ms);

async function strict(definition, documents) {
  const child = spawn(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', definition, '-q', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  child.stdin.end(documents.map((one) => JSON.stringify(one)).join('\n') + '\n');
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0, output);
}

// Many events of many nodes, stored at once as a gateway would have: what a projector finds that comes late.
async function backlog(count, nodes, first = 0) {
  const js = client.jetstream(), acks = [];
  for (let i = first; i < first + count; i++) {
    const n = String(i % nodes).padStart(4, 'a').replace(/[0189]/g, (c) => 'wxyz'['0189'.indexOf(c)]);
    const node = `a_${n.padStart(26, 'b')}`, time = new Date(1795300000000 + i).toISOString();
    const subject = `kanal.events.probe.probe.message.received.${node}`;
    acks.push(js.publish(subject, json.encode({ specversion: '1.0', id: `e_${String(i).replace(/./g, (c) => 'abcdefghij'[c]).padStart(26, 'z')}`, type: 'message.received', source: 'urn:kanal:kanal:probe', subject: node,
      time, recordedtime: time, datacontenttype: 'application/json', dataschema: 'urn:kanal:schema:message.received:1',
      data: { channel: { id: 'probe', plugin: 'probe' }, customer: { id: node.replace('a_', 'c_'), node, address: `probe:${n}`, name: `Name ${n}` }, chat: { id: n },
        message: { id: `m${i}`, external_id: `${i}`, content: [{ type: 'text', text: `secret ${i}` }] } } })));
    if (acks.length === 1000) await Promise.all(acks.splice(0));
  }
  await Promise.all(acks);
}

// Each event has one fact, and each is counted once.
async function exact() {
  const { generation } = await settled(60000);
  const events = [...(await stored(client, 'KANAL_EVENTS')), ...(await stored(client, 'KANAL_ACTIVITY'))];
  const facts = (await stored(client, 'KANAL_FACTS')).map((fact) => fact.data.id), told = new Set(facts);
  assert.equal(told.size, facts.length, 'no event has two facts');
  assert.deepEqual(events.filter((one) => !told.has(one.data.id)), [], 'each event has a fact');
  assert.equal(facts.length, events.length);
  const counted = {}, expected = {};
  for (const one of events.filter((one) => one.data.subject)) expected[one.data.subject] = (expected[one.data.subject] ?? 0) + 1;
  for (const key of await keys()) {
    if (!key.startsWith(`${generation}.`)) continue;
    counted[key.split('.')[1]] = (await kv(key)).channels.flatMap((channel) => Object.values(channel.kinds)).reduce((sum, [n]) => sum + n, 0);
  }
  assert.deepEqual(counted, expected, 'each event is counted once');
}

test('what customers do is in their profile, and the profile keeps the contract', async () => {
  const kanal = await gateway();
  await publish(kanal, [
    event('activity.tracked', 't1', { activity: { name: 'Product Added', properties: { cart_id: 'k1', product_id: 'sku9', price: '1990.00', currency: 'RUB', quantity: 2 } }, attribution: { utm_source: 'instagram' } }),
    event('profile.observed', 'p1', { profile: { name: 'Anna', company: 'Initech', attributes: { plan: 'free' } } }),
    event('consent.given', 'c1', { consent: [{ purpose: 'marketing', given: true }], reason: 'message' }),
    message('m1', 'hello'), message('m2', 'again'),
  ]);
  await settled();
  const customer = await known({ address: 'probe:anna' });
  assert.deepEqual(customer, await known({ node: customer.addresses[0].node }));
  assert.deepEqual(customer, await known({ customer: customer.id }));
  assert.deepEqual(customer.profile, { name: 'Anna', company: 'Initech', attributes: { plan: 'free' } });
  assert.deepEqual(customer.touches.map(({ type, count }) => [type, count]), [['activity.tracked', 1], ['consent.given', 1], ['message.received', 2], ['profile.observed', 1]]);
  assert.equal(customer.acquisition.attribution.utm_source, 'instagram');
  assert.equal(customer.last_inbound.channel, 'probe');
  assert.deepEqual(customer.cart.items, [{ id: 'sku9', price: '1990.00', currency: 'RUB', quantity: 2 }]);
  assert.deepEqual(customer.consent.map(({ purpose, given }) => [purpose, given]), [['marketing', true]]);
  assert.deepEqual(customer.addresses.map(({ address, verified, channels }) => [address, verified, channels]), [['probe:anna', true, ['probe']]]);
  await strict('customer_profile', [customer]);

  assert.equal((await request('customer-get', { address: 'probe:nobody' })).error.code, 'customer_unknown');
  assert.equal((await request('customer-get', { address: 'no address' })).error.code, 'invalid_request');
  assert.equal((await request('customer-get', {})).error.code, 'invalid_request');

  const printed = await run(['customer', 'get', 'probe:anna', '-s', nats.url]);
  assert.equal(printed.code, 0, printed.stderr);
  for (const words of [/name: Anna/, /probe:anna, proved/, /2 {2}message\.received {2}probe/, /2 × sku9 {2}1990\.00 RUB/, /given {6}marketing/]) assert.match(printed.stdout, words);
  const unknown = await run(['customer', 'get', 'probe:nobody', '-s', nats.url]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /nothing is known/);
});

test('a change is seen in its own answer, survives what channels tell, and can be taken back', async () => {
  const kanal = await gateway();
  await publish(kanal, [event('profile.observed', 'p1', { profile: { name: 'Told', attributes: { plan: 'free' } } })]);
  await settled();
  const { id } = await known({ address: 'probe:anna' });
  const changed = await ask('customer-update', { customer: id, profile: { name: 'Set', attributes: { plan: 'gold' } }, preferred_channel: 'probe', quiet_hours: { from: '22:00', to: '08:00' },
    consent: [{ purpose: 'marketing', given: true }, { channel: 'probe', given: false }], agent: { kind: 'person', id: 'u-17' } });
  assert.deepEqual(changed.customer.profile, { name: 'Set', attributes: { plan: 'gold' } });
  assert.equal(changed.customer.preferred_channel, 'probe');
  await publish(kanal, [event('profile.observed', 'p2', { profile: { name: 'Told later' } })]);
  await settled();
  const later = await known({ customer: id });
  assert.deepEqual(later.profile, { name: 'Set', attributes: { plan: 'gold' } });
  assert.deepEqual(later.consent.map(({ purpose, channel, given }) => [purpose, channel, given]), [['marketing', undefined, true], [undefined, 'probe', false]]);
  assert.deepEqual(later.quiet_hours, { from: '22:00', to: '08:00' });

  const printed = await run(['customer', 'update', id, '--remove', 'name', '--remove', 'preferred_channel', '--set', 'attributes.visits=3', '--consent', 'marketing=no', '--agent', 'u-17', '--json', '-s', nats.url]);
  assert.equal(printed.code, 0, printed.stderr);
  const { customer } = JSON.parse(printed.stdout);
  assert.deepEqual(customer.profile, { attributes: { plan: 'gold', visits: 3 } });
  assert.equal(customer.preferred_channel, undefined);
  await settled();
  assert.deepEqual(await known({ customer: id }), customer);
  // Of a person of whom nothing is known yet, by their address.
  assert.equal((await ask('customer-update', { address: 'probe:boris', profile: { name: 'Boris' } })).customer.profile.name, 'Boris');
  assert.equal((await request('customer-update', { customer: `c_${'a'.repeat(26)}`, profile: {} })).error.code, 'customer_unknown');
  assert.equal((await request('customer-update', { customer: id })).error.code, 'invalid_request');
  await strict('customer_profile', [customer]);
  await checkContract(client);
});

test('facts tell what happened and nothing of whom, to consumers who may see no more', async () => {
  const kanal = await gateway();
  await publish(kanal, [message('m1', 'my card is 4111 1111'), event('profile.observed', 'p1', { profile: { name: 'Анна', phone: '+79161234567' } })]);
  await settled();
  const facts = await stored(client, 'KANAL_FACTS');
  await strict('fact', facts.map((fact) => fact.data));
  const text = JSON.stringify(facts);
  for (const secret of ['4111', 'Анна', '7916', 'probe:anna']) assert.ok(!text.includes(secret), secret);
  const told = facts.find((fact) => fact.data.type === 'message.received');
  assert.match(told.subject, /^kanal\.facts\.probe\.probe\.message\.received\.b[0-9a-f]{2}$/);
  assert.deepEqual(told.data.data.message.kinds, ['text']);
  assert.equal(told.data.data.message.characters, 20);
  const added = await run(['consumer', 'add', 'analytics', '--filter', 'kanal.facts.>', '--stream', 'facts', '--since', 'all', '-s', nats.url]);
  assert.equal(added.code, 0, added.stderr);
  const { num_pending: pending } = await (await client.jetstreamManager()).consumers.info('KANAL_FACTS', 'analytics');
  assert.equal(pending, facts.length);
});

test('kill -9 in the middle of batches: nothing is counted or told twice, and nothing is lost', { timeout: 240000 }, async () => {
  // The broker itself forgets soon what was said: only what the projector knows keeps it from saying a fact twice.
  const more = { data_dir: scratchDir(), broker: { duplicate_window: '1s' } }, count = isSanitized() ? 8000 : 24000;
  const first = await gateway(more);
  await first.stop();
  await backlog(count, 400);
  let killed = 0;
  for (let from = 0; killed < 4;) {
    const kanal = await gateway(more);
    const position = await until('it has begun', async () => { const now = await kv('_position'); return now && now.at[0] > from && now; }, 30000);
    await kanal.stop('SIGKILL');
    from = position.at[0];
    if (from >= count) break;
    killed++;
    await sleep(2500); // longer than the window
  }
  assert.ok(killed >= 2, `killed in the middle only ${killed} times`);
  const kanal = await gateway(more);
  await exact();
  await until('nothing waits', async () => (await kanal.metric(/^kanal_projector_lag_messages/)) === 0);
});

test('two gateways: one projects, the other takes over, also from one that stood still', { timeout: 180000 }, async () => {
  const a = await gateway(), b = await gateway();
  const held = async () => (await Promise.all([a, b].map((one) => one.metric(/^kanal_projector_held/).catch(() => 0))));
  await until('one projects', async () => (await held()).reduce((x, y) => x + y) === 1);
  await backlog(3000, 50);
  await settled();
  assert.deepEqual((await held()).sort(), [0, 1]);
  const told = async () => (await Promise.all([a, b].map(async (one) => (await (await fetch(`${one.admin}/channels`)).json()).projector))).sort((one, other) => one.held - other.held);
  await until('nothing waits', async () => (await told())[1].lag_messages === 0);
  assert.deepEqual(await told(), [{ held: false }, { held: true, lag_messages: 0, lag_seconds: 0 }]);
  const [holder, other] = (await held())[0] === 1 ? [a, b] : [b, a];
  const said = await holder.metric(/^kanal_projector_events_total/);
  assert.ok(said >= 3000);
  assert.equal(await other.metric(/^kanal_projector_events_total/), 0);
  await backlog(6000, 50, 3000);
  holder.child.kill('SIGSTOP');
  await backlog(500, 50, 9000);
  await until('the other projects', async () => (await other.metric(/^kanal_projector_held/)) === 1, 30000);
  holder.child.kill('SIGCONT');
  await until('the first knows', async () => (await holder.metric(/^kanal_projector_held/)) === 0);
  await exact();
});

test('a rebuild gives the same profiles, while traffic goes on, also if it is killed', { timeout: 180000 }, async () => {
  const data_dir = scratchDir(), count = isSanitized() ? 4000 : 12000;
  let kanal = await gateway({ data_dir });
  await publish(kanal, [
    event('activity.tracked', 't1', { activity: { name: 'Product Added', properties: { cart_id: 'k1', product_id: 'sku9' } } }),
    event('profile.observed', 'p1', { profile: { name: 'Anna' } }), message('m1', 'hello')]);
  await ask('customer-update', { address: 'probe:anna', profile: { attributes: { plan: 'gold' } } });
  await backlog(count, 300);
  await settled();
  const snapshot = async () => Object.fromEntries(await Promise.all((await keys()).filter((key) => !key.startsWith('_')).map(async (key) => [key.split('.')[1], await kv(key)])));
  const before = await snapshot(), anna = await known({ address: 'probe:anna' });
  const facts = await lastSequence('KANAL_FACTS');

  const printed = await run(['profiles', 'rebuild', '--json', '-s', nats.url]);
  assert.equal(printed.code, 0, printed.stderr);
  const steps = printed.stdout.trim().split('\n').map((line) => JSON.parse(line).rebuild);
  assert.equal(steps.at(-1).state, 'done');
  assert.equal(steps.at(-1).events, steps.at(-1).total);
  await strict('api.profile-rebuild.reply', steps.map((step) => ({ rebuild: step })));
  assert.deepEqual(await snapshot(), before);
  assert.deepEqual(await known({ address: 'probe:anna' }), anna);
  assert.ok((await keys()).every((key) => key.startsWith('2.') || key.startsWith('_')), 'the former records are gone');
  assert.equal(await lastSequence('KANAL_FACTS'), facts, 'no fact is told again');
  await until('its consumers are gone', async () => (await (await client.jetstreamManager()).consumers.list('KANAL_EVENTS').next()).every(({ name }) => name === 'kanal-projector'));

  // Once more: killed in the middle, with traffic meanwhile.
  const { rebuild } = await ask('profile-rebuild');
  await until('it runs', async () => (await kv('_position')).rebuild.id === rebuild.id);
  await kanal.stop('SIGKILL');
  kanal = await gateway({ data_dir });
  await publish(kanal, [message('m2', 'meanwhile')]);
  await until('it is done', async () => (await request('profile-rebuild', { id: rebuild.id })).rebuild?.state === 'done', 60000);
  await exact();
  const { [anna.addresses[0].node]: record, ...others } = await snapshot();
  const { [anna.addresses[0].node]: recordBefore, ...othersBefore } = before;
  assert.deepEqual(others, othersBefore);
  assert.equal(record.channels[0].kinds['message.received'][0], recordBefore.channels[0].kinds['message.received'][0] + 1);
  assert.equal((await request('profile-rebuild', { id: `r_${'a'.repeat(26)}` })).error.code, 'not_found');
});

test('a gateway that may not project never does', async () => {
  const kanal = await gateway({ top: { projector: { enabled: false } } });
  await publish(kanal, [message('m1', 'hello')]);
  await sleep(1500);
  assert.equal(await kv('_position'), undefined);
  assert.equal((await request('customer-get', { address: 'probe:anna' })).error.code, 'customer_unknown');
  await gateway();
  await exact();
});
