// A mail of 20 MB and a mailbox of many thousands, in the memory of one worker. KANAL_MAILS: how many (10,000).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Kanal, Nats, isSanitized, isolation, stored, until } from '../../../tests/integration/gateway/harness.mjs';
import { certificates } from '../../../tests/integration/gateway/extensions.mjs';
import { MailServer, missing } from '../../../tests/integration/gateway/mailserver.mjs';

const lacking = missing() ?? (isolation !== 'worker' ? 'it is the worker that is measured' : null);
const options = { skip: lacking ?? false };
const COUNT = Number(process.env.KANAL_MAILS ?? 10000), LIMIT_MB = 40;
let nats, kanal, server, client;

const file = Buffer.alloc(15e6);
for (let i = 0; i < file.length; i += 4) file.writeUInt32LE((i * 2654435761) >>> 0, i);

function fill() {
  const folder = path.join(server.maildir, '.Many');
  for (const name of ['', 'cur', 'new', 'tmp']) mkdirSync(path.join(folder, name), { recursive: true });
  for (let i = 0; i < COUNT; i++)
    writeFileSync(path.join(folder, 'cur', `17000${100000 + i}.M.host:2,`), `From: a${i % 100}@example.org\nSubject: mail ${i}\nMessage-ID: <many-${i}@x>\n\ntext ${i}\n`);
  const encoded = file.toString('base64').replace(/.{76}/g, '$&\r\n');
  writeFileSync(path.join(folder, 'cur', '1800000000.M.host:2,'), `From: big@example.org\r\nSubject: big\r\nMessage-ID: <big@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthe film\r\n--b\r\nContent-Type: video/mp4; name=film.mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n--b--\r\n`);
  execFileSync('chown', ['-R', server.owner.join(':'), folder]);
}

// The most that the largest child of the gateway had in memory, in MB: that is the worker that reads.
function worker() {
  const sizes = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
    const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '';
    return new RegExp(`^PPid:\\s+${kanal.child.pid}$`, 'm').test(status) ? Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024 : 0;
  });
  return { high: Math.max(...sizes) };
}

before(async () => {
  if (lacking) return;
  nats = await Nats.start();
  const certificate = certificates();
  server = await MailServer.start(certificate);
  fill();
  kanal = await Kanal.start(nats, [{ id: 'mail', plugin: 'email', egress: [`localhost:${server.imaps}`],
    settings: { address: 'shop@localhost', user: 'ivan', imap_url: `imaps://localhost:${server.imaps}`, folders: ['Many'], start: 'all' }, secrets: { password: 'geheim' } }],
  { top: { outgoing: { ca: certificate.ca } }, wait: false });
  client = await nats.client();
});

after(async () => {
  if (lacking) return;
  await client?.close();
  await kanal?.stop();
  await server?.stop();
  await nats?.kill('SIGTERM');
});

test(`a mail of 20 MB and ${COUNT} small ones`, options, async () => {
  const from = Date.now();
  const manager = await client.jetstreamManager();
  await kanal.ready(60000);
  await until('all were told (with channel.up)', async () => (await manager.streams.info('KANAL_EVENTS')).state.messages >= COUNT + 2, 280000);
  const seconds = (Date.now() - from) / 1000, { high } = worker();
  console.log(JSON.stringify({ name: 'email.rss_mb', value: Number(high.toFixed(1)), mails: COUNT, seconds }));
  const told = await stored(client, 'KANAL_EVENTS', 'kanal.events.email.mail.message.received.>');
  assert.equal(new Set(told.map((event) => event.data.data.message.external_id)).size, COUNT + 1);
  assert.equal(told.length, COUNT + 1);
  const part = told.find((event) => event.data.data.message.external_id === 'big@x').data.data.message.content[1];
  assert.deepEqual([part.type, part.name, part.size], ['video', 'film.mp4', file.length]);
  const served = Buffer.from(await (await fetch(kanal.url + new URL(part.url).pathname)).arrayBuffer());
  assert.equal(createHash('sha256').update(served).digest('hex'), createHash('sha256').update(file).digest('hex'));
  assert.ok(isSanitized() || high <= LIMIT_MB, `the worker had ${high} MB`);
});
