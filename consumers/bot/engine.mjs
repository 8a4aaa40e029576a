// The rules at work. Events go in, commands come out when their time has come; what has to survive goes into the journal as records, and the state
// is nothing but the records applied one after the other, so that it is the same after a restart. No NATS here.
//
// wait: a rule's event whose command is not sent yet. end: its outcome, remembered so that the event, told again, begins nothing. seen: an event of
// `unless`, remembered because streams are not ordered among each other, and because it may turn out later whose it was. merge: two customers are one.
import { nextTimeOfDay } from './times.mjs';
import { MissingValue, fill, holds, subjectMatches, valueAt } from './values.mjs';

const DAY = 86400e3;
const ENDS_KEPT = 8 * DAY; // the gateway knows a command's id for 7
const OUT_OF_ORDER = 60e3;

export const systemClock = { wall: () => Date.now(), steady: () => performance.now() };

// When it happened; a device whose clock is ahead is not believed.
function happened(event) {
  const [time, recorded] = [Date.parse(event.time), Date.parse(event.recordedtime ?? event.time)];
  return Math.min(Number.isNaN(time) ? recorded : time, Number.isNaN(recorded) ? Infinity : recorded);
}

const matches = (match, event, subject) =>
  match.types.includes(event.type) && (!match.subject || subjectMatches(match.subject, subject)) && holds(match.where.map(withoutSame), event);
const withoutSame = ({ pointer, tests }) => ({ pointer, tests: tests.filter(([word]) => word !== 'same') });
const sames = (match) => match.where.flatMap(({ pointer, tests }) => tests.filter(([word]) => word === 'same').map(([, other]) => ({ pointer, other })));

// Milliseconds, or undefined: the event has no such time.
export function dueOf(rule, event) {
  const { wait } = rule, base = wait.until?.pointer ? Date.parse(valueAt(event, wait.until.pointer)) : happened(event);
  if (Number.isNaN(base)) return undefined;
  return wait.until?.minutes === undefined ? base + wait.for : nextTimeOfDay(base + wait.for, wait.until.minutes, wait.zone);
}

// { subject, command }. Throws MissingValue.
export function commandOf(rule, event, { customer, due, prefix }) {
  const { send } = rule, original = event.data?.customer ?? {};
  let to, channel = send.channel;
  if (send.to === 'same') {
    if (!original.address) throw new MissingValue('the event is of no customer, so there is no address to answer to');
    [to, channel] = [{ address: original.address }, channel ?? event.data.channel?.id];
  } else {
    to = send.to === 'customer' ? { customer: customer ?? original.id } : fill(send.to, event);
    channel ??= 'any';
    if (!Object.values(to)[0]) throw new MissingValue('the event is of no customer');
  }
  const command = { id: `bot:${rule.name}:${event.corrects ?? event.id}`, to, agent: { kind: 'bot', id: 'kanal-bot' }, ...fill(send.command, event) };
  if (send.expires) command.expires = new Date(due + send.expires).toISOString();
  if (event.traceparent) command.traceparent = event.traceparent;
  return { subject: `${prefix}.commands.${channel}.message.send`, command };
}

export class Engine {
  // log(level, message, members)
  constructor({ rules, prefix = 'kanal', clock = systemClock, log = () => {} }) {
    Object.assign(this, { prefix, clock, log, waits: new Map(), ends: new Map(), seen: new Map(), journal: null });
    this.rules = new Map(rules.map((rule) => [rule.name, rule]));
  }
  // The journal, and what a changed rule file leaves over.
  start(journal) {
    this.journal = journal;
    for (const wait of [...this.waits.values()])
      if (!this.rules.has(wait.rule)) this.end(wait, 'gone', 'warning', 'the rule file has this rule no more');
    this.log('info', 'waits are taken up', { waits: this.waits.size });
  }

  // ---- State ----

  apply(record) {
    if (record.op === 'wait') {
      const left = Math.max(0, record.due - this.clock.wall());
      this.waits.set(record.key, { ...record, nodes: record.nodes ?? [], steadyDue: this.clock.steady() + left });
    } else if (record.op === 'end') {
      this.waits.delete(record.key);
      this.ends.set(record.key, record.at);
    } else if (record.op === 'seen') {
      this.seen.set(record.key, record);
    } else if (record.op === 'merge') {
      for (const one of [...this.waits.values(), ...this.seen.values()])
        if (record.from.includes(one.customer) || one.nodes.some((node) => record.nodes.includes(node))) {
          one.customer = record.to;
          one.nodes = [...new Set([...one.nodes, ...record.nodes])];
        }
    }
  }
  note(record) {
    this.apply(record);
    this.journal.append(record);
  }
  end(wait, how, level = 'info', words = how, more = {}) {
    this.note({ op: 'end', key: wait.key, how, at: this.clock.wall() });
    this.log(level, words, { rule: wait.rule, event: wait.event.id, how, ...more });
  }
  // What a journal has to have in it, and no more.
  live() {
    return [...[...this.waits.values()].map(({ steadyDue, ...record }) => record), ...[...this.ends].map(([key, at]) => ({ op: 'end', key, at })), ...this.seen.values()];
  }
  forget() {
    const now = this.clock.wall();
    for (const [key, at] of this.ends) if (at < now - ENDS_KEPT) this.ends.delete(key);
    for (const [key, { until }] of this.seen) if (until < now) this.seen.delete(key);
    if (this.journal.isLong(this.waits.size + this.ends.size + this.seen.size)) this.journal.rewrite(() => this.live());
  }

