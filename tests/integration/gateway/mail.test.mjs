// kanal.transfer/1: a mailbox read and messages submitted, against dovecot and opensmtpd; errors against a scripted server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { after, before, test } from 'node:test';
import { certificates, start } from './extensions.mjs';
import { MailServer, missing } from './mailserver.mjs';
import { Nats, sleep, until } from './harness.mjs';
import { BUSY, CANCELLED, DENIED, INVALID, MAYBE, NETWORK, NOT_FOUND, OK, REJECTED, TIMEOUT, TOO_LARGE, startProvider } from './probe.mjs';

const lacking = missing();
const options = { skip: lacking ?? false };
const PASSWORD = 'geheim"{1}';
let nats, kanal, server, certificate, provider, scripted;

// A server that says what the test tells it: answers.RCPT is a string or a function of the line; null closes the connection.
async function script() {
  const self = { answers: {}, heard: [], body: '' };
  self.server = net.createServer((socket) => {
    let data = false, challenged = false, buffer = '', secure = socket;
    const say = (text) => { if (text === null) secure.destroy(); else if (text !== undefined) secure.write(`${text}\r\n`); };
    const known = { EHLO: '250-scripted\r\n250 STARTTLS', STARTTLS: '220 go', MAIL: '250 2.1.0 ok', RCPT: '250 2.1.5 ok', DATA: '354 go', END: '250 2.0.0 queued', QUIT: '221 bye', AUTH: '334 ' };
    const on = (chunk) => {
      buffer += chunk.toString('latin1');
      for (let at; (at = buffer.indexOf('\r\n')) >= 0;) {
        const line = buffer.slice(0, at);
        buffer = buffer.slice(at + 2);
        if (data) { if (line === '.') { data = false; say(self.answers.END !== undefined ? self.answers.END : known.END); } else self.body += `${line}\r\n`; continue; }
        self.heard.push(line);
        if (challenged) { challenged = false; say('235 2.7.0 in'); continue; }
        const verb = line.split(/[ :]/)[0].toUpperCase();
        const planned = self.answers[verb];
        const reply = typeof planned === 'function' ? planned(line) : planned !== undefined ? planned : known[verb] ?? '500 what';
        say(reply);
        challenged = verb === 'AUTH' && String(reply).startsWith('334');
        if (verb === 'DATA' && String(reply).startsWith('354')) data = true;
        if (verb === 'STARTTLS' && String(reply).startsWith('220')) {
          socket.removeListener('data', on);
          secure = new tls.TLSSocket(socket, { isServer: true, key: readFileSync(certificate.key), cert: readFileSync(certificate.cert) });
          secure.on('error', () => {});
          secure.on('data', on);
        }
      }
    };
    socket.on('error', () => {});
    socket.on('data', on);
    say('220 scripted');
  });
  await new Promise((resolve) => self.server.listen(0, '127.0.0.1', resolve));
  self.port = self.server.address().port;
  self.reset = (answers = {}) => { self.answers = answers; self.heard.length = 0; self.body = ''; };
  return self;
}

async function call(args, channel = 'mailer') {
  const response = await kanal.post(`/c/${channel}/call`, args);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}
const read = (args = {}) => call({ slot: 'read', url: `imaps://localhost:${server.imaps}`, user: 'ivan', secret: 'password', mailbox: 'INBOX', ...args });
const mail = (args = {}) => call({ slot: 'mail', url: `smtp://localhost:${server.submission}`, user: 'ivan', secret: 'password', from: 'kanal@localhost', to: ['ivan@localhost'], pieces: [{ text: 'Subject: hi\r\n\r\nhello\r\n' }], ...args });
const say = (args = {}) => mail({ url: `smtp://localhost:${scripted.port}`, user: undefined, secret: undefined, ...args });

before(async () => {
  if (lacking) return;
  nats = await Nats.start();
  certificate = certificates();
  server = await MailServer.start(certificate, { password: PASSWORD });
  scripted = await script();
  provider = await startProvider();
  kanal = await start(nats, [
    { id: 'mailer', plugin: 'mailer', egress: [...[server.imap, server.imaps, server.submission, server.smtp, scripted.port].map((port) => `localhost:${port}`), `127.0.0.1:${provider.port}`], secrets: { password: PASSWORD, wrong: 'not it' } },
    { id: 'own', plugin: 'mailer', settings: { imap_url: `imaps://localhost:${server.imaps}`, smtp_url: 'smtp://mail.example.com' }, secrets: { password: PASSWORD } },
  ], { top: { outgoing: { ca: certificate.ca } } });
});

