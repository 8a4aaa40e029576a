#!/usr/bin/env node
// kanal-bot: sends messages by rules. README.md has an example; `bot.mjs --help` the options.
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Broker, BrokerError, connectBroker } from './broker.mjs';
import { Engine, commandOf, dueOf, systemClock } from './engine.mjs';
import { Journal, StateError } from './journal.mjs';
import { RuleErrors, readRules } from './rules.mjs';

const TICK_MS = 250, RETRY_MS = 2000, AT_ONCE = 64, FORGET_MS = 60e3;
const HELP = `usage: bot.mjs RULES.yaml [OPTION …]
       bot.mjs RULES.yaml --check

Reads Kanal's events, and sends messages as the rules say: when something happens, wait, unless something else happens.

  --check              reads the rule file, says what is wrong with it, and ends
  --try EVENT.json     says what each rule would do with this event (- is standard input), and ends
  --server URL         nats://host:4222, several with commas (or KANAL_SERVER; nats://127.0.0.1:4222)
  --creds FILE         credentials: JWT and key (or KANAL_CREDS)
  --user NAME          credentials: a user; the password comes from KANAL_PASSWORD
  --tls-ca FILE        trust this authority
  --read STREAM/NAME   a durable that \`kanal consumer add NAME\` made; may be repeated (KANAL_EVENTS/bot and KANAL_ACTIVITY/bot)
  --domain NAME        JetStream's domain, as \`kanal consumer add\` prints it (KANAL); "" in the gateway's own account
  --inbox PREFIX       of replies (_INBOX_bot)
  --prefix WORD        first token of Kanal's subjects (kanal)
  --state DIR          where waits are kept; must survive restarts, and belongs to one bot (./state)
  --help

Logs are JSON lines on standard output. Exit code 0: done, or ended by SIGTERM; 1: it could not go on; 2: wrong words;
3: the rule file is wrong; 4: no broker, or no right to read.
`;

