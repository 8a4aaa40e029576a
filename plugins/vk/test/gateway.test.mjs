// The VK plugin in the whole gateway: events as VK posts them, also to vk-io's own receiver for comparison; calls to a stand-in of VK that holds
// each of them against VK's own descriptions; uploads through real forms; media.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { VK } from 'vk-io'
import { Kanal, Nats, checkContract, json, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs'

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const fixture = (name) => JSON.parse(readFileSync(path.join(here, '../fixtures', `${name}.json`), 'utf8'))
const TOKEN = 'vk1.a.token-of-the-test', SECRET = 'aaQ13axAPQEcczQa', GROUP = 205112233, PICTURE = Buffer.from('\x89PNG a picture')

// ---- VK, as far as its documentation goes ----

const provider = { calls: [], uploads: [], answers: new Map(), sent: new Map(), cmid: 500 }
const methods = {
  'groups.getById': () => ({ groups: [{ id: GROUP, name: 'Лавка' }], profiles: [] }),
  'users.get': ({ user_ids: id }) => [{ id: Number(id), first_name: 'Анна', last_name: 'Каренина', screen_name: 'anna_k' }],
  'photos.getMessagesUploadServer': () => ({ upload_url: `${provider.url}/upload`, album_id: -64, group_id: GROUP }),
  'photos.saveMessagesPhoto': ({ hash }) => [{ id: Number(hash), owner_id: -GROUP, access_key: 'k', sizes: [] }],
  'messages.send' (call) { // the same random_id is the same message
    const key = `${call.peer_ids} ${call.random_id}`
    if (!provider.sent.has(key)) provider.sent.set(key, ++provider.cmid)
    return [{ peer_id: Number(call.peer_ids), message_id: 3000 + provider.sent.get(key), conversation_message_id: provider.sent.get(key) }]
  }
}

async function startProvider () {
  provider.server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (data) => chunks.push(data))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      if (request.url === '/picture.png') return response.writeHead(200, { 'content-type': 'image/png' }).end(PICTURE)
      response.setHeader('content-type', 'application/json')
      if (request.url === '/upload') {
        provider.uploads.push(body)
        return response.end(JSON.stringify({ server: 1, photo: '[{"x":1}]', hash: String(700 + provider.uploads.length) }))
      }
      const call = { method: request.url.replace('/method/', ''), ...Object.fromEntries(new URLSearchParams(body.toString())) }
      provider.calls.push(call)
      if (call.access_token !== TOKEN) return response.end('{"error":{"error_code":5,"error_msg":"User authorization failed"}}')
      const planned = provider.answers.get(call.message) ?? []
      const answer = planned.shift()
      if (answer === 'drop after') methods[call.method](call)
      if (answer === 'drop' || answer === 'drop after') return request.socket.destroy()
      return response.end(JSON.stringify(answer ?? { response: methods[call.method]?.(call) ?? 1 }))
    })
  })
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve))
  provider.url = `http://127.0.0.1:${provider.server.address().port}`
}

let nats, kanal, client, js

before(async () => {
  await startProvider()
  nats = await Nats.start()
  kanal = await Kanal.start(nats, [{ id: 'vk', plugin: 'vk', settings: { group_id: GROUP, confirmation: 'c0f1rm', api_url: provider.url },
    egress: ['127.0.0.1'], secrets: { token: TOKEN, secret: SECRET } }])
  client = await nats.client()
  js = client.jetstream()
})

after(async () => {
  await client.close()
  assert.deepEqual(await kanal.stop(), { code: 0, signal: null })
  await nats.kill('SIGTERM')
  provider.server.close()
})

const post = async (body) => { const response = await kanal.post('/c/vk/', body); return [response.status, await response.text()] }
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).filter((event) => event.data.type === type)
const callsOf = (message) => provider.calls.filter((call) => call.message === message)
const send = (id, content, more = {}) => js.publish('kanal.commands.vk.message.send', json.encode({ id, to: { address: 'vk:41887' }, content, ...more }))
const ends = (id, type) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type))
const text = (words) => [{ type: 'text', text: words }]

test('the token is proved at the start, and goes nowhere else', async () => {
  await until('groups.getById', () => provider.calls.some((call) => call.method === 'groups.getById' && call.access_token === TOKEN))
})

