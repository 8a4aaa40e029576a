// The bot without a broker: values, times, the rule file, and the engine with a clock that the test turns.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Engine } from '../engine.mjs';
import { Journal, StateError } from '../journal.mjs';
import { RuleErrors, parseRules, readRules } from '../rules.mjs';
import { duration, nextTimeOfDay, timeOfDay } from '../times.mjs';
import { MissingValue, fill, holds, subjectMatches, valueAt } from '../values.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const HOUR = 3600e3, START = Date.parse('2026-11-21T20:53:05.000Z');

// ---- Values ----

test('pointers are RFC 6901', () => {
  const document = { a: { 'b/c': [10, { '~': 'tilde' }], '': 'empty' }, list: 'text' };
  assert.equal(valueAt(document, '/a/b~1c/0'), 10);
  assert.equal(valueAt(document, '/a/b~1c/1/~0'), 'tilde');
  assert.equal(valueAt(document, '/a/'), 'empty');
  for (const absent of ['/x', '/list/length', '/a/b~1c/length/x', '/a/constructor', '/a/__proto__']) assert.equal(valueAt(document, absent), undefined, absent);
});

test('conditions', () => {
  const event = { price: '1990.00', n: 3, name: 'Kaffee Äthiopien', gone: null, tags: ['a', 'b'] };
  const is = (pointer, word, argument, first) => holds([{ pointer, tests: [[word, argument]] }], event, first);
  assert.ok(is('/price', 'above', 1000) && !is('/price', 'above', 1990) && is('/n', 'below', 4) && !is('/name', 'above', 0));
  assert.ok(is('/n', 'is', 3) && is('/price', 'is', 1990) && !is('/n', 'not', 3) && is('/x', 'not', 1) && is('/n', 'in', [1, 3]));
  assert.ok(is('/gone', 'exists', false) && is('/n', 'exists', true) && is('/name', 'contains', 'äthiop') && is('/tags', 'contains', 'b'));
  assert.ok(is('/n', 'same', '/m', { m: '3' }) && !is('/n', 'same', '/m', {}) && !is('/x', 'same', '/y', {}));
});

test('subject filters', () => {
  assert.ok(subjectMatches('kanal.events.*.shop.>', 'kanal.events.telegram.shop.message.received.a_1'));
  for (const [filter, subject] of [['a.>', 'a'], ['a.*', 'a.b.c'], ['a.b', 'a'], ['a', 'a.b']]) assert.ok(!subjectMatches(filter, subject), `${filter} ${subject}`);
});

test('templates: what a customer wrote is text, wherever it stands', () => {
  const event = { name: '<b>*Anna*</b> & {{/secret}}', id: 'a/b?c=1&d', n: 7, list: [1], secret: 's' };
  assert.equal(fill('Hi {{/name}}', event), 'Hi <b>*Anna*</b> & {{/secret}}'); // filled once, not twice
  assert.equal(fill({ type: 'text', markup: 'html', text: '<i>{{/name}}</i>' }, event).text, '<i>&#60;b&#62;*Anna*&#60;/b&#62; &#38; {{/secret}}</i>');
  assert.match(fill({ markup: 'markdown', text: '**{{/name}}**' }, event).text, /^\*\*\\<b\\>\\\*Anna/);
  assert.equal(fill({ url: 'https://shop.example/?c={{/id}}' }, event).url, 'https://shop.example/?c=a%2Fb%3Fc%3D1%26d');
  assert.equal(fill({ address: 'mailto:{{/id}}+x@b.ru' }, event).address, 'mailto:a%2Fb%3Fc%3D1%26d+x@b.ru');
  assert.deepEqual(fill(['{{/n}}', '{{ /list }}', 'n{{/n}}', '{{/x|there}}', 'a{{/x|}}'], event), [7, [1], 'n7', 'there', 'a']);
  assert.throws(() => fill('{{/x}}', event), MissingValue);
  assert.throws(() => fill('Hi {{/x}}', event), /nothing at \/x/);
  assert.throws(() => fill('Hi {{/list}}', event), /no text at \/list/);
});

// ---- Times ----

