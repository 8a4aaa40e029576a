// Telegram's HTML style (https://core.telegram.org/bots/api#html-style), read strictly: text → {text, entities} or an error
// with Telegram's words. Written from the page, so that it is independent of what the plugin writes.

const kinds = {
  b: 'bold', strong: 'bold', i: 'italic', em: 'italic', u: 'underline', ins: 'underline', s: 'strikethrough',
  strike: 'strikethrough', del: 'strikethrough', 'tg-spoiler': 'spoiler', span: 'spoiler', a: 'text_link', code: 'code',
  pre: 'pre', blockquote: 'blockquote', 'tg-emoji': 'custom_emoji'
}
const named = { lt: '<', gt: '>', amp: '&', quot: '"' }

export class ParseError extends Error {}

export function parseHtml (source) {
  const state = { text: '', entities: [], open: [] }
  const token = /<(\/?)([a-zA-Z0-9-]+)((?:\s[^<>]*)?)>|&(#x[0-9a-fA-F]+|#[0-9]+|lt|gt|amp|quot);|<|[^<&]+|&/gu
  for (const match of source.matchAll(token)) {
    if (match[0] === '<') throw new ParseError(`Unsupported start tag "" at byte offset ${Buffer.byteLength(source.slice(0, match.index))}`)
    if (match[2] === undefined) state.text += match[4] === undefined ? match[0] : character(match[4])
    else if (match[1] === '/') closeTag(state, match[2].toLowerCase())
    else openTag(state, match[2].toLowerCase(), match[3] ?? '', source, match.index)
  }
  if (state.open.length > 0) throw new ParseError(`Can't find end tag corresponding to start tag "${state.open.at(-1).tag}"`)
  return { text: state.text, entities: state.entities.filter(e => e.length > 0).sort((a, b) => a.offset - b.offset || b.length - a.length) }
}

function character (reference) {
  if (reference.startsWith('#x')) return String.fromCodePoint(parseInt(reference.slice(2), 16))
  return reference.startsWith('#') ? String.fromCodePoint(Number(reference.slice(1))) : named[reference]
}

function attribute (attributes, name) {
  const value = new RegExp(`${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes)
  return (value?.[1] ?? value?.[2])?.replace(/&(#x[0-9a-fA-F]+|#[0-9]+|lt|gt|amp|quot);/g, (_, r) => character(r))
}

function openTag (state, tag, attributes, source, index) {
  const spoiler = tag !== 'span' || attribute(attributes, 'class') === 'tg-spoiler'
  if (!(tag in kinds) || !spoiler) {
    throw new ParseError(`Unsupported start tag "${tag}" at byte offset ${Buffer.byteLength(source.slice(0, index))}`)
  }
  const entity = { type: kinds[tag], offset: state.text.length }
  if (tag === 'a') entity.url = attribute(attributes, 'href')
  if (tag === 'tg-emoji') entity.custom_emoji_id = attribute(attributes, 'emoji-id')
  if (tag === 'code') {
    const language = /language-([^"']+)/.exec(attribute(attributes, 'class') ?? '')?.[1]
    if (language && state.open.at(-1)?.tag === 'pre') state.open.at(-1).entity.language = language
  }
  if (tag === 'blockquote' && /\bexpandable\b/.test(attributes)) entity.type = 'expandable_blockquote'
  state.open.push({ tag, entity })
}

function closeTag (state, tag) {
  const open = state.open.pop()
  if (open?.tag !== tag) throw new ParseError(`Unmatched end tag, expected "</${open?.tag ?? ''}>", found "</${tag}>"`)
  const { entity } = open
  entity.length = state.text.length - entity.offset
  const insidePre = tag === 'code' && state.open.at(-1)?.tag === 'pre'
  if (!insidePre && !(tag === 'a' && !entity.url)) state.entities.push(entity)
}