function log(level, message, members = {}) {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...members })}\n`);
}

// ---- At work ----

export class Bot {
  constructor({ rules, connection, state, durables, domain, prefix = 'kanal', clock = systemClock, say = log, failed }) {
    Object.assign(this, { state, clock, say, failed, isEnding: false, forgotten: 0, last: null });
    this.engine = new Engine({ rules, prefix, clock, log: say });
    this.broker = new Broker(connection, { domain, durables, log: say });
  }
  async start() {
    this.journal = await Journal.open(this.state, (record) => this.engine.apply(record));
    this.engine.start(this.journal);
    await this.broker.read((event, subject) => this.engine.handle(event, subject), () => this.journal.commit(), (error) => this.failed(error));
    this.ticking = this.tick();
  }
  async tick() {
    while (!this.isEnding) {
      this.watchClock();
      try {
        await this.sendDue();
      } catch (error) {
        this.say('warning', 'sending goes on later', { reason: error.message });
        await this.sleep(RETRY_MS);
      }
      if (this.clock.steady() > this.forgotten + FORGET_MS) {
        this.forgotten = this.clock.steady();
        this.engine.forget();
      }
      await this.journal.commit().catch((error) => this.failed(error));
      await this.sleep(TICK_MS);
    }
  }
  sleep(ms) {
    return new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, ms); });
  }
  watchClock() {
    const now = { wall: this.clock.wall(), steady: this.clock.steady() };
    const jump = this.last ? now.wall - this.last.wall - (now.steady - this.last.steady) : 0;
    if (Math.abs(jump) > 2000) this.say('warning', 'the clock jumped; durations go on by the time that passed, times of day by the clock', { jump_ms: Math.round(jump) });
    this.last = now;
  }
  async sendDue() {
    let due = this.engine.due();
    if (due.some((wait) => this.engine.needsAll(wait)) && !await this.broker.hasReadAll()) due = due.filter((wait) => !this.engine.needsAll(wait));
    for (let i = 0; i < due.length && !this.isEnding; i += AT_ONCE) await Promise.all(due.slice(i, i + AT_ONCE).map((wait) => this.sendOne(wait)));
  }
  async sendOne(wait) {
    const made = this.engine.command(wait);
    if (!made) return;
    await this.broker.send(made.subject, made.command);
    this.engine.sent(wait, made.command);
  }
  async stop() {
    this.isEnding = true;
    this.wake?.();
    await this.ticking;
    await this.broker.close();
    await this.journal?.close();
  }
}

// ---- The command ----

class Usage extends Error {}

function readDurable(word) {
  const [stream, durable, more] = word.split('/');
  if (!stream || !durable || more !== undefined) throw new Usage(`--read: expected STREAM/NAME such as KANAL_EVENTS/bot, found '${word}'`);
  return { stream, durable };
}

function readWords(args) {
  const text = { type: 'string' };
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: { check: { type: 'boolean' }, help: { type: 'boolean' }, read: { type: 'string', multiple: true },
      try: text, server: text, creds: text, user: text, 'tls-ca': text, domain: text, inbox: text, prefix: text, state: text } });
  } catch (error) {
    throw new Usage(error.message);
  }
  const { values, positionals: [file, ...rest] } = parsed;
  if (!values.help && (!file || rest.length > 0)) throw new Usage(file ? `one rule file is expected, found also '${rest[0]}'` : 'a rule file is expected');
  return { ...values, file, durables: (values.read ?? ['KANAL_EVENTS/bot', 'KANAL_ACTIVITY/bot']).map(readDurable) };
}

function tryEvent(rules, file, prefix) {
  const event = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8')), engine = new Engine({ rules, prefix });
  engine.start({ append() {} });
  engine.handle(event, `${prefix}.events.${event.data?.channel?.plugin ?? '_'}.${event.data?.channel?.id ?? '_'}.${event.type}.${event.subject ?? '_'}`);
  for (const rule of rules) {
    const wait = engine.waits.get(`${rule.name}:${event.corrects ?? event.id}`);
    if (!wait) { console.log(`${rule.name}: ${engine.ends.has(`${rule.name}:${event.id}`) ? `no time: ${rule.wait.until?.pointer} is none` : 'not this event'}`); continue; }
    try {
      const { subject, command } = commandOf(rule, event, { customer: wait.customer, due: dueOf(rule, event), prefix });
      console.log(`${rule.name}: at ${new Date(wait.due).toISOString()} to ${subject}:\n${JSON.stringify(command, null, 2)}`);
    } catch (error) {
      console.log(`${rule.name}: would not be sent: ${error.message}`);
    }
  }
}

async function work(words, rules) {
  const servers = (words.server ?? process.env.KANAL_SERVER ?? 'nats://127.0.0.1:4222').split(',');
  const connection = await connectBroker({ servers, creds: words.creds ?? process.env.KANAL_CREDS, user: words.user, password: process.env.KANAL_PASSWORD, ca: words['tls-ca'], inbox: words.inbox ?? '_INBOX_bot' });
  let end;
  const ended = new Promise((resolve) => { end = resolve; });
  const bot = new Bot({ rules, connection, state: words.state ?? 'state', durables: words.durables, domain: words.domain ?? 'KANAL', prefix: words.prefix ?? 'kanal',
    failed: (error) => { log('error', error.message); end(1); } });
  (async () => { for await (const status of connection.status()) if (['disconnect', 'reconnect', 'error'].includes(status.type)) log(status.type === 'reconnect' ? 'info' : 'warning', `broker: ${status.type}`, { what: String(status.data) }); })();
  connection.closed().then((error) => { if (!bot.isEnding) { log('error', `the broker ended the connection${error ? `: ${error.message}` : ''}`); end(4); } });
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => end(0));
  await bot.start();
  log('info', 'at work', { rules: rules.length, durables: words.durables.map(({ stream, durable }) => `${stream}/${durable}`) });
  const code = await ended;
  if (code === 0) { await bot.stop(); log('info', 'ended'); }
  return code;
}

async function main(args) {
  try {
    const words = readWords(args);
    if (words.help) { process.stdout.write(HELP); return 0; }
    const { rules } = readRules(words.file);
    if (words.try) { tryEvent(rules, words.try, words.prefix ?? 'kanal'); return 0; }
    if (words.check) { console.log(`${words.file}: ${rules.length} ${rules.length === 1 ? 'rule is' : 'rules are'} right`); return 0; }
    return await work(words, rules);
  } catch (error) {
    const code = { Usage: 2, RuleErrors: 3, BrokerError: 4, StateError: 1 }[error.constructor.name];
    if (error instanceof Usage) console.error(`bot.mjs: ${error.message}\nTry --help.`);
    else if (error instanceof RuleErrors || error instanceof StateError || error instanceof BrokerError) console.error(error.message);
    else console.error(error);
    return code ?? 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.exit(await main(process.argv.slice(2)));
