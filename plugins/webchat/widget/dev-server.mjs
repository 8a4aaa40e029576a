// A gateway for developing the widget, and nothing else: speaks PROTOCOL.md from memory, without Kanal, a broker or any
// dependency. `node dev-server.mjs [port]` serves a page with the widget at /, and answers every message.
// Tests start it by startDevServer() and play the other side through /dev/…: see answerer() at the end.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const SOURCES = ['texts', 'storage', 'style', 'parts', 'socket', 'model', 'timeline', 'composer', 'panel', 'widget'];
const LIMITS = { text_chars: 4000, upload_bytes: 1048576, upload_types: ['image/png', 'image/jpeg', 'text/plain'] };
const PAGE = (base, attributes) => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title><style>body{font:18px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}button,textarea,p{color:green !important;font-size:40px}</style>
<h1>A page with hostile styles</h1><p>The widget must not care.</p>
<script src="${base}widget.js" ${attributes} async></script>`;

export function startDevServer({ port = 0, config = {}, autoAnswer = false } = {}) {
  const secret = randomBytes(32);
  const visitors = new Map(); // id → { items, marks, sockets }
  const files = new Map();
  const state = { refuse: false, deaf: false, mute: false, seen: [] };
  const server = createServer((request, response) => void handle(request, response));
  const sockets = new Set();

  const sign = (text) => createHmac('sha256', secret).update(text).digest('base64url');
  const origin = () => `http://127.0.0.1:${server.address().port}`;
  const base = () => `${origin()}/c/dev/`;
  const visitorOf = (token) => {
    const match = /^(v1\.([a-z2-7]{26}))\.([\w-]{43})$/.exec(token || '');
    return match && sign(match[1]) === match[3] ? match[2] : null;
  };
  const visitor = (id) => {
    if (!visitors.has(id)) visitors.set(id, { id, items: [], marks: {}, sockets: new Set() });
    return visitors.get(id);
  };

  // ---- HTTP ----

  async function handle(request, response) {
    const url = new URL(request.url, origin());
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const answer = (code, type, text) => response.writeHead(code, { 'content-type': type, 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' }).end(text);
    if (url.pathname === '/') return answer(200, 'text/html', PAGE(base(), url.searchParams.get('attributes') || ''));
    if (url.pathname === '/c/dev/widget.js') return answer(200, 'text/javascript; charset=utf-8', widget());
    if (url.pathname === '/c/dev/upload') return request.method === 'OPTIONS' ? answer(204, 'text/plain') : upload(request, body, answer);
    if (url.pathname.startsWith('/files/')) {
      const file = files.get(url.pathname.slice(7));
      return file ? answer(200, file.mime, file.body) : answer(404, 'text/plain', 'no');
    }
    if (url.pathname.startsWith('/dev/')) return answer(200, 'application/json', JSON.stringify(control(url.pathname.slice(5), body.length ? JSON.parse(body) : {})));
    answer(404, 'text/plain', 'no such page');
  }

  function widget() {
    const sources = SOURCES.map((name) => readFileSync(new URL(`${name}.js`, import.meta.url), 'utf8'));
    const served = JSON.stringify({ ...LIMITS, base: base(), ...config });
    return `(function () {\n"use strict";\n${sources.join('\n')}\nkanalChat(${served}, document.currentScript);\n})();\n`;
  }

  function upload(request, body, answer) {
    const id = visitorOf((request.headers.authorization || '').slice(7));
    const mime = request.headers['content-type'];
    const error = !id ? [401, 'bad_token'] : body.length > LIMITS.upload_bytes ? [413, 'too_large'] : !LIMITS.upload_types.includes(mime) ? [415, 'file_type'] : null;
    if (error) return answer(error[0], 'application/json', JSON.stringify({ error: error[1] }));
    const reference = randomBytes(8).toString('hex');
    const name = decodeURIComponent(request.headers['x-filename'] || 'file');
    files.set(reference, { mime, body, name, visitor: id });
    const type = /^(image|video|audio)\//.exec(mime)?.[1] || 'file';
    answer(201, 'application/json', JSON.stringify({ ticket: `u1.${reference}.x`, type, mime, size: body.length, name, url: `${origin()}/files/${reference}` }));
  }

  // ---- WebSocket: RFC 6455, unfragmented text ----

  server.on('upgrade', (request, socket) => {
    if (state.refuse) return socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
    const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
    const client = { socket, visitor: null, buffered: Buffer.alloc(0), send: (frame) => socket.writable && socket.write(encode(1, JSON.stringify(frame))) };
    sockets.add(client);
    socket.on('data', (data) => {
      client.buffered = Buffer.concat([client.buffered, data]);
      for (let frame = decode(client); frame; frame = decode(client)) {
        if (frame.opcode === 8) socket.end(encode(8, frame.payload));
        if (frame.opcode === 1) receive(client, JSON.parse(frame.payload.toString()));
      }
    });
    const gone = () => {
      sockets.delete(client);
      client.visitor?.sockets.delete(client);
    };
    socket.on('close', gone).on('error', gone);
  });

  function receive(client, frame) {
    state.seen.push(frame);
    if (frame.type === 'ping') return client.send({ type: 'pong' });
    if (frame.type === 'hello') {
      const id = frame.token ? visitorOf(frame.token) : Array.from(randomBytes(26), (b) => 'abcdefghijklmnopqrstuvwxyz234567'[b & 31]).join('');
      if (!id) return client.send({ type: 'error', code: 'bad_token', retry: false });
      client.visitor = visitor(id);
      client.visitor.hello = frame;
      client.visitor.sockets.add(client);
    }
    const v = client.visitor;
    if (!v) return client.send({ type: 'error', code: 'hello_first', retry: true });
    if (frame.type === 'hello' || frame.type === 'sync') {
      return client.send({ type: 'welcome', v: 1, visitor: v.id, token: `v1.${v.id}.${sign('v1.' + v.id)}`, new: v.items.length === 0, now: Date.now(), history: v.items, ...v.marks, limits: LIMITS });
    }
    if (frame.type === 'message') return state.deaf ? undefined : message(client, v, frame);
    if (frame.type === 'read' || frame.type === 'delivered') v.marks.delivered = frame.up_to;
    if (frame.type === 'read') v.marks.read = frame.up_to;
    if (frame.type === 'link') {
      const item = v.items.find((one) => one.id === frame.id);
      client.send({ type: 'link', id: frame.id, part: frame.part, url: item?.reference ? `${origin()}/files/${item.reference}` : undefined });
    }
  }

  function message(client, v, frame) {
    const known = v.items.find((item) => item.id === frame.id);
    const at = known?.at || Date.now();
    if (!known) {
      const item = { id: frame.id, from: 'visitor', at, content: [{ type: 'text', text: frame.text }] };
      if (frame.answer) {
        const option = optionsOf(v.items.find((one) => one.id === frame.answer.message)).find((one) => one.payload === frame.answer.payload);
        if (!option) return client.send({ type: 'error', code: 'bad_answer', id: frame.id, retry: false });
        Object.assign(item, { reply_to: frame.answer.message, content: [{ type: 'answer', kind: 'button', payload: option.payload, text: option.text }] });
      }
      if (frame.file) {
        const reference = frame.file.split('.')[1];
        const file = files.get(reference);
        if (file?.visitor !== v.id) return client.send({ type: 'error', code: 'bad_file', id: frame.id, retry: false });
        const type = /^(image|video|audio)\//.exec(file.mime)?.[1] || 'file';
        Object.assign(item, { reference, content: [{ type, held: true, mime: file.mime, size: file.body.length, name: file.name, caption: frame.text }] });
      }
      v.items.push(item);
      for (const other of v.sockets) if (other !== client) other.send({ type: 'message', item });
      if (autoAnswer) setTimeout(() => demoAnswer(v, item), 900);
    }
    if (!state.mute) client.send({ type: 'ack', id: frame.id, at });
  }

  function optionsOf(item) {
    return (item?.content || []).flatMap((part) => [...(part.options || []), ...(part.cards || []).flatMap((one) => one.options || [])]);
  }

  // ---- The other side ----

  function push(v, frame) {
    for (const client of v.sockets) client.send(frame);
  }

  const controls = {
    send({ visitor: id, id: own, content, author, reply_to }) {
      const item = { id: own || 'a.' + randomBytes(8).toString('hex'), from: 'operator', at: Date.now(), content, author, reply_to };
      visitor(id).items.push(item);
      push(visitor(id), { type: 'message', item });
      return item;
    },
    edit({ visitor: id, message: target, content }) {
      const item = visitor(id).items.find((one) => one.id === target);
      Object.assign(item, { content, edited: Date.now() });
      push(visitor(id), { type: 'edit', id: target, edited: item.edited, content });
    },
    delete({ visitor: id, message: target }) {
      Object.assign(visitor(id).items.find((one) => one.id === target), { content: [], deleted: true });
      push(visitor(id), { type: 'delete', id: target });
    },
    typing: ({ visitor: id }) => push(visitor(id), { type: 'typing', for_ms: 6000 }),
    read({ visitor: id, message: target }) {
      visitor(id).marks.operator_read = target;
      push(visitor(id), { type: 'read', up_to: target });
    },
    visitors: () => [...visitors.values()].map(({ id, items, marks, hello }) => ({ id, items, marks, hello })),
    frames: () => state.seen,
    refuse: ({ on }) => void (state.refuse = on),
    deaf: ({ on }) => void (state.deaf = on),
    mute: ({ on }) => void (state.mute = on),
    drop: () => sockets.forEach((client) => client.socket.destroy()),
  };
  const control = (name, body) => controls[name]?.(body) ?? {};

  function demoAnswer(v, item) {
    controls.read({ visitor: v.id, message: item.id });
    controls.typing({ visitor: v.id });
    const content = item.content[0].type === 'answer'
      ? [{ type: 'text', text: `You chose: ${item.content[0].text}` }]
      : [{ type: 'text', text: 'Thank you! What is it about? https://example.com/help' }, { type: 'choice', style: 'buttons', options: [{ text: 'An order', payload: 'ORDER' }, { text: 'Delivery', payload: 'DELIVERY' }] }];
    setTimeout(() => controls.send({ visitor: v.id, content, author: 'Anna' }), 1500);
  }

  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({
    base: base(), page: `${origin()}/`, port: server.address().port, controls,
    close: () => {
      sockets.forEach((client) => client.socket.destroy());
      server.close();
    },
  })));
}

function encode(opcode, text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length])
    : payload.length < 65536 ? Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 255])
      : Buffer.concat([Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0]), Buffer.from(Uint32Array.of(payload.length).buffer).reverse()]);
  return Buffer.concat([head, payload]);
}

function decode(client) {
  const data = client.buffered;
  if (data.length < 2) return null;
  let at = 2;
  let length = data[1] & 127;
  if (length === 126) [length, at] = [data.length >= 4 ? data.readUInt16BE(2) : Infinity, 4];
  else if (length === 127) [length, at] = [data.length >= 10 ? Number(data.readBigUInt64BE(2)) : Infinity, 10];
  if (data.length < at + 4 + length) return null;
  const mask = data.subarray(at, at + 4);
  const payload = Buffer.from(data.subarray(at + 4, at + 4 + length)).map((byte, index) => byte ^ mask[index & 3]);
  client.buffered = data.subarray(at + 4 + length);
  return { opcode: data[0] & 15, payload };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startDevServer({ port: Number(process.argv[2] || 8095), autoAnswer: true, config: { title: 'Kanal Coffee', subtitle: 'We answer within minutes', greeting: 'Hello! How can we help?' } });
  console.log(server.page);
}
