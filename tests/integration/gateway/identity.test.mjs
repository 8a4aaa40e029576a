// Who is one customer: said over the API on one of two gateways, known to both; undone exactly; through restarts and kills.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, json, run, scratchDir, sleep, stored, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

let nats, one, two, client, js, links;
const gateways = () => [one, two];
const more = () => ({ data_dir: scratchDir(), top: { identity: { salt: 'a salt for tests only', trust: ['probe'] } } });
const known = (kanal, count) => until(`${count} links are known`, async () => (await kanal.metric(/^kanal_identity_links /)) === count);

before(async () => {
  nats = await Nats.start();
  one = await startKanal(nats, [probe()], more());
  two = await startKanal(nats, [probe()], more());
  client = await nats.client();
  js = client.jetstream();
  links = await js.views.kv('kanal_links');
  await until('both answer', async () => (await client.request('$SRV.PING.kanal', '', { timeout: 500 })).data.length > 0);
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
  await manager.streams.update('KANAL_EVENTS', { ...config, max_msgs: (await manager.streams.info('KANAL_EVENTS')).state.messages, discard: 'new' }); // takes nothing any more
  const asked = link('probe:k1', 'probe:k2').then((x) => console.log('ASKED', JSON.stringify(x)), (e) => console.log('ERR', e));
  const entry = await until('the link is stored', async () => {
    for await (const key of await links.keys()) {
      const found = await links.get(key);
      if (found.json().link.addresses?.includes('probe:k1')) return found;
    }
    return null;
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
