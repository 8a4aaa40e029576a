// The rule file: YAML read with the place of every value, checked whole, all errors told at once ("rules.yaml:12:9: rules[0].wait: expected …").
import { readFileSync } from 'node:fs';
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { duration, isZone, timeOfDay } from './times.mjs';
import { CONDITIONS, isPointer, leftover, places } from './values.mjs';

const BYTES_MAX = 1 << 20, WAIT_MAX = 366 * 86400e3;
const TYPE = /^[a-z_]+\.[a-z_]+$/, NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, CHANNEL = /^[A-Za-z0-9_-]{1,64}$/;
const AGAIN = ['each', 'restart', 'ignore'];
// Of a command (proto/kanal.schema.json, $defs/command.message.send), what the bot does not make itself.
const SEND = ['to', 'channel', 'content', 'expires', 'reference', 'agent', 'class', 'purpose', 'subject', 'silent', 'on_unknown', 'variants', 'route', 'adapt', 'provider'];

export class RuleErrors extends Error {
  constructor(lines) { super(lines.join('\n')); this.lines = lines; }
}

// ---- Values with places ----

class Reading {
  constructor(file, counter) { Object.assign(this, { file, counter, errors: [] }); }
  error(node, path, words) {
    const { line, col } = this.counter.linePos(node?.range?.[0] ?? 0);
    this.errors.push({ line, col, text: `${this.file}:${line}:${col}: ${path ? `${path}: ` : ''}${words}` });
    return undefined;
  }
  expected(node, path, what) { return this.error(node, path, `expected ${what}, found ${found(node)}`); }
}

