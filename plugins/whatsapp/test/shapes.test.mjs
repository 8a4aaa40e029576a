// shapes.test.mjs FIXTURES CALLS DESCRIPTION - holds the fixtures and the recorded requests against Meta's OpenAPI description (ajv,
// prism) and against whatsapp-api-js, a library that knows nothing of Kanal. Run by shapes.sh.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sign } from '@octokit/webhooks-methods';
import Ajv from 'ajv';
import { WhatsAppAPI } from 'whatsapp-api-js';
import * as messages from 'whatsapp-api-js/messages';
import { parse } from 'yaml';
import { startPrism } from './prism.mjs';

const [folder, callsFile, descriptionFile] = process.argv.slice(2);
const description = parse(readFileSync(descriptionFile, 'utf8'), { merge: true });
let failures = 0;

function complain(what, errors) {
  failures++;
  console.log(`not ok: ${what}`);
  for (const error of errors) console.log(`  ${typeof error === 'string' ? error : `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`}`);
}

const fixtures = new Map(readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'conformance.json')
  .map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join(folder, name), 'utf8'))]));

// ---- Fixtures against the description ----

// Names that the description has for outgoing and incoming things alike got a number, but its incoming messages still name the outgoing
// ones (messaging_product, to …). Their own, which its examples follow, stand beside them.
const schemas = description.components.schemas;
const incoming = { TextMessage: 'TextMessage_2', ReactionMessage: 'ReactionMessage_1', AudioMessage: 'AudioMessage_1', DocumentMessage: 'DocumentMessage_1',
  ImageMessage: 'ImageMessage_1', StickerMessage: 'StickerMessage_1', VideoMessage: 'VideoMessage_1', LocationMessage: 'LocationMessage_1' };
const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
schemas.IncomingMessage.oneOf = schemas.IncomingMessage.oneOf.map(({ $ref }) => ref(incoming[$ref.split('/').pop()] ?? $ref.split('/').pop()));
for (const { $ref } of [...schemas.IncomingMessage.oneOf, ref('SystemMessage')]) schemas[$ref.split('/').pop()].allOf[0] = ref('BaseMessageProperties_1');
schemas.ContactSharingMessage.allOf[1].properties.contacts.items = ref('ContactObject_1');
schemas.UnsupportedMessage.allOf[1].properties.errors.items = ref('ErrorObject_2');

// What it does not know, newer or only in Meta's prose.
const foreign = new Map(Object.entries({
  'text-forwarded': 'context.forwarded', 'text-forwarded-often': 'context.frequently_forwarded', 'text-reply': 'context of a plain reply',
  'text-bsuid-only': 'BSUID without a telephone', 'contacts-own': 'BSUID without a telephone', 'reaction-removed': 'no emoji: taken back',
  'flow-reply': 'nfm_reply', 'flow-reply-broken': 'nfm_reply', 'interactive-unknown': 'made up', 'unknown-type': 'made up', 'request-welcome': 'request_welcome',
  edited: 'edit', revoked: 'revoke', 'system-changed-user-id': 'BSUID', 'system-other': 'customer_identity_changed', 'status-read-bsuid': 'BSUID',
  'status-played': 'played', 'status-unknown': 'made up', 'preference-stop': 'user_preferences', 'preference-resume': 'user_preferences',
  echo: 'smb_message_echoes', 'account-errors': 'errors', 'account-field': 'account_update', 'location-bare': 'no name, no address',
}));

console.log(`# fixtures: ${fixtures.size} webhooks against WebhookPayload`);
{
  const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'd', components: description.components });
  const validate = ajv.compile({ $ref: 'd#/components/schemas/WebhookPayload' });
  for (const [name, payload] of fixtures) {
    const valid = validate(payload);
    if (valid === foreign.has(name)) complain(name, valid ? ['was expected to be foreign'] : validate.errors.slice(0, 6));
  }
  const broken = structuredClone(fixtures.get('text')); // the check can fail
  broken.entry[0].changes[0].value.messages[0].text.body = 5;
  assert.equal(validate(broken), false);
}

// ---- Fixtures by whatsapp-api-js, which checks the signature ----

