// `kanal health`: what a container's health check runs, against a real gateway and against servers that answer badly or not at all.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Kanal, Nats, freePort, kanalBinary } from './harness.mjs';

const health = (args, env = {}) => new Promise((resolve) =>
  execFile(kanalBinary, ['health', ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr })));
let nats, kanal, other;

before(async () => {
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [{ id: 'echo', plugin: 'echo' }]);
  other = http.createServer((request, response) => {
    if (request.url === '/hangs') return;
    if (request.url === '/moved') return response.writeHead(302, { location: `${kanal.admin}/readyz` }).end();
    response.writeHead(503).end(`stopping\x1b[2J\n${'x'.repeat(100000)}`);
  });
  await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  other.closeAllConnections();
  other.close();
  await kanal.stop();
  await nats.kill('SIGTERM');
});

const at = (path) => `http://127.0.0.1:${other.address().port}${path}`;

test('a ready gateway: 0, also by --json, and whatever proxy the environment names', async () => {
  const url = `${kanal.admin}/readyz`;
  assert.deepEqual(await health(['--url', url]), { code: 0, stdout: `${url}: ok\n`, stderr: '' });
  const { code, stdout } = await health(['--json', '-u', `${kanal.admin}/livez`]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { ok: true, url: `${kanal.admin}/livez`, status: 200, answer: 'ok' });
  assert.equal((await health(['-u', url], { http_proxy: at('/') })).code, 0);
});

test('another status: 1, with the beginning of the answer, fit for a terminal', async () => {
  const { code, stdout, stderr } = await health(['-u', at('/readyz')]);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.ok(stderr.startsWith(`kanal health: ${at('/readyz')}: 503: stopping [2J xxx`), stderr);
  assert.ok(stderr.length < 400);
  assert.equal((await health(['-u', at('/moved')])).code, 1, 'a redirection is not followed');
});

test('nobody there: 1; no answer in time: 5', async () => {
  const port = await freePort();
  const { code, stderr } = await health(['-u', `http://127.0.0.1:${port}/readyz`]);
  assert.equal(code, 1);
  assert.match(stderr, /connect/i);
  const late = await health(['-u', at('/hangs'), '--timeout', '200ms', '--json']);
  assert.equal(late.code, 5);
  assert.equal(JSON.parse(late.stdout).ok, false);
});

test('wrong words: 2; other protocols are not spoken', async () => {
  assert.equal((await health(['--timeout', 'soon'])).code, 2);
  assert.equal((await health(['--nonsense'])).code, 2);
  assert.equal((await health(['surplus'])).code, 2);
  assert.equal((await health(['-u', 'file:///etc/hostname'])).code, 1);
  assert.match((await health(['--help'])).stdout, /^usage: kanal health/);
});
