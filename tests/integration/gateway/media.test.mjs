// Media: signed URLs, streamed from the provider or from the broker; what a browser may do with them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Nats, json, sleep, stored, storedTypes, until } from './harness.mjs';
import { OK, call, message, probe, raw, startKanal, startProvider } from './probe.mjs';

let nats, kanal, client, provider;

before(async () => {
  provider = await startProvider();
  nats = await Nats.start();
  kanal = await startKanal(nats, [probe(), probe('second'), probe('strict', { egress: undefined }), probe('named', { egress: ['localhost'] })]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  assert.deepEqual(await kanal?.stop(), { code: 0, signal: null });
  await nats?.kill('SIGTERM');
  provider?.close();
});

let number = 0;
// The URL that a consumer sees of a media part.
async function published(part, channel = 'probe') {
  const dedupe = `media-${number++}`;
  const data = JSON.stringify({ message: { content: [part] } });
  const response = await raw(kanal, 'publish', { batches: [[message(dedupe, '', { data })]], cause: 'self', respond: 200 }, channel);
  assert.equal(response.status, 200);
  const event = (await stored(client, 'KANAL_EVENTS')).find((one) => one.data.data.message?.external_id === dedupe);
  return event.data.data.message.content[0].url;
}
const image = (path, more = {}) => published({ type: 'image', ref: `url:${provider.url}${path}`, ...more });
const refusal = async (response) => [response.status, (await response.json()).error.code];

test('the provider\'s file is streamed, without its headers', async () => {
  provider.answers.set('/a.png', [200, { 'content-type': 'image/png', 'set-cookie': 'a=b', 'content-security-policy': 'none', 'x-secret': 'of the provider' }, 'PNG']);
  const url = await image('/a.png');
  assert.ok(!url.includes('a.png') && url.startsWith(`${kanal.url}/m/probe/`));
  const response = await fetch(url);
  assert.deepEqual([response.status, await response.text()], [200, 'PNG']);
  const { headers } = response;
  assert.equal(headers.get('content-type'), 'image/png');
  assert.equal(headers.get('content-disposition'), 'inline');
  assert.equal(headers.get('set-cookie'), null);
  assert.equal(headers.get('x-secret'), null);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy'), /sandbox/);
});

test('the type that the event tells stands in where the provider has none', async () => {
  provider.answers.set('/untyped', (request, response) => { response.writeHead(200, {}); response.end('x'); });
  provider.answers.set('/octets', [200, { 'content-type': 'application/octet-stream' }, 'x']);
  provider.answers.set('/html', [200, { 'content-type': 'text/html' }, '<script>']);
  const type = async (path, mime) => { const { headers } = await fetch(await image(path, { mime })); return [headers.get('content-type'), headers.get('content-disposition')]; };
  assert.deepEqual(await type('/octets', 'image/jpeg'), ['image/jpeg', 'inline']);
  assert.deepEqual(await type('/untyped', 'video/mp4'), ['video/mp4', 'inline']);
  assert.deepEqual(await type('/octets', undefined), ['application/octet-stream', 'attachment']);
  assert.deepEqual(await type('/html', 'image/png'), ['text/html', 'attachment'], 'the provider knows better');
  assert.deepEqual(await type('/octets', 'text/html'), ['text/html', 'attachment']);
  assert.deepEqual(await type('/octets', 'image/svg+xml'), ['image/svg+xml', 'attachment']);
  assert.deepEqual(await type('/octets', 'IMAGE/SVG+XML'), ['IMAGE/SVG+XML', 'attachment']);
  assert.deepEqual(await type('/octets', 'image/png\r\nset-cookie: a=b'), ['application/octet-stream', 'attachment']);
});

test('a type that only looks harmless is an attachment', async () => {
  for (const type of ['image/svg+xml', 'IMAGE/SVG+XML', 'Image/Svg+Xml; charset=utf-8', 'text/html', 'application/xhtml+xml', 'image/svg+xml;x']) {
    provider.answers.set('/typed', [200, { 'content-type': type }, '<svg/>']);
    assert.equal((await fetch(await image('/typed'))).headers.get('content-disposition'), 'attachment', type);
  }
  provider.answers.set('/typed', [200, { 'content-type': 'Image/PNG' }, 'x']);
  assert.equal((await fetch(await image('/typed'))).headers.get('content-disposition'), 'inline');
});

test('forged, foreign and cut tokens', async () => {
  const url = await image('/a.png');
  const token = url.split('/').pop();
  const get = async (path) => refusal(await fetch(`${kanal.url}/m/${path}`));
  assert.deepEqual(await get(`second/${token}`), [403, 'wrong_signature']);
  assert.deepEqual(await get(`probe/${token.slice(0, -1)}`), [403, 'wrong_signature']);
  assert.deepEqual(await get(`probe/${token}A`), [403, 'wrong_signature']);
  assert.deepEqual(await get(`probe/B${token.slice(1)}`), [403, 'wrong_signature']);
  assert.deepEqual(await get('probe/'), [403, 'wrong_signature']);
  assert.deepEqual(await get('probe/!!!'), [403, 'wrong_signature']);
  assert.deepEqual(await get(`nobody/${token}`), [404, 'unknown_path']);
  assert.deepEqual(await get('probe'), [404, 'unknown_path']);
  assert.equal((await kanal.post(`/m/probe/${token}`, '')).status, 404);
});

test('what the provider does not have, does not give, or may not be asked for', async () => {
  provider.answers.set('/404', [404, {}, 'no']);
  provider.answers.set('/500', [500, {}, 'no']);
  provider.answers.set('/loop', [302, { location: '/loop' }, '']);
  provider.answers.set('/cut', (request) => request.socket.destroy());
  assert.deepEqual(await refusal(await fetch(await image('/404'))), [404, 'media_gone']);
  assert.deepEqual(await refusal(await fetch(await image('/500'))), [502, 'media_unavailable']);
  assert.deepEqual(await refusal(await fetch(await image('/loop'))), [502, 'media_unavailable']);
  assert.deepEqual(await refusal(await fetch(await image('/cut'))), [502, 'media_unavailable']);
  assert.deepEqual(await refusal(await fetch(await published({ type: 'file', ref: 'url:http://192.0.2.1/x' }))), [502, 'media_unavailable']);
  assert.deepEqual(await refusal(await fetch(await published({ type: 'file', ref: `url:${provider.url}/a.png` }, 'strict'))), [502, 'media_unavailable']);
  assert.deepEqual(await refusal(await fetch(await published({ type: 'file', ref: 'gone' }))), [404, 'media_unavailable']);
  for (const ref of ['null', 'short']) assert.deepEqual(await refusal(await fetch(await published({ type: 'file', ref }))), [502, 'media_unavailable'], ref);
  assert.deepEqual(await refusal(await fetch(await published({ type: 'file', ref: 'blob:b_nothing' }))), [404, 'media_gone']);
});

test('a file that cannot be fetched never costs its message, nor the album it came in', async () => {
  provider.answers.set('/never', () => {}); // it does not even answer
  provider.answers.set('/broken', [500, {}, 'no']);
  const part = (path, caption) => ({ type: 'image', ref: `url:${provider.url}${path}`, caption });
  const album = ['/never', '/broken', '/fine'].map((path, i) => message(`album-${i}`, '', { data: JSON.stringify({ message: { content: [part(path, `caption ${i}`)] } }) }));
  const asked = provider.calls.length;
  const response = await raw(kanal, 'publish', { batches: [album], cause: 'self', respond: 200 });
  assert.equal(response.status, 200);
  assert.equal(provider.calls.length, asked, 'nothing is fetched before somebody wants it');
  const events = (await stored(client, 'KANAL_EVENTS')).filter((one) => /^album-/.test(one.data.data.message?.external_id));
  assert.deepEqual(events.map((one) => one.data.data.message.content[0].caption), ['caption 0', 'caption 1', 'caption 2']);
  assert.equal((await fetch(events[1].data.data.message.content[0].url)).status, 502);
  assert.equal(await (await fetch(events[2].data.data.message.content[0].url)).text(), 'fine');
  assert.equal((await stored(client, 'KANAL_EVENTS')).filter((one) => /^album-/.test(one.data.data.message?.external_id)).length, 3);
});

// Two names for one server: "localhost" is granted to all channels here, "127.0.0.1" not to this one.
test('a redirect is followed where it may lead, and asked about at each step', async () => {
  const elsewhere = provider.url.replace('127.0.0.1', 'localhost');
  provider.answers.set('/end', [200, { 'content-type': 'image/png' }, 'PNG']);
  provider.answers.set('/302', [302, { location: '/end' }, 'moved']);
  provider.answers.set('/301', [301, { location: `${elsewhere}/end` }, '']);
  provider.answers.set('/out', [302, { location: `${provider.url}/end` }, '']);
  provider.answers.set('/cloud', [302, { location: 'http://169.254.169.254/latest/meta-data/' }, '']);
  provider.answers.set('/file', [302, { location: 'file:///etc/passwd' }, '']);
  const text = async (response) => [response.status, await response.text()];
  assert.deepEqual(await text(await fetch(await image('/302'))), [200, 'PNG']);
  assert.deepEqual(await text(await fetch(await image('/301'))), [200, 'PNG']);
  const named = (path) => published({ type: 'image', ref: `url:${elsewhere}${path}` }, 'named');
  assert.deepEqual(await text(await fetch(await named('/302'))), [200, 'PNG']);
  const before = provider.calls.length;
  assert.deepEqual(await refusal(await fetch(await named('/out'))), [502, 'media_unavailable']);
  assert.equal(provider.calls.length, before + 1, 'the redirect was followed');
  for (const path of ['/cloud', '/file']) assert.deepEqual(await refusal(await fetch(await image(path))), [502, 'media_unavailable'], path);
});

test('a file that breaks off is not taken for whole', async () => {
  provider.answers.set('/half', (request, response) => { response.writeHead(200, { 'content-type': 'image/png', 'content-length': 1000000 }); response.write('x'.repeat(1000)); setTimeout(() => request.socket.destroy(), 100); });
  const response = await fetch(await image('/half'));
  assert.equal(response.status, 200);
  await assert.rejects(response.arrayBuffer());
});

test('a large file through a slow client: the source is paused, all arrives', async () => {
  const bytes = 24 * 1024 * 1024;
  let sent = 0, most = 0, got = 0;
  provider.answers.set('/large', (request, response) => {
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': bytes });
    const piece = Buffer.alloc(64 * 1024, 'v');
    const more = () => { while (sent < bytes) { sent += piece.length; most = Math.max(most, sent - got); if (!response.write(piece)) return void response.once('drain', more); } response.end(); };
    more();
  });
  const url = await image('/large');
  await new Promise((resolve, reject) => {
    http.get(url, (response) => {
      response.on('data', (data) => { got += data.length; response.pause(); setTimeout(() => response.resume(), 1); });
      response.on('end', resolve);
      response.on('error', reject);
    });
  });
  assert.equal(got, bytes);
  assert.ok(most < bytes, 'it was not taken whole into memory');
});

// The client leaves while the plugin is asked, before the provider answers, and in the middle of the file; the gateway forgets all of it.
test('clients that leave in each phase', async () => {
  const open = new Set();
  provider.answers.set('/waits', (request, response) => { open.add(response); request.socket.once('close', () => open.delete(response)); });
  provider.answers.set('/drips', (request, response) => {
    response.writeHead(200, { 'content-type': 'image/png' });
    const timer = setInterval(() => response.write('x'.repeat(100000)), 5);
    open.add(response);
    request.socket.once('close', () => { clearInterval(timer); open.delete(response); });
  });
  const { value: ref } = await call(kanal, 'blob_put', { data: { size: 8 * 1024 * 1024 }, content_type: 'image/png' });
  const urls = { media: await published({ type: 'file', ref: 'never' }), waits: await image('/waits'), drips: await image('/drips'), blob: (await call(kanal, 'blob_url', { ref })).value };
  for (const [phase, url] of Object.entries(urls))
    for (const wait of [0, 1, 5, 30, 100]) {
      await new Promise((resolve) => {
        const request = http.get(url, (response) => { response.on('data', () => {}); response.on('error', () => {}); });
        request.on('error', () => {});
        request.on('close', resolve);
        setTimeout(() => request.destroy(), wait);
      });
      assert.ok(phase);
    }
  await until('the provider\'s connections are closed', () => open.size === 0, 10000);
  assert.equal((await fetch(urls.blob).then((response) => response.arrayBuffer())).byteLength, 8 * 1024 * 1024);
  assert.equal((await call(kanal, 'timer', { delay_ms: 0 })).status, OK);
});

test('the broker goes away in the middle of a put and of a fetch', async () => {
  const { value: ref } = await call(kanal, 'blob_put', { data: { size: 8 * 1024 * 1024 }, content_type: 'image/png' });
  const { value: url } = await call(kanal, 'blob_url', { ref });
  const puts = Array.from({ length: 4 }, () => call(kanal, 'blob_put', { data: { size: 3 * 1024 * 1024 } }));
  const gets = Array.from({ length: 4 }, () => fetch(url).then(async (response) => [response.status, (await response.arrayBuffer()).byteLength]).catch(() => 'broken'));
  await sleep(5);
  await nats.kill('SIGKILL');
  for (const put of await Promise.all(puts)) assert.ok(put.status <= 0);
  for (const get of await Promise.all(gets)) assert.ok(get === 'broken' || get[0] !== 200 || get[1] === 8 * 1024 * 1024, String(get));
  assert.equal((await fetch(url)).status, 503);
  await nats.run();
  await until('it is served again', async () => (await fetch(url).then((response) => response.arrayBuffer())).byteLength === 8 * 1024 * 1024, 20000);
  await until('the test is connected again too', () => stored(client, 'KANAL_EVENTS'), 20000);
});

test('a HEAD request gets the headers only', async () => {
  const response = await fetch(await image('/a.png'), { method: 'HEAD' });
  assert.deepEqual([response.status, await response.text()], [200, '']);
});

// ---- Parts of a file ----

const part = async (url, range, more = {}) => {
  const response = await fetch(url, { headers: { range, ...more } });
  return [response.status, response.headers.get('content-range'), await response.text()];
};

test('a part of the provider\'s file: the Range goes there, its 206 and 416 come back', async () => {
  const bytes = '0123456789';
  provider.answers.set('/ranges', (request, response) => {
    const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (request.headers.range === undefined) return response.writeHead(200, { 'content-type': 'video/mp4', 'accept-ranges': 'bytes' }).end(bytes);
    if (Number(first) > 9) return response.writeHead(416, { 'content-range': 'bytes */10' }).end('none');
    const from = first === '' ? 10 - Number(last) : Number(first), to = first === '' || last === '' ? 9 : Math.min(9, Number(last));
    return response.writeHead(206, { 'content-type': 'video/mp4', 'content-range': `bytes ${from}-${to}/10` }).end(bytes.slice(from, to + 1));
  });
  const url = await image('/ranges');
  assert.deepEqual(await part(url, 'bytes=2-5'), [206, 'bytes 2-5/10', '2345']);
  assert.deepEqual(await part(url, 'bytes=7-'), [206, 'bytes 7-9/10', '789']);
  assert.deepEqual(await part(url, 'bytes=-2'), [206, 'bytes 8-9/10', '89']);
  const [status, range, body] = await part(url, 'bytes=10-');
  assert.deepEqual([status, range, JSON.parse(body).error.code], [416, 'bytes */10', 'wrong_range']);
  for (const header of ['bytes=0-1,3-4', 'bytes=5-4', 'nonsense', 'bytes=0-1, evil']) {
    assert.deepEqual(await part(url, header), [200, null, bytes], header);
    assert.equal(provider.last('/ranges').headers.range, undefined, 'is not handed on');
  }
  assert.deepEqual(await part(url, 'bytes=0-1', { 'if-range': '"x"' }), [200, null, bytes], 'no validator of ours can match');
  const whole = await fetch(url);
  assert.deepEqual([whole.status, whole.headers.get('accept-ranges'), await whole.text()], [200, 'bytes', bytes]);
  const head = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=2-5' } });
  assert.deepEqual([head.status, provider.last('/ranges').headers.range], [200, undefined], 'Range is for GET');
});

test('a provider that knows no ranges, or answers wrongly', async () => {
  provider.answers.set('/plain', [200, { 'content-type': 'video/mp4' }, '0123456789']);
  assert.deepEqual(await part(await image('/plain'), 'bytes=2-5'), [200, null, '0123456789']);
  const wrong = [[206, {}, '2345'], [206, { 'content-range': 'bytes 2-5/10' }, '234567'], [206, { 'content-range': 'bytes 5-2/10' }, '2345'],
    [206, { 'content-type': 'multipart/byteranges; boundary=x' }, '--x--']];
  for (const answer of wrong) {
    provider.answers.set('/wrong', [answer[0], { ...answer[1], 'content-length': answer[2].length }, answer[2]]);
    assert.equal((await part(await image('/wrong'), 'bytes=2-5'))[0], 502, JSON.stringify(answer));
  }
  provider.answers.set('/unasked', [206, { 'content-range': 'bytes 0-3/10' }, '0123']);
  assert.deepEqual(await refusal(await fetch(await image('/unasked'))), [502, 'media_unavailable'], 'a part is not taken for the whole');
  provider.answers.set('/unasked', [416, {}, '']);
  assert.deepEqual(await refusal(await fetch(await image('/unasked'))), [502, 'media_unavailable']);
});

test('a part of a kept file, over the borders of its chunks', async () => {
  const bytes = Buffer.from(Array.from({ length: 300000 }, (_, i) => i % 251));
  const { value: ref } = await call(kanal, 'blob_put', { data: { hex: bytes.toString('hex') }, content_type: 'video/mp4' });
  const { value: url } = await call(kanal, 'blob_url', { ref });
  for (const [range, from, end] of [['bytes=0-0', 0, 1], ['bytes=131000-131100', 131000, 131101], ['bytes=100000-', 100000, 300000], ['bytes=-7', 299993, 300000], ['bytes=299999-400000', 299999, 300000]]) {
    const response = await fetch(url, { headers: { range } });
    assert.deepEqual([response.status, response.headers.get('content-range'), response.headers.get('content-length')], [206, `bytes ${from}-${end - 1}/300000`, String(end - from)], range);
    assert.ok(bytes.subarray(from, end).equals(Buffer.from(await response.arrayBuffer())), range);
  }
  const [status, range] = await part(url, 'bytes=300000-');
  assert.deepEqual([status, range], [416, 'bytes */300000']);
  const whole = await fetch(url);
  assert.deepEqual([whole.status, whole.headers.get('accept-ranges')], [200, 'bytes']);
  assert.ok(bytes.equals(Buffer.from(await whole.arrayBuffer())));
});

test('media of a delivery may be streamed to the provider, from nowhere else', async () => {
  const js = client.jetstream();
  const send = (id, url) => js.publish('kanal.commands.probe.message.send', json.encode({ id, to: { address: `probe:${id}` }, content: [{ type: 'image', url, caption: `upload ${provider.url}/uploaded` }] }));
  const failed = async (id) => (await stored(client, 'KANAL_EVENTS')).find((event) => event.data.data.message?.id === id && event.data.type === 'message.failed')?.data.data.error;
  provider.answers.set('/picture', [200, { 'content-type': 'image/png' }, 'a picture']);
  await send('up-1', `${provider.url}/picture`);
  await until('sent', async () => (await storedTypes(client, 'up-1')).includes('message.sent'));
  assert.ok(provider.last('/uploaded').body.toString().includes('a picture'));
  await send('up-2', await image('/picture')); // the gateway's own URL
  await until('sent', async () => (await storedTypes(client, 'up-2')).includes('message.sent'));
  await send('up-3', `http://[::1]:${provider.port}/picture`); // named in the delivery, but private
  const error = await until('failed', () => failed('up-3'));
  assert.equal(error.provider_code, '-2', JSON.stringify(error));
});
