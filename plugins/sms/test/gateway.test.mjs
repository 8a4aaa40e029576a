// The SMS plugin in the whole gateway, bound to an SMS centre that others wrote (npm's smpp), with Kannel as another ESME on it, whose own segments and
// alphabets have to be understood, and who has to understand ours.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Kanal, Nats, checkContract, freePort, json, scratchDir, sleep, stored, storedTypes, until } from '../../../tests/integration/gateway/harness.mjs'
import { Smsc, smpp } from './smsc.mjs'

const PASSWORD = 'geheim-8', ADDRESS = 'tel:+79161234567'
let smsc, nats, kanal, client, js

before(async () => {
  smsc = await new Smsc().start()
  smsc.accounts.set('kanal', PASSWORD).set('kannel', 'kannel-7')
  nats = await Nats.start()
  const settings = { api_url: `smpp://127.0.0.1:${smsc.port}`, system_id: 'kanal', sender: 'Lavka', default_region: 'RU', window: 4, response_timeout: 2, enquire_link: 1, reassembly_timeout: 10 }
  const channel = (id, more = {}) => ({ id, plugin: 'sms', settings: { ...settings, ...more.settings }, egress: [`127.0.0.1:${smsc.port}`], secrets: { password: PASSWORD }, on_unknown: 'fail', ...more.channel })
  kanal = await Kanal.start(nats, [channel('sms'), channel('locked', { settings: { system_id: 'nobody' } })])
  client = await nats.client()
  js = client.jetstream()
  await bound()
})

after(async () => {
  await client?.close()
  const unbinds = smsc.unbinds
  const how = await kanal?.stop()
  await nats?.kill('SIGTERM')
  const wasUnbound = smsc.unbinds > unbinds
  await smsc.stop()
  assert.deepEqual(how, { code: 0, signal: null })
  assert.ok(wasUnbound, 'the bind is given back')
  assert.ok(!kanal.child.lines.some((line) => line.includes(PASSWORD)), 'no secret in the log')
})

const bound = () => until('the bind', () => smsc.sessionOf('kanal'), 20000)
const events = async (type) => (await stored(client, 'KANAL_EVENTS')).map((event) => event.data).filter((event) => event.type === type)
const send = (id, text, more = {}) => js.publish('kanal.commands.sms.message.send', json.encode({ id, to: { address: ADDRESS }, content: [{ type: 'text', text }], ...more }))
const ends = (id, type, ms) => until(`${type} of ${id}`, async () => (await storedTypes(client, id)).includes(type), ms)
// `on_unknown: fail` makes this of it.
const unknown = async (id) => { await ends(id, 'message.failed', 20000); assert.equal((await last('message.failed', id)).data.error.code, 'timeout') }
const submits = (start) => smsc.submitted.filter((one) => one.text.startsWith(start))
const received = (probe, what) => until(what, async () => (await events('message.received')).find((event) => probe(event.data.message, event.data)), 20000)
const textOf = (message) => message.content[0].text
const last = async (type, id) => (await events(type)).findLast((event) => event.data.message.id === id)

test('a text goes out as the operator set it, and its receipt comes back', async () => {
  await send('s-1', 'Ваш заказ готов', { expires: new Date(Date.now() + 7200e3).toISOString() })
  await ends('s-1', 'message.sent')
  const [pdu] = submits('Ваш заказ')
  assert.deepEqual([pdu.source_addr, pdu.source_addr_ton, pdu.destination_addr, pdu.dest_addr_ton, pdu.data_coding, pdu.registered_delivery], ['Lavka', 5, '79161234567', 1, 8, 1])
  assert.ok(Math.abs(pdu.validity_period - Date.now() - 7200e3) < 60e3, `until the command expires: ${pdu.validity_period}`)
  const sent = await last('message.sent', 's-1')
  assert.equal(sent.data.message.external_id, pdu.id)
  const receipt = `id:${pdu.id} sub:001 dlvrd:001 submit date:2611210850 done date:2611210851 stat:DELIVRD err:000 text:`
  const answer = await smsc.deliver('kanal', { esm_class: 4, short_message: receipt })
  assert.equal(answer.command_status, smpp.ESME_ROK)
  const delivered = (await events('message.delivered')).find((event) => event.data.message.external_id === pdu.id)
  assert.equal(delivered.data.customer.address, ADDRESS)
})

