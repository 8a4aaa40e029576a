// Segment's own SDKs against `kanal run` with a real nats-server: they are told where to send, and nothing else.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Analytics } from '@segment/analytics-node';
import { Kanal, Nats, checkContract, freePort, root, sleep, stored, until } from '../../../tests/integration/gateway/harness.mjs';

const PAGE = 'page-key-1', SERVER = 'server-key-1';
let nats, kanal, client, site, origin, port;

before(async () => {
  site = createServer(serve);
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${site.address().port}`;
  port = await freePort();
  nats = await Nats.start();
  kanal = await Kanal.start(nats, [{ id: 'site', plugin: 'events', settings: { origins: [origin], user_space: 'shop' },
    secrets: { write_key: PAGE, server_key: SERVER } }],
  { http: { listen: `127.0.0.1:${port}`, public_url: `http://127.0.0.1:${port}` }, top: { identity: { salt: 'a salt for tests only', default_region: 'RU' } } });
  client = await nats.client();
});

after(async () => {
  await client?.close();
  await kanal?.stop();
  await nats?.kill('SIGTERM');
  site?.close();
});

const events = async () => [...await stored(client, 'KANAL_ACTIVITY'), ...await stored(client, 'KANAL_EVENTS')]
  .filter((event) => ['activity.tracked', 'profile.observed'].includes(event.data.type));
const named = async (name) => (await events()).filter((event) => event.data.data.activity?.name === name);
const analytics = (more = {}) => new Analytics({ host: kanal.url, path: '/c/site/v1/batch', writeKey: SERVER, flushAt: 10, flushInterval: 200, ...more });

test('@segment/analytics-node: every call', async () => {
  const sdk = analytics();
  const failures = [];
  sdk.on('error', (error) => failures.push(error));
  sdk.identify({ userId: '42', anonymousId: 'v-1', traits: { firstName: 'Анна', email: 'Anna@Exämple.com', phone: '8 (916) 123-45-67', plan: 'gold' } });
  sdk.track({ userId: '42', event: 'Order Completed', properties: { order_id: '1', total: 27.5, currency: 'RUB', products: [{ product_id: 'p', price: 19.99 }] } });
  sdk.page({ anonymousId: 'v-1', name: 'Delivery', properties: { url: 'https://shop.example.com/d?yclid=7' } });
  sdk.screen({ anonymousId: 'v-1', name: 'Cart' });
  sdk.group({ userId: '42', groupId: 'g', traits: { name: 'Initech' } });
  sdk.alias({ userId: '42', previousId: 'v-1' });
  await sdk.closeAndFlush();
  assert.deepEqual(failures, []);
  const [order] = await named('Order Completed');
  assert.equal(order.data.data.customer.address, 'user:shop/42');
  assert.match(order.subject, /^kanal\.activity\.events\.site\.activity\.tracked\.b[0-9a-f]{2}$/);
  assert.equal(order.data.data.activity.properties.products[0].price, '19.99');
  assert.deepEqual(order.data.data.customer.identifiers, [{ address: 'user:shop/42', verified: true, source: 'identify' }]);
  const profile = (await events()).find((event) => event.data.type === 'profile.observed');
  assert.equal(profile.data.data.customer.address, 'visitor:v-1');
  assert.deepEqual(profile.data.data.customer.identifiers.map((one) => [one.address, one.verified]),
    [['user:shop/42', true], ['mailto:anna@xn--exmple-cua.com', false], ['tel:+79161234567', false]]);
  for (const name of ['Page Viewed', 'Screen Viewed', 'Group Joined', 'Identity Merged']) assert.equal((await named(name)).length, 1, name);
});

test('@segment/analytics-node: a wrong key is told, nothing is stored', async () => {
  const sdk = analytics({ writeKey: 'wrong', maxRetries: 0 });
  const failures = [];
  sdk.on('error', (error) => failures.push(error));
  sdk.track({ userId: '42', event: 'Forged' });
  await sdk.closeAndFlush();
  assert.equal(failures.length, 1);
  assert.equal((await named('Forged')).length, 0);
});

test('@segment/analytics-node: what the broker cannot store is sent again by the SDK, and is there once', async () => {
  const sdk = analytics({ flushAt: 1, maxRetries: 30 });
  await nats.kill();
  const before = await kanal.metric(/kanal_http_requests_total\{channel="site",code="503"\}/);
  sdk.track({ userId: '42', event: 'Late', messageId: 'late-1' });
  await until('it was refused', async () => await kanal.metric(/kanal_http_requests_total\{channel="site",code="503"\}/) > before, 15000);
  await nats.run();
  await sdk.closeAndFlush({ timeout: 30000 });
  await until('it is stored', async () => (await named('Late')).length > 0, 15000);
  const again = await kanal.post('/c/site/v1/track', { event: 'Late', userId: '42', messageId: 'late-1' },
    { authorization: `Basic ${Buffer.from(`${SERVER}:`).toString('base64')}` });
  assert.equal(again.status, 200);
  assert.equal((await named('Late')).length, 1);
});

