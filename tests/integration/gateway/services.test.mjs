// The host's services, called by the probe: each answers once, later, with the status that the ABI promises.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Nats, freePort, sleep, stored, until } from './harness.mjs';
import { BUSY, CANCELLED, DENIED, INVALID, MAYBE, NETWORK, NOT_FOUND, OK, REJECTED, TIMEOUT, TOKEN, TOO_LARGE, call, notes, probe, raw, startKanal, startProvider } from './probe.mjs';

let nats, kanal, other, client, provider;
const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (pair, more) => pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...more });
const locked = pem(rsa, { cipher: 'aes-256-cbc', passphrase: 'a passphrase' });

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  const secrets = { token: TOKEN, rsa: pem(rsa), ec: pem(ec), locked };
  const channels = [probe('probe', { secrets }), probe('second'), probe('strict', { egress: undefined }), probe('named', { egress: ['localhost', '10.9.0.0/16', '192.0.2.0/24'] }), probe('bare', { secrets: {} })];
  const more = { worker: { threads: true } }; // one slot is called from a thread
  [kanal, other] = await Promise.all([startKanal(nats, channels, more), startKanal(nats, channels, more)]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  assert.deepEqual(await kanal?.stop(), { code: 0, signal: null });
  assert.deepEqual(await other?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
  provider?.close();
});

const send = (path, more = {}, channel) => call(kanal, 'http_send', { url: provider.url + path, ...more }, channel);

// ---- Timers and cancel ----

test('a timer is due when it said, and never inside the call', async () => {
  const now = await call(kanal, 'timer', { delay_ms: 0 });
  assert.deepEqual([now.status, now.inside], [OK, false]);
  const later = await call(kanal, 'timer', { delay_ms: 300 });
  assert.equal(later.status, OK);
  assert.ok(later.ms >= 295 && later.ms < 3000, `${later.ms} ms`);
});

test('cancel: a timer, a request and a state call end once, soon, with CANCELLED', async () => {
  provider.answers.set('/slow', () => {});
  for (const [slot, args] of [['timer', { delay_ms: 60000 }], ['http_send', { url: `${provider.url}/slow`, timeout_ms: 20000 }], ['state_get', { key: 'a' }],
    ['state_put', { key: 'cancelled', value: 'x', revision: 'any' }], ['blob_put', { data: 'x' }]]) {
    const end = await call(kanal, slot, { ...args, cancel: true });
    assert.deepEqual([end.status, end.inside, end.ms < 2000], [CANCELLED, false, true], slot);
  }
});

test('over 1,024 calls under way are BUSY, later, and the rest goes on', async () => {
  const answer = await call(kanal, 'many_timers', { count: 1030 });
  assert.deepEqual(answer, { ok: 1024, busy: 6, other: 0, inside: 0 });
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 })).status, OK);
});

// ---- Signatures ----

test('verify: HMAC and equality, unknown secrets and algorithms', async () => {
  const mac = (name) => ({ hex: crypto.createHmac(name, TOKEN).update('data').digest('hex') });
  const verify = async (algorithm, claimed, more = {}) => (await call(kanal, 'verify', { secret: 'token', algorithm, data: 'data', claimed, ...more })).status;
  assert.equal(await verify('hmac-sha1', mac('sha1')), OK);
  assert.equal(await verify('hmac-sha256', mac('sha256')), OK);
  assert.equal(await verify('hmac-sha256', mac('sha256'), { data: 'other' }), REJECTED);
  assert.equal(await verify('hmac-sha256', mac('sha1')), REJECTED);
  assert.equal(await verify('hmac-sha256', ''), REJECTED);
  assert.equal(await verify('equal', TOKEN), OK);
  assert.equal(await verify('equal', TOKEN + 'x'), REJECTED);
  assert.equal(await verify('equal', ''), REJECTED);
  assert.equal(await verify('hmac-md5', mac('md5')), INVALID);
  assert.equal(await verify('hmac-sha256', mac('sha256'), { secret: 'nobody' }), NOT_FOUND);
});

