// A nats-server and a `kanal run` with a chat and a form channel, on free ports of loopback, in a folder of their own.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function ready(probe, what, log) {
  for (const end = Date.now() + 15000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (await probe().catch(() => false)) return;
  }
  throw new Error(`${what} is not ready:\n${readFileSync(log, 'utf8')}`);
}

function configuration(ports, folder, plugins, origin) {
  const [nats, http, admin] = ports;
  const secret = JSON.stringify('a secret of this test run, 32 bytes and more');
  return `broker: { url: ["nats://127.0.0.1:${nats}"] }
http: { listen: 127.0.0.1:${http}, public_url: "http://127.0.0.1:${http}" }
admin: { listen: 127.0.0.1:${admin} }
data_dir: ${folder}/data
identity: { salt: "0123456789abcdef0123456789abcdef", default_region: RU }
plugins: { path: ${JSON.stringify(plugins)} }
channels:
  - id: shop-chat
    plugin: webchat
    secrets: { session: ${secret} }
    settings: { origins: ["${origin}"], messages_per_minute: 600, message_burst: 100, new_visitors_per_minute: 0 }
  - id: shop-form
    plugin: webform
    secrets: { session: ${secret} }
    settings:
      origins: ["${origin}"]
      honeypot: website
      forms:
        - id: callback
          fields: [ { name: name, type: text }, { name: phone, type: tel, required: true }, { name: comment, type: textarea } ]
          consents:
            - { purpose: callback, text: "I agree that Kanal Coffee uses my number to call me back.", required: true }
            - { purpose: marketing, text: "Tell me about new coffees, at most once a month." }
`;
}

// kanal: the executable; plugins: folders; origin: of the shop.
export async function startGateway({ kanal, plugins, origin }) {
  const folder = mkdtempSync(join(tmpdir(), 'kanal-test-'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const [nats, http, admin] = ports;
  const log = join(folder, 'log');
  const output = openSync(log, 'a');
  const run = (file, args) => spawn(file, args, { stdio: ['ignore', output, output] });
  const ended = (child) => child.exitCode !== null || child.signalCode !== null ? null : new Promise((resolve) => child.once('exit', resolve));
  writeFileSync(join(folder, 'kanal.yaml'), configuration(ports, folder, plugins, origin));

  const broker = run(process.env.NATS_SERVER || 'nats-server', ['-a', '127.0.0.1', '-p', String(nats), '-js', '-sd', join(folder, 'js')]);
  let gateway = null;
  const start = async () => {
    gateway = run(kanal, ['run', '-c', join(folder, 'kanal.yaml')]);
    await ready(async () => {
      const channels = await (await fetch(`http://127.0.0.1:${admin}/channels`)).json();
      return channels.channels.every((channel) => channel.state === 'up') && channels.broker.state === 'up';
    }, 'the gateway', log);
  };
  const stop = async (signal) => {
    gateway?.kill(signal);
    await ended(gateway);
  };
  await start();
  return {
    chatUrl: `http://127.0.0.1:${http}/c/shop-chat`, formUrl: `http://127.0.0.1:${http}/c/shop-form`, natsUrl: `nats://127.0.0.1:${nats}`,
    start,
    kill: () => stop('SIGKILL'),
    async close() {
      await stop('SIGTERM');
      broker.kill('SIGTERM');
      await ended(broker);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
