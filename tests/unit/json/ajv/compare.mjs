// Asks Kanal's validator and ajv about the same instances and fails where they disagree: the cases of cases.json, mutants of them,
// and for the contract (proto/kanal.schema.json) instances made from it at random, whole and damaged.
// Usage: node compare.mjs VERDICTS-PROGRAM CASES.json [SCHEMA.json]. Exit code 77: ajv is not installed (npm install here).
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [program, casesPath, contractPath] = process.argv.slice(2);

// Only what npm installed here: Debian's own packages, which node would find too, are of other versions (ajv-formats 2 takes times without
// an offset).
function load(name) {
  for (const folder of ['./', '../../../contract/']) {
    try {
      const here = new URL(folder, import.meta.url);
      const require = createRequire(here.href);
      if (!require.resolve(name).startsWith(new URL('node_modules/', here).pathname)) continue;
      const module = require(name);
      return module.default ?? module;
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  console.log(`skipped: ${name} is not installed`);
  process.exit(77);
}
const Ajv = load('ajv/dist/2020');
const addFormats = load('ajv-formats');

// ---- Repeatable chance

let seed = BigInt(process.env.SEED ?? 20261121);
function chance(n) {
  seed = (seed * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((seed >> 33n) % BigInt(n));
}
const pick = (list) => list[chance(list.length)];

// ---- Damage

const strange = [null, true, 0, -1, 1.5, '', 'x', 'ab', '2026-11-21T20:53:05Z', 'a:b', [], [1], {}, { a: 1 }];
function damage(value) {
  if (chance(4) === 0 || value === null || typeof value !== 'object') return structuredClone(pick(strange));
  if (Array.isArray(value)) {
    const copy = structuredClone(value);
    if (copy.length === 0 || chance(4) === 0) copy.push(structuredClone(pick(strange)));
    else if (chance(4) === 0) copy.push(structuredClone(pick(copy)));
    else { const at = chance(copy.length); copy[at] = damage(copy[at]); }
    return copy;
  }
  const copy = structuredClone(value), keys = Object.keys(copy);
  if (keys.length === 0 || chance(5) === 0) copy[pick(['a', 'b', 'c', 'type', 'x-1'])] = structuredClone(pick(strange));
  else if (chance(3) === 0) delete copy[pick(keys)];
  else { const key = pick(keys); copy[key] = damage(copy[key]); }
  return copy;
}

// ---- Instances from a schema: mostly valid ones

function make(root, schema, depth) {
  if (schema === true) return pick(strange);
  if (schema.$ref) {
    const target = schema.$ref === '#' ? root : root.$defs[schema.$ref.slice('#/$defs/'.length)];
    return join(make(root, target, depth), rest(root, schema, depth));
  }
  return rest(root, schema, depth);
}
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
function join(a, b) {
  if (!isObject(a) || !isObject(b)) return b === undefined ? a : isObject(a) && !isObject(b) ? a : b;
  const all = { ...a };
  for (const key of Object.keys(b)) all[key] = key in a ? join(a[key], b[key]) : b[key];
  return all;
}
function rest(root, schema, depth) {
  let value;
  if ('const' in schema) return schema.const;
  if (schema.enum) return pick(schema.enum);
  const type = Array.isArray(schema.type) ? pick(schema.type) : schema.type ?? (schema.properties || schema.required ? 'object' : undefined);
  if (type === 'string') value = text(schema);
  else if (type === 'integer') value = Math.ceil(schema.minimum ?? 0) + chance(Math.min((schema.maximum ?? 1000) - (schema.minimum ?? 0) + 1, 1000));
  else if (type === 'number') value = (schema.minimum ?? 0) + chance(10) / 4;
  else if (type === 'boolean') value = chance(2) === 0;
  else if (type === 'array') value = Array.from({ length: (schema.minItems ?? 0) + (depth > 8 ? 0 : chance(3)) }, () => make(root, schema.items ?? true, depth + 1));
  else if (type === 'object') value = object(root, schema, depth);
  for (const part of schema.allOf ?? []) if (!part.if && !part.not) value = join(value, make(root, part, depth));
  for (const list of [schema.anyOf, schema.oneOf]) if (list) value = join(value, make(root, pick(list), depth));
  for (const part of schema.allOf ?? []) {
    const wanted = part.if?.properties, key = wanted && Object.keys(wanted)[0];
    const allowed = key && (wanted[key].enum ?? [wanted[key].const]);
    if (allowed && isObject(value) && allowed.includes(value[key])) value = { ...join(value, make(root, part.then, depth)), [key]: value[key] };
  }
  return value;
}
function object(root, schema, depth) {
  const value = {}, required = new Set(schema.required ?? []);
  for (const [key, inner] of Object.entries(schema.properties ?? {}))
    if (required.has(key) || (depth < 8 && chance(3) === 0)) value[key] = make(root, inner, depth + 1);
  for (const key of required) if (!(key in value)) value[key] = 'x';
  return value;
}
const texts = ['x', 'abc', 'shop-telegram', 'message.received', 'RUB', '1990.00', 'image/png', 'ru', 'ru-RU', '--11-21', 'telegram:3527065', 'urn:kanal:shop:shop',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'e_abcdefghijklmnopqrstuvwxyz', 'a_abcdefghijklmnopqrstuvwxyz', 'c_abcdefghijklmnopqrstuvwxyz',
  'v_abcdefghijklmnopqrstuvwxyz', 'urn:kanal:schema:call.missed:1'];
function text(schema) {
  if (schema.format === 'date-time') return '2026-11-21T20:53:05.412Z';
  if (schema.format === 'uri') return 'https://hub.example.com/m/x?y=1';
  if (schema.format === 'duration') return 'PT10M';
  const fitting = texts.filter((t) => t.length >= (schema.minLength ?? 0) && t.length <= (schema.maxLength ?? 99) && (!schema.pattern || new RegExp(schema.pattern, 'u').test(t)));
  return fitting.length > 0 ? pick(fitting) : 'x'.repeat(schema.minLength ?? 1);
}

// ---- Comparing

// Where ajv-formats says otherwise than the RFC: RFC 3986 allows an empty path after the scheme, wants digits in a port, and no colon
// in the first segment of a relative path.
const known = new Set(['format uri "a:"', 'format uri "http://a:port/"', 'format uri-reference "2026-11-21T20:53:05Z"']);

const requests = [];
for (const group of JSON.parse(readFileSync(casesPath, 'utf8'))) {
  const instances = [...group.valid, ...group.invalid], count = instances.length;
  for (let i = 0; i < 60 && count > 0; i++) instances.push(damage(instances[chance(count)]));
  requests.push({ about: group.about, schema: group.schema, instances });
}
if (contractPath && existsSync(contractPath)) {
  const schema = JSON.parse(readFileSync(contractPath, 'utf8'));
  const starts = [undefined, ...Object.keys(schema.$defs).map((name) => `#/$defs/${name}`)];
  for (const ref of starts) {
    const instances = [];
    for (let i = 0; i < 60; i++) {
      const whole = make(schema, ref ? { $ref: ref } : schema, 0);
      instances.push(whole, damage(whole), damage(damage(whole)));
    }
    requests.push({ about: `contract ${ref ?? '#'}`, schema, ref, instances });
  }
}

const answer = spawnSync(program, { input: requests.map((r) => JSON.stringify(r)).join('\n') + '\n', encoding: 'utf8', maxBuffer: 1 << 28 });
if (answer.status !== 0) { console.log(`${program} failed: ${answer.stderr}`); process.exit(1); }
const lines = answer.stdout.trim().split('\n');
const validators = new Map();
let compared = 0, valid = 0, failed = 0;
requests.forEach((request, i) => {
  const ours = JSON.parse(lines[i]), id = JSON.stringify(request.schema);
  if (!Array.isArray(ours)) { console.log(`${request.about}: ${ours}`); failed++; return; }
  if (!validators.has(id)) {
    const ajv = new Ajv({ strict: false, allErrors: false });
    addFormats(ajv);
    validators.set(id, { ajv, schema: ajv.addSchema({ ...request.schema, $id: request.schema.$id ?? 'urn:kanal:case' }) });
  }
  const check = validators.get(id).ajv.getSchema((request.schema.$id ?? 'urn:kanal:case') + (request.ref ?? ''));
  request.instances.forEach((instance, at) => {
    const theirs = check(instance);
    compared++;
    valid += theirs;
    if (theirs === ours[at] || known.has(`${request.about} ${JSON.stringify(instance)}`)) return;
    failed++;
    if (failed < 40) console.log(`${request.about}: ajv says ${theirs}, we say ${ours[at]}: ${JSON.stringify(instance).slice(0, 400)}`);
  });
});
console.log(`${compared} instances compared (${valid} valid), ${failed} disagreements`);
process.exit(failed > 0 || compared === 0 ? 1 : 0);
