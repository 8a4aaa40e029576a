// Who is one customer: said over the API on one of two gateways, known to both; undone exactly; through restarts and kills.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, run, scratchDir, sleep, stored, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

let nats, one, two, client, js, links;
const gateways = () => [one, two];
const more = () => ({ data_dir: scratchDir(), top: { identity: { salt: 'a salt for tests only', trust: ['probe'] } } });
const known = (kanal, count) => until(`${count} links are known`, async () => (await kanal.metric(/^kanal_identity_links /)) === count);

const answers = () => until('the API answers', async () => (await client.request('$SRV.PING.kanal', '', { timeout: 500 })).data.length > 0);

before(async () => {
  nats = await Nats.start();
  one = await startKanal(nats, [probe()], more());
  two = await startKanal(nats, [probe()], more());
  client = await nats.client();
  js = client.jetstream();
  links = await js.views.kv('kanal_links');
  await answers();
});

after(async () => {
  await client?.close();
  for (const gateway of gateways()) await gateway?.stop();
  await nats?.kill('SIGTERM');
});

const api = async (name, body) => json.decode((await client.request(`kanal.api.customer-${name}`, json.encode(body), { timeout: 20000 })).data);
const link = (a, b, rest = {}) => api('link', { addresses: [a, b], ...rest });
const unlink = (id, rest = {}) => api('unlink', { link: id, ...rest });
const events = async (type) => (await stored(client, 'KANAL_EVENTS', `kanal.events._._.${type}.*`)).map((event) => event.data);
const eventsOf = async (type, id) => (await events(type)).filter((event) => event.data.link.id === id);

let number = 0;
// What a gateway calls the person behind an address, by the event that it stamps.
async function customer(kanal, address) {
  const text = `who-${++number}`;
  const batch = [message(text, text, { address, time_ms: Date.now() })];
  assert.equal((await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [batch] })).status, 200);
  const event = (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.probe.message.received.*')).find(({ data }) => data.data.message.content[0].text === text);
  assert.equal(event.data.subject, event.data.data.customer.node);
  assert.ok(event.subject.endsWith(event.data.subject), 'the subject has the node, whoever the customer is');
  return event.data.data.customer;
}
const customers = (kanal, addresses) => addresses.reduce(async (all, address) => [...(await all), (await customer(kanal, address)).id], Promise.resolve([]));

test('linked on one gateway, one customer on both; the event says who, why and who is one now', async () => {
  const [anna, tel] = [(await customer(one, 'probe:a1')).id, (await customer(two, 'tel:+79160000001')).id];
  assert.notEqual(anna, tel);
  const { link: made, customer: id } = await link('probe:a1', 'tel:+79160000001', { reason: 'told on the phone', agent: { kind: 'person', id: 'u-17', name: 'Ольга' } });
  assert.match(made.id, /^l_[a-z2-7]{26}$/);
  assert.deepEqual(made.addresses, ['probe:a1', 'tel:+79160000001']);
  assert.deepEqual([made.strength, made.evidence.kind, made.evidence.text], ['manual', 'manual', 'told on the phone']);
  assert.ok([anna, tel].includes(id), 'named after one of its nodes');
  for (const kanal of gateways()) {
    await known(kanal, 1);
    assert.deepEqual(await customers(kanal, ['probe:a1', 'tel:+79160000001']), [id, id]);
  }
  const [event, none] = await eventsOf('identity.linked', made.id);
  assert.equal(none, undefined, 'told once');
  assert.deepEqual(event.data.merged.toSorted(), [anna, tel].toSorted());
  assert.deepEqual([event.data.customer.id, event.data.customer.address, event.data.agent.id, event.data.channel], [id, 'probe:a1', 'u-17', undefined]);
});

test('said again, by both at once: one link, one event', async () => {
  const said = await Promise.all(Array.from({ length: 8 }, () => link('probe:b1', 'probe:b2')));
  assert.equal(new Set(said.map((reply) => reply.link.id)).size, 1);
  assert.equal((await link('probe:b2', 'probe:b1')).link.id, said[0].link.id, 'in either order');
  assert.equal((await eventsOf('identity.linked', said[0].link.id)).length, 1);
});

