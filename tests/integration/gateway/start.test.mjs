// What a person meets first: wrong words, wrong configurations, broken plugins; and that a gateway with a broken neighbour in its folder runs.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Kanal, Nats, buildDir, configText, pluginDirs, run, scratchDir, until } from './harness.mjs';

const servers = [];
after(async () => { for (const server of servers.reverse()) await (server.kill ? server.kill('SIGTERM') : server.stop()); });

function configured(text) {
  const file = path.join(scratchDir(), 'kanal.yaml');
  writeFileSync(file, text);
  return file;
}

test('every command has --help, and wrong words exit with 2', async () => {
  const { code, stdout } = await run(['--help']);
  assert.equal(code, 0);
  const names = stdout.split('\n').map((line) => /^ {2}(\w+) +\S/.exec(line)?.[1]).filter(Boolean);
  assert.ok(names.length >= 7, names.join());
  for (const name of names) {
    const help = await run([name, '--help']);
    assert.equal(help.code, 0, name);
    assert.match(help.stdout, new RegExp(`^usage: kanal ${name}`), name);
    assert.equal((await run([name, '--no-such-option'])).code, 2, name);
  }
  assert.equal((await run(['explode'])).code, 2);
  assert.equal((await run([])).code, 2);
});

test('a broken configuration: every error at once, with line and column, and nothing is started', async () => {
  const file = configured(`http: { listen: nowhere, colour: red }
identity: { salt: "a salt for tests only" }
plugins: { path: [${pluginDirs().join(', ')}] }
channels:
  - id: any
    plugin: echo
  - id: tg
    plugin: telegram
    settings: { mode: carrier-pigeon }
  - id: x
    plugin: nosuch
`);
  for (const command of ['check', 'run']) {
    const { code, stderr } = await run([command, '-c', file]);
    assert.equal(code, 3, stderr);
    for (const pattern of [/:1:\d+: .*listen/, /:1:\d+: .*colour/, /:5:\d+: .*any/]) assert.match(stderr, pattern);
  }
  // What needs the plugins is told once the rest is right.
  const second = configured(`identity: { salt: "a salt for tests only" }
plugins: { path: [${pluginDirs().join(', ')}] }
channels:
  - id: tg
    plugin: telegram
    settings: { mode: carrier-pigeon }
  - id: x
    plugin: nosuch
`);
  const { code, stderr } = await run(['check', '-c', second]);
  assert.equal(code, 3);
  assert.match(stderr, /:6:\d+: .*mode/);
  assert.match(stderr, /token/, 'the missing secret');
  assert.match(stderr, /nosuch/);
});

test('a missing variable or file behind a secret is named, its value never', async () => {
  const file = configured(`identity: { salt: "\${env:NO_SUCH_SALT}" }
channels:
  - { id: a, plugin: echo, secrets: { x: "\${file:/nonexistent/secret}" } }
`);
  const { code, stderr } = await run(['check', '-c', file]);
  assert.equal(code, 3);
  assert.match(stderr, /NO_SUCH_SALT/);
  assert.match(stderr, /\/nonexistent\/secret/);
});

test('a file that is no plugin is refused with its reason, and the others run beside it', async () => {
  const folder = path.join(scratchDir(), 'plugins');
  mkdirSync(folder);
  copyFileSync(path.join(buildDir, 'plugins/echo/echo.so'), path.join(folder, 'echo.so'));
  for (const name of ['bad_not_elf', 'bad_no_symbol', 'bad_other_major', 'bad_short_struct'])
    copyFileSync(path.join(buildDir, `tests/bad_plugins/${name}.so`), path.join(folder, `${name}.so`));
  const listed = await run(['plugins', folder]);
  assert.equal(listed.code, 1);
  assert.match(listed.stdout, /^echo /m);
  assert.match(listed.stderr, /bad_not_elf\.so: it cannot be loaded/);
  assert.match(listed.stderr, /bad_other_major\.so: it is for ABI major 2/);
  const nats = await Nats.start();
  servers.push(nats);
  const kanal = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }], { plugins: [folder] });
  servers.push(kanal);
  assert.equal((await kanal.post('/c/echo/', { from: 'anna', text: 'hi' })).status, 200);
});

