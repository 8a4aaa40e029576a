// The whole gateway with a real nats-server between real mail servers: dovecot (IMAP with TLS and log-in, submission with STARTTLS and log-in) and
// opensmtpd; and npm's smtp-server for what they do not say by themselves.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kanal, Nats, checkContract, isolation, stored, until } from '../../../tests/integration/gateway/harness.mjs';
import { certificates } from '../../../tests/integration/gateway/extensions.mjs';
import { MailServer, missing } from '../../../tests/integration/gateway/mailserver.mjs';

const lacking = missing();
const options = { skip: lacking ?? false };
const PASSWORD = 'geheim"{1}';
const fixtures = path.join(path.dirname(fileURLToPath(import.meta.url)), '../fixtures');
const fixture = (name) => readFileSync(path.join(fixtures, `${name}.eml`));
const expected = (name) => JSON.parse(readFileSync(path.join(fixtures, 'expected', `${name}.json`), 'utf8'));
let nats, kanal, server, client, certificate;

const channel = (more = {}, id = 'mail') => ({ id, plugin: 'email',
  egress: [...[server.imap, server.imaps, server.submission].map((port) => `localhost:${port}`), '127.0.0.1'], // the last: the gateway's own media
  settings: { address: 'shop@localhost', name: 'Магазин', user: 'ivan', imap_url: `imaps://localhost:${server.imaps}`, smtp_url: `smtp://localhost:${server.submission}`,
    start: 'all', charset: 'windows-1251', poll_interval: 10, ...more },
  secrets: { password: PASSWORD } });
const begin = () => Kanal.start(nats, [channel()], { top: { outgoing: { ca: certificate.ca } } });
const events = async (type = 'message.received') => (await stored(client, 'KANAL_EVENTS', `kanal.events.email.mail.${type}.>`)).map((event) => event.data.data);
const with_id = async (id, type) => (await events(type)).filter((data) => data.message.external_id === id);

before(async () => {
  if (lacking) return;
  nats = await Nats.start();
  certificate = certificates();
  server = await MailServer.start(certificate, { password: PASSWORD });
  kanal = await begin();
  client = await nats.client();
});

after(async () => {
  if (lacking) return;
  await client?.close();
  const how = await kanal?.stop();
  await server?.stop();
  await nats?.kill('SIGTERM');
  assert.deepEqual(how, { code: 0, signal: null });
  assert.ok(!kanal.child.lines.some((line) => line.includes(PASSWORD)), 'no password in the log');
});

test('every kind of mail, in its charset, as in the unit test', options, async () => {
  const names = readdirSync(fixtures).filter((name) => name.endsWith('.eml') && !/^(empty|own|charset-wrong)/.test(name)).map((name) => name.slice(0, -4));
  for (const name of names) server.put(fixture(name));
  const wanted = names.flatMap((name) => expected(name).map((event) => [name, event]));
  const received = wanted.filter(([, event]) => event.type === 'message.received');
  await until('all were read', async () => (await events()).length >= received.length, 20000);
  const told = await events();
  for (const [name, event] of received) {
    const data = told.find((one) => one.message.external_id === event.external_id);
    assert.ok(data, `${name} is missing`);
    assert.equal(data.message.subject, event.data.message.subject, name);
    assert.equal(data.customer.name, event.data.customer.name, name);
    assert.equal(data.message.quoted, event.data.message.quoted, name);
    assert.deepEqual(data.message.content.map((part) => part.text ?? part.name ?? part.type), event.data.message.content.map((part) => part.text ?? part.name ?? part.type), name);
  }
  assert.equal((await events('message.failed')).length, 3);
  assert.ok(!kanal.child.lines.some((line) => /the sandbox refused/.test(line)), 'nothing was asked of the system that the sandbox forbids');
});

const mail = (id, text, more = '') => `From: Anna <anna@localhost>\nTo: shop@localhost\nSubject: mail ${id}\nDate: ${new Date().toUTCString()}\nMessage-ID: <${id}@localhost>\n${more}\n${text}\n`;
const arrives = (id, ms = 20000) => until(`${id} is told`, async () => (await with_id(`${id}@localhost`))[0], ms);

test('an attachment is served as it was', options, async () => {
  const [data] = await with_id('rel-1@example.org');
  const [picture, invoice] = data.message.content.slice(1);
  assert.equal(picture.inline, true);
  const served = await fetch(kanal.url + new URL(picture.url).pathname);
  assert.equal(served.headers.get('content-type'), 'image/png');
  assert.equal(Buffer.from(await served.arrayBuffer()).subarray(1, 4).toString(), 'PNG');
  assert.match(await (await fetch(kanal.url + new URL(invoice.url).pathname)).text(), /^%PDF-1\.4\n/);
});

