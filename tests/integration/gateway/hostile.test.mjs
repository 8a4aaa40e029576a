// Hostile plugins in workers, a neighbour under load meanwhile: each attack is contained, told with the plugin's name, and costs the
// neighbour nothing.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Nats, buildDir, inOwnGroup, probeDirs, run, configText, isSanitized, scratchDir, sleep, stored, until } from './harness.mjs';
import { DENIED, INVALID, NOT_FOUND, message, probe, raw, startKanal, startProvider } from './probe.mjs';

const EACCES = -13, ENOMEM = -12, EPERM = -1;
const hostileDir = path.join(buildDir, 'tests/bad_plugins/hostile');
const isAsan = isSanitized(); // there memory has no limit, and fork() is refused in words

let nats, kanal, client, provider, load;

// One worker each, so that no attack waits for the restart after another's.
const evil = (id, more = {}) => ({ id, plugin: 'hostile', worker: 'own', ...more });
const ids = ['socket', 'exec', 'fork', 'ptrace', 'signal', 'memory_of_others', 'uring', 'namespace', 'code', 'spin', 'memory', 'garbage', 'forge', 'endless', 'beyond', 'hollow', 'shared', 'hoard', 'hoard_stack', 'quiet'];
const plugins = { path: [...probeDirs(), hostileDir], hostile: { memory: '64M', deadline: '1s' } };

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  const channels = [probe('neighbour'), ...ids.map((id) => evil(`evil-${id}`)), evil('evil-asks', { egress: ['localhost'] })];
  kanal = await startKanal(nats, channels, { top: { plugins }, http: { limits: { answer_timeout: '3s' } }, wrap: inOwnGroup() });
  client = await nats.client();
  load = startLoad();
});

