// shapes.test.mjs FIXTURES CALLS - holds the fixtures and the recorded calls against VK's own schemas and against vk-io, a library
// that knows nothing of Kanal. Run by shapes.sh.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { VK } from 'vk-io'
import { loadErrors, loadMethods, loadSchemas } from './schema.mjs'

const [folder, callsFile] = process.argv.slice(2)
const ajv = loadSchemas()
let failures = 0

function complain (what, errors) {
  failures++
  console.log(`not ok: ${what}`)
  for (const error of errors) console.log(`  ${typeof error === 'string' ? error : `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`}`)
}

const fixtures = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'conformance.json')
  .map((name) => ({ name: basename(name, '.json'), event: JSON.parse(readFileSync(join(folder, name), 'utf8')) }))

// ---- Fixtures against the schemas ----

const objects = {
  message_new: 'callback_message_object', message_edit: 'callback_message', message_reply: 'callback_message', message_allow: 'callback_message_allow',
  message_deny: 'callback_message_deny', message_read: 'callback_message_read', message_reaction_event: 'callback_message_reaction_event',
  group_join: 'callback_group_join', message_event: 'callback_message_event', message_typing_state: 'callback_message_typing_state'
}
// Where VK's schemas and VK's own documentation (and vk-io, which follows what VK sends) disagree: the payload of a button comes parsed, the
// state of typing is "typing", and message_event is missing in the list of types. The others are old, foreign or from a future on purpose.
const foreign = new Set(['press', 'press-foreign', 'press-string', 'typing', 'typing-own', 'unknown-attachment', 'confirmation', 'message-5.80', 'settings'])

console.log(`# fixtures: ${fixtures.length} events against callback/objects.json`)
for (const { name, event } of fixtures) {
  const base = ajv.getSchema('http://vk/callback/objects.json#/definitions/callback_base')
  const object = objects[event.type] && ajv.getSchema(`http://vk/callback/objects.json#/definitions/${objects[event.type]}`)
  const errors = [...(base(event) ? [] : base.errors), ...(!object || object(event.object) ? [] : object.errors)]
  if (errors.length > 0 && !foreign.has(name)) complain(name, errors.slice(0, 8))
}
{ // The check can fail: a wrong type and a missing member are found.
  const validate = ajv.getSchema('http://vk/callback/objects.json#/definitions/callback_message_object')
  const broken = structuredClone(fixtures.find(({ name }) => name === 'text').event.object)
  broken.message.peer_id = '5'
  assert.equal(validate(broken), false)
  delete broken.message.peer_id
  assert.equal(validate(broken), false)
}

// ---- Fixtures as vk-io reads them ----

const contexts = {
  text: (c) => c.is(['message']) && c.text.startsWith('Здравствуйте') && c.peerId === 41887 && c.conversationMessageId === 101,
  'text-escaped': (c) => c.text === 'Цена < 1000 & доставка?\nСпасибо "за" ответ',
  photo: (c) => c.hasAttachments('photo') && c.attachments[0].toString() === 'photo41887_457239123_8f1d3a5c7b9e0f2a4c' && c.attachments[0].largeSizeUrl.includes('_w.jpg'),
  document: (c) => c.attachments[0].toString() === 'doc41887_611223344_QwErTy12' && c.attachments[0].title === 'Счёт № 12.pdf',
  voice: (c) => c.attachments[0].duration === 7 && c.attachments[0].oggUrl.endsWith('.ogg'),
  sticker: (c) => c.attachments[0].id === 9046,
  graffiti: (c) => c.attachments[0].height === 360,
  video: (c) => c.attachments[0].duration === 95,
  wall: (c) => c.attachments[0].text.startsWith('Новое'),
  link: (c) => c.attachments[0].url === 'https://shop.example/samovar',
  geo: (c) => c.hasGeo && c.geo.coordinates.latitude === 54.1931,
  forward: (c) => c.hasForwards && c.forwards.length === 2,
  reply: (c) => c.hasReplyMessage && c.replyMessage.text === 'Вы про «Тулу»?',
  'button-text': (c) => c.messagePayload.k === 'ORDER_YES',
  start: (c) => c.messagePayload.command === 'start',
  ref: (c) => c.referralValue === 'promo7' && c.referralSource === 'vk_ads_42',
  chat: (c) => c.isChat && c.chatId === 3,
  'chat-joined': (c) => c.eventType === 'chat_invite_user',
  edit: (c) => c.is(['message_edit']) && c.text.includes('7 литров'),
  'reply-by-hand': (c) => c.isOutbox,
  allow: (c) => c.isSubscribed && c.key === 'newsletter-1',
  deny: (c) => c.isUnsubscribed,
  typing: (c) => c.isTyping && c.fromId === 41887,
  press: (c) => c.eventPayload.k === 'ORDER_YES' && c.eventId === 'a1b2c3d4e5f6' && c.conversationMessageId === 98
}

console.log(`# vk-io: ${Object.keys(contexts).length} events as it reads them`)
for (const [name, expected] of Object.entries(contexts)) {
  const { event } = fixtures.find((fixture) => fixture.name === name)
  const vk = new VK({ token: 'x', pollingGroupId: event.group_id })
  let seen = false
  vk.updates.use((context) => { seen = expected(context) })
  await vk.updates.handleWebhookUpdate(event)
  if (!seen) complain(name, ['vk-io does not read it as expected'])
}

// ---- Calls ----