test('IDLE: what comes is told at once', options, async () => {
  const from = Date.now();
  server.put(mail('idle-1', 'now'));
  await arrives('idle-1');
  assert.ok(Date.now() - from < 5000, `${Date.now() - from} ms`);
});

test('a restart tells nothing twice and misses nothing', options, async () => {
  const before = (await events()).length;
  await kanal.stop();
  server.put(mail('restart-1', 'meanwhile'));
  kanal = await begin();
  await arrives('restart-1');
  assert.equal((await events()).length, before + 1);
});

test('killed in the middle of many: each is told once', options, async () => {
  for (let i = 0; i < 300; i++) server.put(mail(`kill-${i}`, `text ${i}`));
  await until('some were told', async () => (await events()).some((data) => /^kill-/.test(data.message.external_id)));
  await kanal.stop('SIGKILL');
  kanal = await begin();
  const told = await until('all were told', async () => {
    const list = (await events()).filter((data) => /^kill-/.test(data.message.external_id));
    return new Set(list.map((data) => data.message.external_id)).size === 300 && list;
  }, 30000);
  assert.equal(told.length, 300);
});

test('the broker is away: the mailbox keeps what it has', options, async () => {
  await nats.kill();
  server.put(mail('outage-1', 'in the outage'));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await nats.run();
  await arrives('outage-1', 40000);
  assert.equal((await with_id('outage-1@localhost')).length, 1);
});

test('UIDVALIDITY changes: nothing is told twice, what is new is', options, async () => {
  const before = (await events()).length;
  await kanal.stop();
  for (const name of readdirSync(server.maildir)) if (/^dovecot[.-]/.test(name)) rmSync(path.join(server.maildir, name), { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, 1100)); // the numbers come from the clock
  server.put(mail('anew-1', 'after the change'));
  kanal = await begin();
  await arrives('anew-1');
  assert.ok(kanal.child.lines.some((line) => /numbered anew/.test(line)));
  assert.equal((await events()).length, before + 1);
});

// ---- Out ----

const send = async (id, command, to = 'mailto:ivan@localhost') => client.jetstream().publish('kanal.commands.mail.message.send', JSON.stringify({ id, to: typeof to === 'string' ? { address: to } : to, ...command }));
const state = (id, type, ms = 20000) => until(`${id} is ${type}`, async () => (await events(type)).find((data) => data.message.id === id), ms);
const text = (words) => [{ type: 'text', text: words }];
const delivered = (pattern, ms = 20000) => until(`${pattern} is in the mailbox`, async () => server.messages().find((one) => pattern.test(one)), ms);

test('a text goes out with STARTTLS and log-in, and comes to the mailbox', options, async () => {
  await send('out-1', { subject: 'Счёт № 5', content: text('Привет!\n.точка\nFrom a line') });
  const sent = await state('out-1', 'message.sent');
  assert.match(sent.message.external_id, /^[a-z2-7]{26}\.kanal@localhost$/);
  const came = (await delivered(new RegExp(`Message-ID: <${sent.message.external_id}>`))).replace(/\r/g, '');
  assert.match(came, /\nX-Loop: shop@localhost\n/);
  assert.match(came, /=2E=D1=82|\.=D1=82=D0=BE=D1=87=D0=BA=D0=B0/);
  // It comes back to the same mailbox, and is the channel's own: nobody is told.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal((await with_id(sent.message.external_id)).length, 0);
});

test('a file goes out, streamed from the gateway itself', options, async () => {
  const [data] = await with_id('rel-1@example.org');
  await send('out-2', { content: [{ type: 'file', url: kanal.url + new URL(data.message.content[2].url).pathname, name: 'счёт.pdf', mime: 'application/pdf', caption: 'The invoice' }] });
  const sent = await state('out-2', 'message.sent');
  const came = (await delivered(new RegExp(`Message-ID: <${sent.message.external_id}>`))).replace(/\r/g, '');
  assert.match(came, /\nContent-Disposition: attachment;\s+filename\*?=\S+\n/);
  assert.match(came, /\n\nThe invoice\n/);
  const encoded = /base64\n\n([A-Za-z0-9+/=\n]+)\n--/.exec(came)[1];
  assert.match(Buffer.from(encoded, 'base64').toString(), /^%PDF-1\.4\n/);
});

