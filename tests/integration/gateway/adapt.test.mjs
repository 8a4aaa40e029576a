// Content on a channel that shows nothing but text: what the customer gets, what their answers mean, and the plan of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { Kanal, Nats, checkContract, json, root, run, stored, storedTypes, until } from './harness.mjs';

let nats, one, two, client, js;
const channels = () => [{ id: 'echo', plugin: 'echo' }];

before(async () => {
  nats = await Nats.start();
  one = await Kanal.start(nats, channels());
  two = await Kanal.start(nats, channels());
  client = await nats.client();
  js = client.jetstream();
});

after(async () => {
  await client.close();
  await Promise.all([one.stop(), two.stop()]);
  await nats.kill('SIGTERM');
});

const yesNo = [{ text: 'Да', payload: 'ORDER_YES' }, { text: 'Not now', payload: 'ORDER_NO' }];
const question = (id, to, more = {}) => ({ id, to: { address: `echo:${to}` },
  content: [{ type: 'text', text: 'Confirm the order?' }, { type: 'choice', style: 'buttons', options: yesNo }], ...more });
const sent = (id) => until(`message.sent of ${id}`, async () => (await storedTypes(client, id)).at(-1) === 'message.sent');
const outbox = async (to) => (await Promise.all([one, two].map(async (kanal) => (await (await fetch(`${kanal.url}/c/echo/outbox?to=${to}`)).json()).messages)))
  .flat().map((message) => message.text);
async function ask(command) {
  await js.publish('kanal.commands.echo.message.send', json.encode(command));
  await sent(command.id);
}
// What the customer writes to one of the gateways, as its event says it.
async function say(kanal, from, text, id) {
  assert.equal((await kanal.post('/c/echo/', { from, text, id })).status, 200);
  return until(`the message ${id}`, async () =>
    (await stored(client, 'KANAL_EVENTS')).map((e) => e.data).find((e) => e.type === 'message.received' && e.data.message.external_id === id));
}

test('buttons become numbered lines, and the number comes back as the payload, through another gateway', async () => {
  await ask(question('crm-1', 'anna'));
  assert.deepEqual(await outbox('anna'), ['Confirm the order?\n\n1. Да\n2. Not now']);
  const { data } = await say(two, 'anna', ' 2. ', 'm1');
  assert.deepEqual(data.message.content, [{ type: 'answer', kind: 'menu', payload: 'ORDER_NO', text: 'Not now', provider: { typed: ' 2. ' } }]);
  assert.deepEqual(data.message.reply_to, { id: 'crm-1' });
});

test('one answer closes the offer, at every gateway', async () => {
  for (const [kanal, id] of [[two, 'm2'], [one, 'm3']]) {
    const { data } = await say(kanal, 'anna', '2', id);
    assert.deepEqual(data.message.content, [{ type: 'text', text: '2' }]);
    assert.equal(data.message.reply_to, undefined);
  }
});

test('the words answer too, whatever their case; another customer has no offer', async () => {
  await ask(question('crm-2', 'boris'));
  assert.deepEqual((await say(one, 'anna', 'да', 'm4')).data.message.content, [{ type: 'text', text: 'да' }]);
  assert.deepEqual((await say(one, 'boris', 'what is that?', 'm5')).data.message.content, [{ type: 'text', text: 'what is that?' }]);
  assert.equal((await say(one, 'boris', 'дА', 'm6')).data.message.content[0].payload, 'ORDER_YES');
});

test('what stays open is answered again', async () => {
  const command = question('crm-3', 'vera');
  Object.assign(command.content[1], { style: 'quick_replies', persistent: true });
  await ask(command);
  for (const id of ['m7', 'm8'])
    assert.equal((await say(one, 'vera', '1', id)).data.message.content[0].payload, 'ORDER_YES');
});

test('an offer outlives the gateways', async () => {
  await ask(question('crm-4', 'gleb'));
  await Promise.all([one.stop('SIGKILL'), two.stop('SIGKILL')]);
  [one, two] = await Promise.all([Kanal.start(nats, channels()), Kanal.start(nats, channels())]);
  await until('the offers are read', async () => (await one.metric(/^kanal_offers_open/)) >= 4);
  assert.equal((await say(one, 'gleb', '2', 'm9')).data.message.reply_to.id, 'crm-4');
});

test('a long text is several messages, in order', async () => {
  const text = Array.from({ length: 200 }, (_, i) => `Sentence ${i} has some words 👩‍👧.`).join(' ');
  await ask({ id: 'long', to: { address: 'echo:dora' }, content: [{ type: 'text', text }] });
  await until('all parts are sent', async () => (await storedTypes(client, 'long')).filter((type) => type === 'message.sent').length === 2);
  const texts = await outbox('dora');
  assert.equal(texts.length, 2);
  assert.equal(texts.join(' '), text);
  assert.match(texts[0], /👩‍👧\.$/);
});

