// One message through each channel and an answer to each, by the same commands that a person would use.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { until } from './processes.mjs';
import { WebSocketClient } from './websocket.mjs';

const post = (url, body, headers = {}) => fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });

function ok(what, condition, more = '') {
  if (!condition) throw new Error(`missing: ${what} ${more}`);
}

async function visitor({ gateway, shop }) {
  const origin = shop.url.replace(/\/$/, '');
  const socket = await WebSocketClient.open(`${gateway.url}/c/shop-chat/ws`, { origin });
  socket.send({ type: 'hello', v: 1, locale: 'ru-RU', page: { url: shop.url, title: 'Shop' } });
  const welcome = await until('the chat\'s welcome', () => socket.frames.find((frame) => frame.type === 'welcome'));
  return { socket, token: welcome.token, address: `visitor:${welcome.visitor}`, origin };
}

export async function check(parts) {
  const { gateway, telegram, shop, config, kanal, processes } = parts;
  const tail = processes.start(kanal, ['tail', '-c', config, '--json', '--since', 'all']);
  const seen = () => tail.lines.flatMap((line) => { try { return [JSON.parse(line)]; } catch { return []; } });
  const event = (type, channel, what = () => true) => until(`${type} of ${channel}`, () =>
    seen().find((e) => e.type === type && e.data.channel.id === channel && what(e)));
  const answer = (channel, address, text) => {
    const result = spawnSync(kanal, ['send', '-c', config, channel, address, text, '--wait=20'], { encoding: 'utf8' });
    ok(`an answer through ${channel}`, result.status === 0, `\n${result.stdout}${result.stderr}`);
  };
  ok('the shop page with the widget in it', (await (await fetch(shop.url)).text()).includes('/c/shop-chat/widget.js'));
  ok('the widget', (await fetch(`${gateway.url}/c/shop-chat/widget.js`)).status === 200);

  // Telegram
  await post(`${telegram.url}/_/user/say`, { chat: 77, text: 'Здравствуйте' });
  const message = await event('message.received', 'shop-telegram');
  answer('shop-telegram', message.data.customer.address, 'Добрый день!');
  await until('the answer at Telegram', async () => JSON.stringify(await (await fetch(`${telegram.url}/_/sent`)).json()).includes('Добрый день!'));

  // The chat on the site
  const { socket, token, address, origin } = await visitor(parts);
  const id = randomUUID();
  socket.send({ type: 'message', id, text: 'Is it fresh?' });
  await until('the chat\'s acknowledgement', () => socket.frames.find((frame) => frame.type === 'ack' && frame.id === id));
  await event('message.received', 'shop-chat', (e) => e.data.customer.address === address);
  answer('shop-chat', address, 'Roasted this morning.');
  await until('the answer in the chat', () => socket.frames.find((frame) => frame.type === 'message' && JSON.stringify(frame).includes('Roasted this morning.')));

  // The form, by the same visitor; its answer goes into the chat
  const response = await post(`${gateway.url}/c/shop-form/`, { form: 'callback', session: token, fields: { name: 'Anna', phone: '+79161234567' } }, { origin });
  ok('the form is taken', response.ok, `${response.status} ${await response.clone().text()}`);
  await event('form.submitted', 'shop-form', (e) => e.data.customer.address === address);
  answer('shop-chat', address, 'We will call you.');
  await until('the answer to the form in the chat', () => socket.frames.find((frame) => JSON.stringify(frame).includes('We will call you.')));

  // echo
  ok('echo takes a message', (await post(`${gateway.url}/c/demo-echo/`, { from: 'anna', text: 'Hello' })).status === 200);
  await event('message.received', 'demo-echo');
  answer('demo-echo', 'echo:anna', 'Hello, Anna');
  await until('the answer at echo', async () => (await (await fetch(`${gateway.url}/c/demo-echo/outbox?to=anna`)).text()).includes('Hello, Anna'));

  await event('message.sent', 'demo-echo');
  socket.close();
  tail.kill('SIGINT');
  await tail.ended;
  for (const e of seen()) {
    const text = e.data.message?.content?.map((part) => part.text ?? part.type).join(' ') ?? '';
    console.log(`${e.time}  ${e.data.channel.id.padEnd(14)} ${e.type.padEnd(22)} ${(e.data.customer?.address ?? '').padEnd(36)} ${text}`);
  }
  console.log(`\ndemo: right: ${seen().length} events seen, every message arrived, every answer arrived`);
  return true;
}