test('a text and files of one command are one mail', options, async () => {
  const [data] = await with_id('rel-1@example.org');
  const file = { type: 'file', url: kanal.url + new URL(data.message.content[2].url).pathname, mime: 'application/pdf' };
  await send('out-mixed', { content: [...text('Two files for you.'), { ...file, name: 'one.pdf' }, { ...file, name: 'two.pdf' }] });
  const sent = await state('out-mixed', 'message.sent');
  assert.equal(sent.message.parts, 1);
  const came = (await delivered(new RegExp(`Message-ID: <${sent.message.external_id}>`))).replace(/\r/g, '');
  assert.match(came, /Two files for you\./);
  assert.match(came, /one\.pdf/);
  assert.match(came, /two\.pdf/);
});

test('an answer threads: Re:, In-Reply-To, References, and where the customer wants it', options, async () => {
  server.put(mail('ask-1', 'When?', 'References: <root@localhost>\nReply-To: ivan@localhost\n'));
  const asked = await arrives('ask-1');
  assert.equal(asked.chat.id, 'root@localhost');
  await send('out-3', { content: text('Tomorrow.') }, { chat: 'root@localhost', address: asked.customer.address });
  await state('out-3', 'message.sent');
  const came = (await delivered(/\nIn-Reply-To: <ask-1@localhost>/)).replace(/\r/g, '');
  assert.match(came, /\nSubject: Re: mail ask-1\n/);
  assert.match(came, /\nReferences: <root@localhost>\n <ask-1@localhost>\n/);
  assert.match(came, /\nTo: ivan@localhost\n/);
});

test('a bounce of what was sent fails it', options, async () => {
  const sent = await state('out-1', 'message.sent');
  server.put(fixture('dsn-failed').toString().replaceAll('key1.kanal@example.com', sent.message.external_id).replace('20261121205400.failed', 'bounce-1'));
  const failed = await until('the bounce is told', async () => (await with_id(sent.message.external_id, 'message.failed'))[0]);
  assert.equal(failed.error.code, 'recipient_unknown');
  assert.equal(failed.error.provider_code, '5.1.1');
});

test('every event is valid by the contract, strictly', options, async () => { assert.ok(await checkContract(client) > 300); });

// ---- A server that refuses ----

test('refusals: 4xx is tried again, 5xx is not, what breaks off after the body is unknown', options, async () => {
  const { SMTPServer } = await import('smtp-server');
  const plan = [], heard = [];
  const smtp = new SMTPServer({ key: readFileSync(certificate.key), cert: readFileSync(certificate.cert), logger: false, authMethods: ['PLAIN', 'LOGIN'],
    onAuth: (auth, session, done) => (auth.password === PASSWORD ? done(null, { user: 'out' }) : done(Object.assign(new Error('no'), { responseCode: 535 }))),
    onRcptTo: (address, session, done) => { const next = plan[0]; if (next?.rcpt) { plan.shift(); done(Object.assign(new Error(next.text), { responseCode: next.rcpt })); } else done(); },
    onData: (stream, session, done) => {
      let body = '';
      stream.on('data', (data) => { body += data; });
      stream.on('end', () => {
        heard.push(body);
        const next = plan.shift();
        if (next?.destroy) for (const connection of smtp.connections) connection._socket.destroy();
        else if (next?.data) done(Object.assign(new Error(next.text), { responseCode: next.data }));
        else done(null, '2.0.0 queued');
      });
    } });
  smtp.on('error', () => {});
  await new Promise((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  const port = smtp.server.address().port;
  await kanal.stop();
  const config = channel({ smtp_url: `smtp://localhost:${port}` });
  kanal = await Kanal.start(nats, [{ ...config, egress: [...config.egress, `localhost:${port}`], on_unknown: 'fail' }], { top: { outgoing: { ca: certificate.ca } } });
  try {
    plan.push({ data: 451, text: '4.3.0 not now' });
    await send('refused-1', { content: text('again') });
    await state('refused-1', 'message.sent', 30000);
    assert.equal(heard.length, 2);
    assert.equal(/Message-ID: <(.*)>/.exec(heard[0])[1], /Message-ID: <(.*)>/.exec(heard[1])[1], 'the same mail for each attempt');
    plan.push({ rcpt: 550, text: '5.1.1 no such user' });
    await send('refused-2', { content: text('never') });
    const failed = await state('refused-2', 'message.failed');
    assert.deepEqual([failed.error.code, failed.error.scope, failed.error.provider_code], ['recipient_unknown', 'recipient', '550 5.1.1']);
    plan.push({ destroy: true });
    await send('refused-3', { content: text('who knows') });
    const unknown = await state('refused-3', 'message.failed');
    assert.equal(unknown.error.code, 'timeout');
    assert.match(unknown.error.detail, /may have arrived/);
  } finally {
    await new Promise((resolve) => smtp.close(resolve));
  }
});
