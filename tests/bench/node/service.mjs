// The same job as Kanal's Telegram webhook, as one would write it in Node: check the secret, read the update, build the event,
// publish it to JetStream with a message id, answer 200 when the broker has confirmed it.
//
// It does less than Kanal, to its advantage: ids are put together from the update's numbers instead of hashed, nothing is checked
// against limits, nothing is counted, and only plain text messages are understood. What it writes has Kanal's shape and size.
//
// BENCH_PORT, BENCH_BROKER (nats://…) and BENCH_SECRET say where and what; the process ends with SIGTERM.
import { timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import { connect } from 'nats';

const { BENCH_PORT, BENCH_BROKER, BENCH_SECRET, BENCH_CHANNEL } = process.env;
const secret = Buffer.from(BENCH_SECRET);
const encoder = new TextEncoder();
const broker = await connect({ servers: BENCH_BROKER });
const jetstream = broker.jetstream();

function fromTelegram(given) {
  const bytes = Buffer.from(given ?? '');
  return bytes.length === secret.length && timingSafeEqual(bytes, secret);
}

// An id as long as Kanal's: "e_" and 26 characters.
const idOf = (prefix, number) => prefix + String(number).padStart(26, '0');

function eventOf(update) {
  const { message } = update;
  const { from, chat } = message;
  const id = idOf('e_', update.update_id);
  const node = idOf('a_', from.id);
  const address = `telegram:${from.id}`;
  return {
    specversion: '1.0', id, type: 'message.received', source: `urn:kanal:kanal:${BENCH_CHANNEL}`, subject: node,
    time: new Date(message.date * 1000).toISOString(), recordedtime: new Date().toISOString(),
    datacontenttype: 'application/json', dataschema: 'urn:kanal:schema:message.received:1',
    data: {
      channel: { id: BENCH_CHANNEL, plugin: 'telegram' },
      customer: {
        id: idOf('c_', from.id), node, address, name: `${from.first_name} ${from.last_name}`, username: from.username,
        first_name: from.first_name, last_name: from.last_name, locale: from.language_code,
      },
      chat: { id: String(chat.id), kind: chat.type },
      message: {
        id, external_id: `${chat.id}/${message.message_id}`, content: [{ type: 'text', text: message.text }],
      },
    },
  };
}

const app = Fastify({ logger: false });
app.post(`/c/${BENCH_CHANNEL}/`, async (request, reply) => {
  if (!fromTelegram(request.headers['x-telegram-bot-api-secret-token'])) return reply.code(401).send();
  const event = eventOf(request.body);
  const subject = `kanal.events.telegram.${BENCH_CHANNEL}.message.received.${event.subject}`;
  await jetstream.publish(subject, encoder.encode(JSON.stringify(event)), { msgID: event.id });
  return reply.code(200).send();
});
process.once('SIGTERM', () => process.exit(0));
await app.listen({ host: '127.0.0.1', port: Number(BENCH_PORT) });
