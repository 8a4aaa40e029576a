// The Viber plugin in the whole gateway: callbacks signed by viber-bot's own validator, a stand-in of Viber that calls back during set_webhook,
// deliveries with their receipts, media.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Kanal, Nats, checkContract, freePort, json, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs'

const require = createRequire(import.meta.url)
const MessageValidator = require('viber-bot/lib/message/message-validator')
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const fixture = (name) => readFileSync(path.join(here, '../fixtures', `${name}.json`), 'utf8')
const TOKEN = '445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9', PICTURE = Buffer.from('\x89PNG a picture'), FIRST = 5741311803571721087n
const ADDRESS = 'viber:pa%3A75346594275468546724/01234567890A%2F%2BBcD%3D%3D'
const validator = new MessageValidator({ debug () {} }, TOKEN)
const signature = (body) => validator._calculateHmacFromMessage(body)

// ---- Viber, as far as its documentation goes ----

const provider = { calls: [], answers: new Map(), tokens: 0n, webhook: null, checked: [] }

async function setWebhook ({ url, event_types: types }) { // the check comes before the answer
  if (url === '') return { status: 0, status_message: 'ok' }
  const body = JSON.stringify({ event: 'webhook', timestamp: Date.now(), message_token: 241256543215 })
  const response = await fetch(url.replace('https://hub.example.com', provider.gateway), { method: 'POST', body, headers: { 'X-Viber-Content-Signature': signature(body) } })
  provider.checked.push(response.status)
  if (response.status !== 200) return { status: 1, status_message: 'invalidUrl' }
  provider.webhook = url
  return { status: 0, status_message: 'ok', event_types: types }
}

async function startProvider () {
  provider.server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (data) => { body += data })
    request.on('end', async () => {
      if (request.url === '/picture.png') return response.writeHead(200, { 'content-type': 'image/png' }).end(PICTURE)
      const call = { method: request.url.slice(1), token: request.headers['x-viber-auth-token'], ...JSON.parse(body) }
      provider.calls.push(call)
      response.setHeader('content-type', 'application/json')
      if (call.token !== TOKEN) return response.end('{"status":2,"status_message":"invalidAuthToken"}')
      if (call.method === 'get_account_info') return response.end(JSON.stringify({ status: 0, status_message: 'ok', id: 'pa:75346594275468546724', name: 'Лавка' }))
      if (call.method === 'set_webhook') return response.end(JSON.stringify(await setWebhook(call)))
      const planned = (provider.answers.get(call.text) ?? []).shift()
      if (planned === 'drop') return request.socket.destroy()
      return response.end(planned ? JSON.stringify(planned) : `{"status":0,"status_message":"ok","message_token":${FIRST + ++provider.tokens}}`)
    })
  })
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve))
  provider.url = `http://127.0.0.1:${provider.server.address().port}`
}

let nats, kanal, client, js

before(async () => {
  await startProvider()
  nats = await Nats.start()
  const listen = `127.0.0.1:${await freePort()}`
  provider.gateway = `http://${listen}`
  kanal = await Kanal.start(nats, [{ id: 'viber', plugin: 'viber', settings: { api_url: provider.url, welcome: 'Здравствуйте!' }, egress: ['127.0.0.1'],
    secrets: { token: TOKEN }, on_unknown: 'fail' }], { http: { listen, public_url: 'https://hub.example.com' } })
  kanal.url = provider.gateway // not the public one
  client = await nats.client()
  js = client.jetstream()
})

after(async () => {
  await client.close()
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null })
  await nats.kill('SIGTERM')
  provider.server.close()
})

const post = (body, sig = signature(body)) => kanal.post('/c/viber/', body, sig === null ? {} : { 'X-Viber-Content-Signature': sig })
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.type === type)
const callsOf = (text) => provider.calls.filter((call) => call.text === text)
const send = (id, content) => js.publish('kanal.commands.viber.message.send', json.encode({ id, to: { address: ADDRESS }, content }))
const ends = (id, type) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type))
const text = (words) => [{ type: 'text', text: words }]

