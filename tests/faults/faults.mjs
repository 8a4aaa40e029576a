// The faults, one descriptor each:
//   name      what the row is called
//   what      what is done
//   world     what it is done to (world.mjs)
//   declared  the channel with on_unknown: retry may send again what was under way
//   isZombie  one gateway may tell that it was sent, after another one told that it was in doubt
//   forms     in which it runs: 'test' (./dev test), 'short' (./dev faults --short), 'long' (./dev faults); none given: short and long
//   skip      (form) → why it cannot run here
//   run       (world, isShort): does it, and waits until it is over; what it returns is said where it did not happen as it should
import { spawnSync } from 'node:child_process';
import { openSync, statfsSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { isSanitized, scratchDir, sleep, stored, until } from '../integration/gateway/harness.mjs';
import { settled } from '../integration/gateway/leases.mjs';
import { clockShim, hasClockShim } from './world.mjs';

const RETRY = 'on_unknown: retry';
const TEST = ['test', 'short', 'long'];

// ---- Processes ----

async function gatewayKilled(world) {
  await world.gateway.stop('SIGKILL');
  world.mark();
  await world.gateway.run();
  await world.recovered();
  return world.load.refused === 0 && 'no webhook met the fault';
}

async function workerKilled(world) {
  const pid = await world.workerPid();
  process.kill(pid, 'SIGKILL');
  world.mark();
  await world.recovered();
  return (await world.workerPid()) === pid && 'the worker is the same';
}

async function brokerRestarted(world, signal) {
  await world.broker.kill(signal);
  world.mark();
  await sleep(500);
  await world.broker.run();
  await world.recovered();
  return world.load.refused === 0 && 'no webhook met the fault';
}

async function brokerPaused(world, isShort) {
  await world.broker.pause();
  await sleep(isShort ? 6000 : 20000);
  world.broker.resume();
  world.mark();
  await world.recovered();
  return world.load.unpublished === 0 && 'no command met the fault';
}

// One of three goes, and comes back after the others have gone on.
async function nodeKilled(world, isLeader) {
  const leader = await until('the stream has a leader', () => world.leaderOf('KANAL_EVENTS'));
  const node = isLeader ? leader : world.brokers.find((one) => one !== leader);
  await node.kill('SIGKILL');
  world.mark();
  await world.recovered();
  const seconds = world.load.recoverySeconds();
  await node.run();
  await sleep(2000);
  world.recovery = seconds;
  return isLeader && (await until('there is a leader', () => world.leaderOf('KANAL_EVENTS'))) === undefined && 'no leader';
}

// ---- The network ----

async function cut(world, ms) {
  world.proxies[0].cut();
  await sleep(ms);
  world.proxies[0].heal();
  world.mark();
  await world.recovered();
  return world.load.refused === 0 && 'no webhook met the fault';
}

// The lanes are lost while requests are under way, which are refused when the lanes are this gateway's again.
async function cutInMidRequest(world) {
  world.provider.each(10, 'late');
  await until('requests are under way', () => world.provider.faults >= 3);
  world.proxies[0].cut();
  await sleep(9000);
  world.provider.wellAgain();
  world.proxies[0].heal();
  world.mark();
  await world.recovered();
}

// The holder of a lane is alone: it reaches the provider, but neither the broker nor, through that, the other gateway.
async function holderCut(world) {
  const alone = world.gateways.indexOf(world.holder());
  if (alone < 0) return 'nobody has the lanes';
  world.proxies[alone].cut();
  world.mark();
  await world.recovered();
  world.recovery = world.load.recoverySeconds();
  await sleep(1000);
  const stayed = world.holder() === world.gateways[alone];
  world.proxies[alone].heal();
  await sleep(3000);
  return stayed && 'the lanes stayed where they were';
}

async function holderStopped(world, signal, isShort) {
  const holder = world.holder();
  if (!holder) return 'nobody has the lanes';
  if (signal === 'SIGKILL') await holder.stop('SIGKILL');
  else holder.child.kill(signal);
  world.mark();
  await world.recovered();
  world.recovery = world.load.recoverySeconds();
  if (signal === 'SIGKILL') return world.recovery > 15 && 'it took more than 15 s';
  await sleep(isShort ? 1000 : 10000);
  holder.child.kill('SIGCONT');
  await sleep(3000); // what a zombie would do
  return world.recovery > 15 && 'it took more than 15 s';
}

// A third one comes, and the first goes properly: lanes are given from one to the other while they are full.
async function lanesMoved(world) {
  const [first, second] = world.gateways;
  const third = await world.startGateway();
  world.gateways.push(third);
  await settled(world.client, [first, second, third]);
  world.mark();
  await first.stop();
  await settled(world.client, [second, third]);
  await world.recovered();
  const given = await Promise.all([second, third].map((one) => one.metric(/^kanal_leases_given_total/)));
  return given.reduce((sum, count) => sum + count, 0) === 0 && 'nothing was given';
}

// ---- The disk ----

const DISK = 16 << 20, ROOM = 3 << 20; // what the spool finds free

async function diskFull(world) {
  const disk = world.disk;
  await sleep(200);
  const ballast = path.join(disk, 'ballast');
  const fd = openSync(ballast, 'w');
  const { bavail, bsize } = statfsSync(disk);
  writeSync(fd, Buffer.alloc(bavail * bsize - ROOM));
  await world.broker.kill('SIGKILL');
  const before = world.load.refused;
  world.load.rate = world.load.base * 4;
  await until('the spool is full', () => world.load.refused > before + 50, 60000);
  world.load.rate = world.load.base;
  await sleep(1000);
  await world.broker.run();
  world.mark();
  await world.recovered();
  unlinkSync(ballast);
  return (await world.gateway.metric(/^kanal_spool_stored_total /)) < 50 && 'next to nothing was spooled';
}

// ---- The provider ----

function providerFault(name, kind, { declared, forms, each = 4, times = 1, ms = 3000, skip } = {}) {
  return { name, what: `the provider's answer to each ${each}th message: ${kind}${times > 1 ? `, ${times} times` : ''}`, declared, forms, skip, async run(world) {
    world.provider.each(each, kind, times);
    await sleep(ms);
    await until('the provider has answered so a few times', () => world.provider.faults >= 3, 60000);
    world.provider.wellAgain();
    world.mark();
    await world.recovered();
  } };
}

// ---- Time and amount ----

const clockFile = () => path.join(scratchDir(), 'clock');
function setClock(file, seconds) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  writeFileSync(file, bytes, { flag: 'r+' }); // in its place: it is mapped
}

