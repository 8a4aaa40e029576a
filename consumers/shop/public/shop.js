// The demo shop: a cart that lives in the page, and a call-back form that goes to a `webform` channel of the gateway.
'use strict';

const byId = (id) => document.getElementById(id);
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'RUB', currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 });

// ---- The goods: each gets a picture and a button ----

const SVG = 'http://www.w3.org/2000/svg';

function shape(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function bag(hue) {
  const colour = (lightness, saturation = 42) => `hsl(${hue} ${saturation}% ${lightness}%)`;
  return shape('svg', { viewBox: '0 0 260 150', class: 'bag', preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true', focusable: 'false' },
    shape('rect', { width: 260, height: 150, fill: colour(88, 48) }),
    shape('circle', { cx: 205, cy: 34, r: 62, fill: colour(82, 52) }),
    shape('path', { d: 'M92 30h76l7 12v93a8 8 0 0 1-8 8H93a8 8 0 0 1-8-8V42z', fill: colour(36) }),
    shape('path', { d: 'M92 30h76l7 12H85z', fill: colour(28) }),
    shape('rect', { x: 101, y: 66, width: 58, height: 48, rx: 6, fill: colour(94, 55) }),
    shape('ellipse', { cx: 130, cy: 90, rx: 11, ry: 15, fill: colour(30), transform: 'rotate(28 130 90)' }),
    shape('path', { d: 'M124 79c8 7 3 14 11 22', stroke: colour(94, 55), 'stroke-width': 2.4, fill: 'none' }));
}

const goods = new Map();
for (const node of document.querySelectorAll('.good')) {
  const good = { id: node.dataset.id, name: node.querySelector('h3').textContent, price: Number(node.dataset.price) };
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'button';
  button.textContent = 'Add to cart';
  button.setAttribute('aria-label', `Add to cart: ${good.name}`);
  button.addEventListener('click', () => put(good, 1));
  node.prepend(bag(node.dataset.hue));
  node.append(button);
  goods.set(good.id, good);
}

// ---- The cart ----

const cart = new Map();

function put(good, change) {
  const count = (cart.get(good.id) || 0) + change;
  if (count > 0) cart.set(good.id, count);
  else cart.delete(good.id);
  byId('status').textContent = change > 0 ? `${good.name} is in your cart.` : `${good.name} was removed.`;
  showCart();
}

function showCart() {
  const rows = [...cart].map(([id, count]) => [goods.get(id), count]);
  byId('cart-count').textContent = String(rows.reduce((sum, [, count]) => sum + count, 0));
  byId('cart-items').replaceChildren(...rows.map(([good, count]) => {
    const row = document.createElement('li');
    const name = document.createElement('span');
    const price = document.createElement('span');
    const remove = document.createElement('button');
    name.textContent = count > 1 ? `${good.name} × ${count}` : good.name;
    price.textContent = money.format(good.price * count);
    remove.type = 'button';
    remove.textContent = 'Remove';
    remove.setAttribute('aria-label', `Remove one ${good.name}`);
    remove.addEventListener('click', () => {
      put(good, -1);
      (byId('cart-items').querySelector('button') || byId('cart-close')).focus();
    });
    row.append(name, price, remove);
    return row;
  }));
  byId('cart-empty').hidden = rows.length > 0;
  byId('cart-total').hidden = byId('cart-order').hidden = rows.length === 0;
  byId('cart-total').textContent = `Total ${money.format(rows.reduce((sum, [good, count]) => sum + good.price * count, 0))}`;
}

byId('cart-open').addEventListener('click', () => byId('cart').showModal());
byId('cart-close').addEventListener('click', () => byId('cart').close());
byId('cart-order').addEventListener('click', () => {
  cart.clear();
  showCart();
  byId('cart').close();
  byId('status').textContent = 'Thank you for your order.';
});

// ---- The chat ----

byId('ask').addEventListener('click', () => window.KanalChat?.open());
window.addEventListener('load', () => { byId('ask').hidden = !window.KanalChat; });

// ---- How the visitor came: the form tells it with what it sends ----

const UTM = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'utm_id'];
const CLICKS = ['gclid', 'yclid', 'fbclid', 'vkclid'];

function attribution() {
  const query = new URLSearchParams(location.search);
  const pick = (names) => Object.fromEntries(names.filter((name) => query.get(name)).map((name) => [name, query.get(name).slice(0, 256)]));
  const clicks = pick(CLICKS);
  return { ...pick(UTM), ...(Object.keys(clicks).length > 0 ? { click_ids: clicks } : {}) };
}

// ---- The form ----

const form = byId('callback-form');

function problem(text, field) {
  byId('form-problem').textContent = text;
  byId('form-problem').hidden = !text;
  for (const input of form.elements) if (input.name) input.removeAttribute('aria-invalid');
  field?.setAttribute('aria-invalid', 'true');
  field?.focus();
}

function faulty() {
  if (form.phone.value.replace(/\D/g, '').length < 10) return ['Please enter your phone number with the country code.', form.phone];
  if (!byId('f-consent').checked) return ['Please agree that we may call you.', byId('f-consent')];
  return null;
}

function consent(id, purpose) {
  return { purpose, given: byId(id).checked, text: byId(`${id}-text`).textContent };
}

// The token keeps a double click from being two events; the session makes chat and form one visitor, whichever came first.
async function submit() {
  const { token } = await (await fetch(new URL('../token?form=callback', form.action))).json();
  const fields = Object.fromEntries(['name', 'phone', 'comment', 'website'].map((name) => [name, form[name].value]));
  const body = {
    token, fields, session: window.KanalChat?.session() || undefined,
    consent: [consent('f-consent', 'callback'), consent('f-news', 'marketing')],
    page: { url: location.href, title: document.title, referrer: document.referrer }, attribution: attribution(),
  };
  const answer = await fetch(form.action, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error?.field === 'phone' ? 'phone' : said.error?.code);
  window.KanalChat?.adopt(said.session);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const fault = faulty();
  if (fault) return problem(...fault);
  problem('');
  const button = form.querySelector('[type="submit"]');
  button.disabled = true;
  try {
    await submit();
    form.hidden = true;
    byId('form-thanks').hidden = false;
    byId('form-thanks').focus();
  } catch (error) {
    if (error.message === 'phone') problem('Please check the phone number.', form.phone);
    else problem('That did not work. Please try again, or write to us in the chat.');
  } finally {
    button.disabled = false;
  }
});