function found(node) {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return node.items.length > 0 ? 'a list' : 'an empty list';
  if (!node || node.value === null) return 'nothing';
  const text = JSON.stringify(node.value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

const text = (node) => (isScalar(node) && typeof node.value === 'string' ? node.value : undefined);

// The members of a mapping by name; unknown and missing ones are told.
function members(reading, node, path, known, required = []) {
  if (!isMap(node)) return reading.expected(node, path, `a mapping with ${required.length > 0 ? required.join(', ') : known.join(', ')}`);
  const result = {};
  for (const { key, value } of node.items) {
    const name = String(key.value ?? '');
    if (known.includes(name)) result[name] = value;
    else reading.error(key, path ? `${path}.${name}` : name, `unknown; known here: ${known.join(', ')}`);
  }
  for (const name of required) if (!(name in result)) reading.error(node, path, `${name} is missing`);
  return result;
}

function word(reading, node, path, what, isGood) {
  const value = text(node);
  return value !== undefined && isGood(value) ? value : reading.expected(node, path, what);
}

const span = (reading, node, path, least, what = 'a duration such as PT1H or 90s') => {
  const ms = duration(text(node));
  return ms !== undefined && ms >= least && ms <= WAIT_MAX ? ms : reading.expected(node, path, what);
};

// ---- Conditions ----

function readTest(reading, node, path, name, hasFirst) {
  const argument = isSeq(node) ? node.items.map((item) => (isScalar(item) ? item.value : NaN)) : isScalar(node) ? node.value : NaN;
  const wanted = {
    is: ['a text, a number, true or false', (v) => v !== null && !Array.isArray(v) && !Number.isNaN(v)],
    not: ['a text, a number, true or false', (v) => v !== null && !Array.isArray(v) && !Number.isNaN(v)],
    in: ['a list of texts and numbers', (v) => Array.isArray(v) && v.length > 0 && !v.some(Number.isNaN)],
    above: ['a number', (v) => typeof v === 'number' && !Number.isNaN(v)],
    below: ['a number', (v) => typeof v === 'number' && !Number.isNaN(v)],
    exists: ['true or false', (v) => typeof v === 'boolean'],
    contains: ['a text that is not empty', (v) => typeof v === 'string' && v.length > 0],
    same: ['a JSON pointer into the event of `when`', isPointer],
  }[name];
  if (name === 'same' && !hasFirst) return reading.error(node, path, '`same` compares with the event of `when`, and so belongs under `unless`');
  return wanted[1](argument) ? [name, argument] : reading.expected(node, path, wanted[0]);
}

function readWhere(reading, node, path, hasFirst) {
  if (!isMap(node)) return reading.expected(node, path, 'a mapping of JSON pointers (/data/activity/name) to what is there'), [];
  return node.items.map(({ key, value }) => {
    const pointer = String(key.value ?? ''), at = `${path}["${pointer}"]`;
    if (!isPointer(pointer)) reading.error(key, at, 'expected a JSON pointer such as /data/activity/name');
    if (!isMap(value)) return { pointer, tests: [readTest(reading, value, at, isSeq(value) ? 'in' : 'is', hasFirst)] };
    const tests = members(reading, value, at, Object.keys(CONDITIONS));
    return { pointer, tests: Object.entries(tests).map(([name, argument]) => readTest(reading, argument, `${at}.${name}`, name, hasFirst)) };
  });
}

function readMatch(reading, node, path, hasFirst) {
  const { type, subject, where } = members(reading, node, path, ['type', 'subject', 'where'], ['type']) ?? {};
  const types = (isSeq(type) ? type.items : [type]).filter(Boolean).map((one) => word(reading, one, `${path}.type`, 'an event type such as activity.tracked', (v) => TYPE.test(v)));
  return {
    types,
    subject: subject && word(reading, subject, `${path}.subject`, 'a subject filter such as kanal.activity.events.site.>', (v) => /^[^\s.]+(\.[^\s.]+)*$/.test(v)),
    where: where ? readWhere(reading, where, `${path}.where`, hasFirst) : [],
  };
}

// ---- Waits ----

// { for: ms, until: { minutes } | { pointer } | undefined, zone }
function readWait(reading, node, path, zone) {
  if (!node) return { for: 0, zone };
  if (isScalar(node)) return { for: span(reading, node, path, 0, 'a duration such as PT1H or 90s, or a mapping with for, until'), zone };
  const parts = members(reading, node, path, ['for', 'until', 'zone']) ?? {};
  const wait = { for: 0, zone: parts.zone ? word(reading, parts.zone, `${path}.zone`, 'a time zone such as Europe/Moscow', isZone) : zone };
  const until = text(parts.until);
  if (parts.until && isPointer(until)) wait.until = { pointer: until };
  else if (parts.until && timeOfDay(until) !== undefined) wait.until = { minutes: timeOfDay(until) };
  else if (parts.until) reading.expected(parts.until, `${path}.until`, 'a time of day in quotes such as "10:00", or the JSON pointer of a time in the event');
  if (parts.for) wait.for = span(reading, parts.for, `${path}.for`, wait.until?.pointer ? -WAIT_MAX : 0, wait.until?.pointer ? 'a duration such as PT1H, or -PT2H for before' : undefined);
  if (!parts.for && !parts.until) reading.error(node, path, 'for or until is missing');
  return wait;
}

// ---- What is sent ----

function checkTexts(reading, node, path) {
  if (isMap(node)) for (const { key, value } of node.items) checkTexts(reading, value, `${path}.${key.value}`);
  else if (isSeq(node)) node.items.forEach((item, i) => checkTexts(reading, item, `${path}[${i}]`));
  else if (text(node) !== undefined) {
    for (const pointer of places(node.value)) if (!isPointer(pointer)) reading.error(node, path, `expected a JSON pointer in {{…}}, found ${JSON.stringify(pointer)}`);
    const braces = leftover(node.value);
    if (braces) reading.error(node, path, `${braces} begins or ends no {{/pointer}} or {{/pointer|otherwise}}`);
  }
}

function readTo(reading, node, path) {
  if (!node || text(node) === 'same') return 'same';
  if (text(node) === 'customer') return 'customer';
  if (!isMap(node)) return reading.expected(node, path, 'same (the address that the event is of), customer, or a mapping with address or customer');
  const to = members(reading, node, path, ['address', 'customer']) ?? {};
  if (Object.keys(to).length !== 1) return reading.error(node, path, 'one of address and customer is needed');
  const [[name, value]] = Object.entries(to);
  return { [name]: word(reading, value, `${path}.${name}`, 'a text', (v) => v.length > 0) };
}

function readSend(reading, node, path) {
  const parts = members(reading, node, path, SEND, ['content']) ?? {};
  const send = { to: readTo(reading, parts.to, `${path}.to`), command: {} };
  checkTexts(reading, node, path);
  if (parts.channel) send.channel = word(reading, parts.channel, `${path}.channel`, 'the id of a channel', (v) => CHANNEL.test(v));
  if (parts.to && send.to?.address && !parts.channel) reading.error(parts.to, `${path}.to`, 'an address needs a channel beside it');
  if (parts.expires) send.expires = span(reading, parts.expires, `${path}.expires`, 1000, 'a duration such as PT2H: how long the message is of use');
  const items = isSeq(parts.content) ? parts.content.items : [];
  if (parts.content && items.length === 0) reading.expected(parts.content, `${path}.content`, 'a list of content parts: - { type: text, text: Hello }');
  items.forEach((item, i) => { if (!isMap(item) || typeof item.get('type') !== 'string') reading.expected(item, `${path}.content[${i}]`, 'a content part with a type: { type: text, text: Hello }'); });
  for (const name of SEND.slice(4).concat('content')) if (parts[name]) send.command[name] = parts[name].toJSON();
  return send;
}

// ---- The file ----

function readRule(reading, node, path, zone) {
  const parts = members(reading, node, path, ['name', 'when', 'wait', 'unless', 'again', 'late', 'send'], ['name', 'when', 'send']) ?? {};
  const unless = parts.unless ? (isSeq(parts.unless) ? parts.unless.items : [parts.unless]) : [];
  return {
    name: parts.name && word(reading, parts.name, `${path}.name`, '1 to 64 of A-Z, a-z, 0-9, _ and -', (v) => NAME.test(v)),
    when: parts.when && readMatch(reading, parts.when, `${path}.when`, false),
    wait: readWait(reading, parts.wait, `${path}.wait`, zone),
    unless: unless.map((one, i) => readMatch(reading, one, isSeq(parts.unless) ? `${path}.unless[${i}]` : `${path}.unless`, true)),
    again: parts.again ? word(reading, parts.again, `${path}.again`, `one of ${AGAIN.join(', ')}`, (v) => AGAIN.includes(v)) : 'each',
    late: parts.late && span(reading, parts.late, `${path}.late`, 0),
    send: parts.send && readSend(reading, parts.send, `${path}.send`),
  };
}

function refuseAliases(reading, node, path) {
  if (isAlias(node)) reading.error(node, path, 'aliases are not read here');
  else if (isMap(node)) for (const { key, value } of node.items) refuseAliases(reading, value, path ? `${path}.${key.value}` : String(key.value));
  else if (isSeq(node)) node.items.forEach((item, i) => refuseAliases(reading, item, `${path}[${i}]`));
}

// { rules }. Throws RuleErrors.
export function parseRules(source, file) {
  const counter = new LineCounter(), reading = new Reading(file, counter);
  if (source.length > BYTES_MAX) throw new RuleErrors([`${file}: a rule file has at most 1 MiB`]);
  const documents = parseAllDocuments(source, { lineCounter: counter, strict: true, uniqueKeys: true, stringKeys: true, version: '1.2' });
  const document = documents[0];
  for (const one of documents) for (const error of one.errors) reading.error({ range: error.pos }, '', error.message.split('\n')[0].replace(/ at line \d+, column \d+:?$/, ''));
  if (documents.length > 1) reading.error(documents[1].contents, '', 'one document is expected');
  const rules = [];
  if (document?.contents) refuseAliases(reading, document.contents, '');
  if (reading.errors.length === 0) {
    const { rules: list, zone } = members(reading, document?.contents, '', ['rules', 'zone'], ['rules']) ?? {};
    const zoneName = zone ? word(reading, zone, 'zone', 'a time zone such as Europe/Moscow', isZone) : 'UTC';
    if (list && (!isSeq(list) || list.items.length === 0)) reading.expected(list, 'rules', 'a list of rules');
    (isSeq(list) ? list.items : []).forEach((item, i) => {
      const rule = readRule(reading, item, `rules[${i}]`, zoneName);
      if (rule.name && rules.some((other) => other.name === rule.name)) reading.error(item.get('name', true), `rules[${i}].name`, `there is another rule of this name: ${rule.name}`);
      rules.push(rule);
    });
  }
  if (reading.errors.length > 0) throw new RuleErrors(reading.errors.sort((a, b) => a.line - b.line || a.col - b.col).map((error) => error.text));
  return { rules };
}

export function readRules(file) {
  let source;
  try { source = readFileSync(file, 'utf8'); } catch (error) { throw new RuleErrors([`${file}: cannot be read: ${error.code ?? error.message}`]); }
  return parseRules(source, file);
}
