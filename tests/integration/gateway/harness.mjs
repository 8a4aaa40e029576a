// Starts real servers for a test and ends exactly those: a nats-server, a kanal, a stand-in of a provider. Ports are free ones.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { connect, JSONCodec, StringCodec } from 'nats';

export const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../..');
export const buildDir = path.resolve(process.env.KANAL_BUILD ?? path.join(root, 'build'));
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const json = JSONCodec();

export async function until(what, probe, ms = 10000) {
  const end = Date.now() + ms;
  let failure; // of the last try: a server that is coming up refuses at first
  for (;;) {
    const value = await (async () => probe())().catch((error) => { failure = error; });
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${failure ? ` (${failure.message})` : ''}`);
    await sleep(20);
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const running = new Set();
const scratch = [], groups = [];
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of scratch) rmSync(directory, { recursive: true, force: true });
  for (const directory of groups) try { rmdirSync(directory); } catch { /* what was killed just now is still in it */ }
});

export function scratchDir() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'kanal-test-'));
  scratch.push(directory);
  return directory;
}

// For Kanal's more.wrap: runs it alone in a control group of its own, which it needs on version 2; undefined where none can be made.
export function inOwnGroup() {
  const directory = `/sys/fs/cgroup/test-kanal-${process.pid}-${groups.length}`;
  if (process.getuid() !== 0 || !existsSync('/sys/fs/cgroup/cgroup.subtree_control')) return undefined;
  try { mkdirSync(directory); } catch { return undefined; }
  groups.push(directory);
  return ['sh', '-c', 'echo $$ > "$0/cgroup.procs"; exec "$@"', directory];
}

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.lines = [];
  child.exited = new Promise((resolve) => child.once('exit', (code, signal) => { running.delete(child); resolve({ code, signal }); }));
  for (const stream of [child.stdout, child.stderr])
    readline.createInterface({ input: stream }).on('line', (line) => {
      child.lines.push(line);
      if (process.env.KANAL_TEST_VERBOSE) console.error(`${path.basename(command)}: ${line}`);
    });
  running.add(child);
  return child;
}

export async function stop(child, signal = 'SIGTERM', ms = 15000) {
  if (!running.has(child)) return child.exited;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  const how = await child.exited;
  clearTimeout(timer);
  return how;
}

// ---- nats-server ----

export class Nats {
  static async start(options = {}) {
    const nats = new Nats();
    nats.directory = options.directory ?? scratchDir();
    nats.more = options.more ?? 'jetstream { store_dir: "DATA" }';
    for (let tries = 1; ; tries++) { // somebody else may take the port before the server does
      nats.port = options.port ?? (await freePort());
      nats.url = `nats://127.0.0.1:${nats.port}`;
      const failure = await nats.run().catch((error) => error);
      if (!failure) return nats;
      await nats.kill();
      if (options.port || tries === 3) throw failure;
    }
  }
  async run() {
    const config = path.join(this.directory, 'nats.conf');
    writeFileSync(config, `listen: 127.0.0.1:${this.port}\n${this.more.replace('DATA', `${this.directory}/data`)}\n`);
    this.child = start(process.env.NATS_SERVER || 'nats-server', ['-c', config]);
    const ready = until('nats-server is ready', () => this.child.lines.some((line) => line.includes('Server is ready')));
    await Promise.race([ready, this.child.exited.then(() => { throw new Error(`nats-server ended: ${this.child.lines.at(-1)}`); })]);
  }
  kill(signal = 'SIGKILL') { return stop(this.child, signal); }
  async pause() {
    this.child.kill('SIGSTOP');
    await until('nats-server stands still', () => /^State:\s+T/m.test(readFileSync(`/proc/${this.child.pid}/status`, 'utf8')));
  }
  resume() { this.child.kill('SIGCONT'); }
  client(options = {}) { return connect({ ...options, servers: this.url, maxReconnectAttempts: -1, reconnectTimeWait: 200 }); }
}

// ---- kanal ----

export const kanalBinary = path.join(buildDir, 'core', 'kanal');

export function pluginDirs() {
  const plugins = path.join(buildDir, 'plugins');
  return readdirSync(plugins).map((name) => path.join(plugins, name))
    .filter((directory) => statSync(directory).isDirectory() && readdirSync(directory).some((file) => file.endsWith('.so')));
}

// With the plugin that only tests have.
export const probeDirs = () => [...pluginDirs(), path.join(buildDir, 'tests', 'integration', 'probe')];

// With the plugins that try the extensions.
export const extensionDirs = () => ['exts', 'mailer'].map((name) => path.join(buildDir, 'tests', 'integration', 'extensions', name));
// KANAL_TEST_ISOLATION=none: every plugin runs in the gateway's own process, else in workers, as in the field.
export const isolation = process.env.KANAL_TEST_ISOLATION === 'none' ? 'none' : 'worker';
const isolated = (ids, more) => Object.fromEntries(ids.map((id) => [id, { isolation, ...more }]));
// The sanitizers want all the memory there is, and write reports of what a test does on purpose.
export const isSanitized = () => JSON.parse(readFileSync(path.join(buildDir, 'meson-info', 'intro-buildoptions.json'), 'utf8')).find((option) => option.name === 'b_sanitize').value !== 'none';

export function configText(nats, channels, more = {}) {
  return JSON.stringify({ // JSON is YAML
    ...(nats ? { broker: { url: [nats.url], ...more.broker } } : {}),
    http: { listen: '127.0.0.1:0', ...more.http },
    admin: { listen: '127.0.0.1:0' },
    data_dir: more.data_dir ?? scratchDir(),
    identity: { salt: more.salt ?? 'a salt for tests only' },
    plugins: { path: more.plugins ?? pluginDirs(), ...isolated(['echo', 'email', 'telegram', 'webchat', 'webform', 'probe', 'exts', 'mailer'], more.worker) },
    channels,
    ...more.top,
  }, null, 1);
}

