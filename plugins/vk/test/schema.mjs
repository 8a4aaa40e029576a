// schema.mjs - VK's JSON schemas (github.com/VKCOM/vk-api-schema) as ajv takes them: `required` stands at the members there, and
// references lead to files, of which not all are at hand; those that are missing allow anything.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv from 'ajv/dist/2020.js'

const folder = join(process.env.KANAL_SPECS ?? '../shared/specs', 'vk')
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

function target (reference, from) {
  const [file, pointer] = reference.split('#')
  const name = file === '' ? from : file.replace(/^\.\.\//, '')
  return existsSync(join(folder, name)) ? `http://vk/${name}#${pointer}` : null
}

function convert (node, from) {
  if (Array.isArray(node)) return node.map((member) => convert(member, from))
  if (node === null || typeof node !== 'object') return node
  const out = {}
  for (const [key, value] of Object.entries(node)) {
    if (['required', 'entity', 'format', 'default', 'discriminator', 'description'].includes(key) && typeof value !== 'object') continue
    if (key === 'discriminator') continue
    if (key === '$ref') {
      const found = target(value, from)
      if (found) out.$ref = found
    } else if (key === 'properties') {
      out.properties = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, convert(member, from)]))
      const required = Object.entries(value).filter(([, member]) => member?.required === true).map(([name]) => name)
      if (required.length > 0) out.required = required
    } else out[key] = convert(value, from)
  }
  if (out.$ref && out.type === 'object') delete out.type
  return out
}

export function loadSchemas () {
  const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false })
  for (const name of ['base/objects.json', 'callback/objects.json', 'messages/objects.json', 'messages/responses.json', 'users/objects.json'])
    ajv.addSchema({ $id: `http://vk/${name}`, definitions: convert(read(name).definitions, name) })
  return ajv
}

// name → { parameters: Map of name → description }
export function loadMethods () {
  const methods = new Map()
  for (const name of ['messages', 'photos', 'docs'])
    for (const method of read(`${name}/methods.json`).methods)
      methods.set(method.name, new Map((method.parameters ?? []).map((parameter) => [parameter.name, parameter])))
  return methods
}

export const loadErrors = () => new Set(Object.values(read('errors.json').errors).map((error) => error.code))