test('the webhook is registered, and Viber is answered while it registers', async () => {
  await until('the registration', () => provider.webhook === 'https://hub.example.com/c/viber/')
  assert.deepEqual(provider.checked.slice(-1), [200])
})

test('only what viber-bot signs is taken', async () => {
  const body = fixture('text')
  assert.ok(validator.validateMessage(signature(body), body))
  for (const wrong of [null, '', signature(body + ' '), signature(body).slice(1)]) assert.equal((await post(body, wrong)).status, 401)
  assert.equal((await events('message.received')).length, 0)
  assert.equal((await post(body)).status, 200)
  assert.equal((await post(body, signature(body).toUpperCase())).status, 200, 'hexadecimal in any case')
  const received = await events('message.received')
  assert.equal(received.length, 1, 'a repeated callback is one event')
  assert.equal(received[0].data.data.customer.address, ADDRESS)
  assert.equal(received[0].data.data.message.external_id, '5741311803571721088', 'above 2^53')
})

test('who opens the chat is greeted in the answer', async () => {
  const response = await post(fixture('started'))
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { sender: { name: 'Лавка' }, type: 'text', text: 'Здравствуйте!' })
  const [started] = await events('conversation.started')
  assert.equal(started.data.data.referral.payload, 'promo7')
  assert.equal(await (await post(fixture('started-subscribed'))).text(), '')
})

test('a text goes out, and its receipts come back under its token', async () => {
  await send('c-1', text('Да, есть'))
  await ends('c-1', 'message.sent')
  const sent = (await events('message.sent')).find((e) => e.data.data.message.id === 'c-1')
  const token = sent.data.data.message.external_id
  assert.equal(token, String(FIRST + provider.tokens), 'not rounded')
  assert.deepEqual(callsOf('Да, есть')[0].sender, { name: 'Лавка' })
  for (const name of ['delivered', 'seen']) assert.equal((await post(fixture(name).replace(String(FIRST), token))).status, 200)
  for (const type of ['message.delivered', 'message.read']) assert.ok((await events(type)).some((e) => e.data.data.message.external_id === token), type)
})

test('errors with HTTP 200 are told apart', async () => {
  provider.answers.set('too fast', [{ status: 12, status_message: 'tooManyRequests' }])
  provider.answers.set('gone', [{ status: 6, status_message: 'receiverNotSubscribed' }])
  provider.answers.set('unsure', ['drop'])
  await send('c-2', text('too fast'))
  await ends('c-2', 'message.sent')
  assert.equal(callsOf('too fast').length, 2)
  await send('c-3', text('gone'))
  await ends('c-3', 'message.failed')
  const failed = (await events('message.failed')).find((e) => e.data.data.message.id === 'c-3')
  assert.deepEqual([failed.data.data.error.code, failed.data.data.error.provider_code], ['opted_out', '6'])
  await send('c-4', text('unsure'))
  await until('it is told that nobody knows', async () => (await storedTypes(client, 'c-4')).some((type) => ['message.unknown', 'message.failed'].includes(type)))
  assert.equal(callsOf('unsure').length, 1, 'Viber has no idempotency key: it is not sent twice')
})

test('media are streamed from where Viber keeps them', async () => {
  const body = fixture('picture').replaceAll(/https:\/\/dl-media[^"]+/g, `${provider.url}/picture.png`)
  assert.equal((await post(body)).status, 200)
  const event = (await events('message.received')).find((e) => e.data.data.message.content[0].type === 'image')
  const { pathname, search } = new URL(event.data.data.message.content[0].url)
  const response = await fetch(kanal.url + pathname + search)
  assert.deepEqual([response.status, Buffer.from(await response.arrayBuffer())], [200, PICTURE])
})

test('everything that was published is valid by the contract', async () => {
  assert.ok(await checkContract(client) > 8)
})