test('durations', () => {
  assert.deepEqual(['PT1H', 'P1DT2H', 'P2W', 'PT0.5S', '90s', '250ms', '7d', '-PT2H'].map(duration), [HOUR, 26 * HOUR, 14 * 24 * HOUR, 500, 90e3, 250, 7 * 24 * HOUR, -2 * HOUR]);
  for (const wrong of ['', 'P', 'PT', 'P1DT', 'P1M', 'P1Y', '1 hour', '10', 'PT1H ', 'pt1h', '1.5h', 3600]) assert.equal(duration(wrong), undefined, String(wrong));
});

test('times of day, also where clocks are changed', () => {
  const at = (time, wanted, zone) => new Date(nextTimeOfDay(Date.parse(time), timeOfDay(wanted), zone)).toISOString();
  assert.equal(at('2026-11-21T20:53:05Z', '10:00', 'Europe/Moscow'), '2026-11-22T07:00:00.000Z');
  assert.equal(at('2026-11-22T07:00:00Z', '10:00', 'Europe/Moscow'), '2026-11-22T07:00:00.000Z');
  assert.equal(at('2026-11-22T07:00:01Z', '10:00', 'Europe/Moscow'), '2026-11-23T07:00:00.000Z');
  assert.equal(at('2026-03-28T12:00:00Z', '10:00', 'Europe/Berlin'), '2026-03-29T08:00:00.000Z'); // summer began that night
  assert.equal(at('2026-10-24T12:00:00Z', '10:00', 'Europe/Berlin'), '2026-10-25T09:00:00.000Z');
  assert.equal(at('2026-03-29T00:00:00Z', '02:30', 'Europe/Berlin'), '2026-03-29T01:30:00.000Z'); // there is no 02:30: 03:30 in summer time
  assert.equal(at('2026-11-21T20:53:05Z', '00:00', 'Pacific/Kiritimati'), '2026-11-22T10:00:00.000Z');
});

// ---- The rule file ----

const wrong = (source, ...lines) => assert.throws(() => parseRules(source, 'r.yaml'), (error) => {
  assert.ok(error instanceof RuleErrors);
  assert.deepEqual(error.lines, lines);
  return true;
});
const RULE = 'rules:\n  - name: x\n    when: { type: a.b }\n    send: { content: [ { type: text, text: hi } ] }\n';

test('what is wrong with a rule file is said with its place, all at once', () => {
  assert.equal(parseRules(RULE, 'r.yaml').rules[0].again, 'each');
  wrong('', 'r.yaml:1:1: expected a mapping with rules, found nothing');
  wrong('rules: []\n', 'r.yaml:1:8: rules: expected a list of rules, found an empty list');
  wrong('rules: [\n', 'r.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]');
  wrong('rules:\n - {name: x, name: y}\n', 'r.yaml:2:14: Map keys must be unique');
  wrong('rules:\n - &a {name: x}\n - *a\n', 'r.yaml:3:4: rules[1]: aliases are not read here');
  wrong(`${RULE}---\nrules: []\n`, 'r.yaml:6:1: one document is expected');
  wrong(RULE + RULE.split('\n').slice(1).join('\n'), 'r.yaml:5:11: rules[1].name: there is another rule of this name: x');
  wrong(RULE.replace('x\n', 'x\n    wait: 1 hour\n    again: always\n'), 'r.yaml:3:11: rules[0].wait: expected a duration such as PT1H or 90s, or a mapping with for, until, found "1 hour"',
    'r.yaml:4:12: rules[0].again: expected one of each, restart, ignore, found "always"');
  wrong(RULE.replace('x\n', 'x\n    wait: { for: -PT1H }\n'), 'r.yaml:3:18: rules[0].wait.for: expected a duration such as PT1H or 90s, found "-PT1H"');
  wrong(RULE.replace('x\n', 'x\n    wait: { until: noon, zone: Moscow }\n'), 'r.yaml:3:20: rules[0].wait.until: expected a time of day in quotes such as "10:00", or the JSON pointer of a time in the event, found "noon"',
    'r.yaml:3:32: rules[0].wait.zone: expected a time zone such as Europe/Moscow, found "Moscow"');
  wrong(RULE.replace('text: hi', 'text: "{{data}} }}"'), 'r.yaml:4:44: rules[0].send.content[0].text: {{ begins or ends no {{/pointer}} or {{/pointer|otherwise}}');
  wrong(RULE.replace('send: {', 'send: { to: { address: "a:b" },'), 'r.yaml:4:17: rules[0].send.to: an address needs a channel beside it');
  wrong(RULE.replace('a.b }', 'a.b, where: { /data/x: { same: /data/y } } }'), 'r.yaml:3:50: rules[0].when.where["/data/x"].same: `same` compares with the event of `when`, and so belongs under `unless`');
  wrong('a'.repeat(2 << 20), 'r.yaml: a rule file has at most 1 MiB');
  assert.throws(() => readRules('/nowhere/r.yaml'), /r\.yaml: cannot be read: ENOENT/);
});