const calls = readFileSync(callsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
const methods = loadMethods()
// Of methods that the folder does not describe; their parameters as vk-io has them.
methods.set('users.get', new Map([['user_ids', { type: 'string' }], ['fields', { type: 'string' }]]))
methods.set('groups.getById', new Map())
methods.set('groups.getCallbackConfirmationCode', new Map([['group_id', { type: 'integer', required: true }]]))
const embedded = {
  keyboard: 'http://vk/messages/objects.json#/definitions/messages_keyboard', forward: 'http://vk/messages/objects.json#/definitions/messages_forward'
}
const colors = new Set(['primary', 'secondary', 'negative', 'positive'])

function checkValue (parameter, value) {
  if (parameter.type === 'integer') return /^-?[0-9]+$/.test(value) && (parameter.minimum === undefined || Number(value) >= parameter.minimum)
  if (parameter.type === 'number') return value !== '' && Number.isFinite(Number(value))
  if (parameter.type === 'boolean') return value === '0' || value === '1'
  if (parameter.type === 'array') return value.split(',').every((item) => checkValue(parameter.items, item))
  if (parameter.enum) return parameter.enum.includes(value)
  return parameter.maxLength === undefined || value.length <= parameter.maxLength
}

function checkButtons (buttons) {
  for (const { action, color } of buttons) {
    if (action.type === 'vkpay') continue // the consumer's own words
    if (action.label !== undefined) assert.ok(action.label.length > 0 && action.label.length <= 40, action.label)
    if (action.payload !== undefined) assert.ok(action.payload.length <= 255 && typeof JSON.parse(action.payload) === 'object')
    if (color !== undefined) assert.ok(colors.has(color) && ['text', 'callback'].includes(action.type))
    const validate = ajv.getSchema(`http://vk/messages/objects.json#/definitions/messages_keyboard_button_action_${action.type}`)
    assert.ok(validate?.(action), `${JSON.stringify(action)}: ${JSON.stringify(validate?.errors)}`)
  }
}

function checkEmbedded (name, text) {
  const value = JSON.parse(text)
  if (name === 'keyboard') {
    checkButtons(value.buttons.flat())
    for (const button of value.buttons.flat()) delete button.color // VK's schema still says default for secondary
    assert.ok(value.buttons.every((row) => row.length > 0 && row.length <= 5))
    assert.ok(!value.inline || (value.buttons.length <= 6 && value.buttons.flat().length <= 10 && !value.one_time))
    if (value.buttons.flat().some(({ action }) => action.type === 'vkpay')) return
  }
  if (embedded[name]) {
    const validate = ajv.getSchema(embedded[name])
    assert.ok(validate(value), JSON.stringify(validate.errors))
  } else if (name === 'template') {
    assert.equal(value.type, 'carousel')
    assert.ok(value.elements.length >= 1 && value.elements.length <= 10)
    for (const element of value.elements) {
      assert.ok(element.photo_id || (element.title && element.description))
      assert.ok((element.title?.length ?? 0) <= 80 && (element.description?.length ?? 0) <= 80)
      if (element.photo_id) assert.match(element.photo_id, /^-?\d+_\d+$/)
      checkButtons(element.buttons ?? [])
    }
  }
}

console.log(`# calls: ${calls.length} against ${methods.size} methods`)
const seen = new Map()
for (const { test, method, parameters } of calls) {
  const described = methods.get(method)
  seen.set(method, (seen.get(method) ?? 0) + 1)
  if (!described) { complain(test, [`there is no method ${method}`]); continue }
  const wrong = []
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'v') continue
    if (!described.has(name)) wrong.push(`there is no parameter ${name}`)
    else if (!checkValue(described.get(name), value)) wrong.push(`${name} is ${value}`)
    try { if (['keyboard', 'forward', 'template'].includes(name)) checkEmbedded(name, value) } catch (error) { wrong.push(`${name}: ${error.message}`) }
  }
  for (const [name, parameter] of described) if (parameter.required && parameters[name] === undefined) wrong.push(`${name} is missing`)
  if (method === 'messages.send' && (Number(parameters.random_id) === 0 || !Number.isInteger(Number(parameters.random_id)) || Math.abs(Number(parameters.random_id)) > 2 ** 31))
    wrong.push(`random_id is ${parameters.random_id}`)
  if (wrong.length > 0) complain(`${test}: ${method} ${JSON.stringify(parameters)}`, wrong)
}
for (const expected of ['messages.send', 'messages.edit', 'messages.delete', 'messages.markAsRead', 'messages.setActivity', 'messages.sendReaction',
  'messages.deleteReaction', 'messages.sendMessageEventAnswer', 'photos.getMessagesUploadServer', 'photos.saveMessagesPhoto', 'docs.getMessagesUploadServer',
  'docs.save', 'users.get', 'groups.getById', 'groups.getCallbackConfirmationCode'])
  if (!seen.has(expected)) complain(expected, ['no test calls it'])
console.log([...seen].map(([method, count]) => `${method} ${count}`).join(', '))

// ---- Errors ----

const known = loadErrors()
const named = [...readFileSync('outcome.c', 'utf8').matchAll(/^ {4}\{ (\d+), "/gm)].map((match) => Number(match[1])).filter((code) => code !== 0)
console.log(`# errors: ${named.length} rows`)
assert.ok(named.length > 30)
for (const code of named) if (!known.has(code)) complain(String(code), ['VK has no such error'])

console.log(failures === 0 ? 'ok' : `${failures} failures`)
process.exit(failures === 0 ? 0 : 1)
