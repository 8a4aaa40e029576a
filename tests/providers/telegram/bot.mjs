// What Telegram's servers know of one bot: its chats, messages, files and pending updates; and the methods it may call.
// Error descriptions are Telegram's own words as bots report them.
import { randomBytes } from 'node:crypto'
import { parseHtml, ParseError } from './html.mjs'

export class ApiError extends Error {
  constructor (code, description, parameters) {
    super(description)
    this.code = code
    this.parameters = parameters
  }
}

const badRequest = text => new ApiError(400, `Bad Request: ${text}`)
const forbidden = text => new ApiError(403, `Forbidden: ${text}`)
const nowSeconds = () => Math.floor(Date.now() / 1000)
// Kinds that are sent only to a bot that asks for them by name.
const onRequest = ['chat_member', 'message_reaction', 'message_reaction_count']
const downloadLimit = 20 * 1024 * 1024

export class Bot {
  constructor (token, { anyChat = false } = {}) {
    this.token = token
    this.anyChat = anyChat
    this.me = { id: Number(token.split(':')[0]) || 1, is_bot: true, first_name: 'Shop', username: 'kanal_shop_bot' }
    this.reset()
  }

  reset () {
    this.chats = new Map()
    this.files = new Map()
    this.queries = new Map()
    this.pending = []
    this.skipped = []
    this.webhook = null
    this.allowed = null
    this.nextUpdate = 870_000_001
    this.onUpdate?.()
  }

  // ---- chats and messages

  chat (id, about = {}) {
    const key = String(id)
    if (!this.chats.has(key)) {
      const type = about.type ?? (Number(id) > 0 ? 'private' : key.startsWith('-100') ? 'supergroup' : 'group')
      const names = type === 'private' ? { first_name: 'Анна', username: `anna${id}` } : { title: `Chat ${id}` }
      this.chats.set(key, { info: { id: Number(id), type, ...names, ...about }, messages: new Map(), nextMessage: 1 })
    }
    return this.chats.get(key)
  }

  user (chat, about = {}) {
    const { id, first_name: first, username } = chat.info
    return { id: Number(id), is_bot: false, first_name: first ?? 'Анна', username: username ?? 'anna', language_code: 'ru', ...about }
  }

  store (chat, message) {
    const stored = { message_id: chat.nextMessage++, ...message }
    chat.messages.set(stored.message_id, stored)
    return stored
  }

  addFile (bytes, { name, type, folder = 'documents' } = {}) {
    const id = `AgAD${randomBytes(18).toString('base64url')}`
    const extension = /[.][a-z0-9]{1,5}$/i.exec(name ?? '')?.[0] ?? ''
    this.files.set(id, { bytes, type, path: `${folder}/file_${this.files.size}${extension}` })
    return { file_id: id, file_unique_id: randomBytes(9).toString('base64url'), file_size: bytes.length }
  }

  // ---- updates

  addUpdate (update) {
    const whole = { update_id: update.update_id ?? this.nextUpdate++, ...update }
    const kind = Object.keys(whole).find(name => name !== 'update_id')
    const wanted = this.allowed?.length ? this.allowed.includes(kind) : !onRequest.includes(kind)
    if (!wanted) {
      this.skipped.push(whole)
      return { ...whole, skipped: `"${kind}" is not in allowed_updates` }
    }
    this.pending.push(whole)
    this.onUpdate?.()
    return whole
  }

  confirm (updateId) {
    this.pending = this.pending.filter(update => update.update_id !== updateId)
  }

  // ---- calls

  /** The result of a call, or an ApiError. */
  async call (method, parameters, files) {
    const handler = this[`do_${method}`]
    if (handler) return handler.call(this, parameters, files)
    if (method in mediaMethods) return this.sendMedia(method, parameters, files)
    throw new ApiError(404, 'Not Found')
  }

  target (parameters) {
    if (parameters.chat_id === undefined || parameters.chat_id === '') throw badRequest('chat_id is empty')
    const chat = this.chats.get(String(parameters.chat_id)) ?? (this.anyChat ? this.chat(parameters.chat_id) : null)
    if (!chat) throw badRequest('chat not found')
    if (chat.migratedTo) {
      throw new ApiError(400, 'Bad Request: group chat was upgraded to a supergroup chat', { migrate_to_chat_id: chat.migratedTo })
    }
    if (chat.blocked) {
      throw forbidden(chat.info.type === 'private' ? 'bot was blocked by the user' : `bot was kicked from the ${chat.info.type} chat`)
    }
    return chat
  }

