// shapes.test.mjs FIXTURES CALLS - holds the fixtures and the recorded calls against viber-bot, Viber's own library, which knows nothing of
// Kanal, and against the limits that Viber documents. Run by shapes.sh.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

const require = createRequire(import.meta.url)
const { Bot, Events, Message } = require('viber-bot')
const big = require('json-bigint')({ storeAsString: true })
const [folder, callsFile] = process.argv.slice(2)
let failures = 0

function complain (what, error) {
  failures++
  console.log(`not ok: ${what}: ${error}`)
}

const fixtures = new Map(readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'conformance.json')
  .map((name) => [basename(name, '.json'), readFileSync(join(folder, name), 'utf8')]))
const bot = () => new Bot({ authToken: 'token', name: 'Лавка', avatar: 'https://x.example/a.jpg' })

// ---- Fixtures as viber-bot reads them ----

const messages = {
  text: (m) => m instanceof Message.Text && m.text.startsWith('Здравствуйте'), picture: (m) => m instanceof Message.Picture && m.url.endsWith('a.jpg'),
  video: (m) => m instanceof Message.Video && m.duration === 12, file: (m) => m instanceof Message.File && m.filename === 'Счёт № 12.pdf',
  sticker: (m) => m instanceof Message.Sticker && m.stickerId === 40133, contact: (m) => m instanceof Message.Contact && m.contactPhoneNumber === '+79160001122',
  location: (m) => m instanceof Message.Location && m.latitude === 54.1931, url: (m) => m instanceof Message.Url, 'rich-media': (m) => m instanceof Message.RichMedia,
  button: (m) => m.text === 'ORDER_YES'
}
console.log(`# viber-bot: ${fixtures.size} callbacks as it reads them`)
for (const [name, expected] of Object.entries(messages)) {
  const b = bot()
  let seen = false
  b.on(Events.MESSAGE_RECEIVED, (message, response) => {
    const token = name === 'contact' ? message.timestamp : message.token // viber-bot shifts its arguments there
    seen = expected(message) && response.userProfile.id === '01234567890A/+BcD==' && /^5741311803571721\d{3}$/.test(token)
  })
  b._handleEventReceived(big.parse(fixtures.get(name)))
  if (!seen) complain(name, 'viber-bot does not read it as expected')
}
for (const [name, event] of Object.entries({ subscribed: Events.SUBSCRIBED, unsubscribed: Events.UNSUBSCRIBED, started: Events.CONVERSATION_STARTED,
  delivered: 'delivered', seen: 'seen', failed: Events.ERROR })) {
  const b = bot()
  let seen = false
  b.on(event, () => { seen = true })
  b._handleEventReceived(big.parse(fixtures.get(name)))
  if (!seen) complain(name, 'viber-bot does not see it')
}

// ---- Calls as viber-bot would make them ----

// What viber-bot makes of the same content; its optional members are null where ours are absent.
const theirs = {
  text: (p) => new Message.Text(p.text), picture: (p) => new Message.Picture(p.media, p.text, p.thumbnail), url: (p) => new Message.Url(p.media),
  video: (p) => new Message.Video(p.media, p.size, p.text, p.thumbnail, p.duration), file: (p) => new Message.File(p.media, p.size, p.file_name),
  sticker: (p) => new Message.Sticker(p.sticker_id), location: (p) => new Message.Location(p.location.lat, p.location.lon),
  contact: (p) => new Message.Contact(p.contact.name, p.contact.phone_number),
  rich_media: (p) => new Message.RichMedia(p.rich_media, null, null, null, null, p.alt_text, p.min_api_version)
}
const present = (value) => value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null && member !== undefined).map(([key, member]) => [key, present(member)])) : value

function checkButton (button) {
  for (const key of Object.keys(button)) assert.ok(['Columns', 'Rows', 'Silent', 'ActionType', 'ActionBody', 'Text', 'Image', 'BgColor', 'TextVAlign', 'TextHAlign'].includes(key), key)
  assert.ok(button.Columns >= 1 && button.Columns <= 6 && button.Rows >= 1 && button.Rows <= 7)
  assert.ok(['reply', 'open-url', 'share-phone', 'location-picker', 'none'].includes(button.ActionType), button.ActionType)
  assert.ok(typeof button.ActionBody === 'string' && button.ActionBody.length > 0)
  if (button.Text !== undefined) assert.ok(button.Text.length <= 2000)
}

function checkKeyboard (keyboard) {
  assert.equal(keyboard.Type, 'keyboard')
  let column = 0
  for (const button of keyboard.Buttons) {
    checkButton(button)
    column = (column + button.Columns) % 6
  }
  assert.equal(column, 0, 'every row is full')
}

function checkRichMedia ({ Type, ButtonsGroupColumns, ButtonsGroupRows, Buttons }) {
  assert.equal(Type, 'rich_media')
  assert.ok(ButtonsGroupColumns === 6 && ButtonsGroupRows >= 1 && ButtonsGroupRows <= 7)
  let rows = 0
  for (const button of Buttons) {
    checkButton(button)
    rows += button.Rows
  }
  assert.equal(rows % ButtonsGroupRows, 0, 'every card is full')
  assert.ok(rows / ButtonsGroupRows <= 6)
}

const calls = readFileSync(callsFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
const seen = new Map()
for (const { test, method, parameters } of calls) {
  const kind = method === 'send_message' ? parameters.type : method
  seen.set(kind, (seen.get(kind) ?? 0) + 1)
  if (method !== 'send_message') continue
  const { receiver, sender, keyboard, min_api_version: version, tracking_data: tracking, chat_id: chat, ...own } = parameters
  try {
    assert.ok(typeof receiver === 'string' && receiver.length > 0 && sender.name.length >= 1 && sender.name.length <= 28)
    assert.ok(theirs[own.type], `there is no type ${own.type}`)
    const message = theirs[own.type](parameters)
    if (own.type !== 'picture') message.verifyMessage()
    const { min_api_version: ignored, ...expected } = present(message.toJson())
    if (own.type === 'picture' && own.text === '') expected.text = ''
    if (own.type === 'url') expected.media = decodeURI(expected.media) // viber-bot escapes again what is escaped
    assert.deepEqual(own, expected)
    if (own.type === 'text') assert.ok(own.text.length <= 7000)
    if (own.type === 'rich_media') checkRichMedia(own.rich_media)
    if (keyboard) checkKeyboard(keyboard)
  } catch (error) { complain(`${test}: ${JSON.stringify(parameters)}`, error.message) }
}
for (const kind of [...Object.keys(theirs), 'set_webhook', 'get_account_info']) if (!seen.has(kind)) complain(kind, 'no test sends it')
console.log(`# calls: ${[...seen].map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
console.log(failures === 0 ? 'ok' : `${failures} failures`)
process.exit(failures === 0 ? 0 : 1)
