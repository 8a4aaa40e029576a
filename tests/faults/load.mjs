// The load: numbered messages both ways, and an account of what was acknowledged. Each conversation says its next one only after the one before was
// acknowledged, and what got no acknowledgement is said again, as providers and careful consumers do.
import http from 'node:http';
import { json, sleep } from '../integration/gateway/harness.mjs';

const POST_MS = 8000, PUBLISH_MS = 3000, GIVE_UP_MS = 90000;
export const SECRET = 'a-webhook-secret';
export const CHATS = 16;
// Half of the conversations are of the channel that sends again when in doubt, half of the one that does not.
export const channelOf = (chat) => (chat % 2 === 0 ? 'again' : 'once');
export const chatIds = Array.from({ length: CHATS }, (_, i) => 1000 + i);

function pacer(load) {
  let next = performance.now();
  return async () => {
    next = Math.max(next + 1000 / load.rate, performance.now() - 100);
    const wait = next - performance.now();
    if (wait > 1) await sleep(wait);
  };
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 * CHATS });

function post(url, channel, body) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const request = http.request({ hostname, port, agent, method: 'POST', path: `/c/${channel}/`,
      headers: { 'content-type': 'application/json', 'content-length': body.length, 'x-telegram-bot-api-secret-token': SECRET } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
      response.on('error', () => resolve(0));
    });
    const timer = setTimeout(() => request.destroy(), POST_MS);
    request.on('close', () => { clearTimeout(timer); resolve(0); });
    request.on('error', () => {});
    request.end(body);
  });
}

const update = (chat, number) => Buffer.from(JSON.stringify({ update_id: 1 + (chat - 1000) * 1000000 + number, message: { message_id: number + 1,
  date: Math.floor(Date.now() / 1000), chat: { id: chat, type: 'private', first_name: 'Anna' }, from: { id: chat, is_bot: false, first_name: 'Anna' }, text: String(number) } }));

export const commandId = (chat, number) => `c${chat}-${number}`;
const command = (chat, number) => json.encode({ id: commandId(chat, number), to: { address: `telegram:${chat}` }, content: [{ type: 'text', text: String(number) }] });

export class Load {
  // world: { gateways, js, isMirrored }: the gateways' addresses change when they are started again.
  constructor(world, rate) {
    Object.assign(this, { world, rate, base: rate, isOn: true, refused: 0, unpublished: 0, mark: Infinity });
    this.in = new Map(chatIds.map((chat) => [chat, 0])); // chat → how many were acknowledged
    this.out = new Map(chatIds.map((chat) => [chat, 0]));
    this.movedIn = new Map();
    this.movedOut = new Map();
    const [paceIn, paceOut] = [pacer(this), pacer(this)];
    this.done = Promise.all(chatIds.flatMap((chat) => [this.speak(chat, paceIn), this.answer(chat, paceOut)]));
  }

  // 2xx of the gateway; of both where the same webhook goes to both.
  async deliver(chat, body, tries) {
    const { gateways, isMirrored } = this.world;
    if (isMirrored) return (await Promise.all(gateways.map((one) => post(one.url, channelOf(chat), body)))).some((code) => code === 200);
    return (await post(gateways[(chat + tries) % gateways.length].url, channelOf(chat), body)) === 200;
  }

  async speak(chat, pace) {
    for (let number = 0; this.isOn; number++) {
      await pace();
      const body = update(chat, number), limit = Date.now() + GIVE_UP_MS;
      let begun = Date.now();
      for (let tries = 0; !(await this.deliver(chat, body, tries)); tries++) {
        this.refused++;
        if (Date.now() > limit) return;
        await sleep(50);
        begun = Date.now();
      }
      this.in.set(chat, number + 1);
      this.moved(this.movedIn, chat, begun);
    }
  }

  async answer(chat, pace) {
    for (let number = 0; this.isOn; number++) {
      await pace();
      const limit = Date.now() + GIVE_UP_MS;
      for (;;) {
        const stored = await this.world.js.publish(`kanal.commands.${channelOf(chat)}.message.send`, command(chat, number), { timeout: PUBLISH_MS }).catch(() => null);
        if (stored) break;
        this.unpublished++;
        if (Date.now() > limit) return;
        await sleep(50);
      }
      this.out.set(chat, number + 1);
    }
  }

  moved(which, chat, begun = Date.now()) {
    if (begun >= this.mark && !which.has(chat)) which.set(chat, Date.now());
  }
  taken(chat) { this.moved(this.movedOut, chat); }

  // The fault has happened, or is over: from here on recovery is counted.
  markNow() {
    this.movedIn.clear();
    this.movedOut.clear();
    this.mark = Date.now();
  }
  // Every conversation has moved again, both ways.
  hasRecovered() { return this.movedIn.size === CHATS && this.movedOut.size === CHATS; }
  recoverySeconds() { return Math.round((Math.max(...this.movedIn.values(), ...this.movedOut.values()) - this.mark) / 10) / 100; }

  async end() {
    this.isOn = false;
    await this.done;
  }
}
