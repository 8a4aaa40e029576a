// Turns the parts of a message into DOM. Whatever comes from outside becomes text nodes and checked addresses; nothing is
// ever parsed as HTML.

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') node.className = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const ICONS = {
  chat: 'M12 3C6.9 3 3 6.5 3 10.9c0 2.4 1.2 4.5 3 6V21l3.7-2.3c.7.1 1.5.2 2.3.2 5.1 0 9-3.5 9-8S17.1 3 12 3z',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M4 12l16-8-5.5 16-3.5-6.5L4 12zM11 13.5L20 4',
  clip: 'M20 11.5l-8.3 8.3a5.2 5.2 0 01-7.4-7.4l8.7-8.7a3.5 3.5 0 015 5l-8.7 8.7a1.7 1.7 0 01-2.5-2.4l8-8',
  file: 'M7 3h7l5 5v13H7zM14 3v5h5',
  pin: 'M12 21s7-6.2 7-11.5a7 7 0 10-14 0C5 14.8 12 21 12 21zM12 12a2.5 2.5 0 100-5 2.5 2.5 0 000 5z',
  down: 'M6 10l6 6 6-6',
  clock: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 7v5l3 2',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  checks: 'M2 12.5l4.5 4.5L16 7.5M11.5 17L21 7.5',
  alert: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 7.5v5.5M12 16.2v.3',
};

function icon(name, filled) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false', class: `icon icon-${name}` })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  path.setAttribute('fill', filled ? 'currentColor' : 'none');
  svg.append(path);
  return svg;
}

// An absolute http(s) address, or null.
function safeUrl(url) {
  try {
    const parsed = new URL(String(url));
    return parsed.protocol === 'https:' || parsed.protocol === 'http:' ? parsed.href : null;
  } catch (_) {
    return null;
  }
}

function anchor(href, texts, ...children) {
  return element('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, ...children,
    element('span', { class: 'hidden' }, ` (${texts.opensNew})`));
}

