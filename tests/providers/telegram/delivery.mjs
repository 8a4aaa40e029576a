// Bringing pending updates to the bot: by webhook, in order within a chat, repeated until a 2xx answer; or by getUpdates.
import { ApiError } from './bot.mjs'

export class Delivery {
  constructor (bot, { retryMs = 250, retryMaxMs = 5000 } = {}) {
    Object.assign(this, { bot, retryMs, retryMaxMs, flying: new Map(), attempts: [], poll: null, closed: false })
    bot.onUpdate = () => this.pump()
  }

  close () {
    this.closed = true
    this.endPoll(null)
    for (const { timer, controller } of this.flying.values()) {
      clearTimeout(timer)
      controller.abort()
    }
  }

  pump () {
    if (this.closed) return
    if (!this.bot.webhook) return this.answerPoll()
    for (const update of this.bot.pending) {
      if (this.flying.size >= this.bot.webhook.maxConnections) return
      const chat = chatOf(update)
      if (!this.flying.has(chat)) this.post(chat, update, 1)
    }
  }

  // ---- webhook

  async post (chat, update, attempt) {
    const controller = new AbortController()
    this.flying.set(chat, { controller })
    const { webhook } = this.bot
    const record = { update_id: update.update_id, attempt, url: webhook.url, status: 0 }
    this.attempts.push(record)
    let wait = Math.min(this.retryMs * 2 ** (attempt - 1), this.retryMaxMs)
    try {
      const headers = { 'content-type': 'application/json' }
      if (webhook.secret !== undefined) headers['x-telegram-bot-api-secret-token'] = webhook.secret
      const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(30_000)])
      const answer = await fetch(webhook.url, { method: 'POST', headers, body: JSON.stringify(update), redirect: 'manual', signal })
      await answer.arrayBuffer()
      record.status = answer.status
      const after = Number(answer.headers.get('retry-after'))
      if (after > 0) wait = Math.min(after * 1000, this.retryMaxMs)
    } catch (error) {
      record.error = String(error.cause?.message ?? error.message)
    }
    if (this.closed) return
    if (record.status >= 200 && record.status < 300) {
      this.bot.confirm(update.update_id)
      this.flying.delete(chat)
      return this.pump()
    }
    const text = record.error ?? `Wrong response from the webhook: ${record.status}`
    webhook.lastError = { at: Math.floor(Date.now() / 1000), text }
    const timer = setTimeout(() => this.retry(chat, update, attempt), wait)
    this.flying.set(chat, { controller, timer })
  }

  retry (chat, update, attempt) {
    this.flying.delete(chat)
    const wanted = this.bot.webhook && this.bot.pending.some(pending => pending.update_id === update.update_id)
    if (wanted) this.post(chat, update, attempt + 1)
    else this.pump()
  }

  // ---- getUpdates

  /** Resolves with the updates; a later call ends an earlier one with 409, as Telegram does. */
  getUpdates ({ offset = 0, limit = 100, timeout = 0, allowed_updates: allowed }) {
    if (this.bot.webhook) {
      throw new ApiError(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
    }
    this.endPoll(new ApiError(409, 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running'))
    if (allowed) this.bot.allowed = allowed
    const { bot } = this
    if (offset < 0) bot.pending = bot.pending.slice(offset)
    else bot.pending = bot.pending.filter(update => update.update_id >= offset)
    if (bot.pending.length > 0 || timeout === 0) return Promise.resolve(bot.pending.slice(0, limit))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.endPoll(null), timeout * 1000)
      this.poll = { resolve, reject, timer, limit }
    })
  }

  answerPoll () {
    if (this.poll && this.bot.pending.length > 0) this.endPoll(null)
  }

  endPoll (error) {
    if (!this.poll) return
    const { resolve, reject, timer, limit } = this.poll
    clearTimeout(timer)
    this.poll = null
    if (error) reject(error)
    else resolve(this.bot.pending.slice(0, limit))
  }
}

function chatOf (update) {
  const body = Object.values(update).find(value => typeof value === 'object' && value !== null) ?? {}
  return String(body.chat?.id ?? body.message?.chat?.id ?? body.from?.id ?? 'none')
}