test('sign: what OpenSSL elsewhere verifies', async () => {
  const sign = (secret, algorithm) => call(kanal, 'sign', { secret, algorithm, data: 'to be signed' });
  for (const name of ['sha1', 'sha256'])
    assert.equal((await sign('token', `hmac-${name}`)).hex, crypto.createHmac(name, TOKEN).update('to be signed').digest('hex'));
  const rs = await sign('rsa', 'rs256');
  assert.ok(crypto.verify('sha256', Buffer.from('to be signed'), rsa.publicKey, Buffer.from(rs.hex, 'hex')));
  for (let i = 0; i < 20; i++) { // r and s are sometimes shorter than 32 bytes
    const es = await sign('ec', 'es256');
    assert.equal(es.hex.length, 128);
    assert.ok(crypto.verify('sha256', Buffer.from('to be signed'), { key: ec.publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(es.hex, 'hex')));
  }
  assert.equal((await sign('rsa', 'es256')).status, INVALID);
  assert.equal((await sign('token', 'rs256')).status, INVALID);
  assert.equal((await sign('nobody', 'rs256')).status, NOT_FOUND);
  assert.equal((await sign('token', 'none')).status, INVALID);
  assert.equal((await sign('locked', 'rs256')).status, INVALID, 'nobody is asked for a passphrase');
});

test('declared authenticity: a signature in a header, a secret in the query', async () => {
  const mac = crypto.createHmac('sha256', TOKEN).update('{"a":1}').digest('hex');
  const signed = (value) => kanal.post('/c/probe/checked', '{"a":1}', value ? { 'x-signature': value } : {}).then((r) => r.status);
  assert.equal(await signed(`sha256=${mac}`), 200);
  assert.equal(await signed(`sha256=${mac.toUpperCase()}`), 200);
  for (const wrong of [mac, `sha256=${mac.slice(2)}`, 'sha256=', 'sha256=zz', `sha1=${mac}`, null, `sha256=${mac}00`]) assert.equal(await signed(wrong), 401, String(wrong));
  const query = (text) => fetch(`${kanal.url}/c/probe/checked-query?${text}`).then((r) => r.status);
  assert.equal(await query(`key=${encodeURIComponent(TOKEN)}`), 200);
  assert.equal(await query(`a=b&key=${encodeURIComponent(TOKEN)}x`), 401);
  assert.equal(await query('key='), 401);
  assert.equal(await query(''), 401);
  assert.equal((await kanal.post('/c/bare/checked', '{}', { 'x-signature': `sha256=${mac}` })).status, 401, 'an absent secret refuses everything');
});

// ---- State ----

test('state: compare-and-set, deletion, and both replicas see one value', async () => {
  const get = (key, at = kanal) => call(at, 'state_get', { key });
  const put = (key, value, revision, at = kanal) => call(at, 'state_put', { key, value, revision });
  assert.equal((await get('a.b/c')).status, NOT_FOUND);
  const first = await put('a.b/c', 'one', 0);
  assert.deepEqual([first.status, first.inside], [OK, false]);
  assert.equal((await put('a.b/c', 'again', 0)).status, REJECTED);
  const seen = await get('a.b/c', other);
  assert.deepEqual([seen.value, seen.revision], ['one', first.revision]);
  const second = await put('a.b/c', 'two', seen.revision, other);
  assert.equal(second.status, OK);
  assert.equal((await put('a.b/c', 'late', first.revision)).status, REJECTED, 'the other replica was faster');
  assert.equal((await get('a.b/c')).value, 'two');
  assert.equal((await put('a.b/c', 'whatever stands there', 'any')).status, OK);
  const deleted = await put('a.b/c', '', 'any');
  assert.equal(deleted.status, OK);
  assert.equal((await get('a.b/c')).status, NOT_FOUND);
  assert.equal((await put('a.b/c', 'anew', 0)).status, OK, 'a deleted key is none');
});

test('state: one of many that write at once wins', async () => {
  const ends = await Promise.all(Array.from({ length: 20 }, (_, i) => call(i % 2 ? kanal : other, 'state_put', { key: 'race', value: `v${i}`, revision: 0 })));
  assert.equal(ends.filter((end) => end.status === OK).length, 1);
  assert.equal(ends.filter((end) => end.status === REJECTED).length, 19);
});

test('state: keys are checked, values are bounded, channels are kept apart', async () => {
  for (const key of ['', '.a', 'a.', '/a', 'a//b', 'a..b', 'a b', 'a*', '>', 'a>', 'ключ', 'a\n', 'a\0', 'x'.repeat(129)])
    assert.equal((await call(kanal, 'state_put', { key, value: 'x', revision: 'any' })).status, INVALID, JSON.stringify(key));
  assert.equal((await call(kanal, 'state_put', { key: 'x'.repeat(128), value: 'x', revision: 'any' })).status, OK);
  assert.equal((await call(kanal, 'state_put', { key: 'big', value: { size: 256 * 1024 }, revision: 'any' })).status, OK);
  assert.equal((await call(kanal, 'state_get', { key: 'big' })).size, 256 * 1024);
  assert.equal((await call(kanal, 'state_put', { key: 'big', value: { size: 256 * 1024 + 1 }, revision: 'any' })).status, TOO_LARGE);
  await call(kanal, 'state_put', { key: 'mine', value: 'x', revision: 'any' });
  assert.equal((await call(kanal, 'state_get', { key: 'mine' }, 'second')).status, NOT_FOUND);
});

// ---- HTTP ----

test('http_send: a granted host, and what is not granted', async () => {
  const fine = await send('/fine', { body: 'hello', headers: [['x-one', '1'], ['content-type', 'text/plain']] });
  assert.deepEqual([fine.status, fine.code, fine.body, fine.inside], [OK, 200, 'fine', false]);
  assert.equal(provider.last('/fine').body.toString(), 'hello');
  assert.equal(provider.last('/fine').headers['x-one'], '1');
  for (const url of ['http://192.0.2.1/', 'http://example.com/', 'http://127.0.0.1.nip.io/', 'http://[::1]/', 'https://evil-example.com/'])
    assert.equal((await call(kanal, 'http_send', { url })).status, DENIED, url);
  for (const url of ['', 'nonsense', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'http://user@127.0.0.1/', 'http://127.0.0.1/#f', 'http://127.0.0.1\\@evil/', 'http://127.0.0.1/a b', 'http://127.0.0.1/\r\nx: y'])
    assert.equal((await call(kanal, 'http_send', { url })).status, INVALID, url);
});

test('http_send: without the operator\'s word no private address, whatever the name', async () => {
  const before = provider.calls.length;
  for (const host of ['127.0.0.1', 'localhost']) { // both are what the plugin asks for; localhost is a DNS name that leads to loopback
    const end = await call(kanal, 'http_send', { url: `http://${host}:${provider.port}/private` }, 'strict');
    assert.deepEqual([end.status, end.response], [DENIED, false], host);
  }
  assert.equal(provider.calls.length, before);
  assert.equal((await call(kanal, 'http_send', { url: `http://localhost:${provider.port}/named` })).status, OK, 'the operator may');
});

test('http_send: a granted network is the addresses in it', async () => {
  const to = async (host) => (await call(kanal, 'http_send', { url: `http://${host}/`, timeout_ms: 200 }, 'named')).status;
  assert.notEqual(await to('192.0.2.1'), DENIED);
  for (const host of ['192.0.3.1', '10.8.255.255', '127.0.0.1', '10.9.0.0.example.com']) assert.equal(await to(host), DENIED, host);
});

test('http_send: redirects are handed on, not followed', async () => {
  provider.answers.set('/moved', [302, { location: `${provider.url}/target` }, '']);
  assert.equal((await send('/moved')).code, 302);
  assert.equal(provider.last('/target'), undefined);
});

test('http_send: what left and what did not is told apart', async () => {
  provider.answers.set('/hang', () => {});
  provider.answers.set('/drop', (request) => request.socket.destroy());
  provider.answers.set('/half', (request, response) => { response.writeHead(200, { 'content-length': 100 }); response.write('half'); setTimeout(() => request.socket.destroy(), 50); });
  assert.equal((await send('/hang', { timeout_ms: 300 })).status, MAYBE, 'it was sent');
  assert.equal((await send('/drop')).status, MAYBE);
  assert.equal((await send('/half')).status, MAYBE);
  assert.equal((await call(kanal, 'http_send', { url: `http://127.0.0.1:${await freePort()}/` })).status, NETWORK, 'refused');
  const silent = net.createServer(); // takes no connection: its queue is full
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', 1, resolve));
  silent.close();
  const end = await call(kanal, 'http_send', { url: 'http://no-such-host.example.com/', timeout_ms: 2000 }, 'strict');
  assert.ok([NETWORK, TIMEOUT].includes(end.status), `${end.status}`);
});

test('http_send: an answer over max_response is TOO_LARGE, one at it is whole', async () => {
  provider.answers.set('/big', [200, {}, 'x'.repeat(5000)]);
  assert.equal((await send('/big', { max_response: 4999 })).status, TOO_LARGE);
  const whole = await send('/big', { max_response: 5000 });
  assert.deepEqual([whole.status, whole.size], [OK, 5000]);
});

test('http_send: each slot of a secret, and no other way in', async () => {
  const secret = (where, more = {}) => ({ secrets: [{ where, name: 'field', secret: 'token', ...more }] });
  await send('/s-header', secret(1, { name: 'authorization', prefix: 'Bearer ' }));
  assert.equal(provider.last('/s-header').headers.authorization, `Bearer ${TOKEN}`);
  await send('/s-query?a=1', secret(2));
  assert.equal(new URL(provider.last('/s-query').url, 'http://x').searchParams.get('field'), TOKEN);
  await send('/s-form', { ...secret(3), body: 'a=1', headers: [['content-type', 'application/x-www-form-urlencoded']] });
  assert.deepEqual([...new URLSearchParams(provider.last('/s-form').body.toString())], [['a', '1'], ['field', TOKEN]]);
  await send('/s-json', { ...secret(4), body: '{"a":1}' });
  assert.deepEqual(JSON.parse(provider.last('/s-json').body), { a: 1, field: TOKEN });
  await send('/s-json', { ...secret(4), body: ' { } ' });
  assert.deepEqual(JSON.parse(provider.last('/s-json').body), { field: TOKEN });
  const url = `${provider.url}/before/after`;
  await call(kanal, 'http_send', { url, ...secret(5, { position: `${provider.url}/before`.length, prefix: 'bot' }) });
  const [path] = provider.calls.slice(-1).map((one) => one.path);
  assert.match(path, /^\/before\/bot[^/]+\/after$/);
  assert.equal(decodeURIComponent(path.split('/')[2]), `bot${TOKEN}`);
  await send('/s-basic', secret(6, { name: 'user' }));
  assert.equal(Buffer.from(provider.last('/s-basic').headers.authorization.split(' ')[1], 'base64').toString(), `user:${TOKEN}`);
  await send('/s-part', { ...secret(3), parts: [{ name: 'a', data: '1' }] });
  assert.match(provider.last('/s-part').body.toString('latin1'), /name="field"\r\n\r\n/);
  assert.equal((await send('/s-none', secret(1, { secret: 'nobody' }))).status, NOT_FOUND);
  assert.equal((await send('/s-none', secret(9))).status, INVALID);
  assert.equal((await send('/s-none', { ...secret(4), body: 'no object' })).status, INVALID);
  await send('/s-text', { body: '${secret:token} {token} %(token)' });
  assert.ok(!provider.last('/s-text').body.toString().includes(TOKEN));
});

test('http_send: a path secret cannot move the host', async () => {
  const url = 'http://attacker.org.example.com/x'; // granted by *.example.com
  for (const position of [0, 6, 7, 8, 'http://attacker.org'.length, 'http://attacker.org.example.com'.length - 1, url.length + 1, 4294967295])
    assert.equal((await call(kanal, 'http_send', { url, secrets: [{ where: 5, position, secret: 'token' }], timeout_ms: 500 }, 'strict')).status, INVALID, `position ${position}`);
  const query = `${provider.url}/x?a=b`;
  assert.equal((await call(kanal, 'http_send', { url: query, secrets: [{ where: 5, position: query.length - 1, secret: 'token' }] })).status, INVALID, 'not in the query');
});

test('http_send: several path secrets stand where the URL as given says, whatever their order', async () => {
  const url = `${provider.url}/aa/bb/cc?q=1`, token = encodeURIComponent(TOKEN).replaceAll('%3A', ':');
  const at = (path) => provider.url.length + path.length;
  const use = (path, prefix) => ({ where: 5, position: at(path), prefix, secret: 'token' });
  const sent = async (...secrets) => {
    provider.calls.length = 0;
    assert.equal((await call(kanal, 'http_send', { url, secrets })).status, OK);
    return provider.calls[0].url.replaceAll(token, '*');
  };
  assert.equal(await sent(use('/aa', '1'), use('/aa/bb', '2')), '/aa/1*/bb/2*/cc?q=1');
  assert.equal(await sent(use('/aa/bb', '2'), use('/aa', '1')), '/aa/1*/bb/2*/cc?q=1');
  assert.equal(await sent(use('/aa', '1'), use('/aa', '2'), use('', '0')), '/0*/aa/1*/2*/bb/cc?q=1');
  const [path, query] = (await sent({ where: 2, name: 'k', secret: 'token' }, use('/aa/bb/cc', '3'), use('/aa', '1'))).split('?');
  assert.equal(path, '/aa/1*/bb/cc/3*', 'a secret in the query moves nothing');
  assert.equal(new URLSearchParams(query).get('k'), TOKEN);
  // Beyond the given path: not even when an earlier one has made room there.
  assert.equal((await call(kanal, 'http_send', { url, secrets: [use('/aa', '1'), use('/aa/bb/cc?', '2')] })).status, INVALID);
});

test('http_send: no header can be smuggled in', async () => {
  for (const header of [['x-a', 'b\r\nx-evil: 1'], ['x-a\r\nx-evil', '1'], ['x a', '1'], ['', '1'], ['x:', '1'], ['x', 'a\0b'], ['host', 'evil.org'], ['content-length', '5'], ['transfer-encoding', 'chunked']])
    assert.equal((await send('/smuggled', { headers: [header] })).status, INVALID, JSON.stringify(header));
  assert.equal((await send('/smuggled', { method: 'GET / HTTP/1.1\r\nx-evil: 1\r\n' })).status, INVALID);
  assert.equal((await send('/smuggled', { method: '' })).status, INVALID);
  assert.equal(provider.last('/smuggled'), undefined);
  await send('/part', { parts: [{ name: 'a"; filename="evil', filename: 'b"\r\nx-evil: 1', data: 'c' }] });
  assert.ok(!/\r\nx-evil: 1/.test(provider.last('/part')?.body.toString() ?? ''));
});

test('http_send: parts with data and from a URL; only granted sources', async () => {
  provider.answers.set('/source', [200, { 'content-type': 'image/png' }, 'the picture']);
  const parts = [{ name: 'chat', data: '7' }, { name: 'photo', filename: 'p.png', source_url: `${provider.url}/source` }];
  assert.equal((await send('/upload', { parts })).status, OK);
  const body = provider.last('/upload').body.toString();
  for (const piece of ['name="chat"', '\r\n7\r\n', 'name="photo"', 'filename="p.png"', 'image/png', 'the picture']) assert.ok(body.includes(piece), `${piece} in ${body}`);
  for (const source_url of ['http://198.51.100.7/x', 'file:///etc/passwd', `${kanal.url}/c/probe/call`, `${kanal.url}/m/../c/probe/checked-query`])
    assert.equal((await call(kanal, 'http_send', { url: `http://localhost:${provider.port}/upload2`, parts: [{ name: 'a', source_url }] }, 'named')).status, DENIED, source_url);
  assert.equal(provider.last('/upload2'), undefined);
  const { value: ref } = await call(kanal, 'blob_put', { data: 'of our own', content_type: 'text/plain' }, 'named');
  const { value: own } = await call(kanal, 'blob_url', { ref }, 'named');
  assert.equal((await call(kanal, 'http_send', { url: `http://localhost:${provider.port}/upload3`, parts: [{ name: 'a', source_url: own }] }, 'named')).status, OK);
  assert.ok(provider.last('/upload3').body.toString().includes('of our own'), 'from the gateway itself');
  provider.answers.set('/gone-source', [404, {}, '']);
  const gone = await send('/upload4', { parts: [{ name: 'a', source_url: `${provider.url}/gone-source` }] });
  assert.notEqual(gone.status, OK);
});

test('secrets are in no log line', async () => {
  await call(kanal, 'log', { text: `a plugin that logs ${TOKEN} is masked` });
  await until('the line', () => kanal.log().some((line) => /a plugin that logs \*+ is masked/.test(line.message)));
  for (const line of kanal.child.lines) assert.ok(!line.includes(TOKEN) && !line.includes(encodeURIComponent(TOKEN)), line);
});

// ---- Log, wake, counters, health ----

test('a flood of log lines is limited, and told', async () => {
  await sleep(1100);
  await call(kanal, 'log', { text: 'flood line', count: 5000 });
  await sleep(1200);
  await call(kanal, 'log', { text: 'after the flood' });
  await until('the line after', () => kanal.log().some((line) => line.message === 'after the flood'));
  const count = kanal.log().filter((line) => line.message === 'flood line').length;
  assert.ok(count >= 40 && count <= 110, `${count} lines`);
  assert.ok(kanal.log().some((line) => line.channel === 'probe' && /\d+ lines of the plugin were dropped/.test(line.message)));
});

test('a log line is cut at 1 KiB and cannot forge another', async () => {
  await call(kanal, 'log', { text: `x\n{"level":"error","message":"forged"}\n${'y'.repeat(3000)}` });
  const line = await until('the line', () => kanal.log().find((entry) => entry.message.startsWith('x\n{')));
  assert.ok(Buffer.byteLength(line.message) <= 1024);
  assert.ok(!kanal.log().some((entry) => entry.message === 'forged'));
});

test('wake from another thread comes into the lane, coalesced', async () => {
  const end = await call(kanal, 'wake');
  assert.equal(end.status, OK);
  assert.ok(end.wakes >= 1 && end.wakes <= 100);
});

test('series of a plugin are bounded', async () => {
  await call(kanal, 'metric', { name: 'many', series: 500 });
  const lines = (await (await fetch(`${kanal.admin}/metrics`)).text()).split('\n').filter((line) => line.startsWith('kanal_plugin_total{channel="probe"'));
  assert.equal(lines.length, 64);
  assert.ok((await kanal.metric(/^kanal_plugin_dropped_total\{channel="probe"/)) >= 436);
});

test('health is in /channels and the metric, and its changes are events', async () => {
  const health = async () => (await kanal.channels()).find((channel) => channel.id === 'second');
  const up = () => kanal.metric(/^kanal_channel_up\{channel="second"/);
  const events = async (type) => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.type === type && event.data.data.channel.id === 'second');
  const [ups, downs] = [(await events('channel.up')).length, (await events('channel.down')).length];
  await call(kanal, 'health', { health: REJECTED, reason: 'the provider refuses the token' }, 'second');
  await until('channel.down', async () => (await events('channel.down')).length === downs + 1);
  await call(kanal, 'health', { health: REJECTED, reason: 'still' }, 'second');
  assert.equal(await up(), 0);
  assert.match(JSON.stringify(await health()), /still/);
  const [down] = (await events('channel.down')).slice(-1);
  assert.match(JSON.stringify(down.data.data.health), /provider_rejected.*the provider refuses the token/);
  await call(kanal, 'health', { health: OK }, 'second');
  await until('channel.up', async () => (await events('channel.up')).length === ups + 1);
  assert.equal(await up(), 1);
  assert.equal((await events('channel.down')).length, downs + 1, 'the same is told once');
});

test('a callback that holds the lane up is blamed on its channel', async () => {
  await call(kanal, 'sleep', { ms: 1100 });
  await until('the line', () => kanal.log().some((line) => line.channel === 'probe' && /on_http\(\) of plugin 'probe' held (the gateway|its worker) up/.test(line.message)));
});

// ---- Blobs ----

test('a blob is put and fetched through a signed URL', async () => {
  for (const size of [1, 1000, 128 * 1024, 128 * 1024 + 1, 3 * 1024 * 1024]) {
    const put = await call(kanal, 'blob_put', { data: { size }, content_type: 'image/png', filename: 'кот.png' });
    assert.deepEqual([put.status, put.inside], [OK, false]);
    assert.match(put.value, /^blob:/);
    const url = (await call(kanal, 'blob_url', { ref: put.value })).value;
    const response = await fetch(url);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.equal(response.headers.get('content-disposition'), `inline; filename*=UTF-8''${encodeURIComponent('кот.png')}`);
    assert.equal(Number(response.headers.get('content-length')), size);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal((await response.arrayBuffer()).byteLength, size);
    assert.equal((await fetch(url.replace('127.0.0.1', new URL(other.url).hostname).replace(new URL(kanal.url).port, new URL(other.url).port))).status, 200, 'by the other replica too');
  }
  assert.equal((await call(kanal, 'blob_put', { data: { size: 16 * 1024 * 1024 + 1 } })).status, TOO_LARGE);
});

test('nothing was dropped on the way', async () => {
  assert.deepEqual((await notes(kanal)).filter((line) => !line.startsWith('status')), []);
  assert.equal((await raw(kanal, 'nothing')).status, 400);
});