test('a plugin of isolation: none is opened by its file\'s name, without a worker; one of another name is found, too', async () => {
  const nats = await Nats.start(), folder = scratchDir();
  servers.push(nats);
  copyFileSync(path.join(buildDir, 'plugins/echo/echo.so'), path.join(folder, 'echo.so'));
  const inside = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }], { plugins: [folder], worker: { isolation: 'none' }, env: { KANAL_WORKER: '/nowhere/kanal-worker' } });
  servers.push(inside);
  assert.equal((await inside.post('/c/echo/', { from: 'anna', text: 'hi' })).status, 200);
  await inside.stop();
  renameSync(path.join(folder, 'echo.so'), path.join(folder, 'a-copy.so'));
  const found = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }], { plugins: [folder] });
  servers.push(found);
  assert.equal((await found.post('/c/echo/', { from: 'anna', text: 'hi' })).status, 200);
});

test('a broken file beside is told of after the start; a file of the name of another plugin is refused', async () => {
  const nats = await Nats.start(), folder = scratchDir();
  servers.push(nats);
  copyFileSync(path.join(buildDir, 'plugins/echo/echo.so'), path.join(folder, 'echo.so'));
  copyFileSync(path.join(buildDir, 'tests/bad_plugins/bad_no_symbol.so'), path.join(folder, 'bad.so'));
  const kanal = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }], { plugins: [folder] });
  servers.push(kanal);
  await until('it is in the log', () => kanal.log().some((line) => line.level === 'warn' && /bad\.so: it does not export/.test(line.message)));
  await kanal.stop();
  copyFileSync(path.join(buildDir, 'plugins/webform/webform.so'), path.join(folder, 'echo.so'));
  const { code, stderr } = await run(['run', '-c', '-'], { input: configText(nats, [{ id: 'echo', plugin: 'echo' }], { plugins: [folder], worker: { isolation: 'none' } }) });
  assert.equal(code, 3);
  assert.match(stderr, /opened here for its name, but is another plugin/);
});

test('plugins --json and version --json are JSON', async () => {
  const plugins = JSON.parse((await run(['plugins', '--json', ...pluginDirs()])).stdout);
  assert.ok(plugins.some((plugin) => plugin.id === 'telegram' && plugin.secrets.some((secret) => secret.name === 'token')));
  assert.equal(JSON.parse((await run(['version', '--json'])).stdout).abi, '1.0');
});

test('without a broker it starts its own, and ends it with itself', async () => {
  const kanal = await Kanal.start(null, [{ id: 'echo', plugin: 'echo' }]);
  assert.equal((await kanal.post('/c/echo/', { from: 'anna', text: 'hi' })).status, 200);
  const url = kanal.log().map((entry) => /embedded nats-server on nats:\/\/127\.0\.0\.1:(\d+)/.exec(entry.message)?.[1]).find(Boolean);
  assert.ok(url);
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null });
  const { connect } = await import('node:net');
  const open = await new Promise((resolve) => { const socket = connect(Number(url), '127.0.0.1'); socket.once('connect', () => resolve(true)); socket.once('error', () => resolve(false)); });
  assert.equal(open, false, 'its nats-server is gone');
});

test('a gateway that was killed leaves no broker behind', async () => {
  const kanal = await Kanal.start(null, [{ id: 'echo', plugin: 'echo' }]);
  const port = Number(kanal.log().map((entry) => /embedded nats-server on nats:\/\/127\.0\.0\.1:(\d+)/.exec(entry.message)?.[1]).find(Boolean));
  await kanal.stop('SIGKILL');
  const { connect } = await import('node:net');
  await until('the port is closed', () => new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(false); });
    socket.once('error', () => resolve(true));
  }));
});