test('the example of the README is right', () => assert.equal(readRules(path.join(here, '../shop.yaml')).rules.length, 3));

test('no rule file, however broken, makes it fall', () => { // mutations of the example
  const source = readFileSync(path.join(here, '../shop.yaml'), 'utf8');
  let seed = 7;
  const random = (below) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
  for (let i = 0; i < 400; i++) {
    const at = random(source.length), piece = ['', '{', ']', ':', '\n', '- ', '*a', '"', '|', 'null', '0', '!!x ', '? ', '\t'][random(14)];
    try { parseRules(source.slice(0, at) + piece + source.slice(at + random(20)), 'r.yaml'); } catch (error) { assert.ok(error instanceof RuleErrors, `${error.stack} at ${at} ${piece}`); }
  }
});

// ---- The engine ----

function engine(rules, more = {}) {
  const clock = { at: START, steadyAt: 0, wall() { return this.at; }, steady() { return this.steadyAt; }, pass(ms) { this.at += ms; this.steadyAt += ms; } };
  const bot = new Engine({ rules: parseRules(rules, 'r.yaml').rules, clock, ...more });
  const records = [];
  bot.start({ append: (record) => records.push(JSON.parse(JSON.stringify(record))), isLong: () => false, rewrite(live) { records.splice(0, Infinity, ...live()); } });
  bot.begun = () => { const due = bot.due(); return due.map((wait) => { const made = bot.command(wait); if (made) bot.sent(wait, made.command); return made; }).filter(Boolean); };
  return { bot, clock, records };
}
let ids = 0;
const event = (name, more = {}) => ({ id: `e_${++ids}`, type: 'activity.tracked', time: new Date(more.at ?? START).toISOString(), recordedtime: new Date(more.at ?? START).toISOString(), subject: more.node ?? 'a_1',
  data: { channel: { id: 'site', plugin: 'events' }, customer: { id: more.customer ?? 'c_1', node: more.node ?? 'a_1', address: 'echo:anna' }, activity: { name, properties: more.properties ?? {} } } });
const SUBJECT = 'kanal.activity.events.site.activity.tracked.b07';
const CART = `rules:
  - name: cart
    when: { type: activity.tracked, where: { /data/activity/name: Product Added } }
    wait: PT1H
    unless: { type: activity.tracked, where: { /data/activity/name: Order Completed } }
    AGAIN
    send: { content: [ { type: text, text: hi } ] }
`;
const cart = (again = '') => engine(CART.replace('AGAIN', again));

test('an event told again begins nothing, waiting or over', () => {
  const { bot, clock } = cart(), added = event('Product Added');
  bot.handle(added, SUBJECT);
  bot.handle(added, SUBJECT);
  assert.equal(bot.waits.size, 1);
  clock.pass(HOUR);
  const [{ subject, command }] = bot.begun();
  assert.equal(subject, 'kanal.commands.site.message.send');
  assert.equal(command.id, `bot:cart:${added.id}`);
  bot.handle(added, SUBJECT);
  bot.handle({ ...added, id: 'e_other', corrects: added.id }, SUBJECT); // said instead of it
  assert.equal(bot.waits.size, 0);
});

