// A provider that keeps what it took, and misbehaves as it is told: the stand-in of Telegram's Bot API for the faults.
import http from 'node:http';

const reply = (code, body, headers = {}) => (response) => response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const whole = (result) => JSON.stringify({ ok: true, result });

// took: the provider has the message, whatever its answer says.
const behaviours = {
  ok: { took: true, answer: (response, result) => response.writeHead(200, { 'content-type': 'application/json' }).end(whole(result)) },
  500: { took: false, answer: reply(500, { ok: false, error_code: 500, description: 'Internal Server Error' }) },
  429: { took: false, answer: reply(429, { ok: false, error_code: 429, description: 'Too Many Requests: retry after 1', parameters: { retry_after: 1 } }, { 'retry-after': '1' }) },
  late: { took: false, answer: (response) => setTimeout(() => behaviours[500].answer(response), 11000) },
  hang: { took: true, answer: () => {} }, // until the caller gives up
  half: { took: true, answer: (response, result) => {
    const body = whole(result);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.write(body.slice(0, body.length / 2), () => response.destroy());
  } },
  garbage: { took: true, answer: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('<html>\0\xff{"ok":tru') },
  gone: { took: true, answer: (response) => response.destroy() }, // success, but the connection broke before a byte of it
};

export class Provider {
  sent = new Map(); // chat → the numbers it took, in the order they came
  faults = 0;
  behave = () => 'ok'; // (chat, number) → one of the behaviours
  onTake = () => {};

  static async start() {
    const provider = new Provider();
    provider.server = http.createServer((request, response) => provider.serve(request, response));
    provider.server.keepAliveTimeout = 60000; // a connection that we end is a fault, and those are chosen
    await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    provider.url = `http://127.0.0.1:${provider.server.address().port}`;
    return provider;
  }

  serve(request, response) {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      if (!request.url.endsWith('/sendMessage')) return response.end(request.url.endsWith('/getMe') ? whole({ id: 1, is_bot: true, first_name: 'Shop', username: 'shop_bot' }) : whole(true));
      const { chat_id: id, text } = JSON.parse(Buffer.concat(pieces));
      const chat = Number(id), number = Number(text);
      const kind = this.behave(chat, number);
      if (kind !== 'ok') this.faults++;
      if (behaviours[kind].took) this.take(chat, number);
      return behaviours[kind].answer(response, { message_id: ++this.count, date: 1, chat: { id: chat, type: 'private' }, text });
    });
  }

  count = 0;
  take(chat, number) {
    if (!this.sent.has(chat)) this.sent.set(chat, []);
    this.sent.get(chat).push(number);
    this.onTake(chat);
  }

  // Every nth message is answered so the first time it comes; with `times`, so often.
  each(nth, kind, times = 1) {
    const seen = new Map();
    this.behave = (chat, number) => {
      const key = `${chat}/${number}`, count = seen.get(key) ?? 0;
      if ((chat + number) % nth !== 0 || count >= times) return 'ok';
      seen.set(key, count + 1);
      return kind;
    };
  }
  wellAgain() { this.behave = () => 'ok'; }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
