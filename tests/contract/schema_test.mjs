// The schema itself: only keywords that Kanal's own validator compiles, every reference resolves, every member is described, and
// nothing but our tests is strict.
import { spawnSync } from 'node:child_process';
import { load, walk } from './schema.mjs';
import { check, finish } from './report.mjs';

const schema = load();
const defs = schema.$defs;

const keywords = new Set(`$schema $id $defs $ref $comment title description default examples type enum const properties required
    additionalProperties patternProperties propertyNames items prefixItems minItems maxItems uniqueItems minLength maxLength minimum
    maximum exclusiveMinimum exclusiveMaximum multipleOf pattern format oneOf anyOf allOf not if then else dependentRequired
    minProperties maxProperties`.split(/\s+/));
const formats = new Set(['uri', 'date-time', 'duration', 'email', 'ipv4', 'ipv6', 'hostname']);

// The pattern with its bracket expressions and escaped characters replaced by x.
const bare = (pattern) => pattern.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x');

const unknown = [];
const dangling = [];
const undescribed = [];
const strict = [];
const unbounded = [];
const patterns = new Set();
const used = new Set();
walk(schema, (sub, pointer) => {
    for (const key of Object.keys(sub)) if (!keywords.has(key)) unknown.push(`${pointer}: keyword ${key}`);
    if (sub.format && !formats.has(sub.format)) unknown.push(`${pointer}: format ${sub.format}`);
    if (sub.$ref) {
        const name = sub.$ref.replace('#/$defs/', '');
        used.add(name);
        if (!Object.hasOwn(defs, name)) dangling.push(`${pointer}: ${sub.$ref}`);
    }
    if (sub.additionalProperties === false || 'unevaluatedProperties' in sub) strict.push(pointer);
    if (sub.pattern) patterns.add(sub.pattern);
    for (const [name, member] of Object.entries(sub.type === 'object' ? sub.properties ?? {} : {}))
        if (!described(member)) undescribed.push(`${pointer}/properties/${name}`);
    if (isStringType(sub) && !('maxLength' in sub) && !('format' in sub) && !bounded(sub.pattern)) unbounded.push(`${pointer}: string`);
    if (sub.type === 'array' && !('maxItems' in sub)) unbounded.push(`${pointer}: array`);
    for (const name of sub.properties && sub.type === 'object' ? sub.required ?? [] : [])
        if (!Object.hasOwn(sub.properties, name)) dangling.push(`${pointer}: required ${name} is no member`);
});

function described(sub) {
    return Boolean(sub.description ?? (sub.$ref && defs[sub.$ref.replace('#/$defs/', '')]?.description));
}

function isStringType(sub) {
    return [sub.type].flat().includes('string');
}

// A pattern that ends in $ and repeats nothing without an upper bound.
function bounded(pattern) {
    return pattern !== undefined && pattern.endsWith('$') && !/[*+]/.test(bare(pattern));
}

// What ECMAScript's dialect and POSIX's extended one both read in the same way, and POSIX accepts.
function portable(pattern) {
    if (/\\[^.\\/^$*+?()[\]{}|]|\[[^\]]*\\/.test(pattern) || /\(\?|[*+?}][?+]/.test(bare(pattern)))
        return `${pattern}: not the same in POSIX`;
    const counts = [...bare(pattern).matchAll(/\{(\d+)(?:,(\d*))?\}/g)].flatMap((m) => [Number(m[1]), Number(m[2] || 0)]);
    if (Math.max(0, ...counts) > 255) return `${pattern}: repeats more than POSIX promises`;
    return spawnSync('grep', ['-E', '-e', pattern], { input: '' }).status > 1 ? `${pattern}: refused by grep -E` : '';
}

check('only keywords and formats that our own validator knows', unknown);
check('every reference resolves, every required member is declared', dangling);
check('every member has a description', undescribed);
check('open to additions: nothing is strict by itself', strict);
check('every string and array is bounded', unbounded);
check(`patterns mean the same in POSIX (${patterns.size})`, [...patterns].map(portable));

const types = defs.event.allOf[0].properties.type.enum;
const verbs = defs.command.allOf[0].properties.type.enum;
const shaped = (name) => types.includes(name) || /^(command|api)\./.test(name) || ['event', 'command', 'fact', 'dead_letter'].includes(name);
check('no definition is left unused', Object.keys(defs).filter((name) => !used.has(name) && !shaped(name)));
check('each type has its definition, and is dispatched to it', types.filter((type) => {
    const branch = defs.event.allOf.find((b) => b.if?.properties.type.const === type);
    const own = defs[type]?.properties;
    return branch?.then.$ref !== `#/$defs/${type}` || own?.type.const !== type || own?.dataschema.const !== `urn:kanal:schema:${type}:1`;
}));
check('each verb has its definition, and is dispatched to it', verbs.filter((verb) => {
    const branch = defs.command.allOf.find((b) => b.if?.properties.type.const === verb);
    return branch?.then.$ref !== `#/$defs/command.${verb}` || defs[`command.${verb}`]?.properties.type.const !== verb;
}));
check('each API endpoint has request, result and reply', Object.keys(defs).filter((name) => name.endsWith('.request')).flatMap((name) =>
    ['result', 'reply'].filter((what) => !defs[name.replace(/request$/, what)]).map((what) => `${name}: no ${what}`)));
finish();
