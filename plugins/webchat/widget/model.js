// The conversation as this page knows it: what the gateway stored, and the visitor's own messages that still wait for their
// ack. Knows nothing of the DOM. on.change() after every change; on.arrived(item) for a new message from the other side;
// on.problem(text) for what a person must be told.

const UPLOADS_AT_ONCE = 2;

function modelNew(base, config, texts, storage, send, on) {
  const limits = { text_chars: config.text_chars || 4000, upload_bytes: config.upload_bytes || 0, upload_types: config.upload_types || [] };
  const uploads = []; // { id, file, at, progress, failed, ticket }: lost with the page, unlike the outbox
  const failed = new Map(); // id → reason: refused for good
  const sentOn = new Set(); // ids that went out on this connection
  let items = [];
  let marks = { delivered: null, read: null, operator_read: null };
  let typingUntil = 0;
  let later = null;

  // ---- What is shown ----

  function pendingItem(entry) {
    const state = failed.has(entry.id) ? 'failed' : entry.file instanceof File ? 'uploading' : 'sending';
    const reply_to = entry.answer ? entry.answer.message : undefined;
    return { id: entry.id, from: 'visitor', at: entry.at, content: entry.content, reply_to, state, progress: entry.progress, reason: failed.get(entry.id) };
  }

  // Everything in order, with the state of the visitor's own messages.
  function visible() {
    const readTo = items.findIndex((item) => item.id === marks.operator_read);
    const known = new Set(items.map((item) => item.id));
    const stored = items.map((item, index) =>
      item.from === 'visitor' ? Object.assign({}, item, { state: index <= readTo ? 'read' : 'sent' }) : item);
    const waiting = storage.outbox().concat(uploads).filter((entry) => !known.has(entry.id));
    return stored.concat(waiting.sort((a, b) => a.at - b.at).map(pendingItem));
  }

  function unread() {
    const readTo = items.findIndex((item) => item.id === marks.read);
    return items.slice(readTo + 1).filter((item) => item.from === 'operator' && !item.deleted);
  }

  // ---- Sending ----

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(15));
    return 'm-' + Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  }

  function queue(entry) {
    storage.outboxAdd(Object.assign({ id: newId(), at: Date.now() }, entry));
    flush();
    on.change();
  }

  function sendText(text) {
    queue({ text, content: [{ type: 'text', text }] });
  }

  function sendAnswer(item, option) {
    queue({
      answer: { message: item.id, payload: option.payload },
      content: [{ type: 'answer', payload: option.payload, text: option.text }],
    });
  }

  function frameOf(entry) {
    const frame = { type: 'message', id: entry.id };
    for (const key of ['text', 'file', 'answer']) if (entry[key] !== undefined) frame[key] = entry[key];
    return frame;
  }

  // Sends what has no ack yet and did not go out on this connection.
  function flush() {
    for (const entry of storage.outbox()) {
      if (!sentOn.has(entry.id) && !failed.has(entry.id) && send(frameOf(entry))) sentOn.add(entry.id);
    }
    startUploads();
  }

  function flushLater(id, ms) {
    sentOn.delete(id);
    clearTimeout(later);
    later = setTimeout(flush, Math.min(Math.max(ms || 3000, 500), 60000));
  }

  function retry(id) {
    failed.delete(id);
    sentOn.delete(id);
    const upload = uploads.find((entry) => entry.id === id);
    if (upload) upload.progress = undefined;
    flush();
    on.change();
  }

  function remove(id) {
    failed.delete(id);
    storage.outboxRemove(id);
    const index = uploads.findIndex((entry) => entry.id === id);
    if (index >= 0) uploads.splice(index, 1);
    on.change();
  }

  // ---- Files ----

  function allowedType(mime) {
    return limits.upload_types.some((type) =>
      type === mime || (type.endsWith('/*') && mime.startsWith(type.slice(0, -1))));
  }

  function sendFile(file) {
    const mime = file.type || 'application/octet-stream';
    if (!allowedType(mime)) return on.problem(texts.fileType);
    if (file.size > limits.upload_bytes) {
      return on.problem(fill(texts.tooLarge, Math.floor(limits.upload_bytes / 1048576)));
    }
    const kind = /^(image|video|audio)\//.exec(mime)?.[1] || 'file';
    const part = { type: kind, mime, size: file.size, name: file.name, held: true };
    uploads.push({ id: newId(), at: Date.now(), file, content: [part] });
    startUploads();
    on.change();
  }

  function startUploads() {
    const waiting = uploads.filter((entry) => entry.progress === undefined && !failed.has(entry.id));
    const running = uploads.filter((entry) => entry.progress !== undefined && !failed.has(entry.id)).length;
    for (const entry of waiting.slice(0, Math.max(0, UPLOADS_AT_ONCE - running))) {
      if (storage.token()) upload(entry);
    }
  }

  function upload(entry) {
    const request = new XMLHttpRequest();
    entry.progress = 0;
    request.open('POST', base + 'upload');
    request.setRequestHeader('Authorization', 'Bearer ' + storage.token());
    request.setRequestHeader('Content-Type', entry.file.type || 'application/octet-stream');
    request.setRequestHeader('X-Filename', encodeURIComponent(entry.file.name));
    request.timeout = 120000;
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) entry.progress = event.loaded / event.total;
      on.change();
    };
    request.onload = () => uploaded(entry, request);
    request.onerror = request.ontimeout = () => refused(entry, texts.uploadFailed);
    request.send(entry.file);
  }

  function uploaded(entry, request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText) || {};
    } catch (_) {
      // Not ours: a proxy's page.
    }
    if (request.status !== 201 || !answer.ticket) {
      const why = { 413: fill(texts.tooLarge, Math.floor(limits.upload_bytes / 1048576)), 415: texts.fileType, 429: texts.rateLimited };
      return refused(entry, why[request.status] || texts.uploadFailed);
    }
    const index = uploads.indexOf(entry);
    if (index < 0) return; // removed meanwhile
    uploads.splice(index, 1);
    links.set(entry.id + '/0', Promise.resolve(answer.url || null));
    storage.outboxAdd({ id: entry.id, at: entry.at, file: answer.ticket, content: entry.content });
    flush();
    on.change();
  }

  function refused(entry, reason) {
    failed.set(entry.id, reason);
    startUploads();
    on.change();
  }

  // The address of a file of the visitor's own, asked for when it is shown.
  const links = new Map(); // "id/part" → promise of a URL or null
  const asked = new Map(); // "id/part" → resolve
  function link(id, part) {
    const key = `${id}/${part}`;
    if (!links.has(key)) {
      if (!send({ type: 'link', id, part })) return Promise.resolve(null);
      links.set(key, new Promise((resolve) => {
        asked.set(key, resolve);
        setTimeout(() => answerLink(key, null), 15000);
      }));
    }
    return links.get(key);
  }

  function answerLink(key, url) {
    const resolve = asked.get(key);
    asked.delete(key);
    if (!url) links.delete(key);
    if (resolve) resolve(url);
  }

  // ---- Receiving ----

  function position(id) {
    return items.findIndex((item) => item.id === id);
  }

  function mark(name, id) {
    if (position(id) > position(marks[name])) marks[name] = id;
  }

  function store(item) {
    storage.outboxRemove(item.id);
    failed.delete(item.id);
    if (position(item.id) < 0) items.push(item);
  }

  const handlers = {
    welcome(frame) {
      if (typeof frame.token === 'string') storage.setToken(frame.token);
      Object.assign(limits, frame.limits || {});
      const before = new Set(items.map((item) => item.id));
      items = (Array.isArray(frame.history) ? frame.history : []).filter((item) => item && typeof item.id === 'string');
      for (const item of items) storage.outboxRemove(item.id);
      marks = { delivered: frame.delivered || null, read: frame.read || null, operator_read: frame.operator_read || null };
      sentOn.clear();
      const fresh = items.filter((item) => item.from === 'operator' && !before.has(item.id));
      if (before.size > 0) fresh.forEach((item) => on.arrived(item));
    },
    ack(frame) {
      const entry = storage.outbox().find((e) => e.id === frame.id);
      if (entry) store({ id: entry.id, from: 'visitor', at: frame.at, content: entry.content, reply_to: entry.answer ? entry.answer.message : undefined });
    },
    error(frame) {
      if (!frame.id) return;
      if (frame.retry) return flushLater(frame.id, frame.after_ms);
      const why = { bad_answer: texts.badAnswer, bad_file: texts.uploadFailed, rate_limited: texts.rateLimited };
      failed.set(frame.id, why[frame.code] || texts.failed);
    },
    message(frame) {
      const item = frame.item;
      if (!item || typeof item.id !== 'string' || position(item.id) >= 0) return;
      store(item);
      if (item.from !== 'operator') return;
      typingUntil = 0;
      on.arrived(item);
    },
    edit(frame) {
      const item = items[position(frame.id)];
      if (item) Object.assign(item, { content: frame.content, edited: frame.edited });
    },
    delete(frame) {
      const item = items[position(frame.id)];
      if (item) Object.assign(item, { content: [], deleted: true });
    },
    read(frame) {
      mark('operator_read', frame.up_to);
    },
    seen(frame) {
      mark('read', frame.up_to);
    },
    typing(frame) {
      typingUntil = Date.now() + Math.min(Number(frame.for_ms) || 6000, 30000);
      setTimeout(on.change, typingUntil - Date.now() + 20);
    },
    link(frame) {
      answerLink(`${frame.id}/${frame.part}`, safeUrl(frame.url));
    },
  };

  function frame(received) {
    if (!Object.hasOwn(handlers, received.type)) return;
    handlers[received.type](received);
    if (received.type !== 'link') on.change();
  }

  // Tells the gateway how far the visitor has got: 'delivered' (shown on the device) or 'read' (seen).
  function reached(name) {
    const last = items.filter((item) => item.from === 'operator').pop();
    if (!last || position(last.id) <= position(marks[name])) return;
    if (!send({ type: name, up_to: last.id })) return;
    mark(name, last.id);
    if (name === 'read') mark('delivered', last.id);
    on.change();
  }

  return {
    visible, unread, frame, flush, sendText, sendAnswer, sendFile, retry, remove, link, reached, limits,
    typing: () => Date.now() < typingUntil,
  };
}
