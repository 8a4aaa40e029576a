#!/usr/bin/env node
// Serves the demo shop. No dependencies, no state.
//   SHOP_LISTEN    host:port, default 127.0.0.1:8090 (port 0: any free one; the first line printed says which)
//   SHOP_CHAT_URL  the chat channel's public URL, default http://127.0.0.1:8080/c/shop-chat
//   SHOP_FORM_URL  the form channel's, default http://127.0.0.1:8080/c/shop-form
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
const FILES = new Map(['index.html', 'shop.css', 'shop.js', 'icon.svg'].map((name) => [`/${name}`, name]).concat([['/', 'index.html']]));

// A strict policy on purpose: the widget must live with one.
function policy(chat, form) {
  const socket = chat.origin.replace(/^http/, 'ws');
  return [`default-src 'none'`, `script-src 'self' ${chat.origin}`, `style-src 'self'`, `img-src 'self' ${chat.origin} https:`, `media-src ${chat.origin} https:`,
    `connect-src ${chat.origin} ${socket} ${form.origin}`, `form-action ${form.origin}`, `base-uri 'none'`, `frame-ancestors 'none'`].join('; ');
}

export function startShop({ listen = '127.0.0.1:8090', chatUrl = 'http://127.0.0.1:8080/c/shop-chat', formUrl = 'http://127.0.0.1:8080/c/shop-form' } = {}) {
  const [chat, form] = [new URL(chatUrl), new URL(formUrl)];
  const places = { CHAT_URL: chat.href.replace(/\/$/, ''), FORM_URL: form.href.replace(/\/$/, '') };
  const server = createServer(async (request, response) => {
    const name = FILES.get(new URL(request.url, 'http://shop').pathname);
    if (!name || !['GET', 'HEAD'].includes(request.method)) return response.writeHead(name ? 405 : 404, { 'content-type': 'text/plain' }).end('not here\n');
    const type = TYPES[name.split('.').pop()];
    let body = await readFile(new URL(`public/${name}`, import.meta.url));
    if (type === 'text/html') body = body.toString().replace(/\{\{(CHAT_URL|FORM_URL)\}\}/g, (_, place) => places[place].replace(/["&<>]/g, encodeURIComponent));
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff', 'content-security-policy': policy(chat, form) });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  const [host, port] = [listen.replace(/:\d+$/, ''), Number(/:(\d+)$/.exec(listen)?.[1] ?? 8090)];
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve({ url: `http://${host}:${server.address().port}/`, close: () => server.close() }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const shop = await startShop({ listen: process.env.SHOP_LISTEN, chatUrl: process.env.SHOP_CHAT_URL, formUrl: process.env.SHOP_FORM_URL });
  console.log(shop.url);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
}
