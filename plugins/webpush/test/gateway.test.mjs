// web-push-testing is the push service: it checks the VAPID token, decrypts what `kanal run` sends, and says 410 when it is told to. The sample of the
// page and of the service worker run as they are, in stand-ins of a browser.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import vm from 'node:vm';
import webPush from 'web-push';
import { Kanal, Nats, checkContract, freePort, json, root, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs';

const sample = (name) => readFileSync(path.join(root, 'plugins/webpush/sample', name), 'utf8');
const SERVICE = `const Model = require('web-push-testing/src/PushApiModel'); const Server = require('web-push-testing/src/server');
  const PushApiModel = Model.PushApiModel ?? Model; new Server(new PushApiModel(), Number(process.argv[1])).startServer();`;
const ORIGIN = 'https://shop.example.com';
let nats, kanal, client, service, port, keys;

// What the README says: keys of `web-push generate-vapid-keys` as PEM.
function toPem({ publicKey, privateKey }) {
  const der = Buffer.concat([Buffer.from('30770201010420', 'hex'), Buffer.from(privateKey, 'base64url'), Buffer.from('a00a06082a8648ce3d030107a144034200', 'hex'), Buffer.from(publicKey, 'base64url')]);
  return execFileSync('openssl', ['ec', '-inform', 'DER'], { input: der, stdio: ['pipe', 'pipe', 'ignore'] }).toString();
}

before(async () => {
  port = await freePort();
  service = spawn(process.execPath, ['-e', SERVICE, String(port)], { stdio: ['ignore', 'ignore', 'ignore'], cwd: path.dirname(createRequire(import.meta.url).resolve('web-push-testing/package.json')) });
  await until('the push service listens', async () => (await fetch(`http://localhost:${port}/status`, { method: 'POST' })).ok);
  keys = webPush.generateVAPIDKeys();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [{ id: 'push', plugin: 'webpush', egress: ['localhost'],
    settings: { public_key: keys.publicKey, subject: 'mailto:push@shop.example.com', origins: [ORIGIN], push_services: [`http://localhost:${port}`], title: 'Kanal Coffee', url: 'https://shop.example.com/' },
    secrets: { vapid: toPem(keys), session: 'a secret of this test run, 32 bytes and more' } }]);
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  service?.kill('SIGTERM');
});