test('a receipt in parameters: not delivered', async () => {
  await send('s-2', 'second')
  await ends('s-2', 'message.sent')
  const [pdu] = submits('second')
  const answer = await smsc.deliver('kanal', { esm_class: 4, receipted_message_id: pdu.id, message_state: 5, network_error_code: Buffer.from([3, 0, 27]) })
  assert.equal(answer.command_status, smpp.ESME_ROK)
  const failed = (await events('message.failed')).find((event) => event.data.message.external_id === pdu.id)
  assert.deepEqual([failed.data.error.code, failed.data.error.provider_code], ['provider_error', '3:27'])
})

test('a long text goes out in segments of one reference, the last of which asks for the receipt', async () => {
  const long = 'long ' + 'Hello {world} €. '.repeat(20)
  await send('s-3', long)
  await ends('s-3', 'message.sent')
  const parts = smsc.submitted.filter((one) => one.udh && one.destination_addr === '79161234567')
  assert.equal(parts.map((one) => one.text).join(''), long)
  assert.deepEqual(parts.map((one) => [...one.udh[0]].slice(3)), parts.map((_, i) => [parts.length, i + 1]))
  assert.equal(new Set(parts.map((one) => one.udh[0][2])).size, 1)
  assert.deepEqual(parts.map((one) => one.registered_delivery), parts.map((_, i) => Number(i + 1 === parts.length)))
  assert.equal((await last('message.sent', 's-3')).data.message.external_id, parts.at(-1).id)
})

test('a text that comes in is answered when it is stored, and once', async () => {
  const fields = { source_addr: '89161234567', source_addr_ton: 0, short_message: 'Здравствуйте', data_coding: 8 }
  assert.equal((await smsc.deliver('kanal', fields)).command_status, smpp.ESME_ROK)
  const event = await received((message) => textOf(message) === 'Здравствуйте', 'the text')
  assert.equal(event.data.customer.address, ADDRESS, 'a national number, made international')
  assert.equal(event.data.message.provider.destination, '900')
})

test('segments that come in any order, and twice, are one message', async () => {
  const part = (n, message) => ({ esm_class: 0x40, data_coding: 0, short_message: { udh: Buffer.from([5, 0, 3, 77, 3, n]), message } })
  for (const [n, words] of [[2, 'two '], [3, 'three'], [2, 'two '], [1, 'one '], [3, 'three']]) assert.equal((await smsc.deliver('kanal', part(n, words))).command_status, smpp.ESME_ROK)
  const event = await received((message) => textOf(message) === 'one two three', 'the joined text')
  assert.equal(event.data.message.provider.segments, 3)
  await sleep(200)
  assert.equal((await events('message.received')).filter((one) => textOf(one.data.message).includes('two')).length, 1)
})

test('segments by sar_ parameters, and a payload by data_sm', async () => {
  const part = (n, message) => ({ sar_msg_ref_num: 4711, sar_total_segments: 2, sar_segment_seqnum: n, data_coding: 8, short_message: message })
  await smsc.deliver('kanal', part(1, 'Раз, '))
  await smsc.deliver('kanal', part(2, 'два'))
  await received((message) => textOf(message) === 'Раз, два', 'the joined text')
  const words = 'payload '.repeat(60)
  const answer = await smsc.deliver('kanal', { data_coding: 8, message_payload: words }, 'data_sm')
  assert.equal(answer.command_status, smpp.ESME_ROK)
  await received((message) => textOf(message) === words, 'the payload')
})

test('what is never complete is told as it is', async () => {
  await smsc.deliver('kanal', { esm_class: 0x40, short_message: { udh: Buffer.from([6, 8, 4, 1, 2, 2, 2]), message: 'second half' } })
  const event = await received((message) => textOf(message) === 'second half', 'what there is')
  assert.equal(event.data.message.provider.missing_segments, 1)
})

