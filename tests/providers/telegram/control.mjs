// The test's side: what people do in Telegram (POST /_/user/…), what the bot did (GET /_/sent), what goes wrong (POST /_/fail).
// Every POST takes and answers JSON. `chat` is a chat's number; a chat is made when somebody first acts in it.

const nowSeconds = () => Math.floor(Date.now() / 1000)

export class ControlError extends Error {}

export function makeControl (bot, delivery, calls) {
  const begin = ({ chat = 3527065, chat_info: info, from }) => {
    const place = bot.chat(chat, info)
    const user = bot.user(place, Number(chat) > 0 ? from : { id: 3527065, ...from })
    return { place, user, head: { date: nowSeconds(), chat: place.info, ...(place.info.type === 'channel' ? {} : { from: user }) } }
  }
  const announce = (place, message) => {
    const stored = bot.store(place, message)
    return bot.addUpdate({ [place.info.type === 'channel' ? 'channel_post' : 'message']: stored })
  }
  const find = (place, id) => {
    const message = place.messages.get(id)
    if (!message) throw new ControlError(`no message ${id} in chat ${place.info.id}`)
    return message
  }

  const people = {
    /** {chat, text, reply_to?, from?, chat_info?} */
    say ({ text = 'Здравствуйте', reply_to: reply, ...rest }) {
      const { place, head } = begin(rest)
      const command = /^\/[a-zA-Z0-9_@]+/.exec(text)?.[0]
      const message = { ...head, text }
      if (command) message.entities = [{ type: 'bot_command', offset: 0, length: command.length }]
      if (reply) message.reply_to_message = find(place, reply)
      return announce(place, message)
    },
    /** {chat, message}: any members of a Message. */
    send ({ message = {}, ...rest }) {
      const { place, head } = begin(rest)
      return announce(place, { ...head, ...message })
    },
    /** {chat, kind, name?, type?, text? | base64?, caption?}: kind is photo, document, voice, audio, video … */
    file ({ kind = 'document', name, type, text = 'a file', base64, caption, ...rest }) {
      const { place, head } = begin(rest)
      const bytes = base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64')
      const file = bot.addFile(bytes, { name, type, folder: `${kind}s` })
      const sized = { ...file, width: 640, height: 480 }
      const named = { ...file, ...(name ? { file_name: name } : {}), ...(type ? { mime_type: type } : {}) }
      const shapes = {
        photo: { photo: [sized] },
        document: { document: named },
        voice: { voice: { ...file, duration: 2, mime_type: type ?? 'audio/ogg' } },
        audio: { audio: { ...named, duration: 2 } },
        video: { video: { ...sized, duration: 2, mime_type: type ?? 'video/mp4' } }
      }
      if (!shapes[kind]) throw new ControlError(`kind is one of ${Object.keys(shapes).join(', ')}`)
      return announce(place, { ...head, ...shapes[kind], ...(caption ? { caption } : {}) })
    },
    /** {chat, message_id, data? | text?}: presses a button of the bot's message. */
    press ({ message_id: id, data, text, ...rest }) {
      const { place, user } = begin(rest)
      const message = find(place, id)
      const button = (message.reply_markup?.inline_keyboard ?? []).flat().find(b => data === undefined ? b.text === text : b.callback_data === data)
      if (!button) throw new ControlError(`message ${id} has no such button`)
      const query = { id: String(4_000_000_000_000_000 + bot.queries.size), from: user, message, chat_instance: '-1', data: button.callback_data }
      bot.queries.set(query.id, { answered: false })
      return bot.addUpdate({ callback_query: query })
    },
    /** {chat, message_id, text} */
    edit ({ message_id: id, text, ...rest }) {
      const { place } = begin(rest)
      const edited = { ...find(place, id), text, edit_date: nowSeconds() }
      place.messages.set(id, edited)
      return bot.addUpdate({ [place.info.type === 'channel' ? 'edited_channel_post' : 'edited_message']: edited })
    },
    /** {chat, message_id, emoji}; without emoji the reaction is taken back. */
    react ({ message_id: id, emoji, ...rest }) {
      const { place, user } = begin(rest)
      const message = find(place, id)
      const reaction = emoji ? [{ type: 'emoji', emoji }] : []
      const update = { chat: place.info, message_id: id, user, date: nowSeconds(), old_reaction: message.reactionOfUser ?? [], new_reaction: reaction }
      message.reactionOfUser = reaction
      return bot.addUpdate({ message_reaction: update })
    },
    block: body => member(body, true),
    unblock: body => member(body, false),
    /** {chat, to}: the group becomes a supergroup. */
    migrate ({ to = -1001234567890, ...rest }) {
      const { place, head } = begin(rest)
      place.migratedTo = to
      bot.chat(to, { type: 'supergroup', title: place.info.title })
      return announce(place, { ...head, migrate_to_chat_id: to })
    }
  }

  function member (body, blocked) {
    const { place, user } = begin(body)
    const state = banned => banned ? { status: 'kicked', user: bot.me, until_date: 0 } : { status: 'member', user: bot.me }
    const update = { chat: place.info, from: user, date: nowSeconds(), old_chat_member: state(!blocked), new_chat_member: state(blocked) }
    place.blocked = blocked
    return bot.addUpdate({ my_chat_member: update })
  }

  return {
    people,
    /** GET: what the bot called, from number `since` on. */
    sent: query => calls.list.filter(call => call.n >= Number(query.get('since') ?? 0)),
    state: () => ({
      webhook: bot.webhook && { url: bot.webhook.url, secret: bot.webhook.secret !== undefined },
      pending: bot.pending, skipped: bot.skipped, attempts: delivery.attempts, polling: delivery.poll !== null
    }),
    update: body => bot.addUpdate(body),
    /** {method, times, error_code, description, parameters, mode: "http" | "hang" | "drop"} */
    fail (body) {
      const modes = ['http', 'hang', 'drop']
      const rule = { method: '*', times: 1, error_code: 500, description: 'Internal Server Error', mode: 'http', ...body }
      if (!modes.includes(rule.mode)) throw new ControlError(`mode is one of ${modes.join(', ')}`)
      calls.failures.push(rule)
      return rule
    },
    reset () {
      bot.reset()
      Object.assign(calls, { list: [], failures: [] })
      delivery.attempts = []
      return true
    }
  }
}
