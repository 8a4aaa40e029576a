// The other side of the browser test against a real gateway: an independent NATS client that knows proto/ only.
import { randomUUID } from 'node:crypto';
import { connect, JSONCodec } from 'nats';

const PREFIX = 'kanal';

export async function createAnswerer(chatUrl, natsUrl = 'nats://127.0.0.1:4222') {
  const channel = new URL(chatUrl).pathname.split('/').filter(Boolean).pop();
  const connection = await connect({ servers: natsUrl });
  const codec = JSONCodec();
  const events = [];
  const waiting = new Set();

  const listen = async (subject) => {
    for await (const message of connection.subscribe(subject)) {
      events.push(codec.decode(message.data));
      for (const check of waiting) check();
    }
  };
  void listen(`${PREFIX}.events.>`);
  void listen(`${PREFIX}.live.>`);
  await connection.flush();

  function until(find, what, ms = 20000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(() => reject(new Error(`waited ${ms} ms in vain for ${what}`))), ms);
      const done = (end) => {
        clearTimeout(timer);
        waiting.delete(check);
        end();
      };
      const check = () => {
        const found = find();
        if (found) done(() => resolve(found));
      };
      waiting.add(check);
      check();
    });
  }

  const of = (visitor, type) => events.filter((event) => event.type === type && event.data.customer?.address === `visitor:${visitor}`);
  const status = (type, id) => events.find((event) => event.type === type && event.data.message?.id === id);

  async function command(verb, visitor, body) {
    const id = `test-${randomUUID()}`;
    connection.publish(`${PREFIX}.commands.${channel}.${verb}`, codec.encode({ id, to: { address: `visitor:${visitor}` }, ...body }));
    await connection.flush();
    return id;
  }

  return {
    async received(visitor, match) {
      const all = () => of(visitor, 'message.received').filter((event) => match(event.data.message.content));
      await until(() => all().length > 0, 'message.received');
      const { external_id, content, reply_to } = all()[0].data.message;
      return { external_id, content, reply_to, count: all().length };
    },
    async send(visitor, content, author) {
      const id = await command('message.send', visitor, { content, ...(author ? { agent: { kind: 'person', name: author } } : {}) });
      const sent = await until(() => status('message.sent', id) || status('message.failed', id), 'message.sent');
      if (sent.type === 'message.failed') throw new Error(JSON.stringify(sent.data));
      return sent.data.message.external_id;
    },
    edit: (visitor, external_id, content) => command('message.edit', visitor, { message: { external_id }, content }),
    remove: (visitor, external_id) => command('message.delete', visitor, { message: { external_id } }),
    typing: (visitor) => command('typing.start', visitor, {}),
    read: (visitor, external_id) => command('message.read', visitor, { message: { external_id } }),
    receipt: (visitor, kind, external_id) => until(() => of(visitor, `message.${kind}`).find((event) => event.data.message.external_id === external_id), `message.${kind}`),
    submitted: (visitor) => until(() => of(visitor, 'form.submitted')[0], 'form.submitted'),
    typed: (visitor) => until(() => of(visitor, 'typing.started')[0], 'typing.started'),
    close: () => connection.close(),
  };
}
