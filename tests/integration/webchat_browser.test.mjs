// The chat widget and the demo shop, in a real browser.
//
// Without more it runs against plugins/webchat/widget/dev-server.mjs. Against a gateway that it starts itself (gateway.mjs):
//   KANAL_BIN            the `kanal` executable;  KANAL_PLUGINS  the plugins' folders, separated by colons
// Against one that runs already:
//   KANAL_CHAT_URL       the channel's public URL (its `origins` must allow the shop; "*" will do);  KANAL_NATS_URL  its broker
//   KANAL_SHOP_LISTEN    host:port at which the test serves the shop (default: a free port of 127.0.0.1)
//   KANAL_CHAT_ANSWERER  a module whose createAnswerer(chatUrl, natsUrl) plays the other side (default: webchat_answerer.mjs)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startShop } from '../../consumers/shop/server.mjs';
import { freePort, startGateway } from './gateway.mjs';
import { startDevServer } from '../../plugins/webchat/widget/dev-server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const DESKTOP = { width: 1200, height: 850 };
const PHONE = { width: 390, height: 780 };
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC', 'base64');

let browser;
let dev; // the development server, or
let gateway; // a gateway of our own
let shop;
let other; // who answers

// The other side, played through the development server.
//   received(visitor, match)  the visitor's message for which match(parts) holds: { external_id, content, reply_to, count }
//   send(visitor, content, author?) → id;  edit(visitor, id, content);  remove(visitor, id);  typing(visitor)
//   read(visitor, external_id);  receipt(visitor, 'delivered' | 'read', id): that the visitor's page has reported it
//   typed(visitor): that the visitor was seen typing;  close()
function devAnswerer({ controls }) {
  const of = (visitor) => controls.visitors().find((one) => one.id === visitor);
  return {
    async received(visitor, match) {
      const found = await until(() => of(visitor)?.items.filter((item) => item.from === 'visitor' && match(item.content)));
      return { external_id: found[0].id, content: found[0].content, reply_to: found[0].reply_to, count: found.length };
    },
    send: async (visitor, content, author) => controls.send({ visitor, content, author }).id,
    edit: async (visitor, message, content) => controls.edit({ visitor, message, content }),
    remove: async (visitor, message) => controls.delete({ visitor, message }),
    typing: async (visitor) => controls.typing({ visitor }),
    read: async (visitor, message) => controls.read({ visitor, message }),
    receipt: (visitor, kind, id) => until(() => of(visitor)?.marks[kind] === id),
    typed: () => until(() => controls.frames().some((frame) => frame.type === 'typing')),
    hello: async (visitor) => of(visitor)?.hello,
    close: () => {},
  };
}

async function until(probe, ms = 20000) {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 30))) {
    const value = await probe();
    if (Array.isArray(value) ? value.length > 0 : value) return value;
  }
  throw new Error(`waited ${ms} ms in vain for ${probe}`);
}

before(async () => {
  const listen = process.env.KANAL_SHOP_LISTEN || `127.0.0.1:${await freePort()}`;
  let chatUrl = process.env.KANAL_CHAT_URL;
  if (process.env.KANAL_BIN) {
    gateway = await startGateway({ kanal: process.env.KANAL_BIN, plugins: process.env.KANAL_PLUGINS.split(':'), origin: `http://${listen}` });
    chatUrl = gateway.chatUrl;
  }
  if (chatUrl) {
    const { createAnswerer } = await import(process.env.KANAL_CHAT_ANSWERER || './webchat_answerer.mjs');
    other = await createAnswerer(chatUrl, gateway?.natsUrl || process.env.KANAL_NATS_URL);
  } else {
    dev = await startDevServer();
    chatUrl = dev.base;
    other = devAnswerer(dev);
  }
  shop = await startShop({ listen, chatUrl, formUrl: gateway?.formUrl || 'http://127.0.0.1:9/c/shop-form' });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
});

after(async () => {
  await browser?.close();
  await other?.close();
  shop?.close();
  dev?.close();
  await gateway?.close();
});

async function takeDown() {
  if (gateway) return gateway.kill();
  dev.controls.refuse({ on: true });
  return dev.controls.drop();
}

async function bringBack() {
  if (gateway) return gateway.start();
  return dev.controls.refuse({ on: false });
}

// ---- A person ----

const at = (page, selector) => page.locator(`kanal-chat ${selector}`);
const input = (page) => at(page, 'textarea');
const bubble = (page, text) => at(page, '.message').filter({ hasText: text });