// Text with its addresses as links: https://…, www.…, name@host.
function linked(text, texts) {
  const nodes = [];
  const pattern = /(https?:\/\/[^\s<>"'`]+|www\.[^\s<>"'`]+\.[^\s<>"'`]+|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)/gi;
  let from = 0;
  for (const match of String(text).matchAll(pattern)) {
    const word = match[0].replace(/[.,;:!?…»”)\]}]+$/u, (end) => (end.startsWith(')') && match[0].includes('(') ? ')' : ''));
    const mail = !/^(https?:|www\.)/i.test(word);
    const href = mail ? `mailto:${word}` : safeUrl(/^www\./i.test(word) ? `https://${word}` : word);
    if (!href) continue;
    nodes.push(text.slice(from, match.index), mail ? element('a', { href }, word) : anchor(href, texts, word));
    from = match.index + word.length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

function bytesText(size) {
  if (!Number.isFinite(size) || size <= 0) return '';
  if (size < 1024) return `${size} B`;
  if (size < 1048576) return `${Math.round(size / 1024)} KB`;
  return `${(size / 1048576).toFixed(1)} MB`;
}

// context: { texts, locale, item, link(part), answer(option), last, answered: set of payloads }
const PARTS = {
  text: (part, c) => element('p', { class: 'text', dir: 'auto' }, ...linked(part.text || '', c.texts)),
  answer: (part) => element('p', { class: 'text', dir: 'auto' }, part.text || part.payload || ''),
  image: (part, c) => media(part, c, (url) => element('img', { src: url, alt: part.alt || part.caption || part.name || c.texts.image, loading: 'lazy', decoding: 'async', referrerpolicy: 'no-referrer' }), true),
  sticker: (part, c) => media(part, c, (url) => element('img', { class: 'sticker', src: url, alt: part.alt || part.caption || c.texts.image, loading: 'lazy' }), false),
  video: (part, c) => media(part, c, (url) => element('video', { src: url, controls: true, preload: 'metadata', playsinline: true, 'aria-label': part.caption || part.name || c.texts.video }), false),
  audio: (part, c) => media(part, c, (url) => element('audio', { src: url, controls: true, preload: 'metadata', 'aria-label': part.caption || part.name || c.texts.audio }), false),
  voice: (part, c) => PARTS.audio(part, c),
  file: (part, c) => media(part, c, null, false),
  location: (part, c) => place(part, c),
  contact: (part) => contact(part),
  choice: (part, c) => choice(part, c),
  card: (part, c) => card(part, c),
  carousel: (part, c) => element('div', { class: 'carousel', tabindex: '0', role: 'group', 'aria-label': c.texts.choices }, ...(part.cards || []).map((one) => card(one, c))),
};

function renderPart(part, context) {
  const known = part && Object.hasOwn(PARTS, part.type);
  return known ? PARTS[part.type](part, context) : element('p', { class: 'text faint' }, context.texts.unsupported);
}

function fileRow(part, c, url) {
  const name = part.name || c.texts[part.type] || c.texts.file;
  const label = element('span', { class: 'file-name' }, element('span', {}, name), element('span', { class: 'file-size' }, bytesText(part.size)));
  return url ? element('a', { class: 'file', href: url, target: '_blank', rel: 'noopener noreferrer' }, icon('file'), label)
    : element('span', { class: 'file' }, icon('file'), label);
}

// A media part: its element once the address is known, a row with name and size until then and when it cannot be shown.
function media(part, c, make, opens) {
  const box = element('div', { class: `media media-${part.type}` });
  const show = (url) => {
    const node = url && make ? make(url) : fileRow(part, c, url);
    if (node.tagName === 'IMG') node.addEventListener('error', () => box.replaceChild(fileRow(part, c, url), box.firstChild), { once: true });
    box.replaceChildren(opens && node.tagName === 'IMG' ? element('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, node) : node);
    if (part.caption) box.append(element('p', { class: 'text', dir: 'auto' }, ...linked(part.caption, c.texts)));
  };
  show(part.held ? null : safeUrl(part.url));
  if (part.held && c.item.state !== 'uploading' && c.item.state !== 'failed') c.link(part).then((url) => url && show(url));
  return box;
}

function place(part, c) {
  const [lat, lon] = [Number(part.lat), Number(part.lon)];
  const href = safeUrl(part.url) || `https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=16/${lat}/${lon}`;
  return element('a', { class: 'file', href, target: '_blank', rel: 'noopener noreferrer' }, icon('pin'),
    element('span', { class: 'file-name' }, element('span', {}, part.name || c.texts.location), element('span', { class: 'file-size' }, part.address || `${lat}, ${lon}`)));
}

function contact(part) {
  const rows = [].concat(part.phones || [], part.emails || []).map((value) => {
    const plain = String(value);
    const href = plain.includes('@') ? `mailto:${plain}` : `tel:${plain.replace(/[^+\d]/g, '')}`;
    return element('a', { href }, plain);
  });
  return element('div', { class: 'card-body' }, element('strong', {}, part.name || ''), part.organization ? element('span', {}, part.organization) : null, ...rows);
}

function choice(part, c) {
  const quick = part.style === 'quick_replies';
  if (quick && !c.last) return part.text ? PARTS.text({ text: part.text }, c) : null;
  return element('div', { class: 'choice' }, part.text ? PARTS.text({ text: part.text }, c) : null,
    element('div', { class: `options options-${part.style || 'buttons'}`, role: 'group', 'aria-label': part.text || c.texts.choices },
      ...optionNodes(part.options, c)));
}

// Buttons, or links for what opens a page or calls; a heading wherever a new section begins.
function optionNodes(options, c) {
  let section = null;
  return (options || []).flatMap((option) => {
    const heading = option.section && option.section !== section ? [element('span', { class: 'option-section' }, option.section)] : [];
    section = option.section || section;
    return heading.concat(optionNode(option, c));
  });
}

function optionNode(option, c) {
  const look = { class: `option look-${['primary', 'positive', 'negative'].includes(option.look) ? option.look : 'default'}` };
  const label = [option.text, option.description ? element('span', { class: 'option-note' }, option.description) : null];
  const href = option.url ? safeUrl(option.url) : option.phone ? `tel:${option.phone.replace(/[^+\d]/g, '')}` : null;
  if (option.url && !href) return [];
  if (href) return [element('a', Object.assign(look, { href, target: option.url ? '_blank' : null, rel: 'noopener noreferrer' }), ...label)];
  const chosen = c.answered.has(option.payload);
  return [element('button', Object.assign(look, { type: 'button', 'aria-pressed': chosen ? 'true' : null, onclick: () => c.answer(option) }),
    chosen ? icon('check') : null, element('span', {}, ...label))];
}

function card(part, c) {
  const image = safeUrl(part.image && part.image.url);
  const href = safeUrl(part.url);
  const title = part.title ? element('strong', { dir: 'auto' }, href ? anchor(href, c.texts, part.title) : part.title) : null;
  return element('div', { class: 'card' },
    image ? element('img', { src: image, alt: '', loading: 'lazy', referrerpolicy: 'no-referrer' }) : null,
    element('div', { class: 'card-body' }, title,
      part.text ? PARTS.text(part, c) : null,
      part.price ? element('span', { class: 'price' }, priceText(part.price, part.currency, c.locale)) : null,
      part.options && part.options.length ? element('div', { class: 'options options-buttons', role: 'group', 'aria-label': part.title }, ...optionNodes(part.options, c)) : null));
}

function priceText(price, currency, locale) {
  try {
    return new Intl.NumberFormat(locale, { style: 'currency', currency, minimumFractionDigits: 0 }).format(Number(price));
  } catch (_) {
    return `${price} ${currency || ''}`;
  }
}