test('unless: the same customer, from then on, in whatever order the streams tell it', () => {
  const { bot, clock } = cart();
  bot.handle(event('Product Added', { at: START }), SUBJECT);
  bot.handle(event('Order Completed', { at: START + 10, customer: 'c_2', node: 'a_2' }), SUBJECT); // somebody else
  bot.handle(event('Order Completed', { at: START - HOUR }), SUBJECT); // an old order, told late
  assert.equal(bot.waits.size, 1);
  bot.handle(event('Order Completed', { at: START + 20 }), SUBJECT);
  assert.equal(bot.waits.size, 0);
  bot.handle(event('Product Added', { at: START + 10 }), SUBJECT); // before that order, told after it
  assert.equal(bot.waits.size, 0);
  bot.handle(event('Product Added', { at: START + 30 }), SUBJECT); // a new cart
  assert.equal(bot.waits.size, 1);
  clock.pass(HOUR + 30);
  assert.equal(bot.begun().length, 1);
});

test('two that turn out to be one: an unless of either counts', () => {
  const { bot } = cart();
  const linked = { id: 'e_link', type: 'identity.linked', data: { customer: { id: 'c_1' }, merged: ['c_1', 'c_9'], link: { nodes: ['a_1', 'a_9'] } } };
  bot.handle(event('Product Added', { at: START }), SUBJECT);
  bot.handle(event('Order Completed', { at: START + 5, customer: 'c_9', node: 'a_9' }), SUBJECT);
  assert.equal(bot.waits.size, 1);
  bot.handle(linked, 'kanal.events._._.identity.linked.a_9');
  assert.equal(bot.waits.size, 0);
});

test('again: each, restart, ignore', () => {
  for (const [again, left] of [['', 2], ['again: restart', 1], ['again: ignore', 1]]) {
    const { bot, clock } = cart(again);
    bot.handle(event('Product Added', { at: START }), SUBJECT);
    clock.pass(HOUR / 2);
    bot.handle(event('Product Added', { at: START + HOUR / 2 }), SUBJECT);
    bot.handle(event('Product Added', { at: START + 5, customer: 'c_2', node: 'a_2' }), SUBJECT);
    assert.equal(bot.waits.size, left + 1, again);
    clock.pass(HOUR / 2 + 5);
    assert.equal(bot.begun().length, again === 'again: restart' ? 1 : 2, again);
  }
});

test('a clock that jumps neither hurries a wait nor holds it', () => {
  const { bot, clock } = cart();
  bot.handle(event('Product Added'), SUBJECT);
  clock.at += 5 * HOUR; // somebody set it
  assert.equal(bot.due().length, 0);
  clock.at -= 10 * HOUR;
  clock.steadyAt += HOUR - 1;
  assert.equal(bot.due().length, 0);
  clock.steadyAt += 1;
  assert.equal(bot.due().length, 1);
});

test('a time of day goes by the clock; a time in the event, and before it', () => {
  const { bot, clock } = engine(`zone: Europe/Moscow
rules:
  - { name: morning, when: { type: activity.tracked }, wait: { for: PT1H, until: "10:00" }, send: { content: [ { type: text, text: hi } ] } }
  - { name: before, when: { type: activity.tracked }, wait: { for: -PT2H, until: /data/activity/properties/starts }, send: { content: [ { type: text, text: hi } ] } }
`);
  bot.handle(event('x', { properties: { starts: '2026-11-23T12:00:00Z' } }), SUBJECT);
  bot.handle(event('y', { properties: { starts: 'tomorrow' } }), SUBJECT);
  assert.deepEqual([...bot.waits.values()].map((wait) => [wait.rule, new Date(wait.due).toISOString()]),
    [['morning', '2026-11-22T07:00:00.000Z'], ['before', '2026-11-23T10:00:00.000Z'], ['morning', '2026-11-22T07:00:00.000Z']]);
  clock.at = Date.parse('2026-11-22T07:00:00.000Z');
  assert.equal(bot.due().length, 2);
});

