// NATS: reads the durables, sends commands, and knows when everything that is stored has been read.
import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, headers } from 'nats';

const MESSAGES_AT_ONCE = 256, REPLY_MS = 5000;

export class BrokerError extends Error {}

export async function connectBroker({ servers, creds, user, password, ca, inbox, name = 'kanal-bot' }) {
  try {
    return await connect({ servers, name, inboxPrefix: inbox, maxReconnectAttempts: -1, reconnectTimeWait: 500, user, pass: password, timeout: 5000,
      ...(creds && { authenticator: credsAuthenticator(readFileSync(creds)) }), ...(ca && { tls: { caFile: ca } }) });
  } catch (error) {
    throw new BrokerError(`no connection to ${servers.join(', ')}: ${error.message}`);
  }
}

export class Broker {
  constructor(connection, { domain, durables, log }) {
    Object.assign(this, { connection, durables, log, js: connection.jetstream({ ...(domain && { domain }), timeout: REPLY_MS }), readers: [], isClosing: false });
  }
  // handle(event, subject) at once, commit() before the acknowledgements.
  async read(handle, commit, failed) {
    for (const { stream, durable } of this.durables) {
      let consumer;
      try {
        consumer = await this.js.consumers.get(stream, durable);
      } catch (error) {
        throw new BrokerError(/consumer not found|404/i.test(error.message)
          ? `there is no durable ${durable} of ${stream}: \`kanal consumer add ${durable} --filter …\` makes it`
          : `the durable ${durable} of ${stream} cannot be read: ${error.message} (the permissions that \`kanal consumer add\` prints, and the domain: --domain)`);
      }
      const messages = await consumer.consume({ max_messages: MESSAGES_AT_ONCE });
      const reader = { stream, durable, consumer, messages };
      this.readers.push(reader);
      reader.ended = this.follow(reader, handle, commit).catch(failed);
    }
  }
  async follow(reader, handle, commit) {
    let taken = [], committing = null;
    const acknowledge = async () => {
      while (taken.length > 0) {
        const batch = taken;
        taken = [];
        await commit();
        for (const message of batch) message.ack();
      }
      committing = null;
    };
    for await (const message of reader.messages) {
      let event;
      try { event = message.json(); } catch { this.log('warning', 'what came is no JSON', { subject: message.subject, stream: reader.stream }); }
      if (event) handle(event, message.subject);
      taken.push(message);
      committing ??= acknowledge();
      if (taken.length >= MESSAGES_AT_ONCE) await committing; // and its failure ends the reader
    }
    await committing;
  }
  // Has everything been read and acknowledged that was stored when this was called? After a kill some events come again only when the
  // durable's ack_wait is over; an `unless` may be among them.
  async hasReadAll() {
    for (const { consumer } of this.readers) {
      let target;
      for (let attempt = 0; ; attempt++) {
        const { num_pending: waiting, num_ack_pending: open, delivered, ack_floor: floor } = await consumer.info();
        if (target === undefined && waiting === 0) target = delivered.stream_seq; // all is under way to us
        if (target !== undefined && (open === 0 || floor.stream_seq >= target)) break;
        if (attempt === 20) return false;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return true;
  }
  // Resolves when it is stored; the same id again changes nothing.
  async send(subject, command) {
    const more = headers();
    more.set('Content-Type', 'application/json');
    await this.js.publish(subject, JSON.stringify(command), { msgID: command.id, headers: more, timeout: REPLY_MS });
  }
  async close() {
    this.isClosing = true;
    for (const reader of this.readers) await reader.messages.close().catch(() => {});
    await Promise.all(this.readers.map((reader) => reader.ended));
    await this.connection.drain().catch(() => {});
  }
}
