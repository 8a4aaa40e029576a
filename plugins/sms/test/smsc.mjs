// An SMS centre out of npm's smpp: accounts, routes between them, and bad days.
import { createRequire } from 'node:module'

const smpp = createRequire(import.meta.url)('smpp')
export { smpp }

export class Smsc {
  accounts = new Map() // system_id: password
  routes = new Map() // number: the system_id whose messages it gets
  submitted = [] // every submit_sm
  answers = new Map() // a text, or its beginning: what to answer, one after another: a command_status, or 'silent', 'drop', or milliseconds to wait as { ms }
  binds = [] // system_ids, in the order of their binds
  enquiries = 0
  unbinds = 0
  inFlight = 0
  most = 0 // … at a time
  delayMs = 0
  ids = 1000

  async start (port = 0) {
    this.sessions = new Set()
    this.server = smpp.createServer((session) => this.#serve(session))
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve))
    this.port = this.server.address().port
    return this
  }

  // The machine is gone, with all connections.
  async stop () {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const session of this.sessions) session.socket.resetAndDestroy()
    await closed
  }

  sessionOf (account) { return [...this.sessions].find((session) => session.account === account) }

  #serve (session) {
    this.sessions.add(session)
    session.on('error', () => {})
    session.on('close', () => this.sessions.delete(session))
    session.on('bind_transceiver', (pdu) => {
      const isRight = this.accounts.get(pdu.system_id) === pdu.password
      this.binds.push(pdu.system_id)
      if (isRight) session.account = pdu.system_id
      session.send(pdu.response({ command_status: isRight ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: 'smsc' }))
    })
    session.on('enquire_link', (pdu) => { this.enquiries++; if (!this.isDeaf) session.send(pdu.response()) })
    session.on('unbind', (pdu) => { this.unbinds++; session.send(pdu.response()); session.close() })
    session.on('submit_sm', (pdu) => this.#submit(session, pdu))
  }

  #submit (session, pdu) {
    const text = pdu.message_payload?.message ?? pdu.short_message.message
    const message = { account: session.account, text, udh: pdu.short_message.udh, ...pdu }
    this.submitted.push(message)
    this.most = Math.max(this.most, ++this.inFlight)
    const plan = [...this.answers].find(([start]) => text.startsWith(start))?.[1].shift() ?? this.delayMs
    if (plan === 'silent') return
    if (plan === 'drop') return session.socket.resetAndDestroy()
    const wait = typeof plan === 'object' ? plan.ms : 0
    setTimeout(() => {
      this.inFlight--
      const status = typeof plan === 'number' ? plan : smpp.ESME_ROK
      message.id = this.makeId?.(++this.ids) ?? `id-${++this.ids}`
      session.send(pdu.response({ command_status: status, message_id: status === 0 ? message.id : '' }))
      if (status === 0) this.#forward(pdu)
    }, wait)
  }

  #forward (pdu) {
    const target = this.sessionOf(this.routes.get(pdu.destination_addr))
    if (!target) return
    const body = pdu.short_message.message // turned into bytes again by the other side of the library
    target.deliver_sm({ source_addr: pdu.source_addr, source_addr_ton: pdu.source_addr_ton, source_addr_npi: pdu.source_addr_npi, destination_addr: pdu.destination_addr,
      dest_addr_ton: pdu.dest_addr_ton, dest_addr_npi: pdu.dest_addr_npi, data_coding: pdu.data_coding, esm_class: pdu.short_message.udh ? 0x40 : 0,
      short_message: pdu.short_message.udh ? { udh: Buffer.concat([Buffer.from([pdu.short_message.udh.reduce((n, one) => n + one.length, 0)]), ...pdu.short_message.udh]), message: body } : body })
  }

  // A message or receipt to an account; what it answers.
  deliver (account, fields, command = 'deliver_sm') {
    return new Promise((resolve, reject) => {
      const session = this.sessionOf(account)
      if (!session) return reject(new Error(`${account} is not bound`))
      session[command]({ source_addr: '79161234567', source_addr_ton: 1, source_addr_npi: 1, destination_addr: '900', ...fields }, resolve)
    })
  }
}
