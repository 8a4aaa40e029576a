// Talks to the probe plugin (../probe), and stands in for its provider.
import http from 'node:http';
import { Kanal, probeDirs } from './harness.mjs';

export const OK = 0, INVALID = -1, DENIED = -2, NOT_FOUND = -3, BUSY = -4, TIMEOUT = -5, NETWORK = -6, CANCELLED = -7, REJECTED = -8, INTERNAL = -9, MAYBE = -10, TOO_LARGE = -11;

export const TOKEN = 'the-probe-token/of "this" test:1';

export const probe = (id = 'probe', more = {}) => ({ id, plugin: 'probe', egress: ['127.0.0.1', 'localhost'], secrets: { token: TOKEN }, ...more });

export const startKanal = (nats, channels, more = {}) => Kanal.start(nats, channels, { plugins: probeDirs(), ...more });

export async function call(kanal, slot, args = {}, channel = 'probe') {
  const response = await kanal.post(`/c/${channel}/call`, { slot, ...args });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${slot}: ${response.status} ${text}`);
  return JSON.parse(text);
}

export const raw = (kanal, slot, args = {}, channel = 'probe') => kanal.post(`/c/${channel}/call`, { slot, ...args });

export const notes = async (kanal, channel) => (await call(kanal, 'notes', {}, channel)).value.split('\n').filter(Boolean);

export const message = (dedupe, text, more = {}) => ({
  type: 'message.received', dedupe, external_id: dedupe, address: 'probe:anna',
  data: JSON.stringify({ message: { content: [{ type: 'text', text }] } }), ...more });

// A provider: answers[path] is a function (request, response, body) or [code, headers, body]; every call is recorded.
export async function startProvider() {
  const provider = { calls: [], answers: new Map() };
  provider.server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const path = request.url.split('?')[0];
      provider.calls.push({ method: request.method, url: request.url, path, headers: request.headers, raw: request.rawHeaders, body });
      const planned = provider.answers.get(path);
      if (typeof planned === 'function') return planned(request, response, body);
      const [code, headers, text] = planned ?? [200, {}, 'fine'];
      response.writeHead(code, headers);
      return response.end(text);
    });
  });
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
  provider.port = provider.server.address().port;
  provider.url = `http://127.0.0.1:${provider.port}`;
  provider.last = (path) => provider.calls.findLast((call) => call.path === path);
  provider.close = () => { provider.server.closeAllConnections(); provider.server.close(); };
  return provider;
}
