// The demo: a broker, Kanal with four channels, a stand-in of Telegram and a small shop, all on loopback. `./dev demo` starts it.
//
//   --build DIR   where kanal was built
//   --port N      the gateway's port (8080); the shop is on the next one but ten (8090)
//   --check       no person: free ports, one message through each channel, an answer to each, then everything stops; exit code 0 or 1
import { mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startShop } from '../consumers/shop/server.mjs';
import { check } from './check.mjs';
import { Processes, say } from './processes.mjs';

const { values: options } = parseArgs({ options: {
  build: { type: 'string', default: 'build-demo' }, port: { type: 'string', default: '8080' }, check: { type: 'boolean', default: false } } });
const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const build = path.resolve(options.build);
const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => { const { port: free } = server.address(); server.close(() => resolve(free)); });
});
const port = options.check ? await freePort() : Number(options.port);
const directory = options.check ? mkdtempSync(path.join(os.tmpdir(), 'kanal-demo-')) : path.join(root, '.demo');
const processes = new Processes();

function plugins() {
  const folder = path.join(build, 'plugins');
  return readdirSync(folder).map((name) => path.join(folder, name))
    .filter((name) => statSync(name).isDirectory() && readdirSync(name).some((file) => file.endsWith('.so')));
}

// JSON is YAML. Without a `broker` Kanal starts its own nats-server under data_dir.
function configuration(telegram, shopOrigin) {
  const session = randomBytes(24).toString('hex');
  return {
    http: { listen: `127.0.0.1:${port}`, public_url: `http://127.0.0.1:${port}` },
    admin: { listen: `127.0.0.1:${options.check ? 0 : port + 1}` },
    data_dir: path.join(directory, 'data'),
    identity: { salt: randomBytes(24).toString('hex') },
    log: { level: 'info' },
    plugins: { path: plugins() },
    channels: [
      { id: 'shop-telegram', plugin: 'telegram', settings: { mode: 'polling', api_url: telegram.url }, egress: [`127.0.0.1:${telegram.port}`],
        secrets: { token: telegram.token } },
      { id: 'shop-chat', plugin: 'webchat', settings: { origins: [shopOrigin] }, secrets: { session } },
      { id: 'shop-form', plugin: 'webform', secrets: { session }, settings: { origins: [shopOrigin], forms: [{ id: 'callback', name: 'Call me back',
        fields: [{ name: 'name' }, { name: 'phone', type: 'tel', required: true }, { name: 'comment', type: 'textarea' }],
        consents: [{ purpose: 'marketing', text: 'Send me news.' }] }] } },
      { id: 'demo-echo', plugin: 'echo' },
    ],
  };
}

async function startAll() {
  say('starting the stand-in of Telegram');
  const telegram = await processes.startTelegram(path.join(root, 'tests/providers/telegram/server.mjs'));
  const base = `http://127.0.0.1:${port}/c`;
  const shop = await startShop({ listen: `127.0.0.1:${options.check ? 0 : port + 10}`, chatUrl: `${base}/shop-chat`, formUrl: `${base}/shop-form` });
  const config = path.join(directory, 'kanal.yaml');
  writeFileSync(config, JSON.stringify(configuration(telegram, shop.url.replace(/\/$/, '')), null, 2), { mode: 0o600 });
  say('starting Kanal and its broker');
  const gateway = await processes.startKanal(path.join(build, 'core/kanal'), config);
  return { telegram, shop, config, gateway, kanal: path.join(build, 'core/kanal'), processes };
}

function guide({ shop, config, gateway, telegram, kanal }) {
  const relative = (file) => path.relative(process.cwd(), file) || file;
  console.log(`
Everything runs. Nothing needs an account anywhere.

  the shop     ${shop.url}            open it, click the chat, write something, send the form
  events       ${relative(kanal)} tail -c ${relative(config)}
  answer       ${relative(kanal)} send -c ${relative(config)} shop-chat visitor:… "Hello!"     (the address is in the event)
  Telegram     curl -d '{"chat":77,"text":"Hello"}' -H 'content-type: application/json' ${telegram.url}/_/user/say
  echo         curl -d '{"from":"anna","text":"Hello"}' -H 'content-type: application/json' ${gateway.url}/c/demo-echo/
  health       curl ${gateway.admin}/channels      metrics: ${gateway.admin}/metrics

Ctrl-C stops it all.
`);
}

async function main() {
  if (!options.check) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const parts = await startAll();
  if (options.check) return check(parts);
  guide(parts);
  processes.show(parts.kanal, ['tail', '-c', parts.config]);
  await new Promise((resolve) => { process.once('SIGINT', resolve); process.once('SIGTERM', resolve); });
  return true;
}

let ok = false;
try {
  ok = await main();
} catch (error) {
  console.error(`demo: ${error.message}`);
} finally {
  await processes.stop();
  if (options.check) rmSync(directory, { recursive: true, force: true });
}
process.exit(ok ? 0 : 1);