  formatted (text, parameters, mode = 'parse_mode', given = 'entities') {
    if (!parameters[mode]) return { text, entities: parameters[given] ?? [] }
    if (String(parameters[mode]).toLowerCase() !== 'html') throw badRequest('unsupported parse_mode')
    try {
      return parseHtml(text)
    } catch (error) {
      if (error instanceof ParseError) throw badRequest(`can't parse entities: ${error.message}`)
      throw error
    }
  }

  /** What every message of the bot has: checks the reply and the keyboard. */
  envelope (chat, parameters) {
    const message = { date: nowSeconds(), chat: chat.info }
    if (chat.info.type === 'channel') message.sender_chat = chat.info
    else message.from = this.me
    const reply = parameters.reply_parameters
    if (reply) {
      const original = chat.messages.get(reply.message_id)
      if (original) message.reply_to_message = { ...original, reply_to_message: undefined }
      else if (!reply.allow_sending_without_reply) throw badRequest('message to be replied not found')
    }
    checkKeyboard(chat, parameters.reply_markup)
    if (parameters.reply_markup?.inline_keyboard) message.reply_markup = parameters.reply_markup
    return message
  }

  do_getMe () {
    return { ...this.me, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false }
  }

  do_setWebhook (p) {
    if (!p.url) return this.do_deleteWebhook(p)
    const url = new URL(p.url)
    const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
    if (url.protocol !== 'https:' && !local) throw badRequest('bad webhook: An HTTPS URL must be provided for webhook')
    if (p.secret_token !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(p.secret_token)) {
      throw badRequest('secret token contains unallowed characters')
    }
    if (p.drop_pending_updates) this.pending = []
    if (p.allowed_updates) this.allowed = p.allowed_updates
    this.webhook = { url: p.url, secret: p.secret_token, maxConnections: p.max_connections ?? 40 }
    this.onUpdate?.()
    return true
  }

  do_deleteWebhook (p) {
    if (p.drop_pending_updates) this.pending = []
    this.webhook = null
    return true
  }

  do_getWebhookInfo () {
    const { url = '', maxConnections, lastError } = this.webhook ?? {}
    const info = { url, has_custom_certificate: false, pending_update_count: this.pending.length }
    if (maxConnections) info.max_connections = maxConnections
    if (lastError) Object.assign(info, { last_error_date: lastError.at, last_error_message: lastError.text })
    if (this.allowed) info.allowed_updates = this.allowed
    return info
  }

  do_getFile (p) {
    const file = this.files.get(p.file_id)
    if (!file) throw badRequest('invalid file_id')
    if (file.bytes.length > downloadLimit) throw badRequest('file is too big')
    return { file_id: p.file_id, file_unique_id: p.file_id.slice(-12), file_size: file.bytes.length, file_path: file.path }
  }

  do_sendMessage (p) {
    const chat = this.target(p)
    const { text, entities } = this.formatted(p.text ?? '', p)
    if (text.trim() === '') throw badRequest('message text is empty')
    if ([...text].length > 4096) throw badRequest('message is too long')
    const message = { ...this.envelope(chat, p), text }
    if (entities.length > 0) message.entities = entities
    return this.store(chat, message)
  }

  caption (p) {
    const { text, entities } = this.formatted(p.caption ?? '', p, 'parse_mode', 'caption_entities')
    if ([...text].length > 1024) throw badRequest('message caption is too long')
    return text === '' ? {} : { caption: text, ...(entities.length > 0 ? { caption_entities: entities } : {}) }
  }

  async sendMedia (method, p, files) {
    const chat = this.target(p)
    const { field, folder, describe } = mediaMethods[method]
    const file = await this.mediaFile(p[field], files[attached(p[field]) ?? field], field, folder)
    const caption = method === 'sendSticker' || method === 'sendVideoNote' ? {} : this.caption(p)
    return this.store(chat, { ...this.envelope(chat, p), ...describe(file, p), ...caption })
  }

