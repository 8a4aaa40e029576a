// SIGTERM: what is under way is finished, within bounds, and the end is in order.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Kanal, Nats, checkContract, sleep, stored, until } from './harness.mjs';

let nats;
before(async () => { nats = await Nats.start(); });
after(() => nats.kill('SIGTERM'));

const stopping = (kanal) => until('SIGTERM is heard', () => kanal.log().some((entry) => entry.message.startsWith('stopping')));

test('a request whose event is not stored yet is stored and answered 200 before the gateway ends', async () => {
  const kanal = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }]);
  await nats.pause();
  const request = kanal.post('/c/echo/', { from: 'anna', text: 'the last words' });
  await sleep(300);
  const ended = kanal.stop();
  await stopping(kanal);
  assert.equal((await fetch(`${kanal.admin}/readyz`)).status, 503, 'no new requests are wanted');
  await sleep(500);
  nats.resume();
  assert.equal((await request).status, 200);
  assert.deepEqual(await ended, { code: 0, signal: null });
  const client = await nats.client();
  const events = await stored(client, 'KANAL_EVENTS');
  assert.equal(events.filter((event) => event.data.data.message?.content?.[0]?.text === 'the last words').length, 1);
  await checkContract(client);
  await client.close();
});

test('with a broker that does not answer it ends all the same; the request gets 503 and Retry-After', async () => {
  const kanal = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }]);
  await nats.pause();
  const request = kanal.post('/c/echo/', { from: 'anna', text: 'never stored' });
  await sleep(300);
  const start = Date.now();
  const ended = kanal.stop();
  const response = await request;
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.deepEqual(await ended, { code: 0, signal: null });
  assert.ok(Date.now() - start < 14000, `${Date.now() - start} ms`);
  nats.resume();
});