test('a batch of more than the host takes at once', async () => {
  const batch = Array.from({ length: 700 }, (_, i) => ({ type: 'track', event: 'Many', anonymousId: `v-${i}`, messageId: `many-${i}` }));
  assert.equal((await kanal.post('/c/site/v1/batch', { writeKey: PAGE, batch })).status, 200);
  assert.equal((await named('Many')).length, 700);
  const huge = { writeKey: PAGE, batch: [{ ...batch[0], properties: { x: 'x'.repeat(33000) } }] };
  assert.equal((await kanal.post('/c/site/v1/batch', huge)).status, 400);
  assert.equal((await kanal.post('/c/site/v1/batch', JSON.stringify({ batch: [] }).padEnd(500 * 1024 + 1))).status, 400);
});

// ---- In a browser ----

const SDK = path.join(path.dirname(createRequire(import.meta.url).resolve('@segment/analytics-next/package.json')), 'dist/umd');

function serve(request, response) {
  const file = path.basename(request.url.split('?')[0]);
  if (file.endsWith('.js')) {
    response.setHeader('content-type', 'text/javascript');
    response.end(readFileSync(path.join(SDK, file)));
    return;
  }
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>Кофе</title><script src="/index.js"></script><script>
    window.start = (options) => { window.sdk = AnalyticsNext.AnalyticsBrowser.load({ writeKey: '${PAGE}', cdnURL: 'http://127.0.0.1:${port}/c/site' }, options); };
  </script>`);
}

async function withPage(address, use) {
  const { chromium } = await import(path.join(root, 'tests/integration/node_modules/playwright-core/index.mjs'));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
  try {
    const page = await browser.newPage();
    await page.goto(address);
    await use(page);
  } finally {
    await browser.close();
  }
}

test('analytics.js in a page that was told the channel\'s URL only', { skip: !process.env.CHROMIUM && 'no Chromium' }, async () => {
  await withPage(`${origin}/product?utm_source=vk&utm_campaign=autumn&yclid=99`, async (page) => {
    await page.evaluate(async () => {
      window.start({});
      await window.sdk.page('Product');
      await window.sdk.track('Product Added', { product_id: 'sku9', price: 1990, currency: 'RUB' });
      await window.sdk.identify('43', { email: 'b@example.com' });
    });
    const added = await until('the events are there', async () => (await named('Product Added')).find((event) => event.data.data.activity.properties.product_id === 'sku9'));
    const { customer, activity, page: seen, attribution, client: browser } = added.data.data;
    const anonymous = await page.evaluate(() => window.sdk.user().then((user) => user.anonymousId()));
    assert.equal(customer.address, `visitor:${anonymous}`);
    assert.equal(activity.properties.price, '1990');
    assert.match(seen.url, /\/product\?utm_source=vk/);
    assert.equal(seen.title, 'Кофе');
    assert.deepEqual(attribution, { utm_source: 'vk', utm_campaign: 'autumn', click_ids: { yclid: '99' } });
    assert.match(browser.user_agent, /Chrome/);
    const profile = await until('the profile', async () => (await events()).find((event) => event.data.data.profile?.email === 'b@example.com'));
    assert.ok(profile.data.data.customer.identifiers.every((one) => one.verified === false), 'a page only claims');
    assert.equal(profile.data.data.customer.address, `visitor:${anonymous}`);
  });
});

test('analytics.js in batches', { skip: !process.env.CHROMIUM && 'no Chromium' }, async () => {
  await withPage(`${origin}/`, async (page) => {
    await page.evaluate(async () => {
      window.start({ integrations: { 'Segment.io': { deliveryStrategy: { strategy: 'batching', config: { size: 3, timeout: 500 } } } } });
      await Promise.all([1, 2, 3].map((n) => window.sdk.track('Batched', { n })));
    });
    await until('all are there', async () => (await named('Batched')).length === 3);
  });
});

test('a site that is not among the origins', { skip: !process.env.CHROMIUM && 'no Chromium' }, async () => {
  const other = createServer(serve);
  await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    await withPage(`http://127.0.0.1:${other.address().port}/`, async (page) => {
      await page.evaluate((channel) => fetch(`${channel}/v1/t`, { method: 'POST', mode: 'no-cors', body: JSON.stringify({ writeKey: 'page-key-1', event: 'Foreign', anonymousId: 'x' }) }),
        `http://127.0.0.1:${port}/c/site`);
    });
    await sleep(300);
    assert.equal((await named('Foreign')).length, 0);
  } finally {
    other.close();
  }
});

test('every event is valid by the contract, strictly', async () => { assert.ok(await checkContract(client) > 700); });