async function clockStepped(world) {
  for (const seconds of [3600, -3600, 0]) { // an hour ahead, then two back, then right again
    setClock(world.clock, seconds);
    world.mark();
    await world.recovered();
    await sleep(1500);
  }
  const times = (await stored(world.client, 'KANAL_EVENTS')).map((event) => Date.parse(event.data.recordedtime) - Date.now());
  return !(Math.max(...times) > 3000e3 && Math.min(...times) < -3000e3) && 'the gateway did not see its clock change';
}

async function burst(world, isShort) {
  world.load.rate = world.load.base * 10;
  world.mark();
  await sleep(isShort ? 3000 : 15000);
  world.load.rate = world.load.base;
  world.mark();
  await world.recovered();
}

// One that asks for everything and reads nothing, and one that takes its time with each message.
async function slowConsumer(world, isShort) {
  const deaf = net.connect(world.broker.port, '127.0.0.1', () => deaf.write('CONNECT {"verbose":false}\r\nSUB kanal.> 1\r\nPING\r\n'));
  deaf.on('error', () => {});
  deaf.pause();
  world.undo.push(() => deaf.destroy());
  const manager = await world.client.jetstreamManager();
  await manager.consumers.add('KANAL_EVENTS', { durable_name: 'slow', ack_policy: 'explicit', max_ack_pending: 1 });
  const messages = await (await world.js.consumers.get('KANAL_EVENTS', 'slow')).consume({ max_messages: 1 });
  let count = 0;
  (async () => { for await (const message of messages) { await sleep(100); message.ack(); count++; } })().catch(() => {});
  world.mark();
  await world.recovered();
  await sleep(isShort ? 3000 : 15000);
  await messages.close();
  return count === 0 && 'the slow consumer took nothing';
}

const isRoot = () => process.getuid() === 0 && spawnSync('sh', ['-c', 'command -v mount']).status === 0;

