// publish(): a cause's 2xx waits until everything is stored; all of a batch or none of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Nats, checkContract, sleep, stored, storedMessages, until } from './harness.mjs';
import { INVALID, OK, TOO_LARGE, call, message, notes, probe, raw, startKanal } from './probe.mjs';

let nats, kanal, client;

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, [probe(), probe('kept', { raw: '1h' })]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  assert.deepEqual(await kanal?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
});

const received = async () => (await stored(client, 'KANAL_EVENTS', 'kanal.events.*.*.message.received.*')).map((event) => event.data.data.message.content[0].text);
const publish = (batches, more = {}) => raw(kanal, 'publish', { batches, cause: 'self', respond: 200, ...more });
const results = async () => (await notes(kanal)).map((line) => JSON.parse(line.replace(/^result /, '')).status);

test('a 2xx is held back until the event is stored, also if it was given first', async () => {
  for (const respond_first of [false, true]) {
    await nats.pause();
    let answered = false;
    const text = `held ${respond_first}`;
    const first = publish([[message(text, text)]], { respond_first }).then((response) => { answered = true; return response; });
    await sleep(700);
    const early = answered;
    nats.resume();
    const response = await first;
    if (respond_first) { // a cause that is answered holds nothing back: the plugin had its say
      assert.equal(response.status, 200);
    } else {
      assert.equal(early, false, `${response.status} came although nothing was stored`);
      assert.deepEqual([response.status, await response.json()], [200, { responded: true }]);
    }
    await until(text, async () => (await received()).includes(text));
  }
  await until('results', async () => (await results()).length >= 0);
});

test('a refusal is not held back', async () => {
  await nats.pause();
  const response = await publish([[message('refused', 'refused')]], { respond: 422 });
  nats.resume();
  assert.equal(response.status, 422);
  await until('stored all the same', async () => (await received()).includes('refused'));
  await sleep(200);
  await results();
});

test('several publishes on one cause: the answer waits for all', async () => {
  const response = await publish([[message('s1', 's1')], [message('s2', 's2')], [message('s3', 's3'), message('s4', 's4')]]);
  assert.equal(response.status, 200);
  const texts = await received();
  for (const text of ['s1', 's2', 's3', 's4']) assert.ok(texts.includes(text), text);
  assert.deepEqual(await until('three results', async () => { const r = await results(); return r.length === 3 && r; }), [OK, OK, OK]);
});