test('what VK asks is answered as vk-io answers it', async () => {
  const vk = new VK({ token: 'x', pollingGroupId: GROUP, webhookSecret: SECRET, webhookConfirmation: 'c0f1rm' })
  const receiver = http.createServer(vk.updates.getWebhookCallback())
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  for (const [name, change] of [['text', {}], ['confirmation-secret', {}], ['press', {}], ['wall-post', {}], ['text', { secret: 'wrong' }], ['text', { secret: undefined }], ['confirmation-secret', { secret: 'wrong' }]]) {
    const body = { ...fixture(name), ...change }
    const theirs = await fetch(`http://127.0.0.1:${receiver.address().port}/`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
    const [status, words] = await post(body)
    assert.equal(status < 300, theirs.status < 300, `${name}: ${status}, vk-io ${theirs.status}`)
    if (theirs.status < 300) assert.equal(words, await theirs.text())
  }
  receiver.closeAllConnections()
  receiver.close()
})

test('a message is stored before ok, once, and its author gets a name', async () => {
  const event = { ...fixture('text'), event_id: 'e-once' }
  event.object.message.text = 'once'
  assert.deepEqual(await post(event), [200, 'ok'])
  assert.deepEqual(await post(event), [200, 'ok'])
  const received = (await events('message.received')).filter((e) => e.data.data.message.content[0].text === 'once')
  assert.equal(received.length, 1)
  assert.equal(received[0].data.data.customer.address, 'vk:41887')
  const [profile] = await until('the profile', async () => { const all = await events('profile.observed'); return all.length > 0 && all })
  assert.equal(profile.data.data.profile.name, 'Анна Каренина')
})

test('an id above 2^53 survives', async () => {
  const event = { ...fixture('text'), event_id: 'e-long' }
  const body = JSON.stringify(event).replaceAll('41887', '9007199254740993')
  assert.deepEqual(await post(body), [200, 'ok'])
  assert.ok((await events('message.received')).some((e) => e.data.data.customer.address === 'vk:9007199254740993'))
})

test('media are streamed from where VK keeps them', async () => {
  const event = { ...fixture('photo'), event_id: 'e-media' }
  const body = JSON.stringify(event).replaceAll(/https:\/\/sun9-12[^"]+/g, `${provider.url}/picture.png`)
  assert.deepEqual(await post(body), [200, 'ok'])
  const stored = (await events('message.received')).find((e) => e.data.data.message.content[1]?.type === 'image')
  const { pathname, search } = new URL(stored.data.data.message.content[1].url)
  const response = await fetch(kanal.url + pathname + search)
  assert.equal(response.status, 200)
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), PICTURE)
})

test('a text goes out and comes back with the number in its conversation', async () => {
  await send('c-1', text('Да, есть'))
  await ends('c-1', 'message.sent')
  const [call] = callsOf('Да, есть')
  assert.equal(call.v, '5.199')
  assert.equal(call.peer_ids, '41887')
  assert.ok(Number.isInteger(Number(call.random_id)) && Number(call.random_id) !== 0)
  const sent = (await events('message.sent')).find((e) => e.data.data.message.id === 'c-1')
  assert.match(sent.data.data.message.external_id, /^41887\/\d+$/)
  const read = { ...fixture('read'), event_id: 'e-read' }
  read.object.conversation_message_id = Number(sent.data.data.message.external_id.split('/')[1])
  assert.deepEqual(await post(read), [200, 'ok'])
  assert.ok((await events('message.read')).some((e) => e.data.data.message.external_id === sent.data.data.message.external_id))
})

test('a picture goes out in three steps', async () => {
  await send('c-2', [{ type: 'image', url: `${provider.url}/picture.png`, caption: 'Вот он' }])
  await ends('c-2', 'message.sent')
  assert.equal(callsOf('Вот он')[0].attachment, `photo-${GROUP}_701_k`)
  assert.ok(provider.uploads[0].includes(PICTURE) && provider.uploads[0].includes('name="photo"'))
  assert.ok(!provider.uploads[0].includes(TOKEN))
})

test('what may have arrived is sent again under the same random_id, and VK drops it', async () => {
  provider.answers.set('unsure', ['drop after'])
  const before = provider.cmid
  await send('c-3', text('unsure'))
  await ends('c-3', 'message.sent')
  const calls = callsOf('unsure')
  assert.equal(calls.length, 2)
  assert.equal(calls[0].random_id, calls[1].random_id)
  assert.equal(provider.cmid, before + 1, 'one message')
})

test('errors with HTTP 200 are told apart', async () => {
  provider.answers.set('too fast', [{ error: { error_code: 6, error_msg: 'Too many requests per second' } }])
  provider.answers.set('blocked', [{ response: [{ peer_id: 41887, message_id: 0, error: { code: 901, description: "Can't send messages for users without permission" } }] }])
  await send('c-4', text('too fast'))
  await ends('c-4', 'message.sent')
  assert.equal(callsOf('too fast').length, 2)
  await send('c-5', text('blocked'))
  await ends('c-5', 'message.failed')
  const failed = (await events('message.failed')).find((e) => e.data.data.message.id === 'c-5')
  assert.deepEqual([failed.data.data.error.code, failed.data.data.error.provider_code, failed.data.data.error.scope], ['opted_out', '901', 'recipient'])
})

test('everything that was published is valid by the contract', async () => {
  assert.ok(await checkContract(client) > 10)
})
