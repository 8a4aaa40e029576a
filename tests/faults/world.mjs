// What a fault happens to: a broker (one server or three), one or two gateways, the provider, and the load.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Kanal, Nats, buildDir, freePort, root, scratchDir, sleep, until } from '../integration/gateway/harness.mjs';
import { laneOf, settled } from '../integration/gateway/leases.mjs';
import { account, readStream } from './account.mjs';
import { Load, SECRET } from './load.mjs';
import { Provider } from './provider.mjs';
import { Proxy } from './proxy.mjs';

const { connect } = createRequire(path.join(root, 'tests/integration/gateway/package.json'))('nats');
const SETTLE_MS = 120000, RECOVER_MS = 90000;
export const clockShim = path.join(buildDir, 'tests/faults/libclockstep.so');

async function startCluster() {
  const names = ['n1', 'n2', 'n3'];
  const ports = await Promise.all(names.map(() => freePort()));
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(', ');
  return Promise.all(names.map((name, i) => Nats.start({ more: `server_name: ${name}\njetstream { store_dir: "DATA" }\ncluster { name: faults, listen: 127.0.0.1:${ports[i]}, routes: [${routes}] }` })));
}

export class World {
  gateways = [];
  proxies = [];
  undo = []; // what has to be undone however it ends
  disturbed = ''; // what the fault did, for those who watch

  static async start(spec, rate) {
    const world = new World();
    Object.assign(world, { spec, isMirrored: spec.isMirrored ?? false });
    try {
      await world.open(rate);
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async open(rate) {
    this.provider = await Provider.start();
    this.brokers = this.spec.cluster ? await startCluster() : [await Nats.start()];
    this.client = await connect({ servers: this.brokers.map((one) => one.url), maxReconnectAttempts: -1, reconnectTimeWait: 200, timeout: 5000 });
    if (this.spec.cluster) await until('JetStream has a leader', async () => (await this.client.jetstreamManager({ timeout: 1000 })).getAccountInfo(), 20000);
    for (let i = 0; i < (this.spec.gateways ?? 1); i++) this.gateways.push(await this.startGateway());
    if (this.gateways.length > 1) await settled(this.client, this.gateways);
    this.js = this.client.jetstream({ timeout: 5000 });
    this.load = new Load(this, rate);
    this.provider.onTake = (chat) => this.load.taken(chat);
  }

  channel(id, token, on_unknown) {
    return { id, plugin: 'telegram', settings: { mode: 'webhook', api_url: this.provider.url }, egress: ['127.0.0.1'], on_unknown,
      secrets: { token, webhook: SECRET }, rate: { per_second: 1e6, per_recipient_second: 1e6 }, when_broker_down: this.spec.when_broker_down ?? 'refuse' };
  }

  async startGateway() {
    const proxy = this.spec.proxied && await Proxy.start(this.brokers[0].port);
    if (proxy) this.proxies.push(proxy);
    const urls = proxy ? [proxy.url] : this.brokers.map((one) => one.url);
    const kanal = await Kanal.start({ url: urls[0] }, [this.channel('again', '100:token-of-the-test', 'retry'), this.channel('once', '200:token-of-the-test', 'fail')],
      { broker: { url: urls, ...(this.spec.cluster ? { replicas: 3 } : {}) }, data_dir: this.spec.data_dir?.(this), env: this.spec.env?.(this), wait: false });
    await kanal.ready(60000); // three servers need their time to agree on thirty streams and buckets
    return kanal;
  }

  get gateway() { return this.gateways[0]; }
  get broker() { return this.brokers[0]; }
  async workerPid() { return (await this.gateway.channels())[0].worker.pid; }

  // Which gateway has the lane of the channel `again`: by the last word that each says of it.
  holder() {
    const key = `_.lane-${laneOf('again')} `;
    return this.gateways.find((one) => one.log().filter((entry) => entry.message.startsWith(key)).at(-1)?.message === `${key}held`);
  }

  async leaderOf(stream) {
    const { cluster } = await (await this.client.jetstreamManager({ timeout: 2000 })).streams.info(stream);
    return this.brokers[Number(cluster.leader.slice(1)) - 1];
  }

  // A disk of its own, so large. NULL: nobody may make one here.
  mount(bytes) {
    const directory = path.join(scratchDir(), 'disk');
    mkdirSync(directory);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'kanal-faults', directory]).status !== 0) return null;
    this.undo.push(() => spawnSync('umount', ['-l', directory]));
    return directory;
  }

  mark() { this.load.markNow(); }
  // Counted from the last mark. Throws where it never comes.
  async recovered() { await until('every conversation moves again', () => this.load.hasRecovered(), RECOVER_MS); }

  // All that was accepted has come to its end, or time is over; then one too many would come.
  async settle() {
    const end = Date.now() + SETTLE_MS;
    for (;;) {
      const result = await readStream(this.client).then((stream) => account(this.load, this.provider, stream)).catch(() => null);
      if (result?.row.lost === 0 || Date.now() > end) break;
      await sleep(300);
    }
    await sleep(1000);
    return account(this.load, this.provider, await readStream(this.client));
  }

  async stop() {
    this.load && (this.load.isOn = false);
    for (const one of this.gateways) { one.child?.kill('SIGCONT'); await one.stop(); }
    await this.client?.close();
    for (const one of this.brokers ?? []) { one.child?.kill('SIGCONT'); await one.kill('SIGKILL'); }
    for (const proxy of this.proxies) proxy.stop();
    this.provider?.stop();
    for (const undo of this.undo.reverse()) undo();
  }
}

export const hasClockShim = () => existsSync(clockShim);
