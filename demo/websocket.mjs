// A WebSocket client (RFC 6455) for text frames, so that the demo needs nothing but Node. Enough for a conversation with a server that we
// started ourselves; not a library.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

export class WebSocketClient {
  frames = []; // parsed JSON, oldest first
  #socket;
  #buffer = Buffer.alloc(0);

  static open(url, { origin }) {
    const key = randomBytes(16).toString('base64');
    const expected = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    return new Promise((resolve, reject) => {
      const request = http.get(url, { headers: { connection: 'Upgrade', upgrade: 'websocket', origin, 'sec-websocket-version': 13, 'sec-websocket-key': key } });
      request.once('error', reject);
      request.once('response', (response) => reject(new Error(`the chat refused the WebSocket: ${response.statusCode}`)));
      request.once('upgrade', (response, socket, head) => {
        if (response.headers['sec-websocket-accept'] !== expected) return reject(new Error('wrong Sec-WebSocket-Accept'));
        const client = new WebSocketClient();
        client.#socket = socket;
        socket.on('data', (data) => client.#receive(data));
        socket.on('error', () => {});
        client.#receive(head);
        return resolve(client);
      });
    });
  }

  #write(opcode, payload) {
    const mask = randomBytes(4);
    const length = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 255]);
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, payload.map((byte, i) => byte ^ mask[i & 3])]));
  }

  #receive(data) {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    for (;;) {
      if (this.#buffer.length < 2) return;
      let length = this.#buffer[1] & 127, start = 2;
      if (length === 126) { if (this.#buffer.length < 4) return; length = this.#buffer.readUInt16BE(2); start = 4; }
      else if (length === 127) { if (this.#buffer.length < 10) return; length = Number(this.#buffer.readBigUInt64BE(2)); start = 10; }
      if (this.#buffer.length < start + length) return;
      const opcode = this.#buffer[0] & 15, payload = this.#buffer.subarray(start, start + length);
      this.#buffer = this.#buffer.subarray(start + length);
      if (opcode === 1) this.frames.push(JSON.parse(payload.toString()));
      else if (opcode === 9) this.#write(10, payload);
    }
  }

  send(frame) { this.#write(1, Buffer.from(JSON.stringify(frame))); }
  close() { this.#write(8, Buffer.from([3, 232])); this.#socket.end(); }
}
