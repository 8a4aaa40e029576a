// Talks to the test plugins of ../extensions; makes certificates.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Kanal, extensionDirs, scratchDir } from './harness.mjs';

export const start = (nats, channels, more = {}) => Kanal.start(nats, channels, { plugins: extensionDirs(), ...more });

export async function call(kanal, slot, args = {}, channel = 'exts') {
  const response = await kanal.post(`/c/${channel}/call`, { slot, ...args });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${slot}: ${response.status} ${text}`);
  return JSON.parse(text);
}

// What the host told the plugin since the last time.
export async function events(kanal, channel) {
  const { value = '', id } = await call(kanal, 'events', {}, channel);
  const list = value.split('\n').filter(Boolean).map((line) => JSON.parse(line)).map((event) => ({ ...event, bytes: Buffer.from(event.bytes ?? '', 'base64') }));
  list.received = Number(id);
  return list;
}

// An authority of its own and a certificate of it for localhost and 127.0.0.1, or for the names given.
export function certificates(names = 'DNS:localhost,IP:127.0.0.1') {
  const directory = scratchDir();
  const file = (name) => path.join(directory, name);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=Kanal test', '-days', '2');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('key.pem'), '-out', file('csr.pem'), '-subj', '/CN=server');
  writeFileSync(file('names'), `subjectAltName=${names}\n`);
  openssl('x509', '-req', '-in', file('csr.pem'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', file('cert.pem'), '-days', '2', '-extfile', file('names'));
  return { directory, ca: file('ca.pem'), key: file('key.pem'), cert: file('cert.pem') };
}