export const faults = [
  { name: 'gateway-kill', what: 'kill -9 of the gateway, started again', declared: RETRY, forms: TEST, run: gatewayKilled },
  { name: 'worker-kill', what: 'kill -9 of the worker of both channels', declared: RETRY, forms: TEST, run: workerKilled },
  { name: 'broker-kill', what: 'kill -9 of the broker, started again', declared: RETRY, forms: TEST, run: (world) => brokerRestarted(world, 'SIGKILL') },
  { name: 'broker-restart', what: 'the broker is ended properly and started again', declared: RETRY, run: (world) => brokerRestarted(world, 'SIGTERM') },
  { name: 'broker-pause', what: 'the broker stands still (SIGSTOP) for 20 s, in the short form 6 s', declared: RETRY, run: brokerPaused },
  { name: 'cluster-node', what: 'three servers, R3: one that does not lead is killed, later started again', world: { cluster: true }, declared: RETRY, run: (world) => nodeKilled(world, false) },
  { name: 'cluster-leader', what: 'three servers, R3: the leader of the events is killed, later started again', world: { cluster: true }, declared: RETRY, run: (world) => nodeKilled(world, true) },
  { name: 'disk-full', what: 'the broker is away and the disk under the spool full', declared: RETRY, skip: () => !isRoot() && 'only root can mount a small disk',
    world: { when_broker_down: 'spool', data_dir: (world) => { world.disk = world.mount(DISK); if (!world.disk) throw new Error('no tmpfs can be mounted here'); return world.disk; } }, run: diskFull },
  { name: 'network-cut', what: 'nothing passes between gateway and broker for 20 s, in the short form 8 s', declared: RETRY, world: { proxied: true }, run: (world, isShort) => cut(world, isShort ? 8000 : 20000) },
  { name: 'cut-in-request', what: 'nothing passes between gateway and broker while requests are under way, which the provider refuses in the end', declared: RETRY, world: { proxied: true }, run: cutInMidRequest },
  { name: 'replica-cut', what: 'of two gateways one is cut off from the broker, not from the provider', declared: RETRY, isZombie: true, world: { proxied: true, gateways: 2 }, run: holderCut },
  { name: 'holder-kill', what: 'of two gateways one is killed', declared: RETRY, forms: TEST, world: { gateways: 2 }, run: (world) => holderStopped(world, 'SIGKILL') },
  { name: 'holder-pause', what: 'of two gateways one stands still until the other has taken over, and wakes', declared: RETRY, isZombie: true, world: { gateways: 2 }, run: (world, isShort) => holderStopped(world, 'SIGSTOP', isShort) },
  { name: 'lanes-move', what: 'to two gateways a third comes, then the first is ended properly; each time the lanes are spread anew', world: { gateways: 2 }, run: lanesMoved },
  { name: 'two-replicas', what: 'each webhook goes to two gateways at once', world: { gateways: 2, isMirrored: true }, run: async (world, isShort) => { world.mark(); await sleep(isShort ? 3000 : 15000); await world.recovered(); } },
  providerFault('provider-500', '500', { forms: TEST, times: 2 }),
  providerFault('provider-429', '429', { forms: TEST, each: 40 }),
  providerFault('provider-half', 'half', { forms: TEST, declared: RETRY }),
  providerFault('provider-garbage', 'garbage', { declared: RETRY }),
  providerFault('provider-gone', 'gone', { declared: RETRY }),
  providerFault('provider-timeout', 'hang', { declared: RETRY, each: 60, skip: (form) => form !== 'long' && 'an answer is waited for 60 s: in the long form only' }),
  { name: 'clock-step', what: 'the gateway\'s clock goes an hour ahead, two hours back, and right again', skip: () => (isSanitized() ? 'the sanitizers want to be loaded first' : !hasClockShim() && 'libclockstep.so is not built'),
    world: { env: (world) => { world.clock = clockFile(); writeFileSync(world.clock, Buffer.alloc(8)); return { LD_PRELOAD: clockShim, KANAL_CLOCKSTEP: world.clock }; } }, run: clockStepped },
  { name: 'burst', what: 'ten times as much for 15 s, in the short form 3 s', run: burst },
  { name: 'slow-consumer', what: 'one consumer reads nothing at all, one takes 100 ms for each event', run: slowConsumer },
];