after(async () => {
  await load?.stop();
  await client?.close();
  assert.deepEqual(await kanal?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
  provider?.close();
});

// Four clients of the neighbour, without a pause but a short one; every answer is 200, after its event is stored.
function startLoad() {
  const state = { sent: 0, failed: [], slowest: 0, going: true };
  const loop = async (client) => {
    while (state.going) {
      const began = performance.now();
      const id = `load-${client}-${state.sent++}`;
      const response = await raw(kanal, 'publish', { batches: [[message(id, 'hello')]], cause: 'self', respond: 200 }, 'neighbour').catch((error) => error);
      if (response.status !== 200) state.failed.push(`${id}: ${response.status ?? response}`);
      else await response.arrayBuffer();
      state.slowest = Math.max(state.slowest, performance.now() - began);
      await sleep(5);
    }
  };
  const loops = [0, 1, 2, 3].map(loop);
  state.stop = async () => { state.going = false; await Promise.all(loops); };
  return state;
}

const act = async (name, channel = 'evil-quiet', on = kanal) => {
  const response = await on.post(`/c/${channel}/act`, name, { 'content-type': 'text/plain' });
  const text = await response.text();
  return response.status === 200 ? JSON.parse(text).result : response.status;
};
const said = (pattern, on = kanal) => until(`a log line ${pattern}`, () => on.log().find((line) => pattern.test(line.message)));
const stateOf = async (id) => (await kanal.channels()).find((channel) => channel.id === id);

// What every attack has in common: the neighbour goes on meanwhile, nothing of it fails.
async function harmless(attack) {
  const before = load.sent;
  load.slowest = 0;
  await attack();
  await until('the neighbour goes on', () => load.sent > before + 20);
  assert.deepEqual(load.failed, []);
  assert.ok(load.slowest < 2000, `the neighbour waited ${Math.round(load.slowest)} ms`);
  assert.equal((await stateOf('neighbour')).state, 'up');
}

test('the start says what the sandbox is made of', async () => {
  await said(/^plugins run in workers with a (sandbox of seccomp and Landlock|weaker sandbox, without landlock)/);
});

// ---- System calls ----

const deaths = [['socket', 'socket'], ['exec', 'execve'], ['read_process', 'process_vm_readv', 'memory_of_others'], ['uring', 'io_uring_setup'], ['namespace', 'unshare'], ['code', 'mprotect'], ['shared_memory', 'mmap', 'shared']];
if (!isAsan) deaths.push(['fork', 'clone'], ['ptrace', 'ptrace'], ['kill_all', 'kill', 'signal']);

for (const [name, call, id = name] of deaths) {
  test(`${name}: the worker dies, and the log says of which call and whose`, () => harmless(async () => {
    assert.equal(await act(name, `evil-${id}`), 503);
    const line = await said(new RegExp(`^the worker of plugin 'hostile' has ended in on_http\\(\\): it called ${call}\\(\\)`));
    assert.equal(line.channel, `evil-${id}`);
    await until('it is up again', async () => (await stateOf(`evil-${id}`)).state === 'up');
  }));
}

test('the metric tells of these deaths', async () => {
  assert.ok(await kanal.metric(/^kanal_worker_restarts_total\{plugin="hostile",reason="sandbox"/) >= deaths.length);
});

test('files are refused, the core is told, the plugin lives', () => harmless(async () => {
  for (const name of ['read_passwd', 'read_environment', 'read_self_memory', 'read_library', 'write_file']) assert.equal(await act(name), EACCES, name);
  if (!isAsan) assert.equal(await act('thread'), EPERM);
  await said(/^the sandbox refused plugin 'hostile' \d+ system calls, the last was openat\(\)/);
  assert.ok(await kanal.metric(/^kanal_worker_denied_total\{plugin="hostile"/) > 0);
}));

// ---- Resources ----

test('memory ends at its limit', { skip: isAsan && 'no limit under ASan' }, () => harmless(async () => {
  assert.equal(await act('memory', 'evil-memory'), ENOMEM);
}));

for (const name of ['hoard', 'hoard_stack']) {
  test(`${name}: memory that RLIMIT_DATA does not see ends at the control group's limit, and the log says whose`, async (t) => {
    if (isAsan) return t.skip('no limit under ASan');
    const told = await said(/^(each worker is held by a control group of its own: memory|workers are held by their rlimits alone)/);
    if (!/: memory/.test(told.message)) return t.skip(told.message);
    await harmless(async () => {
      const before = await kanal.metric(/^kanal_worker_restarts_total\{plugin="hostile",reason="memory_limit"/);
      assert.equal(await act(name, `evil-${name}`), 503);
      const line = await until('it is told', () => kanal.log().find((one) => one.channel === `evil-${name}` && / has ended /.test(one.message)));
      // 64M, a thirty-second of it, and 16M.
      assert.match(line.message, /^the worker of plugin 'hostile' has ended in on_http\(\): it needed more memory than the 82 MiB that its control group lets it have/);
      assert.equal(await kanal.metric(/^kanal_worker_restarts_total\{plugin="hostile",reason="memory_limit"/), before + 1);
      await until('it is up again', async () => (await stateOf(`evil-${name}`)).state === 'up');
    });
  });
}

test('what spins is killed at its deadline and blamed', () => harmless(async () => {
  assert.equal(await act('spin', 'evil-spin'), 503);
  const line = await said(/^the worker of plugin 'hostile' has ended in on_http\(\): it held its worker up/);
  assert.equal(line.channel, 'evil-spin');
}));

test('a flood of lines is cut, counted and no format', () => harmless(async () => {
  const before = kanal.log().length;
  assert.equal(await act('flood_log'), 0);
  await sleep(500);
  const lines = kanal.log().slice(before).filter((line) => line.channel === 'evil-quiet' && /without end/.test(line.message));
  assert.ok(lines.length > 0 && lines.length < 300, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.message.startsWith('%s%n ')));
}));

test('a flood on stderr is cut', () => harmless(async () => {
  const before = kanal.log().length;
  await act('flood_stderr');
  await sleep(500);
  assert.ok(kanal.log().length - before < 1000, `${kanal.log().length - before} lines`);
}));

test('a flood of events fills nobody\'s window', () => harmless(async () => {
  assert.equal(await act('flood_publish'), 0);
  const events = (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.data.channel.id === 'evil-quiet');
  assert.ok(events.length <= 5000);
  assert.ok(events.every((event) => event.data.data.channel.plugin === 'hostile'));
}));

// ---- Answers and frames ----

test('answered three times: the first counts', () => harmless(async () => {
  const dropped = () => kanal.metric(/^kanal_host_dropped_answers_total\{channel="evil-quiet"/);
  const before = await dropped();
  assert.equal(await act('twice'), 0);
  await until('the others are dropped and counted', async () => await dropped() === before + 2);
}));

test('never answered: 504 at the deadline', () => harmless(async () => {
  assert.equal(await act('never'), 504);
  await until('nothing is left', async () => (await stateOf('evil-quiet')).requests_under_way === 0);
}));

// 7 is a number that no channel of this worker has; other workers' channels have no number here at all.
for (const [name, argument] of [['garbage', ''], ['forge', ' 7'], ['endless', ''], ['beyond', ''], ['hollow', '']]) {
  test(`${name}: the worker is ended for its frame`, () => harmless(async () => {
    const seen = kanal.log().length;
    assert.equal(await act(name + argument, `evil-${name}`), 503);
    const line = await until('it is told', () => kanal.log().slice(seen).find((one) => /^the worker of plugin 'hostile' has ended.*frame/.test(one.message)));
    assert.ok(line);
    assert.ok(await kanal.metric(/^kanal_worker_restarts_total\{plugin="hostile",reason="broken_frame"/) > 0);
  }));
}

test('the memory beside the socket has the size that it was given', () => harmless(async () => {
  assert.equal(await act('area'), 0);
}));

test('descriptors that a worker sends are nobody\'s', () => harmless(async () => {
  const open = () => readdirSync(`/proc/${kanal.child.pid}/fd`).length;
  await until('every worker has its own descriptors again', async () => (await kanal.channels()).every((channel) => channel.state === 'up'));
  const before = open();
  assert.equal(await act('descriptors'), 0);
  await until(`there are no more descriptors than the ${before} of before`, () => open() <= before + 8); // the neighbour's load comes and goes
  assert.equal((await stateOf('evil-quiet')).state, 'up');
}));

test('the state of other channels has no key', () => harmless(async () => {
  assert.equal(await act('state cursor'), NOT_FOUND);
  for (const key of ['../neighbour/cursor', '/neighbour', 'a..b', '*', '>', 'a b']) assert.equal(await act(`state ${key}`), INVALID, key);
}));

// ---- Requests ----

test('a host that is not granted is not asked', () => harmless(async () => {
  const before = provider.calls.length;
  for (const url of [provider.url, 'http://169.254.169.254/latest/', 'http://[::1]:1/', 'http://2130706433/', 'http://0x7f.1/', 'http://localhost.evil.example/'])
    assert.equal(await act(`request ${url}`, 'evil-asks'), DENIED, url);
  assert.equal(await act(`request http://localhost@127.0.0.1:${provider.port}/`, 'evil-asks'), INVALID);
  assert.equal(await act('request file:///etc/passwd', 'evil-asks'), INVALID);
  assert.equal(provider.calls.length, before);
  await said(/^a request of the plugin was refused: host '127.0.0.1' is not granted/);
}));

test('a redirect is the plugin\'s to read, not followed', () => harmless(async () => {
  provider.answers.set('/away', [302, { location: 'http://169.254.169.254/' }, '']);
  assert.equal(await act(`request http://localhost:${provider.port}/away`, 'evil-asks'), 302);
}));

// ---- While it is loaded ----

test('a constructor is held by the first stage, and told', async () => {
  const config = path.join(scratchDir(), 'kanal.yaml');
  writeFileSync(config, configText(nats, [], { plugins: [path.join(buildDir, 'tests/bad_plugins/at_load')] }));
  const { stderr } = await run(['check', '-c', config]);
  assert.match(stderr, /at_load_socket\.so: while it was being loaded it called socket\(\), which its sandbox forbids/);
  assert.match(stderr, /at_load_exec\.so: while it was being loaded it called execve\(\), which its sandbox forbids/);
  assert.match(stderr, /at_load_sleep\.so: it did not say what it is within 10 s/);
});

test('an environment without proxies of its own: none is asked', async () => {
  const asked = [];
  const other = await startKanal(nats, [evil('evil-proxy', { egress: ['localhost'] })], { top: { plugins }, env: Object.fromEntries(
    ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].map((name) => [name, 'http://127.0.0.1:9'])) });
  provider.answers.set('/direct', (request, response) => { asked.push(request.url); response.end('x'); });
  assert.equal(await act(`request http://localhost:${provider.port}/direct`, 'evil-proxy', other), 200);
  assert.deepEqual(asked, ['/direct'], 'an absolute URL is what a proxy is asked for');
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
});

// ---- DNS ----

// A name server on port 53 of an address of loopback, for a gateway that sees another resolv.conf: needs root. A name's first label
// says what it leads to, query by query: "192-0-2-1.127-0-0-1.rebind.test".
function startNames(address) {
  const counts = new Map();
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, from) => {
    let at = 12;
    const labels = [];
    while (query[at]) { labels.push(query.subarray(at + 1, at + 1 + query[at]).toString()); at += 1 + query[at]; }
    const type = query.readUInt16BE(at + 1), question = query.subarray(12, at + 5);
    const addresses = labels.filter((label) => /^\d+-\d+-\d+-\d+$/.test(label)).map((label) => label.replaceAll('-', '.'));
    const name = labels.join('.').toLowerCase();
    const answers = type === 1 && addresses.length > 0 ? 1 : 0;
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers, 6);
    const parts = [header, question];
    if (answers) {
      const turn = counts.get(name) ?? 0;
      counts.set(name, turn + 1);
      parts.push(Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...addresses[Math.min(turn, addresses.length - 1)].split('.').map(Number)]));
    }
    socket.send(Buffer.concat(parts), from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, address, () => resolve({ counts, close: () => socket.close() }));
  });
}