after(async () => {
  if (lacking) return;
  const how = await kanal?.stop();
  await server?.stop();
  scripted?.server.close();
  provider?.close();
  await nats?.kill('SIGTERM');
  assert.deepEqual(how, { code: 0, signal: null });
  assert.ok(!kanal.child.lines.some((line) => line.includes(PASSWORD)), 'no password in the log');
});

// FNV-1a, as the plugin counts.
function fnv(buffer) {
  let hash = 14695981039346656037n;
  for (const byte of buffer) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
  return hash.toString(16).padStart(16, '0');
}
const big = (bytes) => Buffer.from(`From: a@example.com\r\nSubject: big\r\n\r\n${'0123456789abcdef){5}\r\n'.repeat(Math.ceil(bytes / 22))}`);

test('a message of 5 MB, streamed into a blob, in bounded memory', options, async () => {
  const message = big(5e6);
  server.put(message, '1700000001.M1.host', 'cur');
  const memory = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${kanal.child.pid}/status`, 'utf8'))[1]);
  await read({ from_uid: 1000 }); // everything is warm
  const from = memory();
  const told = await read();
  assert.equal(told.status, OK, JSON.stringify(told));
  assert.ok(told.validity > 0);
  assert.equal(told.found, 1);
  assert.equal(told.size, message.length);
  assert.equal(told.hash, fnv(message));
  assert.match(told.reference, /^blob:b_/);
  const sanitized = /libasan/.test(readFileSync(`/proc/${kanal.child.pid}/maps`, 'utf8')); // what is freed stays for a while
  assert.ok(sanitized || memory() - from < 16 * 1024, `grew by ${memory() - from} kB`);
  // \Seen was stored.
  assert.match((await read()).flags, /\\Seen/);
  // The blob is what was read: sent on as the body of a message it comes back from a mailbox the same.
  const client = await nats.client();
  const store = await client.jetstream().views.os('kanal_media');
  const blob = await store.getBlob(told.reference.slice(5));
  assert.equal(createHash('sha256').update(blob).digest('hex'), createHash('sha256').update(message).digest('hex'));
  await client.close();
});

test('a large mailbox: a SEARCH of many thousands is read whole', options, async () => {
  for (let i = 0; i < 5000; i++) server.put('Subject: n\n\nhi\n', `17000${10000 + i}.M2.host`, 'cur');
  const told = await read();
  assert.equal(told.status, OK, JSON.stringify(told));
  assert.equal(told.found, 5001);
  assert.equal(told.uid, 5001);
});

test('IDLE tells of a new message', options, async () => {
  const reading = read({ idle: true, from_uid: 1000000 });
  await sleep(1000);
  server.put('Subject: new\n\nhi\n');
  const told = await reading;
  assert.equal(told.status, OK, JSON.stringify(told));
  assert.equal(told.exists, 5002);
});

test('STARTTLS on the plain port; a slow reader by small credit', options, async () => {
  const told = await read({ url: `imap://localhost:${server.imap}`, credit: 500, from_uid: 5002 });
  assert.equal(told.status, OK, JSON.stringify(told));
  assert.equal(told.found, 1);
});

