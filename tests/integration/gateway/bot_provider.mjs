// A stand-in of the Bot API that records each call and answers what the test planned for the text it was sent.
import http from 'node:http';

export class BotProvider {
  static async start() {
    const provider = new BotProvider();
    provider.calls = [];
    provider.answers = new Map(); // text -> answers, the last one for ever: undefined (sent), [code, object, headers], 'drop'
    provider.server = http.createServer((request, response) => provider.serve(request, response));
    await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    provider.url = `http://127.0.0.1:${provider.server.address().port}`;
    return provider;
  }
  serve(request, response) {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      const method = request.url.split('/').pop().split('?')[0];
      if (!method.startsWith('send')) return response.end('{"ok":true,"result":true}');
      const call = { method, path: request.url, headers: request.headers, ...(body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))) };
      this.calls.push(call);
      const planned = this.answers.get(call.text) ?? [];
      const answer = planned.length > 1 ? planned.shift() : planned[0];
      if (answer === 'drop') return request.socket.destroy();
      const [code, object, headers] = answer ?? [200, { ok: true, result: { message_id: this.calls.length, date: 1, chat: { id: Number(call.chat_id), type: 'private' } } }];
      response.writeHead(code, { 'content-type': 'application/json', ...headers });
      return response.end(JSON.stringify(object));
    });
  }
  of(text) { return this.calls.filter((call) => call.text === text); }
  stop() { this.server.close(); }
}

export const blocked = [403, { ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' }];
export const TOKEN = '100:token-of-the-test';
export const telegram = (provider, id = 'tg', more = {}) => ({ id, plugin: 'telegram', settings: { mode: 'webhook', api_url: provider.url }, egress: ['127.0.0.1'],
  secrets: { token: TOKEN, webhook: 'webhook-secret-1' }, ...more });