export class Kanal {
  static async start(nats, channels, more = {}) {
    const kanal = new Kanal();
    kanal.config = path.join(scratchDir(), 'kanal.yaml');
    writeFileSync(kanal.config, configText(nats, channels, more));
    await kanal.run(more);
    return kanal;
  }
  async run(more = {}) {
    const [command, ...args] = [...(more.wrap ?? []), kanalBinary, 'run', '-c', this.config]; // wrap: a program that runs it
    this.child = start(command, args, { env: { ...process.env, ...more.env } });
    const line = await until('kanal says where it listens, or ends', () =>
      this.log().find((entry) => / channels on http/.test(entry.message)) ?? (!running.has(this.child) && { message: '' }));
    if (!line.message) throw new Error(`kanal ended: ${this.child.lines.join('\n')}`);
    this.url = /on (http\S+?),/.exec(line.message)[1].replace('localhost', '127.0.0.1');
    this.admin = `http://127.0.0.1:${/admin on port (\d+)/.exec(line.message)[1]}`;
    if (more.wait !== false) await this.ready();
  }
  // Streams are there and every channel is up.
  async ready(ms = 15000) {
    await until('kanal takes commands', async () => this.log().some((entry) => entry.message.startsWith('streams and buckets are there')), ms);
    await until('channels are up', async () => (await this.channels()).every((channel) => channel.state === 'up'), ms);
  }
  log() {
    return this.child.lines.flatMap((line) => { try { return [JSON.parse(line)]; } catch { return []; } });
  }
  async channels() { return (await (await fetch(`${this.admin}/channels`)).json()).channels; }
  async metric(pattern) {
    const text = await (await fetch(`${this.admin}/metrics`)).text();
    return text.split('\n').filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
  }
  post(pathname, body, headers = {}) {
    return fetch(this.url + pathname, { method: 'POST', body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers } });
  }
  stop(signal = 'SIGTERM') { return stop(this.child, signal); }
}

// A subcommand of kanal, run to its end.
export async function run(args, { input, env } = {}) {
  const child = spawn(kanalBinary, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let stdout = '', stderr = '';
  child.stdout.on('data', (data) => { stdout += data; });
  child.stderr.on('data', (data) => { stderr += data; });
  child.stdin.on('error', () => {}); // it need not read it
  child.stdin.end(input ?? '');
  const code = await new Promise((resolve) => child.once('close', resolve)); // its output has come, too
  return { code, stdout, stderr };
}

// ---- The stand-in of Telegram ----

export async function startTelegram(args = []) {
  const child = start(process.execPath, [path.join(root, 'tests/providers/telegram/server.mjs'), '--port', '0', ...args]);
  const line = await until('the stand-in is ready', async () => child.lines.find((text) => text.startsWith('{')));
  const { port } = JSON.parse(line);
  return { child, port, url: `http://127.0.0.1:${port}`, stop: () => stop(child) };
}

// ---- What was stored ----

// One by one: from a work queue nobody else may read.
async function storedInQueue(manager, stream, state) {
  const messages = [];
  for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
    try {
      messages.push(await manager.streams.getMessage(stream, { seq }));
    } catch (error) {
      if (!/no message found|404/.test(String(error))) throw error;
    }
  }
  return messages;
}

// At once: a test that stores thousands must not make every later question take seconds.
async function storedAtOnce(client, manager, stream) {
  const { name, num_pending: count } = await manager.consumers.add(stream, { ack_policy: 'none', deliver_policy: 'all', mem_storage: true, inactive_threshold: 30e9 });
  const messages = [];
  try {
    for (let before = -1; messages.length < count && messages.length > before;) {
      before = messages.length;
      for await (const message of client.jetstream().fetch(stream, name, { batch: Math.min(1000, count - before), expires: 5000 })) messages.push(message);
    }
  } finally {
    await manager.consumers.delete(stream, name);
  }
  return messages;
}

// As NATS messages: also those that are no JSON.
export async function storedMessages(client, stream) {
  const manager = await client.jetstreamManager();
  const { config, state } = await manager.streams.info(stream);
  return config.retention === 'workqueue' ? storedInQueue(manager, stream, state) : storedAtOnce(client, manager, stream);
}

export async function stored(client, stream, filter = '>') {
  const messages = await storedMessages(client, stream);
  const pattern = new RegExp(`^${filter.replace(/\./g, '\\.').replace(/\*/g, '[^.]+').replace(/>$/, '.+')}$`);
  return messages.filter((message) => pattern.test(message.subject))
    .map((message) => ({ subject: message.subject, seq: message.seq, data: JSON.parse(StringCodec().decode(message.data)) }));
}

export async function storedTypes(client, id) {
  return (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.data.message?.id === id).map((event) => event.data.type);
}

// Every event that the test published, against the contract, strictly.
export async function checkContract(client) {
  const events = [...(await stored(client, 'KANAL_EVENTS')), ...(await stored(client, 'KANAL_ACTIVITY'))].map((event) => JSON.stringify(event.data));
  const dead = (await stored(client, 'KANAL_DEAD')).map((letter) => JSON.stringify(letter.data));
  const strict = path.join(root, 'tests/contract/strict.mjs');
  for (const [args, lines] of [[[], events], [['--def', 'dead_letter'], dead]]) {
    if (lines.length === 0) continue;
    const child = spawn(process.execPath, [strict, ...args, '-q', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => { output += data; });
    child.stderr.on('data', (data) => { output += data; });
    child.stdin.end(lines.join('\n') + '\n');
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`the contract is broken:\n${output}`);
  }
  return events.length;
}

export const hasFile = existsSync;