  // ---- Events ----

  handle(event, subject) {
    if (typeof event?.type !== 'string' || typeof event.id !== 'string') return this.log('warning', 'what came is no event', { subject });
    const customer = event.data?.customer;
    if (event.type === 'identity.linked') this.merge(event);
    if (event.type === 'customer.forgotten') this.forgetCustomer(event);
    if (event.type === 'message.failed' && String(event.data?.message?.id).startsWith('bot:'))
      this.log('warning', 'a message of the bot failed', { command: event.data.message.id, code: event.data.error?.code });
    for (const rule of this.rules.values()) {
      if (customer?.node) rule.unless.forEach((match, clause) => { if (matches(match, event, subject)) this.notice(rule, match, clause, event); });
      if (matches(rule.when, event, subject)) this.begin(rule, event);
    }
  }
  merge(event) {
    const { customer, merged = [], link } = event.data ?? {};
    if (!customer?.id) return;
    this.note({ op: 'merge', to: customer.id, from: merged.filter((id) => id !== customer.id), nodes: link?.nodes ?? [] });
    for (const wait of [...this.waits.values()]) if (wait.customer === customer.id && this.wasSeen(wait)) this.end(wait, 'unless');
  }
  // Nothing of them stays on the disk.
  forgetCustomer(event) {
    const { customer, nodes = [] } = event.data?.forgotten ?? {}, gone = { customer, nodes };
    for (const wait of [...this.waits.values()]) if (this.isSame(wait, gone)) this.end(wait, 'forgotten');
    for (const [key, seen] of this.seen) if (this.isSame(seen, gone)) this.seen.delete(key);
    this.journal.rewrite(() => this.live());
  }
  isSame(one, other) {
    return (one.customer !== undefined && one.customer === other.customer) || one.nodes.some((node) => other.nodes.includes(node));
  }
  isUnless(wait, seen) {
    return seen.rule === wait.rule && this.isSame(wait, seen) && seen.values.every(([other, value]) => {
      const wanted = valueAt(wait.event, other);
      return wanted !== undefined && (wanted === value || String(wanted) === String(value));
    });
  }
  wasSeen(wait) { return [...this.seen.values()].some((seen) => seen.at >= wait.at && this.isUnless(wait, seen)); }
  notice(rule, match, clause, event) {
    const { wait } = rule, at = happened(event), key = `${rule.name}:${clause}:${event.corrects ?? event.id}`;
    if (this.seen.has(key)) return;
    const until = at + Math.max(0, wait.for) + (wait.until ? 31 : 1) * DAY; // as long as a wait may be told of later
    const seen = { op: 'seen', key, rule: rule.name, customer: event.data.customer.id, nodes: [event.data.customer.node], at, until,
      values: sames(match).map(({ pointer, other }) => [other, valueAt(event, pointer)]) };
    if (seen.values.some(([, value]) => value === undefined)) return;
    this.note(seen);
    // What was stored before the wait began, and is told later, is another story: an old order, imported.
    for (const one of [...this.waits.values()]) if (at >= one.at - OUT_OF_ORDER && this.isUnless(one, seen)) this.end(one, 'unless');
  }
  begin(rule, event) {
    const key = `${rule.name}:${event.corrects ?? event.id}`, customer = event.data?.customer;
    if (this.waits.has(key) || this.ends.has(key)) return; // told again
    const wait = { op: 'wait', key, rule: rule.name, event, customer: customer?.id, nodes: customer?.node ? [customer.node] : [], at: happened(event), due: dueOf(rule, event) };
    if (wait.due === undefined) return this.end(wait, 'failed', 'warning', `the event has no time at ${rule.wait.until.pointer}`);
    if (this.wasSeen(wait)) return this.end(wait, 'unless');
    const before = rule.again === 'each' ? [] : [...this.waits.values()].filter((one) => one.rule === rule.name && this.isSame(one, wait));
    if (before.length > 0 && (rule.again === 'ignore' || before.some((one) => one.at > wait.at))) return this.end(wait, 'again');
    for (const one of before) this.end(one, 'again');
    this.note(wait);
    this.log('info', 'waiting', { rule: rule.name, event: event.id, until: new Date(wait.due).toISOString() });
  }

  // ---- Time ----

  // A time of day goes by the wall clock; a duration by one that does not jump, as long as the process lives.
  isDue(wait) {
    return this.rules.get(wait.rule)?.wait.until ? this.clock.wall() >= wait.due : this.clock.steady() >= wait.steadyDue;
  }
  due() { return [...this.waits.values()].filter((wait) => this.isDue(wait)); }
  // Waits of rules with `unless` need all events that are stored by now.
  needsAll(wait) { return this.rules.get(wait.rule).unless.length > 0; }
  // { subject, command }, or undefined: the wait has ended another way.
  command(wait) {
    const rule = this.rules.get(wait.rule), behind = this.clock.wall() - wait.due;
    if (!this.waits.has(wait.key)) return undefined;
    if ((rule.late !== undefined && behind > rule.late) || (rule.send.expires && behind > rule.send.expires))
      return this.end(wait, 'late', 'warning', 'it is too late for this message', { late_ms: behind });
    try {
      return commandOf(rule, wait.event, { customer: wait.customer, due: wait.due, prefix: this.prefix });
    } catch (error) {
      if (!(error instanceof MissingValue)) throw error;
      return this.end(wait, 'failed', 'error', `not sent: ${error.message}`);
    }
  }
  sent(wait, command) { this.end(wait, 'sent', 'info', 'sent', { command: command.id }); }
}