test('log-ins that are refused', options, async () => {
  const wrong = await read({ secret: 'wrong' });
  assert.equal(wrong.status, REJECTED);
  assert.match(wrong.reason, /AUTHENTICATIONFAILED/);
  assert.equal((await read({ secret: 'none' })).status, NOT_FOUND);
  assert.equal((await read({ user: '' })).status, INVALID);
  assert.equal((await read({ url: 'https://localhost' })).status, INVALID);
  assert.equal((await read({ url: `imaps://localhost:${server.imaps}/INBOX;UID=1` })).status, INVALID);
  assert.equal((await read({ flags: 2 })).status, INVALID);
  assert.equal((await read({ url: `imaps://localhost:${nats.port}` })).status, DENIED);
  assert.equal((await read({ url: `imaps://127.0.0.1:${server.imaps}` })).status, DENIED);
  const name = await read({ mailbox: 'nowhere' });
  assert.match(name.said, /doesn't exist/);
});

test('a plugin\'s own grants: the place of a URL setting, with its port, and no private address', options, async () => {
  const refused = await call({ slot: 'read', url: `imaps://localhost:${server.imaps}`, user: 'ivan', secret: 'password', mailbox: 'INBOX' }, 'own');
  assert.equal(refused.status, DENIED);
  assert.match(refused.reason, /127\.0\.0\.1 is not granted|::1 is not granted/);
  const other = await call({ slot: 'mail', url: 'smtp://mail.example.com:25', from: 'a@b', to: ['c@d'], pieces: [{ text: 'x' }] }, 'own');
  assert.equal(other.status, DENIED);
});

test('a message is submitted with STARTTLS and log-in, and delivered', options, async () => {
  const before = server.messages().length;
  const sent = await mail();
  assert.equal(sent.status, OK, JSON.stringify(sent));
  assert.equal(sent.code, 250);
  assert.equal(sent.accepted, 1);
  assert.equal(sent.recipients[0].code, 250);
  await until('it is in the mailbox', () => server.messages().length === before + 1, 20000);
  assert.ok(server.messages().some((text) => /Subject: hi\r?\n[^]*\nhello/.test(text)));
});

test('5 MB are submitted: text, a blob and a URL as base64, leading dots as they were', options, async () => {
  const picture = Buffer.alloc(1e6, 'picture!');
  provider.answers.set('/picture', [200, { 'content-type': 'image/png' }, picture]);
  const sent = await mail({ pieces: [{ text: 'Subject: large\r\nMIME-Version: 1.0\r\n\r\n' }, { size: 4e6 }, { source: `http://127.0.0.1:${provider.port}/picture`, base64: true }, { text: 'the end\r\n' }] });
  assert.equal(sent.status, OK, JSON.stringify(sent));
  const text = await until('it is in the mailbox', () => server.messages().find((one) => /Subject: large/.test(one)), 20000);
  const body = text.replace(/\r/g, '').split('\n\n').slice(1).join('\n\n');
  const dots = body.split('\n').filter((line) => line === '.a line that begins with a dot, as the protocol does not like it').length;
  assert.equal(dots, Math.ceil(4e6 / 66));
  const encoded = body.split('\n').filter((line) => /^[A-Za-z0-9+/=]{4,76}$/.test(line)).join('');
  assert.deepEqual(Buffer.from(encoded, 'base64'), picture);
  assert.ok(body.split('\n').every((line) => line.length <= 76));
});

test('a blob is a source', options, async () => {
  const { reference } = await read({ from_uid: 5002 });
  const sent = await mail({ pieces: [{ text: 'Subject: forwarded\r\n\r\n' }, { source: reference }] });
  assert.equal(sent.status, OK, JSON.stringify(sent));
  await until('it came', () => server.messages().some((one) => /Subject: forwarded\r?\n[^]*Subject: large/.test(one)), 20000);
});

test('what the server says of each recipient', options, async () => {
  scripted.reset({ RCPT: (line) => (/nobody/.test(line) ? '550-5.1.1 there is\r\n550 5.1.1 nobody' : /later/.test(line) ? '451 4.3.0 later' : '250 2.1.5 ok') });
  const some = await say({ to: ['nobody@x', 'ivan@x', 'later@x'] });
  assert.equal(some.status, OK);
  assert.equal(some.accepted, 1);
  assert.deepEqual(some.recipients.map((one) => [one.code, one.text]), [[550, '5.1.1 there is 5.1.1 nobody'], [250, '2.1.5 ok'], [451, '4.3.0 later']]);
  assert.deepEqual([some.code, some.text], [250, '2.0.0 queued']);
  const none = await say({ to: ['nobody@x', 'later@x'] });
  assert.equal(none.status, REJECTED);
  assert.equal(none.accepted, 0);
  assert.deepEqual(none.recipients.map((one) => one.code), [550, 451]);
});

test('refusals on the way', options, async () => {
  for (const [answers, code] of [[{ MAIL: '552 5.3.4 too large' }, 552], [{ DATA: '554 5.7.1 no' }, 554], [{ END: '451 4.7.1 greylisted' }, 451], [{ MAIL: '421 4.3.2 closing' }, 421]]) {
    scripted.reset(answers);
    const told = await say();
    assert.equal(told.status, REJECTED, JSON.stringify([answers, told]));
    assert.equal(told.code, code);
  }
  const login = await mail({ secret: 'wrong' });
  assert.equal(login.status, REJECTED);
  assert.equal(login.code, 535, JSON.stringify(login));
});

test('an access token instead of a password', options, async () => {
  scripted.reset({ EHLO: '250-scripted\r\n250-STARTTLS\r\n250 AUTH XOAUTH2' });
  const told = await say({ flags: 1, user: 'ivan@x', token: 'ya29.token' });
  assert.equal(told.status, OK, JSON.stringify(told));
  const at = scripted.heard.indexOf('AUTH XOAUTH2');
  assert.ok(at > 0, scripted.heard.join());
  assert.equal(Buffer.from(scripted.heard[at + 1], 'base64').toString(), 'user=ivan@x\x01auth=Bearer ya29.token\x01\x01');
  assert.equal((await say({ flags: 1, user: 'ivan@x', token: 'a\r\nb' })).status, INVALID);
  assert.equal((await say({ user: 'ivan@x', token: 'a', secret: 'password' })).status, INVALID);
});

test('no TLS: refused, never plain', options, async () => {
  scripted.reset({ EHLO: '250 scripted' });
  const told = await say();
  assert.equal(told.status, REJECTED, JSON.stringify(told));
  assert.ok(!scripted.heard.some((line) => /^(MAIL|AUTH)/.test(line)), scripted.heard.join());
  // Without a log-in, and by the operator's own list, a relay may be plain.
  const plain = await say({ flags: 2 });
  assert.equal(plain.status, OK, JSON.stringify(plain));
  assert.equal((await say({ flags: 2, user: 'ivan', secret: 'password' })).status, INVALID);
});

test('a lost connection: before the end of the body nothing was taken, after it perhaps', options, async () => {
  scripted.reset({ END: null });
  assert.equal((await say()).status, MAYBE);
  scripted.reset({ DATA: null });
  assert.equal((await say()).status, NETWORK);
  scripted.reset({ END: undefined, RCPT: () => undefined });
  assert.equal((await say({ timeout_ms: 500 })).status, TIMEOUT);
});

test('sources that fail: nothing is sent', options, async () => {
  scripted.reset();
  provider.answers.set('/gone', [404, {}, 'gone']);
  provider.answers.set('/large', [200, {}, Buffer.alloc(200000)]);
  const of = (path) => `http://127.0.0.1:${provider.port}${path}`;
  assert.equal((await say({ pieces: [{ source: of('/gone') }] })).status, NOT_FOUND);
  assert.equal((await say({ pieces: [{ source: of('/large'), max: 100000 }] })).status, TOO_LARGE);
  assert.equal((await say({ pieces: [{ source: 'blob:b_none' }] })).status, NOT_FOUND);
  assert.equal((await say({ pieces: [{ source: 'http://example.com/' }] })).status, DENIED);
  assert.equal((await say({ pieces: [] })).status, INVALID);
  assert.ok(!scripted.heard.includes('.'));
});

test('envelopes that are none; cancel', options, async () => {
  scripted.reset();
  for (const args of [{ to: [] }, { to: [''] }, { to: ['a@b>\r\nRCPT TO:<c@d'] }, { to: ['a b@c'] }, { from: 'a\r\nb' }, { from: '<a@b>' }, { to: Array(101).fill('a@b') }])
    assert.equal((await say(args)).status, INVALID, JSON.stringify(args));
  assert.equal((await say({ cancel: true })).status, CANCELLED);
  assert.equal((await say({ from: '' })).status, OK);
  assert.ok(scripted.heard.some((line) => line.startsWith('MAIL FROM:<>')));
});

test('at most 16 under way in a channel', options, async () => {
  scripted.reset({ RCPT: () => undefined });
  const told = await Promise.all(Array.from({ length: 20 }, () => say({ timeout_ms: 1500 })));
  assert.equal(told.filter((one) => one.status === BUSY).length, 4);
  assert.equal(told.filter((one) => one.status === TIMEOUT).length, 16);
});