test('errors of the SMS centre: later, never, for ever', async () => {
  smsc.answers.set('throttled', [smpp.ESME_RTHROTTLED]).set('queue', [smpp.ESME_RMSGQFUL]).set('wrong', [smpp.ESME_RINVDSTADR])
  await send('s-4', 'throttled')
  await ends('s-4', 'message.sent', 20000)
  assert.equal(submits('throttled').length, 2)
  await send('s-5', 'queue')
  await ends('s-5', 'message.sent', 20000)
  await send('s-6', 'wrong')
  await ends('s-6', 'message.failed')
  const { error } = (await last('message.failed', 's-6')).data
  assert.deepEqual([error.code, error.scope, error.provider_code], ['recipient_unknown', 'recipient', '0x0000000b'])
  assert.equal(submits('wrong').length, 1)
})

test('throttled in the middle of a long text: only the rest is submitted again, with the same reference', async () => {
  const long = 'resumed ' + 'x'.repeat(400)
  smsc.answers.set('x', [smpp.ESME_RTHROTTLED, 0])
  await send('s-7', long)
  await ends('s-7', 'message.sent', 20000)
  const parts = smsc.submitted.filter((one) => one.udh && /^(resumed )?x+$/.test(one.text))
  assert.deepEqual(parts.map((one) => one.udh[0][4]), [1, 2, 3, 2], 'the first and third once')
  assert.equal(new Set(parts.map((one) => one.udh[0][2])).size, 1)
})

test('a slow SMS centre: the window is never exceeded', async () => {
  smsc.most = smsc.inFlight = 0
  smsc.answers.set('slow', Array.from({ length: 20 }, () => ({ ms: 150 })))
  for (let i = 0; i < 20; i++) await js.publish('kanal.commands.sms.message.send', json.encode({ id: `w-${i}`, to: { address: `tel:+7916123450${i % 10}${i >= 10 ? 1 : 0}`.slice(0, 16) }, content: [{ type: 'text', text: `slow ${i}` }] }))
  for (let i = 0; i < 20; i++) await ends(`w-${i}`, 'message.sent', 20000)
  assert.equal(smsc.most, 4)
})

test('the SMS centre never answers a message: unknown, and not sent twice', async () => {
  smsc.answers.set('silence', ['silent'])
  await send('s-8', 'silence')
  await unknown('s-8')
  assert.equal(submits('silence').length, 1)
})

test('the SMS centre dies with the window full: unknown; then the bind is back, and what waited goes out', async () => {
  smsc.answers.set('lost', ['drop'])
  await send('s-9', 'lost')
  await unknown('s-9')
  const { port } = smsc
  await smsc.stop()
  await until('the channel is down', async () => (await events('channel.down')).some((event) => event.data.channel.id === 'sms'))
  await send('s-10', 'waited')
  await sleep(500)
  await smsc.start(port)
  await bound()
  await ends('s-10', 'message.sent', 60000)
  assert.equal(submits('lost').length, 1)
  await until('the channel is up again', async () => (await kanal.channels()).find((one) => one.id === 'sms').state === 'up')
})

test('a refused bind: the channel is down, with the reason and without the secret', async () => {
  const down = await until('channel.down', async () => (await events('channel.down')).find((event) => event.data.channel.id === 'locked'))
  assert.match(JSON.stringify(down), /refuses the bind: the password is wrong \(0x0000000e\)/)
  assert.ok(!JSON.stringify(down).includes(PASSWORD))
  assert.ok(smsc.binds.filter((name) => name === 'nobody').length <= 3, 'who is refused does not knock all the time')
})

test('a length that cannot be: the connection is made anew', async () => {
  const before = smsc.sessionOf('kanal')
  before.socket.write(Buffer.from('ffffffff0000000500000000000000ff', 'hex'))
  await until('another bind', () => smsc.sessionOf('kanal') && smsc.sessionOf('kanal') !== before, 20000)
  assert.equal(await kanal.metric(/streams_garbled/), 1)
})

test('the bind is probed, and a deaf SMS centre is left', async () => {
  const probes = smsc.enquiries
  await until('enquire_link', () => smsc.enquiries > probes + 1)
  const before = smsc.sessionOf('kanal')
  smsc.isDeaf = true
  await until('the connection is given up', () => smsc.sessionOf('kanal') !== before, 20000)
  smsc.isDeaf = false
  await bound()
})

test('the broker is away: the SMS centre is asked to come again, and then it is stored', async () => {
  const fields = { short_message: 'while the broker was away' }
  await nats.pause()
  const answer = await smsc.deliver('kanal', fields)
  assert.equal(answer.command_status, 0x64, 'ESME_RX_T_APPN')
  nats.resume()
  await until('it is taken', async () => (await smsc.deliver('kanal', fields)).command_status === smpp.ESME_ROK, 20000)
  await received((message) => textOf(message) === fields.short_message, 'the text')
})

