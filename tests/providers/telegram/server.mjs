#!/usr/bin/env node
// A stand-in for Telegram's Bot API on loopback, for the demo and for integration tests. It is a test tool: written by the
// same people as the plugin it tests, from Telegram's public page, so it proves that Kanal works against what the page says and
// not that Telegram works the same way. It needs nothing but Node (20 or newer); where a test has installed ajv and KANAL_SPECS is at hand
// it checks every call against the machine-readable description of the Bot API.
//
//   node server.mjs [--port 0] [--host 127.0.0.1] [--token TOKEN] [--any-chat] [--retry-ms 250]
//
// prints one JSON line {port, url, token, checks} when it listens, and serves
//   /bot<token>/<method>, /file/bot<token>/<path>   the Bot API (GET or POST; query, JSON, urlencoded, multipart)
//   POST /_/user/say|send|file|press|edit|react|block|unblock|migrate   what a person does (control.mjs says the members)
//   POST /_/update      any update as it is                POST /_/fail     make calls fail (http, hang, drop)
//   GET  /_/sent        what the bot called                GET  /_/state    webhook, pending updates, delivery attempts
//   POST /_/reset       forget everything
// Differences from Telegram that are known: webhooks may be plain http on loopback; updates are repeated after fractions of a
// second, not minutes; only parse_mode HTML; no rate limits except those injected; no albums, polls, payments, inline mode.
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { readBody, parseParameters } from './body.mjs'
import { ApiError, Bot } from './bot.mjs'
import { ControlError, makeControl } from './control.mjs'
import { Delivery } from './delivery.mjs'
import { loadDescription, makeCallChecker, typedParameters } from './shapes.mjs'

const defaultToken = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0'

export async function startServer ({ port = 0, host = '127.0.0.1', token = defaultToken, anyChat = false, retryMs = 250 } = {}) {
  const description = loadDescription()
  const checker = makeCallChecker(description)
  const bot = new Bot(token, { anyChat })
  const delivery = new Delivery(bot, { retryMs })
  const calls = { list: [], failures: [], number: 0 }
  const context = { bot, delivery, calls, description, checker, control: makeControl(bot, delivery, calls) }
  const server = createServer((request, response) => {
    route(context, request, response).catch(error => answer(response, 500, { error: String(error.stack ?? error) }))
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const close = () => {
    delivery.close()
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  }
  const bound = server.address().port
  return { port: bound, url: `http://${host}:${bound}`, token, checks: checker.kind, bot, close }
}

function answer (response, code, body, headers = {}) {
  if (response.destroyed || response.headersSent) return
  response.writeHead(code, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

async function route (context, request, response) {
  const url = new URL(request.url, 'http://stand-in')
  if (url.pathname.startsWith('/_/')) return routeControl(context, request, response, url)
  const path = decodeURIComponent(url.pathname)
  const file = /^\/file\/bot([^/]+)\/(.+)$/.exec(path)
  if (file) return serveFile(context, response, file[1], file[2])
  const call = /^\/bot([^/]*)\/([A-Za-z]+)$/.exec(path)
  if (!call) return answer(response, 404, { ok: false, error_code: 404, description: 'Not Found' })
  return serveCall(context, request, response, url, call[1], call[2])
}

// ---- the Bot API

function serveFile ({ bot }, response, token, path) {
  const file = [...bot.files.values()].find(candidate => candidate.path === path)
  if (token !== bot.token || !file) return answer(response, 404, { ok: false, error_code: 404, description: 'Not Found' })
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.bytes.length })
  response.end(file.bytes)
}

async function serveCall (context, request, response, url, token, method) {
  const { bot, calls } = context
  if (token !== bot.token) {
    return answer(response, 401, { ok: false, error_code: 401, description: 'Unauthorized' })
  }
  let record
  try {
    const { parameters, files } = parseParameters(request, url, await readBody(request))
    record = recordCall(context, method, parameters, files, request)
    const failure = takeFailure(calls, method)
    if (failure?.mode === 'hang') return
    if (failure?.mode === 'drop') return response.destroy()
    if (failure) throw new ApiError(failure.error_code, failure.description, failure.parameters)
    const result = method === 'getUpdates' ? await poll(context, record, response) : await bot.call(method, record.parameters, files)
    record.result = result
    if (result?.message_id) record.message_id = result.message_id
    answer(response, 200, { ok: true, result })
  } catch (error) {
    const known = error instanceof ApiError ? error : new ApiError(400, `Bad Request: ${error.message}`)
    if (record) record.error = { error_code: known.code, description: known.message }
    const headers = known.parameters?.retry_after ? { 'retry-after': String(known.parameters.retry_after) } : {}
    answer(response, known.code, { ok: false, error_code: known.code, description: known.message, parameters: known.parameters }, headers)
  }
}

function recordCall ({ calls, description, checker }, method, raw, files, request) {
  const parameters = typedParameters(description, method, raw)
  // A part that another parameter names (attach://NAME) is no parameter.
  for (const name of Object.keys(files)) {
    if (JSON.stringify(parameters).includes(`"attach://${name}"`)) delete parameters[name]
  }
  const uploads = Object.fromEntries(Object.entries(files).map(([name, { bytes, ...rest }]) => [name, { ...rest, size: bytes.length }]))
  const record = { n: calls.number++, method, parameters, files: uploads, content_type: request.headers['content-type'] ?? null }
  record.complaints = checker.check(method, parameters)
  if (method !== 'getUpdates') calls.list.push(record)
  return record
}

function takeFailure (calls, method) {
  const index = calls.failures.findIndex(rule => rule.method === '*' || rule.method === method)
  if (index < 0) return null
  const rule = calls.failures[index]
  if (--rule.times <= 0) calls.failures.splice(index, 1)
  return rule
}

function poll ({ delivery }, { parameters }, response) {
  const waiting = delivery.getUpdates(parameters)
  const mine = delivery.poll
  response.on('close', () => {
    if (mine && delivery.poll === mine) delivery.endPoll(null)
  })
  return waiting
}

// ---- the test's side

async function routeControl ({ control }, request, response, url) {
  const path = url.pathname.slice(3)
  try {
    if (request.method === 'GET' && (path === 'sent' || path === 'state')) return answer(response, 200, control[path](url.searchParams))
    if (request.method !== 'POST') throw new ControlError('no such control')
    const body = JSON.parse((await readBody(request)).toString('utf8') || '{}')
    if (path.startsWith('user/') && Object.hasOwn(control.people, path.slice(5))) return answer(response, 200, control.people[path.slice(5)](body))
    if (!['update', 'fail', 'reset'].includes(path)) throw new ControlError('no such control')
    return answer(response, 200, control[path](body))
  } catch (error) {
    const mine = error instanceof ControlError || error instanceof SyntaxError
    return answer(response, mine ? 400 : 500, { error: error.message })
  }
}

async function main () {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      host: { type: 'string', default: '127.0.0.1' },
      token: { type: 'string', default: defaultToken },
      'any-chat': { type: 'boolean', default: false },
      'retry-ms': { type: 'string', default: '250' }
    }
  })
  const options = { port: Number(values.port), host: values.host, token: values.token, anyChat: values['any-chat'], retryMs: Number(values['retry-ms']) }
  const { port, url, token, checks, close } = await startServer(options)
  console.log(JSON.stringify({ port, url, token, checks }))
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => close().then(() => process.exit(0)))
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
