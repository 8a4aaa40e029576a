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
  egress: [server.imap, server.imaps, server.submission].map((port) => `localhost:${port}`),
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
