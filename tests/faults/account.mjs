// The account at the end: what was acknowledged, against the stream and against what the provider took.
import { stored } from '../integration/gateway/harness.mjs';
import { channelOf, commandId } from './load.mjs';

const times = (list) => list.reduce((map, item) => map.set(item, (map.get(item) ?? 0) + 1), new Map());

// A message that stands behind a later one of its conversation.
function misplaced(numbers) {
  let highest = -1, count = 0;
  for (const number of numbers) {
    if (number < highest) count++;
    highest = Math.max(highest, number);
  }
  return count;
}

// What the stream says: of each chat the numbers received, and of each command its events.
export async function readStream(client) {
  const received = new Map(), told = new Map(), sentOrder = new Map();
  const add = (map, key, value) => { if (!map.has(key)) map.set(key, []); map.get(key).push(value); };
  for (const { data: event } of await stored(client, 'KANAL_EVENTS')) {
    const { message, chat, error } = event.data;
    if (event.type === 'message.received') add(received, Number(chat.id), Number(message.content[0].text));
    else add(told, message?.id, { type: event.type, code: error?.code });
    const [, to, number] = event.type === 'message.sent' ? /^c(\d+)-(\d+)$/.exec(message.id) : [];
    if (to) add(sentOrder, Number(to), Number(number));
  }
  return { received, told, sentOrder };
}

function countIn(chat, acknowledged, numbers, row, details) {
  const seen = times(numbers);
  for (let number = 0; number < acknowledged; number++) {
    if (!seen.has(number)) { row.lost++; details.push(`lost in: ${chat}/${number}`); }
  }
  for (const [number, count] of seen) if (count > 1) { row.doubled += count - 1; details.push(`doubled in: ${chat}/${number} × ${count}`); }
  const wrong = misplaced(numbers);
  if (wrong) details.push(`out of order in: ${chat}: ${numbers.join()}`);
  row.out_of_order += wrong;
}

const inDoubt = new Set(['interrupted', 'timeout', 'network', 'provider_error']);
// Carried out: taken by the provider and told so once; or, where the channel does not send again when in doubt, told as failed.
function countCommand(chat, number, took, events, row, details) {
  const sent = events.filter((event) => event.type === 'message.sent').length, failed = events.filter((event) => event.type === 'message.failed');
  const isTold = channelOf(chat) === 'once' && sent === 0 && failed.length === 1 && inDoubt.has(failed[0].code);
  if (isTold) row.told_unknown++;
  if (!isTold && (took === 0 || sent === 0)) { row.lost++; details.push(`lost out: ${commandId(chat, number)}: taken ${took} times, ${events.map((event) => event.type + (event.code ? `(${event.code})` : '')).join()}`); }
  if (sent === 1 && failed.length === 1) row.told_both++;
  else if (sent + failed.length > 1) { row.doubled++; details.push(`doubled out: ${commandId(chat, number)}: ${events.map((event) => event.type).join()}`); }
  if (took > 1) row[channelOf(chat) === 'again' ? 'again' : 'sent_twice'] += took - 1;
  if (took > 1 && channelOf(chat) === 'once') details.push(`sent twice: ${commandId(chat, number)}`);
}

function countOut(chat, acknowledged, taken, stream, row, details) {
  const seen = times(taken);
  for (let number = 0; number < acknowledged; number++)
    countCommand(chat, number, seen.get(number) ?? 0, stream.told.get(commandId(chat, number)) ?? [], row, details);
  for (const [what, numbers] of [['at the provider', taken], ['told', stream.sentOrder.get(chat) ?? []]]) {
    const wrong = misplaced(numbers);
    if (wrong) details.push(`out of order ${what}: ${chat}: ${numbers.join()}`);
    row.out_of_order += wrong;
  }
}

// sent_twice: of the channel with on_unknown: fail; again: of the one with on_unknown: retry. told_both: sent, says the one gateway, and in doubt
// and so failed, says the other.
export function account(load, provider, stream) {
  const row = { acknowledged: 0, lost: 0, doubled: 0, out_of_order: 0, sent_twice: 0, again: 0, told_unknown: 0, told_both: 0 }, details = [];
  for (const [chat, count] of load.in) {
    row.acknowledged += count + load.out.get(chat);
    countIn(chat, count, stream.received.get(chat) ?? [], row, details);
    countOut(chat, load.out.get(chat), provider.sent.get(chat) ?? [], stream, row, details);
  }
  return { row, details };
}