test('undoing is exact, and is seen by the other gateway', async () => {
  const all = ['probe:c1', 'probe:c2', 'probe:c3', 'probe:c4'];
  const own = await customers(one, all);
  const made = [];
  for (let i = 0; i < 3; i++) made.push((await link(all[i], all[i + 1])).link.id);
  made.push((await link(all[0], all[2])).link.id); // a second way from 1 to 3
  const together = (await customers(two, all));
  assert.equal(new Set(together).size, 1);
  assert.deepEqual((await unlink(made[0], { reason: 'a mistake', agent: { kind: 'bot', id: 'b' } })).split, [together[0]], 'the other way still holds');
  const { split } = await unlink(made[2]);
  assert.equal(split.length, 2);
  assert.ok(split.includes(own[3]));
  for (const kanal of gateways()) await until('both agree', async () => { const ids = await customers(kanal, all); return ids[3] === own[3] && ids[0] !== ids[3] && new Set(ids.slice(0, 3)).size === 1; });
  const [event] = await eventsOf('identity.unlinked', made[0]);
  assert.deepEqual([event.data.reason, event.data.agent.kind], ['a mistake', 'bot']);
  await unlink(made[1]);
  await unlink(made[3]);
  for (const kanal of gateways()) await until('as before', async () => JSON.stringify(await customers(kanal, all)) === JSON.stringify(own));
  assert.deepEqual(await unlink(made[3]), { split: [own[0], own[2]] }, 'undone already: nothing more happens');
  assert.equal((await eventsOf('identity.unlinked', made[3])).length, 1);
});

test('what was undone stays as a mark, and a person can bring it back', async () => {
  const { link: made } = await link('probe:d1', 'probe:d2');
  await unlink(made.id);
  assert.equal((await links.get(made.id)).json().state, 'unlinked');
  const again = await link('probe:d1', 'probe:d2', { reason: 'they are' });
  assert.equal(again.link.id, made.id);
  assert.equal((await links.get(made.id)).json().count, 3);
  assert.equal((await eventsOf('identity.linked', made.id)).length, 2, 'each time is an event of its own');
});

test('by nodes, where nobody knows the addresses', async () => {
  const nodes = [(await customer(one, 'probe:e1')).node, (await customer(one, 'probe:e2')).node];
  const { link: made, customer: id } = await api('link', { nodes });
  assert.deepEqual([made.nodes, made.addresses], [nodes, undefined]);
  const [event] = await eventsOf('identity.linked', made.id);
  assert.deepEqual([event.subject, event.data.customer], [nodes[0], { id, node: nodes[0] }]);
});

test('what is wrong is refused', async () => {
  for (const [name, body] of [['link', {}], ['link', { addresses: ['probe:x'] }], ['link', { addresses: ['probe:x', 'nonsense'] }], ['link', { addresses: ['tel:123', 'probe:x'] }],
    ['link', { addresses: ['mailto:anna@example.com', 'mailto:Anna@Example.com'] }], ['link', { nodes: ['a_x', 'a_y'] }], ['link', { nodes: [`a_${'z'.repeat(26)}`, `a_${'7'.repeat(26)}`] }],
    ['unlink', {}], ['unlink', { link: 7 }]])
    assert.equal((await api(name, body)).error?.code, 'invalid_request', `${name} ${JSON.stringify(body)}`);
  for (const id of ['l_', 'nonsense', `l_${'a'.repeat(26)}`, '../../etc'])
    assert.equal((await unlink(id)).error.code, 'not_found', id);
});

// ---- What events prove and claim ----

const say = async (kanal, dedupe, address, identifiers, rest = {}) => {
  const data = JSON.stringify({ customer: { identifiers }, message: { content: [{ type: 'text', text: dedupe }] } });
  assert.equal((await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [[message(dedupe, '', { address, data, time_ms: Date.now(), ...rest })]] })).status, 200);
};
const proved = (address, source = 'contact') => ({ address, verified: true, source });
const claimed = (address, source = 'form') => ({ address, verified: false, source });
const claims = async (address) => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.probe.identity.claimed.*')).map((event) => event.data)
  .filter((event) => event.data.customer.address === address);
const claimOf = (address, count = 1) => until(`claims of ${address}`, async () => { const all = await claims(address); return all.length >= count && all.at(-1); });
const linksOf = async (address) => (await events('identity.linked')).filter((event) => event.data.link.addresses?.includes(address));
const linkedOf = (address, count = 1) => until(`links of ${address}`, async () => { const all = await linksOf(address); return all.length >= count && all; });
const same = (addresses) => until(`one customer: ${addresses}`, async () => new Set([...(await customers(one, addresses)), ...(await customers(two, addresses))]).size === 1);
const apart = async (...addresses) => assert.equal(new Set(await customers(one, addresses)).size, addresses.length, addresses.join(' '));