  async mediaFile (value, upload, field, folder) {
    if (upload) {
      if (upload.bytes.length === 0) throw badRequest('file must be non-empty')
      return { ...this.addFile(upload.bytes, { ...upload, folder }), name: upload.name, type: upload.type }
    }
    if (typeof value !== 'string') throw badRequest(`there is no ${field} in the request`)
    const known = this.files.get(value)
    if (known) return { file_id: value, file_unique_id: value.slice(-12), file_size: known.bytes.length, type: known.type }
    if (!/^https?:/.test(value)) throw badRequest('wrong file identifier/HTTP URL specified')
    const response = await fetch(value).catch(() => null)
    if (!response?.ok) throw badRequest('failed to get HTTP URL content')
    const type = response.headers.get('content-type') ?? 'application/octet-stream'
    if (field === 'photo' && !type.startsWith('image/')) throw badRequest('wrong type of the web page content')
    const name = new URL(value).pathname.split('/').at(-1)
    const bytes = Buffer.from(await response.arrayBuffer())
    return { ...this.addFile(bytes, { name, type, folder }), name, type }
  }

  do_sendLocation (p) {
    const chat = this.target(p)
    const location = { latitude: p.latitude, longitude: p.longitude }
    for (const name of ['horizontal_accuracy', 'live_period', 'heading', 'proximity_alert_radius']) {
      if (p[name] !== undefined) location[name] = p[name]
    }
    return this.store(chat, { ...this.envelope(chat, p), location })
  }

  do_sendVenue (p) {
    const chat = this.target(p)
    const location = { latitude: p.latitude, longitude: p.longitude }
    const venue = { location, title: p.title, address: p.address }
    return this.store(chat, { ...this.envelope(chat, p), venue, location })
  }

  do_sendContact (p) {
    const chat = this.target(p)
    const contact = { phone_number: p.phone_number, first_name: p.first_name }
    if (p.last_name) contact.last_name = p.last_name
    if (p.vcard) contact.vcard = p.vcard
    return this.store(chat, { ...this.envelope(chat, p), contact })
  }

  do_sendChatAction (p) {
    this.target(p)
    const actions = ['typing', 'upload_photo', 'record_video', 'upload_video', 'record_voice', 'upload_voice',
      'upload_document', 'choose_sticker', 'find_location', 'record_video_note', 'upload_video_note']
    if (!actions.includes(p.action)) throw badRequest('wrong parameter action in request')
    return true
  }

  own (p, missing) {
    const chat = this.target(p)
    const message = chat.messages.get(p.message_id)
    if (!message) throw badRequest(missing)
    return { chat, message, mine: message.from?.id === this.me.id || message.sender_chat?.id === chat.info.id }
  }

  edit (p, changes) {
    const { chat, message, mine } = this.own(p, 'message to edit not found')
    if (!mine) throw badRequest("message can't be edited")
    checkKeyboard(chat, p.reply_markup)
    const next = { ...message, ...changes, reply_markup: p.reply_markup }
    if (JSON.stringify({ ...next, edit_date: 0 }) === JSON.stringify({ ...message, reply_markup: message.reply_markup, edit_date: 0 })) {
      throw badRequest('message is not modified: specified new message content and reply markup are exactly the same as a ' +
        'current content and reply markup of the message')
    }
    next.edit_date = nowSeconds()
    chat.messages.set(message.message_id, next)
    return next
  }

  do_editMessageText (p) {
    const { message } = this.own(p, 'message to edit not found')
    if (message.text === undefined) throw badRequest('there is no text in the message to edit')
    const { text, entities } = this.formatted(p.text ?? '', p)
    if (text.trim() === '') throw badRequest('message text is empty')
    if ([...text].length > 4096) throw badRequest('message is too long')
    return this.edit(p, { text, entities: entities.length > 0 ? entities : undefined })
  }

  do_editMessageCaption (p) {
    const { message } = this.own(p, 'message to edit not found')
    const media = ['photo', 'video', 'audio', 'voice', 'document', 'animation'].some(name => name in message)
    if (!media) throw badRequest('there is no caption in the message to edit')
    return this.edit(p, { caption: undefined, caption_entities: undefined, ...this.caption(p) })
  }

  async do_editMessageMedia (p, files) {
    const method = Object.values(mediaMethods).find(({ field }) => field === p.media?.type)
    if (!method || ['voice', 'video_note', 'sticker'].includes(method.field)) throw badRequest('wrong media type')
    const { value, upload } = { value: p.media.media, upload: files[attached(p.media.media)] }
    const file = await this.mediaFile(value, upload, method.field, method.folder)
    const old = { text: undefined, entities: undefined, caption: undefined, caption_entities: undefined }
    for (const { field } of Object.values(mediaMethods)) old[field] = undefined
    return this.edit(p, { ...old, ...method.describe(file, p.media), ...this.caption(p.media) })
  }

