// Reading request bodies: JSON, urlencoded forms and multipart forms. No dependencies.

/** The whole body as a Buffer; rejects when it is over the limit. */
export async function readBody (request, limit = 64 * 1024 * 1024) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > limit) throw new Error('body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** {parameters, files}: files maps a field name to {name, type, bytes}; its parameter is {upload: file name}. */
export function parseParameters (request, url, body) {
  const parameters = Object.fromEntries(url.searchParams)
  const files = {}
  const type = request.headers['content-type'] ?? ''
  if (type.startsWith('application/json')) {
    if (body.length > 0) Object.assign(parameters, JSON.parse(body.toString('utf8')))
  } else if (type.startsWith('application/x-www-form-urlencoded')) {
    Object.assign(parameters, Object.fromEntries(new URLSearchParams(body.toString('utf8'))))
  } else if (type.startsWith('multipart/form-data')) {
    for (const part of parseMultipart(body, type)) {
      if (part.filename === undefined) {
        parameters[part.name] = part.bytes.toString('utf8')
      } else {
        files[part.name] = { name: part.filename, type: part.type, bytes: part.bytes }
        parameters[part.name] = { upload: part.filename }
      }
    }
  }
  return { parameters, files }
}

function parseMultipart (body, contentType) {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1]
  if (!boundary) throw new Error('multipart body without a boundary')
  const delimiter = Buffer.from(`--${boundary}`)
  const parts = []
  let at = body.indexOf(delimiter)
  while (at >= 0) {
    const start = at + delimiter.length
    if (body.subarray(start, start + 2).toString() === '--') return parts
    const end = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), start)
    if (end < 0) break
    parts.push(parsePart(body.subarray(start + 2, end)))
    at = end + 2
  }
  throw new Error('multipart body is cut off')
}

function parsePart (part) {
  const headEnd = part.indexOf('\r\n\r\n')
  if (headEnd < 0) throw new Error('multipart part without an empty line')
  const head = part.subarray(0, headEnd).toString('utf8')
  const disposition = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? ''
  return {
    name: value(disposition, 'name') ?? '',
    filename: value(disposition, 'filename'),
    type: /^content-type:\s*(.*?)\s*$/im.exec(head)?.[1],
    bytes: Buffer.from(part.subarray(headEnd + 4))
  }
}

// A parameter of Content-Disposition: a quoted string or a token (RFC 2183).
function value (disposition, name) {
  const found = new RegExp(`[; ]${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`).exec(disposition)
  return found?.[1] ?? found?.[2]
}
