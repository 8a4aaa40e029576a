// shapes.test.mjs FIXTURES CALLS - holds the fixtures and the recorded calls against the description of the Bot API (ajv over
// telegram-bot-api.json) and against grammY, a Bot API library that knows nothing of Kanal. Run by shapes.sh.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import Ajv from 'ajv/dist/2020.js'
import { Bot, GrammyError } from 'grammy'
import { loadDescription, makeSchemas, typedParameters } from '../../../tests/providers/telegram/shapes.mjs'
import { parseHtml } from '../../../tests/providers/telegram/html.mjs'

const [folder, callsFile] = process.argv.slice(2)
const description = loadDescription()
const ajv = new Ajv.default({ strict: false, allErrors: true })
ajv.addSchema(makeSchemas(description))
let failures = 0

function section (title, run) {
  console.log(`# ${title}`)
  return run()
}

function complain (what, errors) {
  failures++
  console.log(`not ok: ${what}`)
  for (const error of errors) console.log(`  ${typeof error === 'string' ? error : `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`}`)
}

const fixtures = readdirSync(folder).filter(name => name.endsWith('.json') && name !== 'conformance.json')
  .map(name => ({ name: basename(name, '.json'), update: JSON.parse(readFileSync(join(folder, name), 'utf8')) }))

// What the description cannot know: members from before Bot API 7.0, and from a future one.
const foreign = new Set(['forward-legacy', 'unknown-kind', 'unknown-content'])

section(`fixtures: ${fixtures.length} updates against Update of Bot API ${description.version}`, () => {
  const validate = ajv.getSchema('telegram#/$defs/Update')
  for (const { name, update } of fixtures) {
    const valid = validate(update)
    if (valid === foreign.has(name)) complain(name, valid ? ['was expected to be foreign'] : validate.errors.slice(0, 8))
  }
  const kinds = new Set(fixtures.flatMap(({ update }) => Object.keys(update)))
  for (const kind of ['message', 'edited_message', 'channel_post', 'edited_channel_post', 'callback_query', 'message_reaction', 'my_chat_member']) {
    if (!kinds.has(kind)) complain(kind, ['no fixture has it'])
  }
  // The check can fail: a wrong type and an unknown member are found.
  const broken = structuredClone(fixtures.find(({ name }) => name === 'text').update)
  broken.message.chat.id = '5'
  assert.equal(validate(broken), false)
})

const filters = {
  text: ':text', 'text-entities': '::text_link', photo: ':photo', 'photo-group-1': ':media', video: ':video', animation: ':animation',
  'video-note': ':video_note', audio: ':audio', voice: ':voice', document: ':document', sticker: ':sticker', location: ':location',
  'location-live-edited': 'edited_message:location', venue: ':venue', 'contact-own': ':contact', 'poll-message': 'message:poll', dice: ':dice',
  'forward-user': ':forward_origin:user', 'forward-channel': ':forward_origin:channel', edited: 'edited_message:text',
  'channel-post': 'channel_post:text', 'channel-post-edited': 'edited_channel_post:text', callback: 'callback_query:data',
  'callback-game': 'callback_query:game_short_name', reaction: 'message_reaction:new_reaction:emoji',
  'reaction-changed': 'message_reaction:old_reaction:emoji', 'reaction-count': 'message_reaction_count', blocked: 'my_chat_member',
  'start-payload': '::bot_command', 'migrate-to': ':migrate_to_chat_id', 'business-message': 'business_message:text',
  'business-deleted': 'deleted_business_messages', 'pre-checkout': 'pre_checkout_query', 'poll-answer': 'poll_answer', payment: ':successful_payment',
  'web-app-data': ':web_app_data'
}

await section(`grammY: ${Object.keys(filters).length} updates by its filters`, async () => {
  for (const [name, filter] of Object.entries(filters)) {
    const bot = new Bot('1:a', { botInfo: { id: 110201543, is_bot: true, first_name: 'Shop', username: 'kanal_shop_bot' } })
    let seen = null
    bot.on(filter, context => { seen = context })
    await bot.handleUpdate(fixtures.find(fixture => fixture.name === name).update)
    if (!seen) complain(name, [`grammY does not see ${filter} in it`])
  }
  const bot = new Bot('1:a', { botInfo: { id: 110201543, is_bot: true, first_name: 'Shop', username: 'kanal_shop_bot' } })
  let payload
  bot.command('start', context => { payload = context.match })
  await bot.handleUpdate(fixtures.find(({ name }) => name === 'start-payload').update)
  assert.equal(payload, 'order-512_aZ')
  assert.ok(GrammyError)
})

// Of an edit Telegram demands either a text or another content, which the description cannot say.
const calls = readFileSync(callsFile, 'utf8').trim().split('\n').map(line => JSON.parse(line))

section(`calls: ${calls.length} against the methods of Bot API ${description.version}`, () => {
  const methods = new Map()
  for (const call of calls) {
    const parameters = typedParameters(description, call.method, call.parameters)
    if (call.upload) {
      if (call.upload === 'upload') assert.equal(parameters.media.media, 'attach://upload')
      else parameters[call.upload] = { upload: true }
    }
    const validate = ajv.getSchema(`telegram#/$defs/call:${call.method}`)
    methods.set(call.method, (methods.get(call.method) ?? 0) + 1)
    if (!validate) complain(call.test, [`there is no method ${call.method}`])
    else if (!validate(parameters)) complain(`${call.test}: ${call.method} ${JSON.stringify(parameters)}`, validate.errors.slice(0, 8))
    for (const words of [parameters.text, parameters.caption, parameters.media?.caption]) {
      const html = parameters.parse_mode ?? parameters.media?.parse_mode
      if (words !== undefined && html === 'HTML') assert.doesNotThrow(() => parseHtml(words), `${call.test}: ${words}`)
    }
  }
  const expected = ['getMe', 'getUpdates', 'setWebhook', 'deleteWebhook', 'getFile', 'sendMessage', 'sendPhoto', 'sendVideo', 'sendAnimation', 'sendAudio',
    'sendVoice', 'sendDocument', 'sendSticker', 'sendVideoNote', 'sendLocation', 'sendVenue', 'sendContact', 'sendChatAction', 'editMessageText',
    'editMessageCaption', 'editMessageMedia', 'editMessageReplyMarkup', 'editMessageLiveLocation', 'deleteMessage', 'deleteBusinessMessages',
    'setMessageReaction', 'answerCallbackQuery']
  for (const method of expected) if (!methods.has(method)) complain(method, ['no test calls it'])
  console.log([...methods].map(([method, count]) => `${method} ${count}`).join(', '))
})

console.log(failures === 0 ? 'ok' : `${failures} failures`)
process.exit(failures === 0 ? 0 : 1)