// A browser profile with the shop open. Whatever goes wrong in the page fails the test that closes it.
async function visit(t, options = {}) {
  const { query = '', prepare = async () => {}, expectErrors = false, ...rest } = options;
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: 'light', locale: 'en-GB', ...rest });
  context.setDefaultTimeout(20000);
  const faults = [];
  context.on('weberror', (error) => faults.push(error.error().message));
  context.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await prepare(context);
  t.after(async () => {
    await context.close();
    if (!expectErrors) assert.deepEqual(faults, []);
  });
  return { context, page: await openShop(context, query) };
}

async function openShop(context, query = '') {
  const page = await context.newPage();
  await page.goto(shop.url + query);
  await at(page, '.launcher').waitFor();
  return page;
}

async function openChat(page) {
  await at(page, '.launcher').click();
  await page.locator('kanal-chat[data-status="ready"]').waitFor({ state: 'attached' });
}

async function say(page, text) {
  await input(page).fill(text);
  await input(page).press('Enter');
}

async function sent(page, text) {
  await bubble(page, text).and(at(page, '[data-state="sent"], [data-state="read"]')).waitFor();
}

const visitorOf = async (page) => (await page.evaluate(() => window.KanalChat.session())).split('.')[1];
const text = (words) => [{ type: 'text', text: words }];
const focusedIn = (page) => page.evaluate(() => {
  const inner = document.querySelector('kanal-chat').shadowRoot.activeElement;
  return inner ? inner.className || inner.tagName : document.activeElement.tagName;
});

// In the page, before anything else: changes it as if it had been written so.
function changed({ lang, accent }) {
  new MutationObserver(() => {
    if (lang) document.documentElement.lang = lang;
    const script = document.querySelector('script[data-accent]');
    if (accent && script) script.dataset.accent = accent;
  }).observe(document, { childList: true, subtree: true });
}