test('late, and what the event has not', () => {
  const { bot, clock } = engine(`rules:
  - { name: a, when: { type: activity.tracked }, late: PT1H, send: { content: [ { type: text, text: hi } ] } }
  - { name: b, when: { type: activity.tracked }, send: { expires: PT2H, content: [ { type: text, text: hi } ] } }
  - { name: c, when: { type: activity.tracked }, send: { content: [ { type: text, text: "{{/data/none}}" } ] } }
`);
  bot.handle(event('x'), SUBJECT);
  clock.pass(HOUR);
  assert.deepEqual(bot.begun().map(({ command }) => [command.id.split(':')[1], command.expires]), [['a', undefined], ['b', new Date(START + 2 * HOUR).toISOString()]]);
  bot.handle(event('x'), SUBJECT);
  clock.pass(HOUR + 1);
  assert.deepEqual(bot.begun(), []);
  assert.equal(bot.waits.size, 0);
});

test('the state is what its records say, at any moment', () => {
  const rules = CART.replace('AGAIN', 'again: restart');
  let seed = 3;
  const random = (below) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
  const { bot, clock, records } = engine(rules);
  for (let i = 0; i < 400; i++) {
    const who = random(6);
    if (random(10) === 0) bot.handle({ id: `e_l${i}`, type: 'identity.linked', data: { customer: { id: `c_${who}` }, merged: [`c_${who}`, `c_${random(6)}`], link: { nodes: [`a_${who}`] } } }, 'x');
    else bot.handle(event(['Product Added', 'Order Completed'][random(2)], { at: clock.at, customer: `c_${who}`, node: `a_${who}` }), SUBJECT);
    if (random(50) === 0) bot.handle({ id: `e_f${i}`, type: 'customer.forgotten', data: { forgotten: { customer: `c_${who}`, nodes: [`a_${who}`] } } }, 'x');
    clock.pass(random(HOUR / 10));
    bot.begun();
    const again = new Engine({ rules: parseRules(rules, 'r.yaml').rules, clock });
    for (const record of JSON.parse(JSON.stringify(records))) again.apply(record);
    const plain = (map) => [...map.values()].map(({ steadyDue, ...rest }) => JSON.parse(JSON.stringify(rest))).sort((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(plain(again.waits), plain(bot.waits));
    assert.deepEqual(plain(again.seen), plain(bot.seen));
    assert.deepEqual([...again.ends.keys()].sort(), [...bot.ends.keys()].sort());
  }
});

test('nothing of a forgotten customer stays', () => {
  const { bot, records } = cart();
  bot.handle(event('Product Added', { customer: 'c_4', node: 'a_4' }), SUBJECT);
  bot.handle(event('Order Completed', { customer: 'c_5', node: 'a_4' }), SUBJECT);
  bot.handle(event('Product Added', { customer: 'c_6', node: 'a_6' }), SUBJECT);
  bot.handle({ id: 'e_f', type: 'customer.forgotten', data: { forgotten: { customer: 'c_4', nodes: ['a_4'] } } }, 'kanal.events._._.customer.forgotten._');
  assert.doesNotMatch(JSON.stringify(records), /[ac]_4|c_5/);
  assert.match(JSON.stringify(records), /c_6/);
});

// ---- The journal ----

test('a journal: cut off lines are dropped, damage is told, the folder is one bot\'s', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'kanal-bot-')), file = path.join(folder, 'journal');
  try {
    const first = await Journal.open(folder, () => {});
    first.append({ n: 1 });
    first.append({ n: 2 });
    await first.commit();
    await assert.rejects(Journal.open(folder, () => {}), /another bot uses this folder/);
    await first.close();
    appendFileSync(file, '{"n":3');
    const seen = [], second = await Journal.open(folder, (record) => seen.push(record.n));
    assert.deepEqual(seen, [1, 2]);
    second.rewrite(() => [{ n: 2 }]);
    await second.commit();
    second.append({ n: 4 });
    await second.close();
    assert.equal(readFileSync(file, 'utf8'), '{"n":2}\n{"n":4}\n');
    writeFileSync(file, '{"n":1}\n{"n":\n{"n":3}\n');
    await assert.rejects(Journal.open(folder, () => {}), (error) => error instanceof StateError && /journal:2: is no JSON/.test(error.message));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