test('what the transport proves links by itself, once', async () => {
  await say(one, 'v1', 'probe:v1', [proved('tel:+79161000001')]);
  const [event] = await linkedOf('probe:v1');
  assert.deepEqual([event.data.link.strength, event.data.link.evidence.kind, event.data.link.evidence.channel, event.data.agent.kind], ['verified', 'contact', 'probe', 'system']);
  assert.match(event.data.link.evidence.event, /^e_/);
  await same(['probe:v1', 'tel:+79161000001']);
  for (const again of ['v1-again', 'v1-and-again']) await say(two, again, 'probe:v1', [proved('tel:+79161000001'), claimed('tel:+79161000001')]);
  await say(one, 'v1-other', 'probe:v1', [proved('mailto:v1@example.com')]); // what came before it has been seen when this is linked
  await linkedOf('mailto:v1@example.com');
  assert.equal((await linksOf('tel:+79161000001')).length, 1);
  assert.equal((await claims('probe:v1')).length, 0);
});

test('two channels that prove the same number are one customer', async () => {
  await say(one, 'w1', 'visitor:w1', [proved('user:shop/7', 'token'), proved('tel:+79161000001', 'identify')]);
  await linkedOf('visitor:w1', 2);
  await same(['visitor:w1', 'user:shop/7', 'probe:v1', 'tel:+79161000001']);
});

test('the profile is of all its addresses, each with the link that joins it', async () => {
  const profile = await until('all are known', async () => {
    const answer = await api('get', { address: 'visitor:w1' });
    return answer.customer?.addresses.length === 5 && answer.customer;
  });
  assert.equal(profile.id, (await customer(one, 'probe:v1')).id);
  assert.ok(profile.addresses.every((address) => /^l_/.test(address.link) && address.evidence.kind), JSON.stringify(profile.addresses));
});

test('attack: a claimed number, mail or account of somebody else merges nothing', async () => {
  const victim = (await customer(one, 'probe:v1')).id;
  await say(one, 'evil-1', 'probe:evil', [claimed('tel:+79161000001'), claimed('mailto:v1@example.com', 'identify'), claimed('user:shop/7', 'token'), claimed('probe:v1', 'contact')]);
  await claimOf('probe:evil', 4);
  for (const claim of await claims('probe:evil'))
    assert.deepEqual([claim.data.claim.customer, claim.data.claim.conflict], [victim, true], 'two accounts in one space: it cannot be true');
  await say(one, 'evil-2', 'visitor:evil', [claimed('tel:+79161000001')]);
  const claim = await claimOf('visitor:evil');
  assert.deepEqual([claim.data.claim.customer, claim.data.claim.conflict, claim.data.claim.evidence.kind], [victim, false, 'form']);
  await apart('probe:evil', 'visitor:evil', 'tel:+79161000001');
  assert.equal((await customer(two, 'probe:v1')).id, victim);
  assert.equal((await linksOf('probe:evil')).length + (await linksOf('visitor:evil')).length, 0);
});

test('attack: claiming it again and again is told once a day', async () => {
  for (let i = 0; i < 20; i++) await say(one, `noise-${i}`, 'visitor:noise', [claimed('tel:+79161000001')]);
  await say(one, 'noise-end', 'visitor:noise', [claimed('tel:+79161000077')]);
  await claimOf('visitor:noise', 2);
  assert.equal((await claims('visitor:noise')).length, 2);
});

test('attack: a mail from anybody proves nothing, whatever else it says', async () => {
  await say(one, 'mail-1', 'mailto:boss@example.com', [proved('tel:+79161000002')]);
  assert.match((await claimOf('mailto:boss@example.com')).data.claim.evidence.text, /own address is not proved/);
  await apart('mailto:boss@example.com', 'tel:+79161000002');
  await say(one, 'mail-2', 'mailto:boss@example.com', [proved('tel:+79161000002'), proved('mailto:boss@example.com', 'dmarc')]);
  await linkedOf('mailto:boss@example.com');
  await same(['mailto:boss@example.com', 'tel:+79161000002']);
});

