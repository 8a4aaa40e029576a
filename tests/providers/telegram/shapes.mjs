// JSON Schemas of Telegram's Bot API, made from the machine-readable description `telegram-bot-api.json` (scraped from
// Telegram's own page; see its README in the KANAL_SPECS folder). No dependencies.
//
// The description says of every type and method which members there are, of which type, and which of them are required.
// That is all that these schemas check, with one addition: members that the description says are "always" or "must be" one
// word (the discriminators of unions) are made constants.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

/** The folder of the descriptions: KANAL_SPECS, else ../shared/specs beside the repository. */
export function specsFolder () {
  return process.env.KANAL_SPECS ?? resolve(root, '../shared/specs')
}

/** The parsed description, or null where it is absent. */
export function loadDescription (folder = specsFolder()) {
  const file = join(folder, 'telegram-bot-api.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

const simple = {
  Integer: { type: 'integer' },
  Float: { type: 'number' },
  String: { type: 'string' },
  Boolean: { type: 'boolean' },
  True: { const: true },
  // An upload: the body parser puts the name of the uploaded part here.
  InputFile: { type: 'object', required: ['upload'] }
}

function typeSchema (name) {
  if (name.startsWith('Array of ')) return { type: 'array', items: typeSchema(name.slice('Array of '.length)) }
  return simple[name] ?? { $ref: `#/$defs/${name}` }
}

function typesSchema (names) {
  return names.length === 1 ? typeSchema(names[0]) : { anyOf: names.map(typeSchema) }
}

function constantOf (field) {
  if (field.types.join() !== 'String') return undefined
  const always = /always ["“]([^"”]+)["”]/.exec(field.description)
  const must = /must be ([a-z_]+)$/.exec(field.description)
  return always?.[1] ?? must?.[1]
}

function objectSchema (fields) {
  const schema = { type: 'object', additionalProperties: false, properties: {}, required: [] }
  for (const field of fields) {
    const constant = constantOf(field)
    schema.properties[field.name] = constant === undefined ? typesSchema(field.types) : { const: constant }
    if (field.required) schema.required.push(field.name)
  }
  return schema
}

/** One schema: `#/$defs/TYPE` for every type, `#/$defs/call:METHOD` for the parameters of every method. */
export function makeSchemas (description) {
  const defs = {}
  for (const [name, type] of Object.entries(description.types)) {
    if (name in simple) continue
    defs[name] = type.subtypes ? { anyOf: type.subtypes.map(typeSchema) } : objectSchema(type.fields ?? [])
  }
  for (const [name, method] of Object.entries(description.methods)) {
    defs[`call:${name}`] = objectSchema(method.fields ?? [])
  }
  return { $id: 'telegram', $schema: 'https://json-schema.org/draft/2020-12/schema', $defs: defs }
}

/** Parameters that came as text (a form, a multipart body, a query) as the types that the description gives them. */
export function typedParameters (description, method, parameters) {
  const fields = new Map((description?.methods[method]?.fields ?? []).map(field => [field.name, field]))
  const typed = {}
  for (const [name, value] of Object.entries(parameters)) typed[name] = typedValue(fields.get(name), value)
  return typed
}

function typedValue (field, value) {
  if (typeof value !== 'string') return value
  const types = field?.types ?? []
  if (types.includes('Integer') && /^-?[0-9]+$/.test(value)) return Number(value)
  if (types.includes('Float') && /^-?[0-9]+([.][0-9]+)?(e-?[0-9]+)?$/i.test(value)) return Number(value)
  if (types.includes('Boolean') && /^(true|false)$/i.test(value)) return /^true$/i.test(value)
  const compound = types.some(type => !(type in simple)) && !types.includes('String')
  if (field === undefined || compound) {
    try {
      return JSON.parse(value)
    } catch {
      return value
    }
  }
  return value
}

// ajv is no dependency of the stand-in: it is used where the tests that need it have installed it.
function findAjv () {
  for (const folder of ['tests/providers/telegram', 'plugins/telegram', 'tests/contract']) {
    try {
      return createRequire(join(root, folder, 'x.js'))('ajv/dist/2020.js').default
    } catch {
      continue
    }
  }
  return null
}

/** A function (method, parameters) → list of complaints. With ajv (2020) whole, else only the required parameters. */
export function makeCallChecker (description) {
  if (!description) return { kind: 'none', check: () => [] }
  const Ajv = findAjv()
  if (!Ajv) return { kind: 'required parameters', check: (method, parameters) => checkRequired(description, method, parameters) }
  const ajv = new Ajv({ strict: false, allErrors: true })
  ajv.addSchema(makeSchemas(description))
  return {
    kind: 'ajv',
    check (method, parameters) {
      const validate = ajv.getSchema(`telegram#/$defs/call:${method}`)
      if (!validate) return [`no method ${method}`]
      return validate(parameters) ? [] : validate.errors.map(e => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`)
    }
  }
}

function checkRequired (description, method, parameters) {
  const fields = description.methods[method]?.fields ?? []
  const known = new Set(fields.map(field => field.name))
  return [
    ...fields.filter(field => field.required && !(field.name in parameters)).map(field => `${field.name} is missing`),
    ...Object.keys(parameters).filter(name => !known.has(name)).map(name => `${name} is unknown`)
  ]
}
