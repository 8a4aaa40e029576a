// Values in events: JSON pointers, conditions on what they point to, and text with pointers in it. Pure functions.

export class MissingValue extends Error {}

export const isPointer = (text) => typeof text === 'string' && /^(?:\/(?:[^~/]|~[01])*)+$/.test(text);

// RFC 6901. undefined: nothing is there.
export function valueAt(document, pointer) {
  let value = document;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replace(/~1/g, '/').replace(/~0/g, '~');
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

// ---- Conditions ----

const number = (value) => (typeof value === 'number' ? value : typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : NaN); // money is a decimal string
const equal = (a, b) => a === b || (typeof a !== typeof b && !Number.isNaN(number(a)) && number(a) === number(b));

// What may stand at a pointer: words and how they are tried on (value, argument, the event that began the wait).
export const CONDITIONS = {
  is: (value, wanted) => equal(value, wanted),
  not: (value, wanted) => !equal(value, wanted),
  in: (value, list) => list.some((wanted) => equal(value, wanted)),
  above: (value, limit) => number(value) > limit,
  below: (value, limit) => number(value) < limit,
  exists: (value, wanted) => (value !== undefined && value !== null) === wanted,
  contains: (value, text) => (typeof value === 'string' ? value.toLowerCase().includes(text.toLowerCase()) : Array.isArray(value) && value.some((one) => equal(one, text))),
  same: (value, pointer, first) => value !== undefined && equal(value, valueAt(first, pointer)),
};

// where: [{ pointer, tests: [[word, argument]] }]
export const holds = (where, event, first) =>
  where.every(({ pointer, tests }) => { const value = valueAt(event, pointer); return tests.every(([word, argument]) => CONDITIONS[word](value, argument, first)); });

// A NATS subject filter: * is one token, > the rest.
export function subjectMatches(filter, subject) {
  const [wanted, tokens] = [filter.split('.'), subject.split('.')];
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return tokens.length > i;
    if (tokens[i] === undefined || (wanted[i] !== '*' && wanted[i] !== tokens[i])) return false;
  }
  return wanted.length === tokens.length;
}

// ---- Templates: "Hello {{/data/customer/name|there}}" ----

const PLACE = /\{\{\s*(\/[^|}]*?)\s*(?:\|([^}]*))?\}\}/g;
const WHOLE = /^\{\{\s*(\/[^|}]*?)\s*\}\}$/;

export const places = (text) => [...text.matchAll(PLACE)].map((match) => match[1]);
export const leftover = (text) => /\{\{|\}\}/.exec(text.replace(PLACE, ''))?.[0]; // braces that are no place

// What a customer wrote must not become markup, nor another URL.
const ESCAPES = {
  plain: (text) => text,
  html: (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`),
  markdown: (text) => text.replace(/[\\`*_{}[\]()#+\-.!|~<>]/g, '\\$&'),
  url: encodeURIComponent,
  address: (text) => encodeURIComponent(text).replace(/%40/g, '@').replace(/%2B/g, '+'), // tel:+7…, mailto:a@b.ru
};

function fillText(text, event, escape) {
  const whole = WHOLE.exec(text);
  if (whole && escape === ESCAPES.plain) { // alone it keeps its type
    const value = valueAt(event, whole[1]);
    if (value === undefined || value === null) throw new MissingValue(`the event has nothing at ${whole[1]}`);
    return structuredClone(value);
  }
  return text.replace(PLACE, (_, pointer, otherwise) => {
    const value = valueAt(event, pointer);
    if (value !== undefined && value !== null && typeof value !== 'object') return escape(String(value));
    if (otherwise === undefined) throw new MissingValue(`the event has ${value ? 'no text' : 'nothing'} at ${pointer}`);
    return otherwise;
  });
}

// template: any JSON. Throws MissingValue where the event has not what a place names and the place has no "|otherwise".
export function fill(template, event, markup = 'plain') {
  if (typeof template === 'string') return fillText(template, event, ESCAPES[markup] ?? ESCAPES.plain);
  if (Array.isArray(template)) return template.map((item) => fill(item, event, markup));
  if (template === null || typeof template !== 'object') return template;
  const inner = typeof template.markup === 'string' ? template.markup : 'plain';
  return Object.fromEntries(Object.entries(template).map(([name, value]) => {
    const isPart = ['url', 'address'].includes(name) && typeof value === 'string' && !WHOLE.test(value);
    const escape = isPart ? name : ['text', 'caption'].includes(name) ? inner : 'plain';
    return [name, fill(value, event, escape)];
  }));
}