const ask = async (target, body) => {
  const response = await fetch(`http://localhost:${port}${target}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { code: response.status, ...(await response.json().catch(() => ({}))) };
};
const browserSubscription = async (applicationServerKey = keys.publicKey) => (await ask('/subscribe', { userVisibleOnly: 'true', applicationServerKey })).data; // it wants the word
const notifications = async ({ clientHash }) => (await ask('/get-notifications', { clientHash })).data?.messages ?? [];
const send = (id, visitor, content, more = {}) =>
  client.jetstream().publish('kanal.commands.push.message.send', json.encode({ id, to: { address: `visitor:${visitor}` }, content, ...more }));
const ends = (id, type) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type), 15000);
const consents = async (type) => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.type === type);

// The sample's page, in a browser whose push service is the one above.
function page(subscription) {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const pushManager = {
    subscribe: async ({ applicationServerKey }) => { assert.equal(Buffer.from(applicationServerKey).toString('base64url'), keys.publicKey); return subscription.now; },
    getSubscription: async () => ({ ...subscription.now, toJSON: () => subscription.now, unsubscribe: async () => true }),
  };
  const registration = { pushManager };
  const context = vm.createContext({ module: { exports: {} }, atob, Uint8Array, JSON, Error, localStorage: storage,
    fetch: (url, options) => fetch(url, { ...options, headers: { ...options?.headers, origin: ORIGIN } }),
    Notification: { requestPermission: async () => 'granted' }, navigator: { serviceWorker: { register: async () => registration, ready: Promise.resolve(registration) } } });
  vm.runInContext(sample('page.js'), context);
  return context.module.exports.kanalPush(`${kanal.url}/c/push`, '/sw.js', storage);
}

// The sample's service worker: what it showed, and what it opened.
function worker() {
  const listeners = {}, shown = [], opened = [];
  const self = { addEventListener: (name, listener) => { listeners[name] = listener; }, location: { hostname: 'shop.example.com' },
    registration: { showNotification: async (title, options) => { shown.push({ title, ...options }); } },
    clients: { matchAll: async () => [], openWindow: async (url) => { opened.push(url); } } };
  vm.runInContext(sample('sw.js'), vm.createContext({ self }));
  const fire = async (name, event) => { let done; listeners[name]({ ...event, waitUntil: (promise) => { done = promise; } }); await done; };
  return { shown, opened, push: (text) => fire('push', { data: { json: () => JSON.parse(text) } }),
    click: (notification, action = '') => fire('notificationclick', { action, notification: { ...notification, close: () => {} } }) };
}

let visitor, subscription, browser;

test('the sample subscribes: consent is told once, however often the page is visited', async () => {
  subscription = { now: await browserSubscription() };
  browser = page(subscription);
  visitor = await browser.subscribe();
  assert.match(visitor, /^[a-z2-7]{26}$/);
  assert.equal(await browser.refresh(), visitor);
  const given = await consents('consent.given');
  assert.equal(given.length, 1);
  assert.equal(given[0].data.customer.address, `visitor:${visitor}`);
});

test('a message is decrypted by the push service and shown by the sample', async () => {
  await send('push-1', visitor, [{ type: 'text', text: 'Ваш заказ готов ☕' }, { type: 'choice', style: 'buttons', options: [{ text: 'Маршрут', payload: 'ROUTE', url: 'https://shop.example.com/route' }] }]);
  await ends('push-1', 'message.sent');
  const [text] = await notifications(subscription.now);
  const sw = worker();
  await sw.push(text);
  assert.equal(sw.shown[0].title, 'Kanal Coffee');
  assert.equal(sw.shown[0].body, 'Ваш заказ готов ☕');
  assert.equal(JSON.stringify(sw.shown[0].actions), '[{"action":"ROUTE","title":"Маршрут"}]');
  await sw.click(sw.shown[0]);
  await sw.click(sw.shown[0], 'ROUTE');
  assert.deepEqual(sw.opened, ['https://shop.example.com/', 'https://shop.example.com/route']);
});

test('messages of every length up to the limit arrive whole', async () => {
  for (const length of [1, 1000, 2000]) {
    await send(`push-l${length}`, visitor, [{ type: 'text', text: 'x'.repeat(length) }]);
    await ends(`push-l${length}`, 'message.sent');
    assert.equal(JSON.parse((await notifications(subscription.now)).at(-1)).body.length, length);
  }
});

test('a subscription made with another key is refused by the push service', async () => {
  const other = page({ now: await browserSubscription(webPush.generateVAPIDKeys().publicKey) });
  const stranger = await other.subscribe();
  await send('push-other', stranger, [{ type: 'text', text: 'x' }]);
  await ends('push-other', 'message.failed');
});

test('410: consent is withdrawn, the subscription forgotten; a new one works again', async () => {
  await ask(`/expire-subscription/${subscription.now.clientHash}`, {});
  await send('push-gone', visitor, [{ type: 'text', text: 'x' }]);
  await ends('push-gone', 'message.failed');
  const failed = (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).find((event) => event.type === 'message.failed' && event.data.message.id === 'push-gone');
  assert.deepEqual([failed.data.error.code, failed.data.error.scope], ['opted_out', 'recipient']);
  const withdrawn = await until('it is told', async () => (await consents('consent.withdrawn')).find((event) => event.data.customer.address === `visitor:${visitor}`));
  assert.equal(withdrawn.data.reason, 'provider');
  subscription.now = await browserSubscription();
  assert.equal(await browser.refresh(), visitor);
  await send('push-back', visitor, [{ type: 'text', text: 'again' }]);
  await ends('push-back', 'message.sent');
});

test('the sample unsubscribes', async () => {
  await browser.unsubscribe();
  assert.equal((await consents('consent.withdrawn')).filter((event) => event.data.reason === 'unsubscribed').length, 1);
  await send('push-late', visitor, [{ type: 'text', text: 'x' }]);
  await ends('push-late', 'message.failed');
});

test('and subscribes the same endpoint again, which is another consent', async () => {
  const before = (await consents('consent.given')).length;
  assert.equal(await browser.refresh(), visitor);
  assert.equal((await consents('consent.given')).length, before + 1);
});

test('an endpoint that is no push service is not kept', async () => {
  const response = await kanal.post('/c/push/subscription', { subscription: { ...(await browserSubscription()), endpoint: 'https://127.0.0.1/x' } });
  assert.equal(response.status, 422);
});

test('every event is valid by the contract, strictly', async () => { assert.ok(await checkContract(client) > 10); });