console.log('# whatsapp-api-js: signed by @octokit/webhooks-methods, read as what they are');
{
  const appSecret = '5f2a1c0d9e8b7a6f';
  const api = new WhatsAppAPI({ token: 'EAAG', appSecret, v: 'v24.0' });
  const post = async (payload) => {
    // Meta writes other than ASCII characters as escapes, and signs these bytes.
    const raw = JSON.stringify(payload).replace(/[^\0-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    return api.post(JSON.parse(raw), raw, await sign(appSecret, raw));
  };
  const kinds = { text: 'text', image: 'image', video: 'video', audio: 'audio', voice: 'audio', document: 'document', sticker: 'sticker', location: 'location',
    contacts: 'contacts', reaction: 'reaction', 'button-template': 'button', 'button-reply': 'interactive', 'list-reply': 'interactive', order: 'order',
    'text-bsuid-only': 'text', 'request-welcome': 'request_welcome' };
  for (const [name, kind] of Object.entries(kinds)) {
    let seen;
    api.on.message = ({ message }) => { seen = message.type; };
    await post(fixtures.get(name));
    await new Promise((resolve) => setImmediate(resolve));
    if (seen !== kind) complain(name, [`whatsapp-api-js sees ${seen}`]);
  }
  const statuses = { 'status-delivered': 'delivered', 'status-read': 'read', 'status-failed': 'failed' };
  for (const [name, status] of Object.entries(statuses)) {
    let seen;
    api.on.status = (event) => { seen = event.status; };
    await post(fixtures.get(name));
    await new Promise((resolve) => setImmediate(resolve));
    if (seen !== status) complain(name, [`whatsapp-api-js sees ${seen}`]);
  }
  await assert.rejects(async () => api.post(fixtures.get('text'), JSON.stringify(fixtures.get('text')), 'sha256=00'));
}

// ---- Requests ----

const seen = new Set(); // many tests make the same request
const calls = readFileSync(callsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter(({ test, ...call }) => {
  const key = JSON.stringify(call), isNew = !seen.has(key);
  seen.add(key);
  return isNew;
});

// What whatsapp-api-js sends for a message.
async function sent(message, context) {
  let body;
  const api = new WhatsAppAPI({ token: 'EAAG', secure: false, v: 'v24.0', ponyfill: { fetch: async (url, options) => { body = JSON.parse(options.body); return new Response('{}'); } } });
  await api.sendMessage('106540352242922', '+79161234567', message, context, 'kanal:1/2:crm-1');
  return body;
}

console.log('# requests that the description does not know, against what whatsapp-api-js sends');
const beyond = new Set(); // these need not pass prism
{
  const find = (what, matches) => {
    const call = calls.find((one) => one.body && matches(one.body));
    if (!call) complain(what, ['no test sends one']);
    return call;
  };
  const compare = async (what, matches, message) => {
    const call = find(what, matches);
    if (!call) return;
    const { type, ...ours } = call.body, theirs = await sent(message);
    for (const component of theirs.template?.components ?? []) if ('index' in component) component.index = String(component.index); // text by the description
    try {
      assert.deepEqual(ours[type], theirs[type], what);
      assert.equal(type, theirs.type);
      assert.equal(ours.biz_opaque_callback_data, theirs.biz_opaque_callback_data);
      assert.equal(ours.to, theirs.to);
    } catch (error) { complain(what, [error.message]); }
  };
  const { ActionCTA, ActionLocation, Audio, Body, BodyComponent, BodyParameter, CopyComponent, Currency, DateTime, Document, HeaderComponent, HeaderParameter,
    Image, Interactive, Language, PayloadComponent, Template, URLComponent } = messages;
  await compare('cta_url', (body) => body.interactive?.type === 'cta_url', new Interactive(new ActionCTA('Открыть', 'https://example.ru/'), new Body('?')));
  await compare('location request', (body) => body.interactive?.type === 'location_request_message', new Interactive(new ActionLocation(), new Body('Где вы?')));
  await compare('voice', (body) => body.audio?.voice, new Audio('https://cdn.example.com/a%20b.bin?x=1', false, true));
  await compare('file name', (body) => body.document?.filename === 'Счёт.pdf', new Document('https://cdn.example.com/a%20b.bin?x=1', false, undefined, 'Счёт.pdf'));
  const isTemplate = (test) => (body) => body.template?.name === 'confirm' && test(JSON.stringify(body.template));
  const english = new Language('en_GB', 'deterministic');
  await compare('template, body', isTemplate((text) => text.includes('amount_1000')), new Template('confirm', english,
    new BodyComponent(new BodyParameter('Анна'), new BodyParameter(new Currency(100990, 'USD', '100.99 USD')), new BodyParameter(new DateTime('2026-11-25T10:00:00Z')))));
  await compare('template, header and buttons', isTemplate((text) => text.includes('copy_code')), new Template('confirm', english,
    new HeaderComponent(new HeaderParameter(new Image('https://cdn.example.com/a%20b.bin?x=1'))), new PayloadComponent('P'),
    new URLComponent('x'), new CopyComponent('SAVE')));
  for (const call of calls) if (call.body?.template && /copy_code|"location"|parameter_name/.test(JSON.stringify(call.body.template))) beyond.add(call);
  for (const call of calls) if (['cta_url', 'location_request_message'].includes(call.body?.interactive?.type) || call.body?.audio?.voice) beyond.add(call);
}

console.log(`# requests: ${calls.length} against prism`);
const prism = await startPrism(descriptionFile);
try {
  const headers = { authorization: 'Bearer EAAGm0PX4ZCpsBAKZD', 'user-agent': 'kanal/0.1.0' };
  const ask = async (method, path, body) => {
    const response = await fetch(`${prism.url}/v24.0/${path}`, { method, headers: body && !(body instanceof FormData) ? { ...headers, 'content-type': 'application/json' } : headers,
      body: body && !(body instanceof FormData) ? JSON.stringify(body) : body });
    return response.ok ? [] : (await response.json()).validation?.map((error) => `${error.location.join('.')}: ${error.message}`) ?? [String(response.status)];
  };
  const asDescribed = (body) => {
    const copy = structuredClone(body);
    delete copy.biz_opaque_callback_data; // documented, and whatsapp-api-js sends it too; the description has it of calls only
    delete copy.document?.filename; // in the description's own example, not in its schema
    delete copy.interactive?.header?.document?.filename;
    for (const component of copy.template?.components ?? [])
      if (/^[0-9]$/.test(component.index)) component.index = '1'; // its pattern, ^[2-6, 11-14]$, is a range of footnotes; its example is "0"
    if (copy.recipient) { copy.to = copy.recipient; delete copy.recipient; } // a BSUID: newer than the description
    return copy;
  };
  const isMark = (body) => body?.status === 'read'; // its example is in the description, its schema is not under this path
  const marks = new Ajv.default({ strict: false });
  marks.addSchema({ $id: 'd', components: description.components });
  const validMark = marks.compile({ $ref: 'd#/components/schemas/MarkMessageRequestPayload' });
  const counts = new Map();
  for (const call of calls) {
    if (beyond.has(call)) continue;
    const kind = `${call.method} ${call.path.replace(/\?.*/, '').replace(/[0-9]{5,}/, 'ID')}${call.body?.type ? ` ${call.body.type}` : ''}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    let errors = [];
    if (isMark(call.body)) {
      if (!validMark(call.body)) errors = validMark.errors;
    } else if (call.upload) {
      const form = new FormData();
      for (const [name, value] of Object.entries(call.body)) form.append(name, value);
      form.append('file', new Blob(['x'], { type: 'image/png' }), 'a.png');
      errors = await ask('POST', call.path, form);
    } else if (call.path.includes('subscribed_apps') && call.body) {
      errors = await ask(call.method, call.path, { ...call.body, verify_token: 'chosen-by-us' }); // the host adds it
    } else if (call.path !== '..%2F..%2Fx%3Fy?phone_number_id=106540352242922') {
      errors = await ask(call.method, call.path, call.body && asDescribed(call.body));
    }
    if (errors.length > 0) complain(`${call.test}: ${call.path} ${JSON.stringify(call.body)}`, errors.filter((error) => !/required property '(text|audio|document|image|location|video|sticker|reaction|interactive|contacts)'|found '|one of the allowed values: [a-z]+$/.test(error)).slice(0, 12));
  }
  console.log([...counts].map(([kind, count]) => `${kind} ${count}`).join(', '));
  for (const type of ['text', 'image', 'video', 'audio', 'document', 'sticker', 'location', 'contacts', 'interactive', 'template', 'reaction'])
    if (!counts.has(`POST ID/messages ${type}`)) complain(type, ['no test sends one']);
  const wrong = await ask('POST', '106540352242922/messages', { messaging_product: 'whatsapp', to: '+7', type: 'text', text: { body: 'x' } }); // prism refuses
  assert.ok(wrong.length > 0);
} finally {
  await prism.stop();
}

console.log(failures === 0 ? 'ok' : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
