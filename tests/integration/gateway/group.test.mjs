// Control groups of workers: made, limited, left by nobody, removed; and what is said where there are none. Where this machine gives
// no writable group, the tests that need one are skipped, with what the gateway said.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, buildDir, configText, inOwnGroup, isSanitized, kanalBinary, probeDirs, run, scratchDir, sleep, until } from './harness.mjs';
import { probe, startKanal } from './probe.mjs';

const EACCES = -13;
const held = /^each worker is held by a control group of its own: (.*) below ([^,]*?)(, without .*)?$/;
const unheld = /^workers are held by their rlimits alone, without control groups: (.*)$/;
const hostileDir = path.join(buildDir, 'tests/bad_plugins/hostile');
const plugins = { path: [...probeDirs(), hostileDir], hostile: { memory: '64M', deadline: '6s', cpu: 0.2 }, probe: { memory: '128M' } };
const evil = (id) => ({ id, plugin: 'hostile', worker: 'own' });

let nats, kanal, lacking;

before(async () => {
  nats = await Nats.start();
  kanal = await startKanal(nats, [probe(), evil('evil-spin'), evil('evil-leave')], { top: { plugins }, wrap: inOwnGroup() });
  const line = kanal.log().find(({ message }) => held.test(message) || unheld.test(message));
  assert.ok(line, 'the start says whether there are groups');
  const [, controllers] = held.exec(line.message) ?? [];
  if (controllers !== 'memory, cpu and pids') lacking = line.message;
});

after(async () => {
  await kanal?.stop();
  await nats?.kill('SIGTERM');
});

const workerOf = async (id, on = kanal) => (await on.channels()).find((channel) => channel.id === id)?.worker?.pid;
const startTicks = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
const cpuSeconds = (pid) => { const fields = startTicks(pid); return (Number(fields[11]) + Number(fields[12])) / 100; };

// Its directory in each hierarchy: {memory: path, cpu: path, pids: path}; of version 2 the same three times.
function groupsOf(pid) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' - ').flatMap((part) => part.split(' ')));
  const of = {};
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')) {
    const [, names, group] = /^\d+:([^:]*):(.*)$/.exec(line);
    for (const name of names === '' ? ['memory', 'cpu', 'pids'] : names.split(',').filter((one) => ['memory', 'cpu', 'pids'].includes(one))) {
      const mount = mounts.find((fields) => (names === '' ? fields.includes('cgroup2') : fields.at(-1).split(',').includes(name)));
      if (mount && !(names === '' && of[name])) of[name] = path.join(mount[4], mount[3] === '/' ? group : group.slice(mount[3].length));
    }
  }
  return of;
}

const isVersion2 = (directory) => existsSync(path.join(directory, 'cgroup.controllers'));
const number = (directory, ...names) => Number(readFileSync(path.join(directory, names.find((name) => existsSync(path.join(directory, name)))), 'utf8').split(' ')[0]);
const grouped = (name, options, run_) => test(name, options ?? {}, async (t) => (lacking ? t.skip(lacking) : run_(t)));
const act = async (name, channel, on = kanal) => JSON.parse(await (await on.post(`/c/${channel}/act`, name, { 'content-type': 'text/plain' })).text()).result;

