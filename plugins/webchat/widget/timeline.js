// The list of messages: brings the log's children in line with the model, keyed by message, touching only what changed, so
// that a reconnect neither flickers nor takes away focus or selection, and a screen reader hears only what is new.

const GROUP_MS = 5 * 60000;

function timelineNew(log, texts, locale, actions) {
  const nodes = new Map(); // key → { node, signature }
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long' });

  function dayText(at) {
    const day = (ms) => new Date(ms).toDateString();
    if (day(at) === day(Date.now())) return texts.today;
    if (day(at) === day(Date.now() - 86400000)) return texts.yesterday;
    return date.format(at);
  }

  // What stands in the log, in order: separators of days and messages, with their place in a group.
  function rows(items) {
    const list = [];
    let day = '';
    const near = (a, b) => a && b && a.from === b.from && Math.abs(a.at - b.at) < GROUP_MS;
    const answered = answersOf(items);
    items.forEach((item, index) => {
      const today = new Date(item.at).toDateString();
      if (today !== day) list.push({ key: `day ${today}`, day: dayText(item.at) });
      const start = today !== day || !near(items[index - 1], item);
      day = today;
      const next = items[index + 1];
      const end = !near(item, next) || new Date(next.at).toDateString() !== today;
      list.push({ key: item.id, item, start, end, last: index === items.length - 1, answered: answered.get(item.id) || new Set(), quoted: quoteOf(items, item) });
    });
    return list;
  }

  // Which options of which message the visitor has chosen.
  function answersOf(items) {
    const answered = new Map();
    for (const item of items) {
      const part = item.from === 'visitor' && item.content[0];
      if (!part || part.type !== 'answer' || !item.reply_to) continue;
      answered.set(item.reply_to, (answered.get(item.reply_to) || new Set()).add(part.payload));
    }
    return answered;
  }

  function quoteOf(items, item) {
    if (!item.reply_to || item.content.some((part) => part.type === 'answer')) return null;
    const target = items.find((other) => other.id === item.reply_to);
    return target ? plainText(target, texts) : null;
  }

  function render(items) {
    const wanted = rows(items);
    const keys = new Set(wanted.map((row) => row.key));
    for (const [key, entry] of nodes) {
      if (keys.has(key)) continue;
      entry.node.remove();
      nodes.delete(key);
    }
    let before = null;
    for (const row of wanted) {
      const node = nodeOf(row);
      const place = before ? before.nextSibling : log.firstChild;
      if (place !== node) log.insertBefore(node, place);
      before = node;
    }
  }

  function nodeOf(row) {
    const signature = JSON.stringify([row.day, row.item && Object.assign({}, row.item, { progress: undefined }), row.start, row.end, row.last, [...(row.answered || [])], row.quoted]);
    const known = nodes.get(row.key);
    if (known && known.signature === signature) {
      if (row.item && row.item.progress !== undefined) setProgress(known.node, row.item.progress);
      return known.node;
    }
    const node = row.item ? messageNode(row) : element('div', { class: 'day' }, row.day);
    if (known) {
      const focused = known.node.contains(known.node.getRootNode().activeElement);
      known.node.replaceWith(node);
      if (focused) (node.querySelector('button, a') || log).focus();
    }
    nodes.set(row.key, { node, signature });
    return node;
  }

  function messageNode(row) {
    const { item } = row;
    const mine = item.from === 'visitor';
    const pending = item.state === 'sending' || item.state === 'uploading';
    const bare = !item.deleted && item.content.length > 0 && item.content.every((part) => part.type === 'carousel' || part.type === 'card' || (part.type === 'choice' && !part.text));
    const classes = ['message', mine && 'mine', row.start && 'start', row.end && 'end', pending && 'pending', item.state === 'failed' && 'failed', bare && 'bare'];
    const author = mine ? texts.you : item.author || texts.they;
    const bubble = element('div', { class: 'bubble' }, ...bubbleNodes(row));
    const node = element('div', { class: classes.filter(Boolean).join(' '), 'data-id': item.id, 'data-state': item.state },
      !mine && row.start && item.author ? element('p', { class: 'author', 'aria-hidden': 'true' }, item.author) : null,
      element('span', { class: 'hidden' }, `${author}: `), bubble, metaNode(row));
    if (item.state === 'uploading') setProgress(node, item.progress || 0);
    return node;
  }

  function bubbleNodes({ item, last, answered, quoted }) {
    if (item.deleted) return [element('p', { class: 'text faint' }, texts.deleted)];
    const context = {
      texts, locale, item, last, answered,
      link: (part) => actions.link(item.id, item.content.indexOf(part)),
      answer: (option) => actions.answer(item, option),
    };
    const quote = quoted ? element('p', { class: 'quote', dir: 'auto' }, quoted) : null;
    const progress = item.state === 'uploading' ? element('div', { class: 'progress', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-label': item.content[0].name || texts.file }, element('i', {})) : null;
    return [quote, ...item.content.map((part) => renderPart(part, context)), progress].filter(Boolean);
  }

  function setProgress(node, progress) {
    const bar = node.querySelector('.progress');
    if (!bar) return;
    const percent = Math.round(progress * 100);
    bar.setAttribute('aria-valuenow', String(percent));
    bar.firstChild.style.width = `${percent}%`;
  }

  const STATES = { sending: ['clock', 'sending'], uploading: ['clock', 'sending'], sent: ['check', 'sent'], read: ['checks', 'read'], failed: ['alert', 'failed'] };

  function metaNode({ item, end }) {
    const state = STATES[item.state];
    if (!end && item.state !== 'failed' && item.state !== 'sending' && !item.edited) return null;
    const when = new Date(item.at);
    const node = element('div', { class: 'meta' },
      item.edited && !item.deleted ? element('span', {}, texts.edited) : null,
      element('time', { datetime: when.toISOString() }, clock.format(when)));
    if (state) node.append(icon(state[0]), element('span', { class: 'hidden' }, texts[state[1]]));
    if (item.state === 'failed') {
      node.append(element('span', { class: 'why' }, item.reason || texts.failed),
        element('button', { type: 'button', onclick: () => actions.retry(item.id) }, texts.retry),
        element('button', { type: 'button', onclick: () => actions.remove(item.id) }, texts.remove));
    }
    return node;
  }

  return { render };
}

// A message as one line of text: for quotes and announcements.
function plainText(item, texts) {
  if (item.deleted) return texts.deleted;
  const words = (item.content || []).map((part) =>
    part.text || part.caption || part.title || part.name || texts[part.type] || (part.cards && part.cards[0] && part.cards[0].title) || '');
  return words.filter(Boolean).join(' ').slice(0, 200);
}