test('a second number of one person, and a number that changed hands, are reported and link nothing', async () => {
  await say(one, 'second', 'probe:v1', [proved('tel:+79161000003')]);
  assert.equal((await claimOf('probe:v1')).data.claim.conflict, true);
  await say(one, 'hands', 'probe:v2', [proved('tel:+79161000001')]);
  const claim = await claimOf('probe:v2');
  assert.deepEqual([claim.data.claim.conflict, claim.data.claim.customer], [true, (await customer(one, 'probe:v1')).id]);
  await say(one, 'moved', 'tel:+79161000004', [proved('tel:+79161000005', 'number_change')], { type: 'profile.observed', data: JSON.stringify({ customer: { identifiers: [proved('tel:+79161000005', 'number_change')] }, profile: {} }) });
  const moved = await claimOf('tel:+79161000004');
  assert.deepEqual([moved.data.claim.conflict, moved.data.claim.evidence.text], [true, 'number_change']);
  await apart('probe:v1', 'probe:v2', 'tel:+79161000003', 'tel:+79161000004', 'tel:+79161000005');
  const { customer: id } = await link('probe:v1', 'tel:+79161000003', { reason: 'has two' });
  assert.equal(id, (await customer(one, 'tel:+79161000003')).id, 'a person may know better');
});

test('what a person has undone does not come back by itself', async () => {
  const [event] = await linksOf('mailto:boss@example.com');
  await unlink(event.data.link.id, { reason: 'the secretary\'s mail' });
  await say(one, 'mail-3', 'mailto:boss@example.com', [proved('tel:+79161000002'), proved('mailto:boss@example.com', 'dmarc'), proved('probe:boss')]);
  await linkedOf('probe:boss');
  await apart('mailto:boss@example.com', 'tel:+79161000002');
});

test('a form that names no identifiers claims what stands in its fields', async () => {
  const fields = [{ name: 'phone', type: 'tel', value: '+7 916 100-00-01' }, { name: 'mail', type: 'email', value: 'new@example.com' }, { name: 'note', type: 'text', value: '+79161000002' }, { name: 'bad', type: 'tel', value: 'call me' }];
  await say(one, 'form-1', 'visitor:form', [], { type: 'form.submitted', data: JSON.stringify({ form: { id: 'callback', fields } }) });
  await claimOf('visitor:form', 2);
  assert.deepEqual((await claims('visitor:form')).map((event) => [event.data.claim.address, event.data.claim.evidence.text]),
    [['tel:+79161000001', 'field phone of the form callback'], ['mailto:new@example.com', 'field mail of the form callback']]);
});