test('strict: it fails, and every place is named', async () => {
  const command = { ...question('strict', 'eva'), adapt: 'strict' };
  command.content.push({ type: 'image', url: 'https://example.com/a.png' });
  await js.publish('kanal.commands.echo.message.send', json.encode(command));
  await until('it failed', async () => (await storedTypes(client, 'strict')).includes('message.failed'));
  const event = (await stored(client, 'KANAL_EVENTS')).find((e) => e.data.type === 'message.failed' && e.data.data.message.id === 'strict').data;
  assert.equal(event.data.error.code, 'unsupported_content');
  assert.match(event.data.error.detail, /content\/1 \(choice\).*content\/2 \(image\)/);
});

// ---- The plan ----

const plan = async (command) => json.decode((await client.request('kanal.api.message-plan', json.encode(command), { timeout: 5000 })).data);
const strictly = (definition, object) => new Promise((resolve) => {
  const child = spawn(process.execPath, [path.join(root, 'tests/contract/strict.mjs'), '--def', definition, '-q', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(`${JSON.stringify(object)}\n`);
  child.on('exit', resolve);
});

test('message-plan shows the messages and the losses, and sends nothing', async () => {
  const before = (await outbox('fima')).length;
  const answer = await plan(question('plan-1', 'fima'));
  assert.equal(await strictly('api.message-plan.reply', answer), 0);
  assert.equal(answer.channels.length, 1);
  const [channel] = answer.channels;
  assert.equal(channel.channel, 'echo');
  assert.equal(channel.possible && channel.chosen, true);
  assert.deepEqual(channel.parts, [{ content: [{ type: 'text', text: 'Confirm the order?\n\n1. Да\n2. Not now' }], characters: 36 }]);
  assert.deepEqual(channel.losses.map((loss) => [loss.index, loss.type, loss.change]), [[1, 'choice', 'converted']]);
  assert.equal((await outbox('fima')).length, before);
  assert.deepEqual(await storedTypes(client, 'plan-1'), []);
});

test('message-plan: routes, variants, segments of SMS, and what cannot be', async () => {
  const command = question('plan-2', 'x', { to: { address: 'tel:+79161234567' }, route: { steps: [{ channel: 'nobody' }, { channel: 'echo', after: 'PT10M' }] },
    variants: [{ plugin: 'echo', content: [{ type: 'text', text: 'Да'.repeat(60) }] }] });
  const answer = await plan(command);
  assert.equal(await strictly('api.message-plan.reply', answer), 0);
  const [nobody, echo] = answer.channels;
  assert.equal(nobody.error.code, 'channel_unknown');
  assert.deepEqual([echo.step, echo.after, echo.variant, echo.chosen], [2, 'PT10M', 0, true]);
  assert.deepEqual([echo.parts[0].characters, echo.parts[0].segments, echo.parts[0].encoding], [120, 2, 'ucs2']);
  const strict = await plan({ ...question('plan-3', 'x'), adapt: 'strict' });
  assert.deepEqual([strict.channels[0].possible, strict.channels[0].error.code], [false, 'unsupported_content']);
  const wrong = await plan({ id: 'plan-4', to: {} });
  assert.equal(wrong.error.code, 'invalid_request');
  assert.ok(wrong.error.errors.length > 0);
});

test('kanal plan tells it to a person, and as JSON', async () => {
  const words = ['echo:fima', 'Confirm?', '--button', 'Yes=Y', '--button', 'No', '--server', nats.url];
  const text = await run(['plan', ...words]);
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^echo {2}echo {2}\(it would go here\)\n {4}message 1, \d+ characters\n {8}Confirm\?\n\n {8}1\. Yes\n {8}2\. No\n {4}lost: content\/1 choice, converted: /m);
  const answer = await run(['plan', '--json', '--channel', 'nobody', '--channel', 'echo', ...words]);
  assert.deepEqual(JSON.parse(answer.stdout).channels.map((channel) => channel.possible), [false, true]);
  assert.equal((await run(['plan', '--channel', 'nobody', ...words])).code, 1);
  assert.equal((await run(['plan', '--server', nats.url, 'echo:fima'])).code, 2);
  const file = await run(['plan', '--server', nats.url, '--command', '-'], { input: JSON.stringify(question('plan-5', 'fima')) });
  assert.equal(file.code, 0, file.stderr);
});

test('everything keeps the contract', async () => {
  assert.ok((await checkContract(client)) > 20);
});