// ---- Kannel ----

class Kannel {
  texts = []
  async start () {
    this.children = []
    const [admin, box, sendsms] = [await freePort(), await freePort(), await freePort()]
    this.sendsms = sendsms
    this.server = http.createServer((request, response) => {
      const url = new URL(request.url, 'http://x')
      const bytes = Buffer.from([...request.url.match(/bytes=([^&]*)/)[1].matchAll(/%([0-9a-fA-F]{2})|\+|(.)/g)].map(([whole, hex]) => hex ? Number.parseInt(hex, 16) : whole === '+' ? 32 : whole.charCodeAt(0)))
      const coding = url.searchParams.get('coding')
      this.texts.push({ from: url.searchParams.get('from'), text: coding === '2' ? bytes.swap16().toString('utf16le') : bytes.toString('utf8') })
      response.end('')
    })
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    const config = path.join(scratchDir(), 'kannel.conf')
    writeFileSync(config, `
group = core
admin-port = ${admin}
admin-password = x
admin-interface = 127.0.0.1
smsbox-port = ${box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1

group = smsc
smsc = smpp
smsc-id = test
host = 127.0.0.1
port = ${smsc.port}
transceiver-mode = true
smsc-username = kannel
smsc-password = kannel-7
system-type = ""

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = test
password = test
concatenation = true
max-messages = 20

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://127.0.0.1:${this.server.address().port}/?from=%p&coding=%c&bytes=%b"
`)
    this.#run('bearerbox', config)
    await until('Kannel is bound', () => smsc.sessionOf('kannel'), 20000)
    this.#run('smsbox', config)
    await until('smsbox listens', async () => (await fetch(`http://127.0.0.1:${sendsms}/cgi-bin/sendsms`)).status > 0, 20000)
  }

  #run (name, config) {
    const child = spawn(name, ['-v', '4', config], { stdio: 'ignore' })
    process.on('exit', () => child.kill('SIGKILL'))
    this.children.push(child)
  }

  async send (to, text) {
    const query = new URLSearchParams({ username: 'test', password: 'test', from: '79031112233', to, text, charset: 'UTF-8', coding: /^[ -~€äöüß]*$/.test(text) ? '0' : '2' })
    const response = await fetch(`http://127.0.0.1:${this.sendsms}/cgi-bin/sendsms?${query}`)
    assert.equal(response.status, 202, await response.text())
  }

  async stop () {
    this.server.close()
    for (const child of this.children.reverse()) {
      child.kill('SIGTERM')
      await Promise.race([new Promise((resolve) => child.once('exit', resolve)), sleep(5000).then(() => child.kill('SIGKILL'))])
    }
  }
}

const hasKannel = spawnSync('sh', ['-c', 'command -v bearerbox && command -v smsbox']).status === 0
test('Kannel, another ESME on the same SMS centre, and we understand each other', { skip: hasKannel ? false : 'kannel is not installed' }, async () => {
  const kannel = new Kannel(), texts = ['Hi {you} €5 äöü', 'Привет из Kannel 😀', 'long '.repeat(70), 'Длинное сообщение. '.repeat(12)]
  try {
    smsc.routes.set('900', 'kanal').set('79031112233', 'kannel')
    await kannel.start()
    for (const text of texts) {
      await kannel.send('900', text)
      const event = await received((message) => textOf(message) === text.trim() || textOf(message) === text, `"${text.slice(0, 20)}" from Kannel`)
      assert.equal(event.data.customer.address, 'tel:+79031112233')
    }
    for (const [i, text] of texts.entries()) {
      await js.publish('kanal.commands.sms.message.send', json.encode({ id: `k-${i}`, to: { address: 'tel:+79031112233' }, content: [{ type: 'text', text }] }))
      await ends(`k-${i}`, 'message.sent')
      await until(`Kannel has "${text.slice(0, 20)}"`, () => kannel.texts.some((one) => one.text.trim() === text.trim()), 15000)
    }
  } finally {
    await kannel.stop()
  }
})

test('everything that was published is valid by the contract', async () => {
  assert.ok(await checkContract(client) > 20)
})
