// The projector: what traffic is folded into, and that nothing is counted twice or lost, whatever happens to who does it.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Nats, checkContract, json, run, stored, storedMessages, until } from './harness.mjs';
import { message, probe, raw, startKanal } from './probe.mjs';

let nats, client;
const gateways = [];

beforeEach(async () => { nats = await Nats.start(); client = await nats.client(); });
afterEach(async () => {
  for (const gateway of gateways.splice(0)) { gateway.child.kill('SIGCONT'); await gateway.stop('SIGKILL'); }
  await client?.close(); await nats?.kill('SIGTERM');
});

async function gateway(more = {}) {
  const one = await startKanal(nats, [probe()], more);
  gateways.push(one);
  return one;
}

async function ask(endpoint, body = {}) {
  const reply = json.decode((await client.request(`kanal.api.${endpoint}`, json.encode(body), { timeout: 5000 })).data);
  assert.equal(reply.error, undefined, JSON.stringify(reply.error));
  return reply;
}

const publish = async (kanal, events) => {
  assert.equal((await raw(kanal, 'publish', { cause: 'self', respond: 200, batches: [events] })).status, 200);
};
const kv = async (key) => {
  const value = await (await client.jetstream().views.kv('kanal_profiles')).get(key);
  return value?.operation === 'PUT' ? json.decode(value.value) : undefined;
};
const lastSequence = async (stream) => (await (await client.jetstreamManager()).streams.info(stream)).state.last_seq;
// Everything stored is projected.
const settled = (ms = 15000) => until('everything is projected', async () => {
  const position = await kv('_position');
  return position?.at[0] === (await lastSequence('KANAL_EVENTS')) && position?.at[1] === (await lastSequence('KANAL_ACTIVITY')) && position;
}, ms);

test('smoke', async () => {
  const kanal = await gateway();
  await publish(kanal, [message('m1', 'hello')]);
  console.log(await settled());
  console.log(kanal.log().filter((l) => l.level !== 'info'));
  const store = await client.jetstream().views.kv('kanal_profiles');
  for await (const k of await store.keys()) console.log(k, JSON.stringify(await kv(k)));
  console.log((await storedMessages(client, 'KANAL_FACTS')).map((m) => m.subject + ' ' + new TextDecoder().decode(m.data)));
});