  do_editMessageLiveLocation (p) {
    const { message } = this.own(p, 'message to edit not found')
    if (!message.location?.live_period) throw badRequest("message can't be edited")
    const { latitude, longitude, heading } = p
    return this.edit(p, { location: { ...message.location, latitude, longitude, ...(heading ? { heading } : {}) } })
  }

  do_editMessageReplyMarkup (p) {
    return this.edit(p, {})
  }

  do_deleteMessage (p) {
    const { chat, message } = this.own(p, 'message to delete not found')
    if (nowSeconds() - message.date > 48 * 3600) throw badRequest("message can't be deleted for everyone")
    chat.messages.delete(message.message_id)
    return true
  }

  do_setMessageReaction (p) {
    const { message } = this.own(p, 'message to react not found')
    for (const reaction of p.reaction ?? []) {
      if (reaction.type === 'emoji' && !/^\p{Extended_Pictographic}/u.test(reaction.emoji)) throw badRequest('REACTION_INVALID')
    }
    if ((p.reaction ?? []).length > 1) throw badRequest('REACTIONS_TOO_MANY')
    message.reactionOfBot = p.reaction ?? []
    return true
  }

  do_answerCallbackQuery (p) {
    if (!this.queries.has(p.callback_query_id) || this.queries.get(p.callback_query_id).answered) {
      throw badRequest('query is too old and response timeout expired or query ID is invalid')
    }
    this.queries.get(p.callback_query_id).answered = true
    return true
  }
}

function checkKeyboard (chat, markup) {
  if (!markup) return
  for (const button of (markup.inline_keyboard ?? []).flat()) {
    if (button.callback_data !== undefined && Buffer.byteLength(button.callback_data) > 64) throw badRequest('BUTTON_DATA_INVALID')
    if (button.callback_data === '') throw badRequest('BUTTON_DATA_INVALID')
    if (button.url !== undefined && !/^(https?|tg|mailto|tel):/.test(button.url)) throw badRequest('BUTTON_URL_INVALID')
    if (!button.text) throw badRequest('text buttons are unallowed in the inline keyboard')
    if (button.callback_data === undefined && button.url === undefined && Object.keys(button).length === 1) {
      throw badRequest('text buttons are unallowed in the inline keyboard')
    }
  }
  for (const button of (markup.keyboard ?? []).flat()) {
    if ((button.request_contact || button.request_location) && chat.info.type !== 'private') {
      throw badRequest(`${button.request_contact ? 'phone number' : 'location'} can be requested in private chats only`)
    }
  }
}

/** The name of the form's part that a parameter names. */
const attached = value => typeof value === 'string' && value.startsWith('attach://') ? value.slice('attach://'.length) : undefined

const sized = { width: 640, height: 480 }
const plain = ({ file_id, file_unique_id, file_size }) => ({ file_id, file_unique_id, file_size })
const named = file => ({ ...plain(file), ...(file.name ? { file_name: file.name } : {}), ...(file.type ? { mime_type: file.type } : {}) })
const timed = p => ({ duration: p.duration ?? 1 })

const mediaMethods = {
  sendPhoto: { field: 'photo', folder: 'photos', describe: f => ({ photo: [{ ...plain(f), ...sized }] }) },
  sendVideo: { field: 'video', folder: 'videos', describe: (f, p) => ({ video: { ...named(f), ...sized, ...timed(p) } }) },
  sendAnimation: {
    field: 'animation',
    folder: 'animations',
    describe: (f, p) => ({ animation: { ...named(f), ...sized, ...timed(p) }, document: named(f) })
  },
  sendAudio: { field: 'audio', folder: 'music', describe: (f, p) => ({ audio: { ...named(f), ...timed(p) } }) },
  sendVoice: { field: 'voice', folder: 'voice', describe: (f, p) => ({ voice: { ...plain(f), ...timed(p) } }) },
  sendVideoNote: {
    field: 'video_note',
    folder: 'video_notes',
    describe: (f, p) => ({ video_note: { ...plain(f), length: p.length ?? 240, ...timed(p) } })
  },
  sendDocument: { field: 'document', folder: 'documents', describe: f => ({ document: named(f) }) },
  sendSticker: {
    field: 'sticker',
    folder: 'stickers',
    describe: f => ({ sticker: { ...plain(f), type: 'regular', width: 512, height: 512, is_animated: false, is_video: false } })
  }
}