grouped('each worker has a group of its own, with its plugin\'s limits', {}, async () => {
  const seen = new Set();
  for (const [id, bytes, quota] of [['probe', 128 << 20, -1], ['evil-spin', 64 << 20, 20000], ['evil-leave', 64 << 20, 20000]]) {
    const { memory, cpu, pids } = groupsOf(await workerOf(id));
    assert.match(memory, new RegExp(`/kanal-${kanal.child.pid}(-\\d+)?/\\d+$`));
    seen.add(memory);
    if (!isSanitized()) {
      const most = bytes + bytes / 32 + (16 << 20);
      assert.equal(number(memory, 'memory.max', 'memory.limit_in_bytes'), most);
      if (isVersion2(memory)) assert.equal(number(memory, 'memory.swap.max'), 0);
      else assert.equal(number(memory, 'memory.memsw.limit_in_bytes'), most);
    }
    const found = number(cpu, 'cpu.max', 'cpu.cfs_quota_us');
    assert.equal(Number.isNaN(found) ? -1 : found, quota); // "max"
    assert.equal(number(pids, 'pids.max'), 1);
    for (const directory of [memory, cpu, pids]) assert.equal(readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').trim(), String(await workerOf(id)));
  }
  assert.equal(seen.size, 3);
});

grouped('a worker that spins gets no more than its processors', {}, async () => {
  const pid = await workerOf('evil-spin');
  const spinning = act('spin', 'evil-spin').catch(() => {}); // its answer is a 503 without JSON
  await until('it spins', () => cpuSeconds(pid) > 0.1);
  const before = cpuSeconds(pid), began = performance.now();
  await sleep(3000);
  const share = (cpuSeconds(pid) - before) / ((performance.now() - began) / 1000);
  assert.ok(share < 0.3, `it had ${share.toFixed(2)} of a processor`);
  assert.match(readFileSync(path.join(groupsOf(pid).cpu, 'cpu.stat'), 'utf8'), /^nr_throttled [1-9]/m);
  await spinning;
});

grouped('a plugin cannot leave its group', {}, async () => {
  const pid = await workerOf('evil-leave'), before = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  for (const directory of Object.values(groupsOf(pid))) {
    assert.equal(await act(`leave_group ${path.dirname(directory)}/cgroup.procs`, 'evil-leave'), EACCES);
    assert.equal(await act(`leave_group ${path.dirname(path.dirname(directory))}/cgroup.procs`, 'evil-leave'), EACCES);
  }
  assert.equal(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), before);
});

grouped('a worker that ended has no group any more, and the next has another', {}, async () => {
  const pid = await workerOf('evil-leave'), { memory } = groupsOf(pid);
  process.kill(pid, 'SIGKILL');
  const next = await until('another worker', async () => { const now = await workerOf('evil-leave'); return now && now !== pid && now; });
  assert.ok(!existsSync(memory), memory);
  assert.notEqual(groupsOf(next).memory, memory);
  assert.match(kanal.log().find(({ message }) => /plugin 'hostile' has ended.*SIGKILL/.test(message)).message, /by an operator or for lack of memory/);
});

grouped('what a gateway that was killed left is removed by the next, and a stop leaves nothing', {}, async () => {
  // On version 2 nobody enters a group that a killed gateway has made ready: there both use one that neither is in.
  const directory = inOwnGroup()?.at(-1);
  const more = { top: { plugins: directory ? { ...plugins, cgroup: `/${path.basename(directory)}` } : plugins } };
  const first = await startKanal(nats, [probe()], more);
  const left = Object.values(groupsOf(await workerOf('probe', first))).map((directory) => path.dirname(directory));
  await first.stop('SIGKILL');
  const second = await startKanal(nats, [probe()], more);
  for (const directory of left) assert.ok(!existsSync(directory), directory);
  const own = Object.values(groupsOf(await workerOf('probe', second))).map((directory) => path.dirname(directory));
  for (const directory of [...own, path.dirname(groupsOf(await workerOf('probe')).memory)]) assert.ok(existsSync(directory), directory);
  assert.deepEqual(await second.stop(), { code: 0, signal: null });
  for (const directory of own) assert.ok(!existsSync(directory), directory);
});

grouped('required: starts where it has them', {}, async () => {
  const other = await startKanal(nats, [probe()], { top: { plugins: { ...plugins, cgroup: 'required' } }, wrap: inOwnGroup() });
  assert.ok(other.log().some(({ message }) => held.test(message)));
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
});

test('off: none is made', async () => {
  const other = await startKanal(nats, [probe()], { top: { plugins: { ...plugins, cgroup: 'off' } } });
  const line = other.log().find(({ message }) => unheld.test(message));
  assert.match(line.message, /plugins\.cgroup is off/);
  assert.doesNotMatch(readFileSync(`/proc/${await workerOf('probe', other)}/cgroup`, 'utf8'), new RegExp(`kanal-${other.child.pid}[-/]`));
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
});

