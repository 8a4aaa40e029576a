// The SMS plugin in two gateways on one broker: a long message that comes over the binds of both, and an account that allows one bind only.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Kanal, Nats, json, sleep, stored, until } from '../../../tests/integration/gateway/harness.mjs'
import { areTogether, laneOf, records, settled } from '../../../tests/integration/gateway/leases.mjs'
import { Smsc, smpp } from './smsc.mjs'

let smsc, nats, client, start
const gateways = []

before(async () => {
  smsc = await new Smsc().start()
  smsc.accounts.set('kanal', 'geheim-8').set('single', 'geheim-9')
  nats = await Nats.start()
  client = await nats.client()
  const channel = (id, system_id, password, more = {}) => ({ id, plugin: 'sms', settings: { api_url: `smpp://127.0.0.1:${smsc.port}`, system_id, ...more }, egress: [`127.0.0.1:${smsc.port}`], secrets: { password } })
  start = async () => gateways.push(await Kanal.start(nats, [channel('sms', 'kanal', 'geheim-8'), channel('single', 'single', 'geheim-9', { single_bind: true })]))
  for (let i = 0; i < 2; i++) await start()
  await settled(client, gateways, 'sms')
})

after(async () => {
  await client?.close()
  for (const gateway of gateways) await gateway.stop()
  await nats?.kill('SIGTERM')
  await smsc.stop()
})

const sessionsOf = (account) => [...smsc.sessions].filter((session) => session.account === account)
const deliver = (session, fields) => new Promise((resolve) => session.deliver_sm({ source_addr: '79161234567', source_addr_ton: 1, source_addr_npi: 1, destination_addr: '900', ...fields }, resolve))
const received = async () => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.type === 'message.received').map((event) => event.data.message.content[0].text)

test('segments over the binds of two replicas are one message, told once', { timeout: 60000 }, async () => {
  const [a, b] = await until('both bind', () => sessionsOf('kanal').length === 2 && sessionsOf('kanal'))
  const part = (n, message) => ({ esm_class: 0x40, data_coding: 0, short_message: { udh: Buffer.from([5, 0, 3, 9, 4, n]), message } })
  for (const [session, n, words] of [[a, 3, 'three '], [b, 1, 'one '], [a, 4, 'four'], [b, 4, 'four'], [b, 2, 'two ']]) assert.equal((await deliver(session, part(n, words))).command_status, smpp.ESME_ROK)
  await until('the joined text', async () => (await received()).includes('one two three four'))
  assert.equal((await deliver(a, part(2, 'two '))).command_status, smpp.ESME_ROK, 'the other replica knows that it is told')
  // Two halves at the same moment, on both: one of the writers has to read anew.
  for (let i = 0; i < 20; i++) {
    const half = (n) => ({ esm_class: 0x40, data_coding: 0, short_message: { udh: Buffer.from([6, 8, 4, 1, i, 2, n]), message: `${'ab'[n - 1]}${i}` } })
    const answers = await Promise.all([deliver(a, half(1)), deliver(b, half(2))])
    assert.deepEqual(answers.map((answer) => answer.command_status), [0, 0])
  }
  await until('all of them', async () => Array.from({ length: 20 }, (_, i) => `a${i}b${i}`).every(async (text) => (await received()).includes(text)))
  assert.equal((await received()).length, 21)
})

// Which gateway is bound, as it says; the bind follows the lane.
async function holderOf() {
  await until('the bind is where the lane is', () => areTogether(client, 'sms'), 15000)
  return until('one is bound', () => {
    const last = (gateway) => gateway.log().filter((entry) => entry.channel === 'single' && /^bound|^the lease is lost/.test(entry.message)).at(-1)?.message ?? ''
    const index = gateways.findIndex((gateway) => last(gateway).startsWith('bound'))
    return index >= 0 && { index }
  }).then(({ index }) => index)
}

test('of an account for one bind, one replica has it; the other takes over', { timeout: 90000 }, async () => {
  await until('one binds', () => sessionsOf('single').length === 1)
  await sleep(1000)
  assert.equal(sessionsOf('single').length, 1)
  const { length } = smsc.binds.filter((name) => name === 'single')
  await sleep(2000)
  assert.equal(smsc.binds.filter((name) => name === 'single').length, length, 'the other did not even try')
  for (const gateway of gateways) assert.equal((await gateway.channels()).find((one) => one.id === 'single').state, 'up')
  const first = sessionsOf('single')[0]
  assert.equal((await deliver(first, { short_message: 'to the holder' })).command_status, smpp.ESME_ROK)
  const holder = await holderOf()
  assert.ok(holder >= 0)
  await gateways.splice(holder, 1)[0].stop()
  await until('the one that is left is bound', () => sessionsOf('single').length === 1, 30000)
  assert.equal((await deliver(sessionsOf('single')[0], { short_message: 'to the other' })).command_status, smpp.ESME_ROK)
  await until('both are stored', async () => (await received()).filter((text) => text.startsWith('to the')).length === 2)
})

test('commands for the one bind are sent once and in order while lane and bind change hands', { timeout: 90000 }, async () => {
  const count = 120, js = client.jetstream()
  const speaking = (async () => {
    for (let i = 0; i < count; i++) {
      await js.publish('kanal.commands.single.message.send', json.encode({ id: `move-${i}`, to: { address: 'tel:+79031112233' }, content: [{ type: 'text', text: `move ${i}` }] }))
      await sleep(100)
    }
  })()
  const lane = `_.lane-${laneOf('single')}`, holders = new Set()
  const note = async () => holders.add((await records(client)).get(lane)?.holder)
  await note()
  await start()
  await start()
  await settled(client, gateways, 'sms')
  await note()
  await gateways.splice(await holderOf(), 1)[0].stop()
  await settled(client, gateways, 'sms')
  await note()
  await speaking
  const texts = () => smsc.submitted.filter((one) => one.account === 'single' && one.text.startsWith('move ')).map((one) => one.text)
  await until('all are submitted', () => texts().length >= count, 30000)
  await sleep(500)
  assert.deepEqual(texts(), Array.from({ length: count }, (_, i) => `move ${i}`))
  const events = async () => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.type === 'message.sent' && event.data.message.id.startsWith('move-'))
  await until('all are told', async () => (await events()).length === count)
  assert.ok(holders.size >= 2, 'the lane changed hands')
  assert.equal(sessionsOf('single').length, 1)
})