const canMount = process.getuid() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

test('a name that is rebound to a private address is caught where it is connected to', { skip: !canMount && 'needs root, for a resolv.conf of its own' }, async () => {
  const address = '127.53.53.53';
  const names = await startNames(address);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'kanal-test-'));
  writeFileSync(path.join(folder, 'resolv.conf'), `nameserver ${address}\noptions timeout:2 attempts:1\n`);
  writeFileSync(path.join(folder, 'nsswitch.conf'), 'hosts: files dns\n');
  const wrap = ['unshare', '-m', 'sh', '-c', `mount --bind ${folder}/resolv.conf /etc/resolv.conf && mount --bind ${folder}/nsswitch.conf /etc/nsswitch.conf && exec "$@"`, 'sh'];
  const inward = '127-0-0-1.rebind.test', cloud = '169-254-169-254.rebind.test', moving = '127-0-0-9.127-0-0-1.rebind.test';
  const other = await startKanal(nats, [
    evil('evil-names', { egress: [inward, cloud, moving] }), // the operator granted the names, and no private address
    evil('evil-listed', { egress: [inward, '127.0.0.1', cloud] }),
    evil('evil-moved', { egress: [moving, '127.0.0.9'] }),
  ], { top: { plugins }, wrap });
  provider.answers.set('/inward', [200, {}, 'private']);
  const before = provider.calls.length;
  const ask = (name, channel) => act(`request http://${name}:${provider.port}/inward`, channel, other);
  assert.equal(await ask(inward, 'evil-names'), DENIED);
  assert.equal(await ask(cloud, 'evil-names'), DENIED);
  assert.equal(await ask(cloud, 'evil-listed'), DENIED);
  assert.equal(provider.calls.length, before);
  // The name leads to an address that is listed, where nobody listens; then, asked again, to one that is not.
  assert.ok([-6, -5].includes(await ask(moving, 'evil-moved')));
  await until('the name is asked for again', async () => { const result = await ask(moving, 'evil-moved'); return names.counts.get(moving) >= 2 && result === DENIED; }, 75000);
  assert.equal(provider.calls.length, before);
  assert.equal(await ask(inward, 'evil-listed'), 200, 'the same name, with the address listed');
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  names.close();
  rmSync(folder, { recursive: true, force: true });
});

test('at the end the neighbour has lost nothing', async () => {
  await load.stop();
  assert.deepEqual(load.failed, []);
  const mine = (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.data.channel?.id === 'neighbour' && event.data.type === 'message.received');
  assert.equal(new Set(mine.map((event) => event.data.data.message.external_id)).size, load.sent);
  assert.equal(mine.length, load.sent);
});