test('a group that is not there: nothing starts, and it is said what to do', async () => {
  const file = path.join(scratchDir(), 'kanal.yaml');
  writeFileSync(file, configText(nats, [probe()], { top: { plugins: { ...plugins, cgroup: '/no/such/group' } } }));
  const { code, stderr } = await run(['run', '-c', file]);
  assert.equal(code, 3);
  assert.match(stderr, /plugins\.cgroup: workers cannot have control groups .*no\/such\/group.*docs\/deployment\.md/);
});

// ---- Other users ----

const nobody = 65534, become = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
const isRoot = process.getuid() === 0;

function whyNot() {
  if (!isRoot) return 'needs root, to become another user';
  return spawnSync(become[0], [...become.slice(1), kanalBinary, 'version']).status === 0 ? undefined : 'the build is not readable to other users';
}

// A gateway of nobody's, not started.
function nobodys(cgroup, channels = [probe()]) {
  const other = new Kanal(), folder = scratchDir();
  chownSync(folder, nobody, nobody);
  chmodSync(folder, 0o755);
  other.config = path.join(folder, 'kanal.yaml');
  writeFileSync(other.config, configText(nats, channels, { data_dir: folder, top: { plugins: { ...plugins, cgroup } } }));
  return other;
}

// As a supervisor does: the directory, and what processes and controllers are given by.
function giveAway(directory) {
  for (const name of ['.', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control', 'tasks'])
    if (existsSync(path.join(directory, name))) chownSync(path.join(directory, name), nobody, nobody);
}

grouped('a user to whom a group was delegated has it for its workers', { skip: whyNot() }, async (t) => {
  const wrap = inOwnGroup(), name = `test-kanal-${process.pid}-given`;
  // Version 1 has no inside and outside: a group that the gateway is not in.
  const made = wrap ? [] : ['memory', 'cpu', 'pids'].map((controller) => path.join(groupsOf(1)[controller], name));
  for (const directory of made) mkdirSync(directory);
  t.after(() => { for (const directory of made) rmdirSync(directory); }); // so nothing is left in it
  for (const directory of wrap ? [wrap.at(-1)] : made) giveAway(directory);
  const other = nobodys(wrap ? 'required' : `/${name}`, [probe(), evil('evil-hoard')]);
  await other.run({ wrap: [...(wrap ?? []), ...become] });
  assert.ok(other.log().some(({ message }) => held.test(message)));
  assert.match(groupsOf(await workerOf('probe', other)).memory, new RegExp(`test-kanal-.*/kanal-${other.child.pid}(-\\d+)?/\\d+$`));
  if (!isSanitized()) {
    assert.equal((await other.post('/c/evil-hoard/act', 'hoard', { 'content-type': 'text/plain' })).status, 503);
    const line = await until('it is told', () => other.log().find(({ message }) => / has ended in on_http/.test(message)));
    assert.match(line.message, /needed more memory than the 82 MiB/);
    assert.equal(line.channel, 'evil-hoard');
    assert.equal(await other.metric(/^kanal_worker_restarts_total\{plugin="hostile",reason="memory_limit"/), 1);
  }
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
});

test('a user without any group: auto says so and starts, required does not', { skip: whyNot() }, async () => {
  const other = nobodys('auto');
  await other.run({ wrap: become });
  const line = other.log().find(({ message }) => unheld.test(message) || held.test(message));
  assert.equal(line.level, 'warn');
  assert.match(line.message, unheld);
  assert.match(line.message, /(Permission denied|other processes|Read-only file system|not in it)/);
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  const required = spawnSync(become[0], [...become.slice(1), kanalBinary, 'run', '-c', nobodys('required').config], { encoding: 'utf8' });
  assert.equal(required.status, 3);
  assert.match(required.stderr, /plugins\.cgroup: workers cannot have control groups/);
});
