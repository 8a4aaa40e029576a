// A network that can be cut: TCP through this process. Cut, nothing passes and nobody is told, as when a cable is pulled; healed, it goes on.
import net from 'node:net';

export class Proxy {
  pairs = new Set();
  waiting = new Set();
  isCut = false;

  static async start(port) {
    const proxy = new Proxy();
    proxy.target = port;
    proxy.server = net.createServer((near) => proxy.accept(near));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.server.address().port;
    proxy.url = `nats://127.0.0.1:${proxy.port}`;
    return proxy;
  }

  accept(near) {
    near.on('error', () => {});
    if (!this.isCut) return this.join(near);
    this.waiting.add(near);
    return near.once('close', () => this.waiting.delete(near));
  }

  join(near) {
    const far = net.connect(this.target, '127.0.0.1');
    const pair = [near, far];
    this.pairs.add(pair);
    for (const [from, to] of [pair, [far, near]]) {
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('data', (data) => { if (!to.write(data)) from.pause(); });
      to.on('drain', () => { if (!this.isCut) from.resume(); });
      from.on('close', () => { this.pairs.delete(pair); if (!this.isCut) to.destroy(); });
    }
  }

  cut() {
    this.isCut = true;
    for (const socket of [...this.pairs].flat()) socket.pause();
  }

  heal() {
    this.isCut = false;
    for (const [near, far] of this.pairs) {
      for (const [one, other] of [[near, far], [far, near]]) if (one.destroyed) other.destroy();
      near.resume();
      far.resume();
    }
    for (const near of this.waiting) this.join(near);
    this.waiting.clear();
  }

  stop() {
    this.server.close();
    for (const socket of [...this.pairs].flat().concat([...this.waiting])) socket.destroy();
  }
}