test('a burst of proofs with a kill in the middle: each link told once', async () => {
  const people = Array.from({ length: 120 }, (_, i) => i);
  const batch = people.map((i) => message(`burst-${i}`, '', { address: `visitor:burst-${i}`, time_ms: Date.now(),
    data: JSON.stringify({ customer: { identifiers: [proved(`user:burst/${i}`, 'token'), claimed(`mailto:burst-${i}@example.com`)] }, message: { content: [{ type: 'text', text: 'x' }] } }) }));
  const said = raw(two, 'publish', { cause: 'self', respond: 200, batches: [batch.slice(0, 60), batch.slice(60)] });
  await until('some are linked', async () => (await links.status()).values > 30 && (await stored(client, 'KANAL_EVENTS', 'kanal.events._._.identity.linked.*')).some(({ data }) => data.data.customer.address?.startsWith('visitor:burst')));
  assert.equal((await said).status, 200);
  await one.stop('SIGKILL'); // whoever is the projector
  await two.stop('SIGKILL');
  await Promise.all([one.run(), two.run()]);
  const told = async () => (await events('identity.linked')).map((event) => event.data.customer.address).filter((address) => address?.startsWith('visitor:burst'));
  await until('all are linked', async () => (await told()).length >= people.length, 30000);
  await until('all claims are told', async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.probe.identity.claimed.*')).filter(({ data }) => data.data.customer.address?.startsWith('visitor:burst')).length >= people.length, 30000);
  await sleep(1500); // what would come twice comes by then: the projector goes again from where it was
  assert.deepEqual((await told()).toSorted(), people.map((i) => `visitor:burst-${i}`).toSorted());
  const claimedBy = (await stored(client, 'KANAL_EVENTS', 'kanal.events.probe.probe.identity.claimed.*')).map(({ data }) => data.data.customer.address).filter((address) => address.startsWith('visitor:burst'));
  assert.equal(new Set(claimedBy).size, claimedBy.length);
  await same(['visitor:burst-7', 'user:burst/7']);
});

test('through a restart, and a kill', async () => {
  const before = await customers(one, ['probe:a1', 'tel:+79160000001', 'probe:d1', 'probe:c1']);
  const count = await one.metric(/^kanal_identity_links /);
  await one.stop('SIGKILL');
  await one.run();
  await known(one, count);
  assert.deepEqual(await customers(one, ['probe:a1', 'tel:+79160000001', 'probe:d1', 'probe:c1']), before);
});

// What a gateway leaves that is killed after its link is stored, and before the event is.
test('killed between link and event: the event comes, once', async () => {
  const manager = await client.jetstreamManager();
  const { config } = await manager.streams.info('KANAL_EVENTS');
  await two.stop();
  await answers();
  await manager.streams.update('KANAL_EVENTS', { ...config, max_msgs: (await manager.streams.info('KANAL_EVENTS')).state.messages, discard: 'new' }); // takes nothing any more
  const asked = link('probe:k1', 'probe:k2').catch(() => null);
  const entry = await until('the link is stored', async () => {
    const keys = []; // first all of them: the iterator does not wait for what is asked meanwhile
    for await (const key of await links.keys()) keys.push(key);
    return (await Promise.all(keys.map((key) => links.get(key)))).find((record) => record?.json().link.addresses?.includes('probe:k1'));
  });
  assert.equal(entry.json().told, undefined);
  await one.stop('SIGKILL');
  await asked;
  assert.equal((await eventsOf('identity.linked', entry.key)).length, 0);
  await manager.streams.update('KANAL_EVENTS', config);
  await one.run();
  await until('the event is told', async () => (await eventsOf('identity.linked', entry.key)).length > 0, 20000);
  await until('and marked', async () => (await links.get(entry.key)).json().told);
  two = await startKanal(nats, [probe()], more());
  await known(two, await one.metric(/^kanal_identity_links /));
  await answers();
  await link('probe:k1', 'probe:k2');
  assert.equal((await eventsOf('identity.linked', entry.key)).length, 1);
});

test('a record that nobody understands is ignored and named', async () => {
  const count = await one.metric(/^kanal_identity_links /);
  await links.put('l_nonsense', 'no JSON');
  await links.put(`l_${'b'.repeat(26)}`, JSON.stringify({ link: { id: 'l_x', nodes: [`a_${'a'.repeat(26)}`, `a_${'b'.repeat(25)}a`], evidence: { kind: 'manual' } }, state: 'linked', count: 1, changed: '2026-01-01T00:00:00Z', customers: [`c_${'a'.repeat(26)}`] }));
  await until('it is named', () => one.log().filter((line) => /is not understood/.test(line.message)).length === 2);
  assert.equal(await one.metric(/^kanal_identity_links /), count);
});

test('erased from the bucket: no link any more, on either gateway', async () => {
  const own = await customers(one, ['probe:f1', 'probe:f2']);
  const { link: made } = await link('probe:f1', 'probe:f2');
  await links.delete(made.id);
  for (const kanal of gateways()) await until('nothing is left', async () => JSON.stringify(await customers(kanal, ['probe:f1', 'probe:f2'])) === JSON.stringify(own));
});

test('from a shell', async () => {
  const shell = (...args) => run(['customer', ...args, '--server', nats.url]);
  const made = await shell('link', 'probe:s1', 'probe:s2', '--reason', 'same card', '--agent', 'u-3');
  assert.equal(made.code, 0, made.stderr);
  const [, id] = /link +(l_\S+)/.exec(made.stdout);
  assert.equal((await eventsOf('identity.linked', id))[0].data.agent.id, 'u-3');
  const undone = await shell('unlink', id, '--json');
  assert.equal(JSON.parse(undone.stdout).split.length, 2);
  assert.equal((await shell('unlink', 'l_nothing')).code, 1);
  for (const args of [[], ['link', 'probe:s1'], ['unlink'], ['unlink', 'a', 'b'], ['join']]) assert.equal((await shell(...args)).code, 2, args.join(' '));
  assert.match((await run(['customer', '--help'])).stdout, /unlink/);
});

test('all of it by the contract', async () => {
  await sleep(0);
  assert.ok((await checkContract(client)) > 20);
});