async function accessible(page, context = undefined) {
  await page.evaluate(AXE); // outside of the page's policy
  const { violations } = await page.evaluate((scope) => window.axe.run(scope || document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }), context);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target + ' ' + n.failureSummary).join('; ')}`), []);
}

// ---- The conversation ----

describe('the conversation', () => {
  test('a page with the widget opens no connection until the chat is opened', async (t) => {
    const { page } = await visit(t);
    let sockets = 0;
    page.on('websocket', () => { sockets += 1; });
    await page.waitForTimeout(400);
    assert.equal(sockets, 0);
    await openChat(page);
    assert.equal(sockets, 1);
  });

  test('a hand-off link opens the chat, is told once, and leaves the address', async (t) => {
    const { context } = await visit(t);
    for (const query of ['#kanal=k_abc-9', '?kanal=k_abc-8&x=1#top']) {
      const page = await context.newPage();
      await page.goto(shop.url + query);
      const ready = () => page.locator('kanal-chat[data-status="ready"]').waitFor({ state: 'attached' });
      await ready();
      await input(page).waitFor();
      assert.doesNotMatch(page.url(), /kanal=/);
      const visitor = await visitorOf(page), hello = await other.hello?.(visitor);
      if (hello) assert.equal(hello.ref, /k_abc-\d/.exec(query)[0]);
      if (hello) assert.doesNotMatch(hello.page.url, /kanal=/);
      await page.reload();
      await ready();
      if (hello) assert.equal((await other.hello(visitor)).ref, undefined);
      await page.close();
    }
  });

  test('a message arrives, an answer comes back, and both survive a reload', async (t) => {
    const { page } = await visit(t, { query: '?utm_source=instagram&yclid=77' });
    await openChat(page);
    await say(page, 'Is the Yirgacheffe washed?');
    await sent(page, 'washed?');
    const visitor = await visitorOf(page);
    const message = await other.received(visitor, (parts) => parts[0].text === 'Is the Yirgacheffe washed?');
    assert.equal(message.count, 1);
    await other.read(visitor, message.external_id);
    await bubble(page, 'washed?').and(at(page, '[data-state="read"]')).waitFor();
    const answer = await other.send(visitor, text('It is, at 1,900 metres.'), 'Anna');
    await bubble(page, '1,900 metres').waitFor();
    assert.match(await bubble(page, '1,900 metres').innerText(), /Anna/);
    await other.receipt(visitor, 'delivered', answer);
    await other.receipt(visitor, 'read', answer);
    await page.reload();
    await bubble(page, '1,900 metres').waitFor(); // stood open, opens again
    await bubble(page, 'washed?').and(at(page, '[data-state="read"]')).waitFor();
    assert.equal(await visitorOf(page), visitor);
    assert.equal(await at(page, '.message.mine').count(), 1);
    const hello = await other.hello?.(visitor);
    if (hello) assert.equal(hello.attribution.utm_source, 'instagram');
  });

  test('typing is told both ways', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    await input(page).pressSequentially('hel');
    const visitor = await visitorOf(page);
    await other.typed(visitor);
    await other.typing(visitor);
    await at(page, '.typing').filter({ hasText: 'typing' }).waitFor();
    await other.send(visitor, text('done typing'));
    await bubble(page, 'done typing').waitFor();
    assert.equal(await at(page, '.typing').innerText(), '');
  });

  test('a button answers the message that offered it', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    const visitor = await visitorOf(page);
    const asked = await other.send(visitor, [{ type: 'text', text: 'Whole beans?' }, { type: 'choice', style: 'buttons', options: [{ text: 'Beans', payload: 'BEANS' }, { text: 'Ground', payload: 'GROUND' }] }]);
    await at(page, 'button.option', { hasText: 'Beans' }).first().click();
    const answer = await other.received(visitor, (parts) => parts[0].type === 'answer');
    assert.equal(answer.content[0].payload, 'BEANS');
    assert.equal(answer.reply_to?.external_id ?? answer.reply_to, asked);
    await at(page, 'button.option[aria-pressed="true"]').filter({ hasText: 'Beans' }).waitFor();
    await other.send(visitor, [{ type: 'text', text: 'Sure?' }, { type: 'choice', style: 'quick_replies', options: [{ text: 'Quite', payload: 'Q' }] }]);
    await at(page, 'button.option').filter({ hasText: 'Quite' }).click();
    await bubble(page, 'Quite').and(at(page, '.mine')).waitFor();
    assert.equal(await at(page, 'button.option').filter({ hasText: 'Quite' }).count(), 0); // quick replies go away
  });

  test('edits and deletions show', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    const visitor = await visitorOf(page);
    const [first, second] = [await other.send(visitor, text('forty roubles')), await other.send(visitor, text('a slip of the pen'))];
    await bubble(page, 'a slip').waitFor();
    await other.edit(visitor, first, text('fourteen roubles'));
    await other.remove(visitor, second);
    await bubble(page, 'fourteen roubles').filter({ hasText: 'edited' }).waitFor();
    await bubble(page, 'Message deleted').waitFor();
    assert.equal(await bubble(page, 'a slip').count(), 0);
  });

  test('two pages of one visitor show the same', async (t) => {
    const { context, page } = await visit(t);
    await openChat(page);
    await say(page, 'from the first page');
    await sent(page, 'from the first page');
    const second = await openShop(context);
    await openChat(second);
    await bubble(second, 'from the first page').waitFor();
    await say(second, 'from the second page');
    await bubble(page, 'from the second page').waitFor();
    assert.equal(await bubble(page, 'from the second page').count(), 1);
  });

  test('what came meanwhile is counted, and read when the chat is opened', async (t) => {
    const { context, page } = await visit(t);
    await openChat(page);
    const visitor = await visitorOf(page);
    await input(page).press('Escape');
    await other.send(visitor, text('while it was closed'));
    await at(page, '.badge').filter({ hasText: '1' }).waitFor();
    assert.match(await at(page, '.launcher').getAttribute('aria-label'), /New messages: 1/);
    await page.close(); // now nobody is there
    const last = await other.send(visitor, text('while nobody was there'));
    const again = await openShop(context);
    await at(again, '.badge').filter({ hasText: '2' }).waitFor();
    await openChat(again);
    await bubble(again, 'while nobody was there').waitFor();
    await other.receipt(visitor, 'read', last);
    await at(again, '.badge').waitFor({ state: 'hidden' });
  });
});

// ---- When things go wrong ----

describe('when things go wrong', () => {
  test('what is written without a connection is sent once when it is back', async (t) => {
    const { context, page } = await visit(t, { expectErrors: true });
    await openChat(page);
    await say(page, 'before');
    await sent(page, 'before');
    await context.setOffline(true);
    await at(page, '.banner').filter({ hasText: 'No connection' }).waitFor();
    await say(page, 'into the void');
    await bubble(page, 'into the void').and(at(page, '[data-state="sending"]')).waitFor();
    await context.setOffline(false);
    await sent(page, 'into the void');
    await at(page, '.banner').waitFor({ state: 'hidden' });
    const message = await other.received(await visitorOf(page), (parts) => parts[0].text === 'into the void');
    assert.equal(message.count, 1);
  });

  test('a message without an ack survives the gateway being killed, and a reload', async (t) => {
    if (!dev && !gateway) return t.skip('needs a server that can be taken down');
    const { page } = await visit(t, { expectErrors: true });
    await openChat(page);
    await say(page, 'while it lives');
    await sent(page, 'while it lives');
    await takeDown();
    await at(page, '.banner').waitFor();
    await say(page, 'do not lose me');
    await bubble(page, 'do not lose me').and(at(page, '[data-state="sending"]')).waitFor();
    if (dev) { // its page is gone with it otherwise
      await page.reload();
      await bubble(page, 'do not lose me').and(at(page, '[data-state="sending"]')).waitFor();
    }
    await bringBack();
    await bubble(page, 'do not lose me').and(at(page, '[data-state="sent"]')).waitFor({ timeout: 40000 });
    assert.equal((await other.received(await visitorOf(page), (parts) => parts[0].text === 'do not lose me')).count, 1);
    await bubble(page, 'while it lives').waitFor();
    await other.send(await visitorOf(page), text('we are back'));
    await bubble(page, 'we are back').waitFor();
  });

  for (const [what, control] of [['never heard', 'deaf'], ['stored, its ack lost', 'mute']]) {
    test(`a message that went out and was ${what} is there once`, async (t) => {
      if (!dev) return t.skip('needs the development server');
      const { page } = await visit(t, { expectErrors: true });
      await openChat(page);
      dev.controls[control]({ on: true });
      await say(page, 'anybody there?');
      await until(() => dev.controls.frames().find((frame) => frame.text === 'anybody there?'));
      dev.controls[control]({ on: false });
      assert.equal(await bubble(page, 'anybody there?').getAttribute('data-state'), 'sending');
      dev.controls.drop();
      await sent(page, 'anybody there?');
      assert.equal(await bubble(page, 'anybody there?').count(), 1);
      assert.equal((await other.received(await visitorOf(page), (parts) => parts[0].text === 'anybody there?')).count, 1);
    });
  }

  test('a token that is not accepted makes a new visitor', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    const before = await visitorOf(page);
    await page.evaluate(() => {
      const key = Object.keys(localStorage).find((name) => name.endsWith(':token'));
      localStorage.setItem(key, localStorage.getItem(key).replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')));
    });
    await page.reload();
    await say(page, 'as somebody else');
    await sent(page, 'as somebody else');
    assert.notEqual(await visitorOf(page), before);
  });

  test('it works where storage is blocked', async (t) => {
    const block = () => {
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: () => { throw new DOMException('blocked', 'SecurityError'); } });
    };
    const { page } = await visit(t, { prepare: (context) => context.addInitScript(block) });
    await openChat(page);
    await say(page, 'no cookies, please');
    await sent(page, 'no cookies, please');
    await at(page, '[aria-label="Close the chat"]').first().click();
    await openChat(page);
    await bubble(page, 'no cookies, please').waitFor();
  });

  test('nothing that is written becomes markup or a dangerous link', async (t) => {
    const { page } = await visit(t, { prepare: (context) => context.addInitScript(() => { window.pwned = 0; }) });
    await openChat(page);
    const visitor = await visitorOf(page);
    const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</scr' + 'ipt> javascript:alert(1) see https://example.com/a?b=1&c=2. and (www.example.org)';
    await say(page, evil);
    await sent(page, 'onerror');
    await other.send(visitor, text(evil));
    await at(page, '.message:not(.mine)').filter({ hasText: 'onerror' }).waitFor();
    const links = await at(page, '.message a').evaluateAll((nodes) => nodes.map((node) => [node.href, node.rel, node.target]));
    assert.equal(links.length, 4);
    for (const [href, rel] of links) {
      assert.match(href, /^https:\/\/(example\.com\/a\?b=1&c=2|www\.example\.org\/)$/);
      assert.match(rel, /noopener/);
    }
    assert.equal(await page.evaluate(() => window.pwned), 0);
    assert.equal(await at(page, '.message img').count(), 0);
  });

  test('too long a text is not sent, and stays', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    await say(page, 'я'.repeat(4001));
    await at(page, '[role="alert"]').filter({ hasText: '4000' }).waitFor();
    assert.equal((await input(page).inputValue()).length, 4001);
    assert.equal(await at(page, '.message.mine').count(), 0);
  });
});

// ---- Files ----

describe('files', () => {
  test('a picture is uploaded, shown, and there again after a reload', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    await at(page, 'input[type=file]').setInputFiles({ name: 'my cup.png', mimeType: 'image/png', buffer: PNG });
    await at(page, '.message.mine img').waitFor();
    const message = await other.received(await visitorOf(page), (parts) => parts[0].type === 'image');
    assert.equal(message.content[0].name, 'my cup.png');
    await page.reload();
    await at(page, '.message.mine img').waitFor();
    assert.ok(await at(page, '.message.mine img').evaluate((image) => image.complete && image.naturalWidth === 10));
  });

  test('what is too large or of the wrong kind is refused at once', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    await at(page, 'input[type=file]').evaluate((node) => { // made in the page: sending 17 MiB there takes its time
      const files = new DataTransfer();
      files.items.add(new File([new Uint8Array(17 * 1024 * 1024)], 'big.png', { type: 'image/png' }));
      node.files = files.files;
      node.dispatchEvent(new Event('change'));
    });
    await at(page, '[role="alert"]').filter({ hasText: 'larger than' }).waitFor();
    await at(page, 'input[type=file]').setInputFiles({ name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<script>') });
    await at(page, '[role="alert"]').filter({ hasText: 'not accepted' }).waitFor();
    assert.equal(await at(page, '.message.mine').count(), 0);
  });

  test('an upload that fails can be tried again', async (t) => {
    const { page, context } = await visit(t, { expectErrors: true });
    await openChat(page);
    await context.route('**/upload', (route) => route.abort());
    await at(page, 'input[type=file]').setInputFiles({ name: 'cup.png', mimeType: 'image/png', buffer: PNG });
    await at(page, '.message.failed').filter({ hasText: 'could not be uploaded' }).waitFor();
    await context.unroute('**/upload');
    await at(page, '.message.failed button').filter({ hasText: 'Try again' }).click();
    await at(page, '.message.mine[data-state="sent"] img').waitFor();
  });
});

// ---- For everybody ----

describe('for everybody', () => {
  test('the keyboard is enough: open, write, answer, close', async (t) => {
    const { page } = await visit(t);
    await at(page, '.launcher').focus();
    await page.keyboard.press('Enter');
    await page.locator('kanal-chat[data-status="ready"]').waitFor({ state: 'attached' });
    assert.equal(await focusedIn(page), 'TEXTAREA');
    await page.keyboard.type('only keys');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two lines');
    await page.keyboard.press('Enter');
    await sent(page, 'two lines');
    await other.send(await visitorOf(page), [{ type: 'text', text: 'Choose' }, { type: 'choice', style: 'buttons', options: [{ text: 'This', payload: 'THIS' }] }]);
    await at(page, 'button.option').waitFor();
    for (let i = 0; i < 12 && !(await focusedIn(page)).includes('option'); i += 1) await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Space');
    await other.received(await visitorOf(page), (parts) => parts[0].type === 'answer');
    await page.keyboard.press('Escape');
    await at(page, '.panel').waitFor({ state: 'hidden' });
    assert.match(await focusedIn(page), /launcher/);
    assert.equal(await at(page, '.launcher').getAttribute('aria-expanded'), 'false');
  });

  test('a screen reader has a dialog, a log that speaks and named controls', async (t) => {
    const { page } = await visit(t);
    await openChat(page);
    const panel = at(page, '[role=dialog]');
    assert.equal(await panel.getAttribute('aria-modal'), null); // beside the page, not instead of it
    assert.ok(await page.getByRole('dialog', { name: 'Kanal Coffee' }).isVisible());
    assert.ok(await page.getByRole('log', { name: 'Messages' }).isVisible());
    assert.equal(await page.getByRole('log').getAttribute('aria-live'), 'polite');
    assert.ok(await page.getByRole('textbox', { name: 'Your message' }).isVisible());
    assert.ok(await page.getByRole('button', { name: 'Attach a file' }).isVisible());
    await other.send(await visitorOf(page), text('speak up'));
    assert.match(await bubble(page, 'speak up').innerText(), /Support:/);
    await input(page).press('Escape');
    await other.send(await visitorOf(page), text('heard through the wall'));
    await at(page, '[role=status]').filter({ hasText: 'New message: heard through the wall' }).waitFor({ state: 'attached' });
  });

  test('on a phone it fills the screen, keeps the focus and lets it go', async (t) => {
    const { page } = await visit(t, { viewport: PHONE, hasTouch: true, isMobile: true, deviceScaleFactor: 2, reducedMotion: 'reduce' });
    await openChat(page);
    const box = await at(page, '.panel').boundingBox();
    assert.deepEqual([box.x, box.y, box.width, box.height].map(Math.round), [0, 0, PHONE.width, PHONE.height]);
    assert.equal(await at(page, '.panel').getAttribute('aria-modal'), 'true');
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).overflow), 'hidden');
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab');
      assert.notEqual(await focusedIn(page), 'BODY');
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'KANAL-CHAT');
    }
    for (const size of await at(page, '.panel button:visible').evaluateAll((nodes) => nodes.map((node) => Math.min(node.offsetWidth, node.offsetHeight)))) assert.ok(size >= 44, `a target of ${size} px`);
    assert.ok(parseFloat(await input(page).evaluate((node) => getComputedStyle(node).fontSize)) >= 16); // smaller ones make iOS zoom
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    await at(page, '.head button').click();
    assert.equal(await page.evaluate(() => document.documentElement.style.overflow), '');
  });

  test("the page's styles stay out, and the widget's stay in", async (t) => {
    const { page } = await visit(t);
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('* { color: lime !important; font-size: 40px !important; display: block !important; } kanal-chat { display: none !important; opacity: 0 !important; }');
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    });
    await openChat(page);
    assert.equal(await at(page, '.head h2').evaluate((node) => getComputedStyle(node).fontSize), '17px');
    assert.ok(await at(page, '.panel').isVisible());
    assert.equal(await page.locator('kanal-chat').evaluate((node) => getComputedStyle(node).opacity), '1');
  });

  test('who wants no motion gets none', async (t) => {
    const { page } = await visit(t, { reducedMotion: 'reduce' });
    await openChat(page);
    assert.equal(await at(page, '.panel').evaluate((node) => getComputedStyle(node).animationName), 'none');
    await other.typing(await visitorOf(page));
    await at(page, '.typing').filter({ hasText: 'typing' }).waitFor();
    assert.equal(await at(page, '.panel').evaluate((node) => node.getAnimations({ subtree: true }).length), 0);
  });

  test('it speaks the language of the page', async (t) => {
    const { page } = await visit(t, { prepare: (context) => context.addInitScript(changed, { lang: 'ru' }) });
    await openChat(page);
    assert.equal(await input(page).getAttribute('placeholder'), 'Напишите сообщение…');
  });

  for (const [name, options, accent] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', { viewport: PHONE }], ['a pale colour', {}, '#ffe45c'], ['a middling colour', {}, '#7f7f7f'], ['a pale colour in the dark', { colorScheme: 'dark' }, '#fff0b0']]) {
    test(`axe finds nothing: chat, ${name}`, async (t) => {
      const prepare = async (context) => accent && context.addInitScript(changed, { accent });
      const { page } = await visit(t, { ...options, reducedMotion: 'reduce', prepare });
      await openChat(page);
      const visitor = await visitorOf(page);
      await say(page, 'See https://example.com/');
      await sent(page, 'See');
      await other.send(visitor, [{ type: 'text', text: 'One of these?' }, { type: 'choice', style: 'list', options: [{ text: 'First', payload: '1', description: 'the cheap one' }, { text: 'Second', payload: '2', look: 'primary' }, { text: 'Never', payload: '3', look: 'negative' }] }]);
      await other.send(visitor, [{ type: 'carousel', cards: [{ title: 'A card', text: 'With text', price: '990.00', currency: 'RUB', options: [{ text: 'Take', payload: 't' }] }] }]);
      await other.send(visitor, [{ type: 'location', lat: 55.75, lon: 37.61, name: 'Shop' }, { type: 'contact', name: 'Anna', phones: ['+79160000000'] }, { type: 'file', url: 'https://example.com/a.pdf', name: 'a.pdf', size: 1000 }]);
      await other.typing(visitor);
      await at(page, '.typing').filter({ hasText: 'typing' }).waitFor();
      await accessible(page, 'kanal-chat');
    });
  }
});

// ---- The shop ----

describe('the demo shop', () => {
  for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', { viewport: PHONE }]]) {
    test(`axe finds nothing: page and cart, ${name}`, async (t) => {
      const { page } = await visit(t, options);
      await accessible(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
      await page.getByRole('button', { name: 'Add to cart: Brazil Cerrado' }).click();
      await page.getByRole('button', { name: /^Cart/ }).click();
      await accessible(page);
    });
  }

  test('the cart counts, adds up and empties by keyboard', async (t) => {
    const { page } = await visit(t);
    for (const name of ['Brazil Cerrado', 'Brazil Cerrado', 'Kenya Nyeri']) await page.getByRole('button', { name: `Add to cart: ${name}` }).press('Enter');
    await page.getByRole('button', { name: 'Cart 3' }).press('Enter');
    assert.match(await page.locator('#cart-total').innerText(), /2,770/);
    await page.getByRole('button', { name: 'Remove one Kenya Nyeri' }).press('Enter');
    assert.match(await page.locator('#cart-total').innerText(), /1,580/);
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'cart-open');
  });

  test('the form sends what was typed, agreed to and where it came from', async (t) => {
    const { page, context } = await visit(t, { query: '?utm_source=vk&yclid=9' });
    const posted = [];
    await context.route('**/c/shop-form/**', (route) => {
      const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
      if (route.request().method() === 'POST') posted.push(route.request().postDataJSON());
      return route.fulfill({ status: 200, headers: cors, json: { token: 't1', ok: true, session: `v1.${'a'.repeat(26)}.${'A'.repeat(43)}` } });
    });
    await openChat(page);
    await input(page).press('Escape');
    await page.getByRole('button', { name: 'Call me back' }).click();
    assert.match(await page.locator('#form-problem').innerText(), /phone number/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f-phone');
    await page.getByLabel('Your name').fill('Анна');
    await page.getByLabel('Phone').fill('+7 916 123-45-67');
    await page.getByRole('button', { name: 'Call me back' }).click();
    assert.match(await page.locator('#form-problem').innerText(), /agree/);
    await page.getByLabel(/I agree/).check();
    await page.getByRole('button', { name: 'Call me back' }).click();
    await page.locator('#form-thanks').waitFor();
    assert.equal(posted.length, 1);
    assert.equal(posted[0].token, 't1');
    assert.equal(posted[0].fields.phone, '+7 916 123-45-67');
    assert.deepEqual(posted[0].consent.map((one) => [one.purpose, one.given]), [['callback', true], ['marketing', false]]);
    assert.deepEqual(posted[0].attribution, { utm_source: 'vk', click_ids: { yclid: '9' } });
    assert.match(posted[0].session, /^v1\.[a-z2-7]{26}\./); // the same visitor as in the chat
    assert.notEqual(await visitorOf(page), 'a'.repeat(26)); // who keeps being who they were
  });

  test('form and chat are one visitor to the gateway', async (t) => {
    if (!gateway) return t.skip('needs a gateway with a form channel');
    const { page } = await visit(t, { query: '?utm_source=vk&yclid=9' });
    await page.getByLabel('Phone').fill('+7 916 123-45-67');
    await page.getByLabel(/I agree/).check();
    await page.getByRole('button', { name: 'Call me back' }).click();
    await page.locator('#form-thanks').waitFor();
    const visitor = await visitorOf(page); // of the form's answer
    const { data } = await other.submitted(visitor);
    assert.equal(data.form.fields.find((field) => field.name === 'phone').value, '+7 916 123-45-67');
    assert.equal(data.attribution.utm_source, 'vk');
    await other.send(visitor, text('We call you at once.'));
    await openChat(page);
    await bubble(page, 'We call you at once.').waitFor();
    await say(page, 'Thank you');
    await other.received(visitor, (parts) => parts[0].text === 'Thank you');
  });

  test('who sends the form first is the same visitor in the chat', async (t) => {
    const { page } = await visit(t);
    const session = `v1.${'a'.repeat(26)}.${'A'.repeat(43)}`;
    assert.equal(await page.evaluate(() => window.KanalChat.session()), null);
    await page.evaluate((token) => window.KanalChat.adopt(token), 'nonsense');
    assert.equal(await page.evaluate(() => window.KanalChat.session()), null);
    await page.evaluate((token) => window.KanalChat.adopt(token), session);
    assert.equal(await page.evaluate(() => window.KanalChat.session()), session);
  });
});
