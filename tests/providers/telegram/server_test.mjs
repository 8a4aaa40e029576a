// The stand-in against grammY, a client that knows nothing of Kanal: its calls, its long poll, its webhook. Run by
// plugins/telegram/test/shapes.sh (grammY and ajv are looked for in NODE_FOLDER, the first argument).
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { startServer } from './server.mjs'

const { Bot, InputFile, webhookCallback } = createRequire(resolve(process.argv[2] ?? '.', 'x.js'))('grammy')
const standIn = await startServer({ retryMs: 20 })
const control = async (path, body) => {
  const answer = await fetch(`${standIn.url}/_/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.clone().text())
  return answer.json()
}
const newBot = () => new Bot(standIn.token, { client: { apiRoot: standIn.url } })
const until = async condition => {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return
    await new Promise(done => setTimeout(done, 25))
  }
  assert.fail('it did not happen')
}

const tests = {
  async 'calls by JSON and multipart, and their errors' () {
    const { api } = newBot()
    assert.equal((await api.getMe()).username, 'kanal_shop_bot')
    await assert.rejects(api.sendMessage(5, 'x'), /chat not found/)
    await control('user/say', { chat: 5, text: 'hi' })
    const sent = await api.sendMessage(5, '<b>a</b> &lt;', { parse_mode: 'HTML', reply_markup: { inline_keyboard: [[{ text: 'Да', callback_data: 'Y' }]] } })
    assert.deepEqual([sent.text, sent.entities], ['a <', [{ type: 'bold', offset: 0, length: 1 }]])
    await assert.rejects(api.sendMessage(5, '<x>', { parse_mode: 'HTML' }), /can't parse entities: Unsupported start tag/)
    await assert.rejects(api.sendMessage(5, 'x'.repeat(4097)), /message is too long/)
    await assert.rejects(api.sendMessage(5, 'x', { reply_markup: { inline_keyboard: [[{ text: 'x', callback_data: 'y'.repeat(65) }]] } }), /BUTTON_DATA_INVALID/)
    const photo = await api.sendDocument(5, new InputFile(Buffer.from('hello'), 'a.txt'), { caption: 'c' })
    assert.equal(photo.document.file_name, 'a.txt')
    const file = await api.getFile(photo.document.file_id)
    const bytes = await fetch(`${standIn.url}/file/bot${standIn.token}/${file.file_path}`)
    assert.equal(await bytes.text(), 'hello')
    assert.equal((await fetch(`${standIn.url}/file/bot1:x/${file.file_path}`)).status, 404)
    await api.editMessageText(5, sent.message_id, 'b')
    await assert.rejects(api.editMessageText(5, sent.message_id, 'b'), /message is not modified/)
    await api.setMessageReaction(5, 1, [{ type: 'emoji', emoji: '👍' }])
    await api.sendChatAction(5, 'typing')
    await api.deleteMessage(5, sent.message_id)
    await assert.rejects(api.deleteMessage(5, sent.message_id), /message to delete not found/)
    const calls = await control('sent')
    assert.ok(calls.every(call => Array.isArray(call.complaints)))
    assert.equal(calls.filter(call => call.method === 'sendDocument')[0].files[Object.keys(calls.find(c => c.method === 'sendDocument').files)[0]].size, 5)
  },

  async 'the wrong token is refused' () {
    await assert.rejects(new Bot('1:wrong', { client: { apiRoot: standIn.url } }).api.getMe(), /401: Unauthorized/)
  },

  async 'injected failures' () {
    const { api } = newBot()
    await control('fail', { method: 'getMe', error_code: 429, description: 'Too Many Requests: retry after 3', parameters: { retry_after: 3 } })
    await assert.rejects(api.getMe(), error => error.parameters.retry_after === 3)
    await control('fail', { method: 'getMe', mode: 'drop' })
    await assert.rejects(api.getMe())
    assert.ok(await api.getMe())
    await control('user/say', { chat: 6 })
    await control('user/block', { chat: 6 })
    await assert.rejects(api.sendMessage(6, 'x'), /403: Forbidden: bot was blocked by the user/)
    await control('user/unblock', { chat: 6 })
    await control('user/say', { chat: -77, chat_info: { type: 'group', title: 'G' } })
    await control('user/migrate', { chat: -77, to: -10077 })
    await assert.rejects(api.sendMessage(-77, 'x'), error => error.parameters.migrate_to_chat_id === -10077)
  },

  async 'long polling' () {
    await control('reset', {})
    const bot = newBot()
    const seen = []
    bot.on('message:text', context => { seen.push(context.message.text) })
    bot.command('start', () => {})
    const running = bot.start()
    await control('user/say', { chat: 5, text: 'one' })
    await control('user/say', { chat: 5, text: 'two' })
    await until(() => seen.length === 2)
    assert.deepEqual(seen, ['one', 'two'])
    await bot.stop()
    await running
    assert.equal((await control('state')).pending.length, 0, 'they are acknowledged')
    await newBot().api.setWebhook('http://127.0.0.1:9/')
    await assert.rejects(newBot().api.getUpdates(), /409: Conflict: can't use getUpdates method while webhook is active/)
    await assert.rejects(newBot().api.setWebhook('http://example.com/'), /HTTPS URL/)
  },

  async 'webhooks carry the secret, keep order and are repeated' () {
    await control('reset', {})
    const bot = newBot()
    const seen = []
    let refusals = 2
    bot.on('callback_query:data', context => { seen.push(context.callbackQuery.data) })
    bot.on('message:text', context => {
      if (refusals-- > 0) throw new Error('not now')
      seen.push(context.message.text)
    })
    const handle = webhookCallback(bot, 'http', { secretToken: 'sec-ret' })
    const server = createServer((request, response) => handle(request, response).catch(() => response.writeHead(500).end()))
    await new Promise(done => server.listen(0, '127.0.0.1', done))
    try {
      await bot.api.setWebhook(`http://127.0.0.1:${server.address().port}/`, { secret_token: 'sec-ret' })
      await control('user/say', { chat: 5, text: 'one' })
      await control('user/say', { chat: 5, text: 'two' })
      await until(() => seen.length === 2)
      assert.deepEqual(seen, ['one', 'two'])
      const question = await bot.api.sendMessage(5, '?', { reply_markup: { inline_keyboard: [[{ text: 'Да', callback_data: 'Y' }]] } })
      await control('user/press', { chat: 5, message_id: question.message_id, data: 'Y' })
      await until(() => seen.length === 3)
      assert.equal((await control('state')).attempts.filter(attempt => attempt.status === 500).length, 2)
      assert.equal((await bot.api.getWebhookInfo()).pending_update_count, 0)
    } finally {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    }
  }
}

let failures = 0
for (const [name, test] of Object.entries(tests)) {
  try {
    await test()
    console.log(`ok: ${name}`)
  } catch (error) {
    failures++
    console.log(`not ok: ${name}\n${error.stack}`)
  }
}
await standIn.close()
process.exit(failures === 0 ? 0 : 1)
