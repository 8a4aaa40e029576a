// shapes.test.mjs CALLS DESCRIPTION - holds the recorded requests against Twilio's OpenAPI description (prism) and against what npm twilio, Twilio's
// own client, sends and writes. Run by shapes.sh.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { startPrism } from './prism.mjs';

const twilio = createRequire(import.meta.url)('twilio');
const [callsFile, descriptionFile] = process.argv.slice(2);
const account = 'AC5f2a1c0d9e8b7a6f5f2a1c0d9e8b7a6f', token = '0d9e8b7a6f5f2a1c0d9e8b7a6f5f2a1c', base = 'https://hub.example.com/c/fake';
let failures = 0;

function complain(what, error) {
  failures++;
  console.log(`not ok: ${what}: ${error}`);
}

const seen = new Set(); // many tests make the same request
const calls = readFileSync(callsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter(({ path, form }) => {
  const key = `${path} ${form}`, isNew = !seen.has(key);
  seen.add(key);
  return isNew;
});

// ---- npm twilio ----

// The form that the client sends, as sorted pairs.
async function sent(act) {
  let form;
  const httpClient = { async request({ data }) {
    form = Object.entries(data).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]));
    return { statusCode: 201, body: {} };
  } };
  await act(twilio(account, token, { httpClient }));
  return form.map((pair) => pair.join('=')).sort();
}

console.log('# npm twilio: the same requests');
const again = '#rc=5&rp=5xx,ct,rt';
const status = `${base}/status?c=crm-1&p=1&n=1${again}`, from = '+14155550100', to = '+14155551212', media = 'https://hub.example.com/m/a/b%20c?x=1';
const expected = {
  text: await sent((client) => client.messages.create({ to, from, body: 'Да & <b>нет</b> +1=1%', statusCallback: status })),
  media: await sent((client) => client.messages.create({ to, from, mediaUrl: [media, media], statusCallback: status })),
  service: await sent((client) => client.messages.create({ to, from, messagingServiceSid: 'MG0a1b2c3d4e5f60718293a4b5c6d7e8f9', body: 'x', validityPeriod: 600, statusCallback: status })),
  content: await sent((client) => client.messages.create({ to, from, contentSid: 'HX0a1b2c3d4e5f60718293a4b5c6d7e8f9', contentVariables: '{"1":"a&b"}', statusCallback: status })),
  call: await sent((client) => client.calls.create({ to, from, twiml: '<Response><Say>a</Say></Response>', statusCallback: `${base}/call?c=crm-1&p=1&n=1${again}`,
    statusCallbackEvent: ['ringing', 'answered', 'completed'] })),
  recorded: await sent((client) => client.calls.create({ to, from, twiml: '<Response><Say>a</Say></Response>', statusCallback: `${base}/call?c=crm-1&p=1&n=1${again}`, record: true,
    recordingStatusCallback: `${base}/recording?c=crm-1&p=1&n=1&k=call&d=out&f=%2B14155550100&t=%2B14155551212${again}`, statusCallbackEvent: ['ringing', 'answered', 'completed'] })),
  number: await sent((client) => client.incomingPhoneNumbers('PN00000000000000000000000000000001').update({ smsUrl: `${base}/${again}`, smsMethod: 'POST', voiceUrl: `${base}/voice${again}`, voiceMethod: 'POST',
    statusCallback: `${base}/call${again}`, statusCallbackMethod: 'POST' })),
};
const ours = calls.map(({ form }) => [...new URLSearchParams(form)].map((pair) => pair.join('=')).sort().join('\n'));
for (const [what, pairs] of Object.entries(expected)) if (!ours.includes(pairs.join('\n'))) complain(what, `no test sends what npm twilio sends: ${pairs}`);

console.log('# npm twilio: the same TwiML');
const voice = new twilio.twiml.VoiceResponse();
voice.say('a');
voice.play('https://x.example/a.mp3?b=1&c=2');
const xml = voice.toString().replace(/^<\?xml[^>]*\?>/, '');
if (!calls.some(({ form }) => new URLSearchParams(form).get('Twiml') === xml)) complain('TwiML', `no test sends ${xml}`);

// ---- The description ----

const description = JSON.parse(readFileSync(descriptionFile, 'utf8'));
const known = (path) => Object.keys(description.paths[`/2010-04-01/Accounts/{AccountSid}/${path.replace(/PN[0-9a-f]{32}/, '{Sid}')}`].post
  .requestBody.content['application/x-www-form-urlencoded'].schema.properties);

console.log(`# prism: ${calls.length} requests`);
const prism = await startPrism(descriptionFile);
try {
  const ask = async (path, form) => {
    const response = await fetch(`${prism.url}/2010-04-01/Accounts/${account}/${path}`, { method: 'POST', body: form,
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}` } });
    return response.ok ? [] : (await response.json()).validation?.map((error) => `${error.location.join('.')}: ${error.message}`) ?? [String(response.status)];
  };
  const counts = new Map();
  for (const { test, path, form } of calls) {
    const isTakenAway = /(^|&)SmsUrl=(&|$)/.test(form); // an empty URL takes a webhook away; the description has no word for that
    const strange = [...new URLSearchParams(form).keys()].filter((name) => !known(path).includes(name));
    const errors = isTakenAway ? [] : await ask(path, form);
    if (strange.length > 0) errors.push(`unknown: ${strange}`);
    if (errors.length > 0) complain(`${test}: ${path} ${form}`, errors);
    counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  console.log([...counts].map(([path, count]) => `${path} ${count}`).join(', '));
  for (const [path, form] of [['Messages.json', 'Body=x'], ['Messages.json', 'To=%2B1&ValidityPeriod=soon'], ['Calls.json', 'To=%2B1'], ['Messages.json', 'To=%2B1&MessagingServiceSid=MG1']])
    assert.ok((await ask(path, form)).length > 0, `prism takes ${form}`);
} finally {
  await prism.stop();
}

console.log(failures === 0 ? 'ok' : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