test('one wrong event of a batch: none is stored, 500, and the log says which', async () => {
  const response = await publish([[message('b1', 'b1'), message('', 'b2'), message('b3', 'b3')]]);
  assert.equal(response.status, 500);
  assert.equal((await response.json()).error.code, 'internal');
  assert.deepEqual(await results(), [INVALID]);
  const texts = await received();
  for (const text of ['b1', 'b2', 'b3']) assert.ok(!texts.includes(text), text);
  assert.ok(kanal.log().some((line) => /event 2 of 3/.test(line.message)));
  assert.ok((await kanal.metric(/^kanal_events_refused_total\{channel="probe"/)) >= 1);
});

test('a wrong publish beside a right one: the answer is 500', async () => {
  const response = await publish([[message('w1', 'w1')], [message('', 'w2')]]);
  assert.equal(response.status, 500);
  await until('both results', async () => (await results()).length >= 0);
});

test('what breaks the contract is refused: type, data, address, sizes, counts', async () => {
  const cases = [
    [[{ ...message('x1', 'x'), type: 'message.invented' }], INVALID],
    [[{ ...message('x2', 'x'), type: 'message.sent' }], null],
    [[{ ...message('x3', 'x'), data: 'no JSON' }], INVALID],
    [[{ ...message('x4', 'x'), data: '[]' }], INVALID],
    [[{ ...message('x5', 'x'), address: 'no address' }], INVALID],
    [[{ ...message('x6', 'x'), address: undefined }], INVALID],
    [[{ ...message('x'.repeat(1025), 'x') }], INVALID],
    [[{ ...message('x7', 'x'), struct_size: 16 }], INVALID],
    [[{ ...message('x8', 'x'), struct_size: 0 }], INVALID],
    [[{ ...message('x9', 'x'), data: { size: 512 * 1024 + 1 } }], TOO_LARGE],
    [[], INVALID],
    [Array.from({ length: 257 }, (_, i) => message(`c${i}`, 'too many')), INVALID],
  ];
  for (const [batch, status] of cases) {
    const end = await call(kanal, 'publish', { batches: [batch] });
    if (status === null) assert.notEqual(end.status, INVALID); // whoever reports what was sent
    else assert.equal(end.status, status, JSON.stringify(batch).slice(0, 200));
    assert.equal(end.inside, false);
  }
  assert.ok(!(await received()).includes('too many'));
  const most = await call(kanal, 'publish', { batches: [Array.from({ length: 256 }, (_, i) => message(`m${i}`, 'as many as may be'))] });
  assert.equal(most.status, OK);
  assert.equal((await received()).filter((text) => text === 'as many as may be').length, 256);
});

test('an event too large for the broker: 413 to whoever sent it', async () => {
  const response = await publish([[{ ...message('huge', 'x'), data: { size: 512 * 1024 + 1 } }]]);
  assert.equal(response.status, 413);
  await results();
});

test('without a cause, with one that is answered or invented: stored, nobody is held up', async () => {
  assert.equal((await call(kanal, 'publish', { batches: [[message('n1', 'n1')]], cause: 'none' })).status, OK);
  assert.equal((await publish([[message('n2', 'n2')]], { cause: 'answered' })).status, 200);
  assert.equal((await publish([[message('n3', 'n3')]], { cause: 'invented' })).status, 200);
  await until('all are stored', async () => { const texts = await received(); return ['n1', 'n2', 'n3'].every((text) => texts.includes(text)); });
  await until('results', async () => (await results()).length >= 0);
});

test('the same event again is stored once and is OK', async () => {
  for (let i = 0; i < 3; i++) assert.equal((await publish([[message('same', 'same')]])).status, 200);
  assert.equal((await received()).filter((text) => text === 'same').length, 1);
  await results();
});

test('live events are told, not kept', async () => {
  const heard = [];
  const subscription = client.subscribe('kanal.live.>', { callback: (error, m) => heard.push(m.subject) });
  await client.flush();
  const response = await publish([[{ type: 'typing.started', dedupe: 't1', address: 'probe:anna', data: '{}' }]]);
  assert.equal(response.status, 200);
  await until('the live event', () => heard.length === 1);
  assert.match(heard[0], /^kanal\.live\.probe\.probe\.typing\.started\.a_/);
  subscription.unsubscribe();
  await results();
});

test('a broker that is away: 503 with Retry-After, and the plugin hears it', async () => {
  await nats.kill('SIGKILL');
  const response = await until('a refusal', async () => { const r = await publish([[message('away', 'away')]]); return r.status === 503 && r; });
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.notEqual((await results()).at(-1), OK);
  await nats.run();
  await until('taken again', async () => (await publish([[message('away', 'away')]])).status === 200, 20000);
  await until('the test is connected again too', received, 20000);
  assert.equal((await received()).filter((text) => text === 'away').length, 1);
  await results();
});

test('raw payloads are kept where the operator says so', async () => {
  await raw(kanal, 'publish', { batches: [[message('r1', 'r1', { raw: '{"provider":"payload"}' })]] }, 'kept');
  await raw(kanal, 'publish', { batches: [[message('r2', 'r2', { raw: '{"provider":"other"}' })]] });
  const kept = (await storedMessages(client, 'KANAL_RAW')).map((message) => [message.subject, message.headers?.get('Kanal-Kind') || 'payload', message.string()]);
  // The probe's own requests are kept, too; a request's payload is not kept a second time.
  assert.deepEqual(kept.filter(([, kind]) => kind === 'payload').map(([subject, , text]) => [subject, text]), [['kanal.raw.kept', '{"provider":"payload"}']]);
  assert.ok(kept.every(([subject]) => subject === 'kanal.raw.kept'));
});

test('when the channel last heard something is in /channels', async () => {
  await call(kanal, 'publish', { batches: [[message('polled', 'polled')]], cause: 'none' }, 'kept');
  const channel = (await kanal.channels()).find((one) => one.id === 'kept');
  assert.match(JSON.stringify(channel), /"last_in":"20/, JSON.stringify(channel));
});

test('every event keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 260);
});
