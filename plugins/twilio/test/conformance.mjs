// conformance.mjs [--write] - the webhooks of fixtures/conformance.json from the fixtures, signed by npm twilio: `kanal plugin check` cannot
// sign as Twilio does. Without --write it says whether the file is what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const { getExpectedTwilioSignature } = createRequire(import.meta.url)('twilio');
const folder = new URL('../fixtures/', import.meta.url), file = new URL('conformance.json', folder);
const token = '0d9e8b7a6f5f2a1c0d9e8b7a6f5f2a1c', base = 'https://hub.example.com/c/check';
const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));

const names = ['text', 'mms', 'mms-several', 'stop', 'start', 'whatsapp-location', 'whatsapp-unknown', 'status-queued', 'status-undelivered', 'status-failed-opted-out',
  'voice', 'voice-anonymous', 'call-ringing', 'call-answered', 'call-completed', 'call-busy', 'leg-answered', 'leg-completed', 'leg-no-answer', 'recording-voicemail',
  'recording-absent', 'hangup', 'events-several'];
const receipts = ['status-delivered'];

function webhook(name, more = {}) {
  const { path, params, body } = read(name);
  const code = ['/', '/voice', '/hangup'].includes(path) ? 200 : 204;
  const events = read(`expected/${name}`).map((event) => event.type);
  if (params) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': getExpectedTwilioSignature(token, base + path, params) };
    return { name, path, headers, body: new URLSearchParams(params).toString(), code, events, ...more };
  }
  const text = JSON.stringify(body), target = `${path}?bodySHA256=${createHash('sha256').update(text).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-twilio-signature': getExpectedTwilioSignature(token, base + target, {}) };
  return { name, path: target, headers, body: text, code, events, ...more };
}

const told = {
  $comment: 'The webhooks are written by test/conformance.mjs.',
  settings: { account_sid: 'AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f', from: '+14155550100', number_sid: 'PN00000000000000000000000000000001',
    calls: { answer: 'dial', dial: '+14155550122', greeting: 'Hello' } },
  secrets: { auth_token: token },
  provider: [
    { path: '/2010-04-01/Accounts/*/Messages.json', code: 201, body: { sid: 'SM00000000000000000000000000000051', status: 'queued', error_code: null, error_message: null } },
    { path: '/2010-04-01/Accounts/*/Calls.json', code: 201, body: { sid: 'CA00000000000000000000000000000071', status: 'queued' } },
    { path: '/2010-04-01/Accounts/*', code: 200, body: { sid: 'PN00000000000000000000000000000001' } }
  ],
  webhooks: [...names.map((name) => webhook(name)), ...receipts.map((name) => webhook(name, { after: 'deliveries' }))],
  media: ['Messages/MM00000000000000000000000000000021/Media/ME00000000000000000000000000000001', 'Recordings/RE00000000000000000000000000000002.mp3']
};
const text = JSON.stringify(told, null, 2) + '\n';
if (process.argv.includes('--write')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) { console.log('not ok: fixtures/conformance.json is not what test/conformance.mjs --write makes'); process.exit(1); }
