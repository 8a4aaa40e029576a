// The examples: one for each type, verb and part, all strictly valid; and each one, damaged at any place, is refused at that place.
import { readdirSync, readFileSync } from 'node:fs';
import { closed, load, root, strictChecker, validator } from './schema.mjs';
import { check, finish } from './report.mjs';

const schema = load();
const strict = closed(schema);
const checker = strictChecker();
const open = validator(schema);

// [{ name, definition, document }] of a folder; definition(name) tells which one it is of.
function examples(folder, definition) {
    return readdirSync(new URL(`proto/examples/${folder}`, root)).filter((f) => f.endsWith('.json')).map((file) => {
        const name = file.replace(/\.json$/, '');
        const text = readFileSync(new URL(`proto/examples/${folder}${file}`, root), 'utf8');
        return { name: folder + name, definition: definition(name), document: JSON.parse(text) };
    });
}

const events = examples('', (name) => name);
const commands = examples('commands/', (name) => `command.${name}`);
const parts = examples('parts/', (name) => `part.${name}`);
const others = examples('api/', (name) => name);
const all = [...events, ...commands, ...parts, ...others];

function complete(found, wanted) {
    const names = found.map((e) => e.name.split('/').pop());
    return [...wanted.filter((n) => !names.includes(n)).map((n) => `${n}: no example`), ...names.filter((n) => !wanted.includes(n)).map((n) => `${n}: no such thing`)];
}

const text = (name) => (e) => `${name}: ${e.pointer || '(whole document)'}: ${e.message}`;
const enumOf = (name) => schema.$defs[name].allOf[0].properties.type.enum;
check('one example a type', complete(events, enumOf('event')));
check('one example a verb', complete(commands, enumOf('command')));
check('one example a content part', complete(parts, enumOf('part')));
check(`events are strictly valid and agree in themselves (${events.length})`, events.flatMap((e) => checker.event(e.document).map(text(e.name))));
check(`commands are strictly valid (${commands.length})`, commands.flatMap((e) => checker.command(e.document).map(text(e.name))));
check(`parts, API and the rest are strictly valid (${parts.length + others.length})`,
    [...parts, ...others].flatMap((e) => checker.definition(e.definition, e.document).map(text(e.name))));

// ---- Damage ----

const at = (pointer, key) => `${pointer}/${String(key).replace(/~/g, '~0').replace(/\//g, '~1')}`;
const follow = (sub) => (sub.$ref ? strict.$defs[sub.$ref.replace('#/$defs/', '')] : undefined);

// Does `if` hold? Only what the schema uses there: const or enum of members, required.
function holds(condition, value) {
    const members = Object.entries(condition.properties ?? {});
    return (condition.required ?? []).every((name) => Object.hasOwn(value, name))
        && members.every(([name, s]) => !Object.hasOwn(value, name) || ('const' in s ? value[name] === s.const : s.enum.includes(value[name])));
}

// Goes through a document along its schema: visit(sub, value, pointer) for each pair.
function along(sub, value, pointer, visit) {
    visit(sub, value, pointer);
    const target = follow(sub);
    if (target) along(target, value, pointer, visit);
    for (const branch of sub.allOf ?? []) along(branch, value, pointer, visit);
    if (sub.if) {
        const branch = holds(sub.if, value) ? sub.then : sub.else;
        if (branch) along(branch, value, pointer, visit);
    }
    for (const [name, member] of Object.entries(sub.properties ?? {}))
        if (value !== null && typeof value === 'object' && Object.hasOwn(value, name)) along(member, value[name], at(pointer, name), visit);
    if (sub.items && Array.isArray(value)) value.forEach((item, index) => along(sub.items, item, at(pointer, index), visit));
    if (typeof sub.additionalProperties === 'object' && !Array.isArray(value))
        for (const [name, member] of Object.entries(value))
            if (!Object.hasOwn(sub.properties ?? {}, name)) along(sub.additionalProperties, member, at(pointer, name), visit);
}

// A copy in which change(container, key) was done to the place.
function damaged(document, pointer, change) {
    const copy = structuredClone({ document });
    const keys = ['document', ...pointer.split('/').slice(1).map((k) => k.replace(/~1/g, '/').replace(/~0/g, '~'))];
    const last = keys.pop();
    change(keys.reduce((value, key) => value[key], copy), last);
    return copy.document;
}

function wrongType(value) {
    if (Array.isArray(value)) return 'no array';
    return typeof value === 'object' && value !== null ? 7 : { no: 'scalar' };
}

// Every damage of a document: { what, document, pointer: where the validator must complain }.
function* damages(definition, document) {
    const required = new Set();
    const objects = new Set();
    const typed = new Map();
    const enums = new Set();
    along({ $ref: `#/$defs/${definition}` }, document, '', (sub, value, pointer) => {
        for (const name of sub.required ?? []) required.add(JSON.stringify([pointer, name]));
        if (sub.type === 'object' && sub.properties && !sub.additionalProperties) objects.add(pointer);
        if (sub.type || sub.enum || 'const' in sub) typed.set(pointer, value);
        if (sub.enum || 'const' in sub) enums.add(pointer);
    });
    for (const [pointer, name] of [...required].map(JSON.parse))
        yield { what: 'missing', pointer, member: name, document: damaged(document, at(pointer, name), (o, k) => delete o[k]) };
    for (const pointer of objects)
        yield { what: 'unknown', pointer, member: 'surplus', document: damaged(document, at(pointer, 'surplus'), (o, k) => { o[k] = 1; }) };
    for (const [pointer, value] of typed)
        yield { what: 'wrong type', pointer, document: damaged(document, pointer, (o, k) => { o[k] = wrongType(value); }) };
    for (const pointer of enums)
        yield { what: 'unknown word', pointer, document: damaged(document, pointer, (o, k) => { o[k] = 'no such word'; }) };
}

const counts = { missing: 0, unknown: 0, 'wrong type': 0, 'unknown word': 0 };
const survived = [];
const few = [];
const refusedOpen = [];
for (const { name, definition, document } of all) {
    const before = counts.missing + counts.unknown + counts['wrong type'];
    for (const d of damages(definition, document)) {
        counts[d.what]++;
        const errors = checker.definition(definition, d.document);
        if (!errors.some((e) => e.pointer === d.pointer && (!d.member || e.message.includes(`"${d.member}"`))))
            survived.push(`${name}: ${d.what} ${d.member ?? ''} at ${d.pointer || '(whole document)'}: ${JSON.stringify(errors)}`);
        if (d.what === 'unknown')
            refusedOpen.push(...open(definition)(d.document).map(text(`${name}: addition at ${d.pointer}`)));
    }
    if (counts.missing + counts.unknown + counts['wrong type'] - before < 3) few.push(name);
}
check(`damaged examples are refused, and at the right place (${JSON.stringify(counts)})`, survived);
check('each example was damaged at all', few);
check('consumers accept additions anywhere', refusedOpen);

// ---- Rules that no single damage shows ----

const of = (list, name) => structuredClone(list.find((e) => e.definition === name).document);
function refuses(what, definition, document, change, pointer) {
    const copy = structuredClone(document);
    change(copy);
    const errors = checker.definition(definition, copy);
    const sound = checker.definition(definition, document).length === 0;
    return sound && errors.some((e) => e.pointer === pointer) ? '' : `${what}: expected an error at ${pointer}, found ${JSON.stringify(errors)}`;
}
const send = of(commands, 'command.message.send');
const received = of(events, 'message.received');
check('rules across members', [
    refuses('two targets', 'command.message.send', send, (c) => { c.to.address = 'telegram:1'; }, '/to'),
    refuses('no target', 'command.message.send', send, (c) => { c.to = {}; }, '/to'),
    refuses('no content', 'command.message.send', send, (c) => { c.content = []; }, '/content'),
    refuses('media without url going out', 'command.message.send', send, (c) => { c.content = [{ type: 'image' }]; }, '/content/0'),
    refuses('an answer going out', 'command.message.send', send, (c) => { c.content = [{ type: 'answer', kind: 'button' }]; }, '/content/0'),
    refuses('a verb of another kind', 'command.message.send', send, (c) => { c.type = 'message.edit'; }, '/type'),
    refuses('a bad duration', 'command.message.send', send, (c) => { c.route.steps[1].after = '10 minutes'; }, '/route/steps/1/after'),
    refuses('a local time', 'message.received', received, (e) => { e.time = '2026-11-21T20:53:05'; }, '/time'),
    refuses('an id of another kind', 'message.received', received, (e) => { e.id = e.data.customer.id; }, '/id'),
    refuses('an upper-case id', 'message.received', received, (e) => { e.subject = e.subject.toUpperCase(); }, '/subject'),
    refuses('no subject with a customer', 'message.received', received, (e) => { delete e.subject; }, ''),
    refuses('another dataschema', 'message.received', received, (e) => { e.dataschema = 'urn:kanal:schema:message.read:1'; }, '/dataschema'),
    refuses('an address with a space', 'message.received', received, (e) => { e.data.customer.address = 'tel:+7 916'; }, '/data/customer/address'),
    refuses('money as a number', 'part.order', of(parts, 'part.order'), (p) => { p.total = 3971; }, '/total'),
    refuses('a place off the earth', 'part.location', of(parts, 'part.location'), (p) => { p.lat = 91; }, '/lat'),
    refuses('a consent that is none', 'consent.given', of(events, 'consent.given'), (e) => { e.data.consent[0].given = false; }, '/data/consent/0/given'),
    refuses('a withdrawal that is none', 'consent.withdrawn', of(events, 'consent.withdrawn'), (e) => { e.data.consent[0].given = true; }, '/data/consent/0/given'),
    refuses('a status of nothing', 'message.read', of(events, 'message.read'), (e) => { delete e.data.message.id; delete e.data.message.external_id; }, '/data/message'),
    refuses('an error beside a result', 'api.message-send.reply', of(others, 'api.message-send.reply'), (r) => { r.error = { code: 'internal' }; }, ''),
    refuses('an unknown error code', 'message.failed', of(events, 'message.failed'), (e) => { e.data.error.code = 'oops'; }, '/data/error/code'),
]);

function disagrees(what, change, pointer) {
    const copy = structuredClone(received);
    change(copy);
    return checker.event(copy).some((e) => e.pointer === pointer) ? '' : `${what}: not noticed`;
}
check('members of an event must agree', [
    disagrees('another node', (e) => { e.subject = e.subject.replace(/^a_./, 'a_z'); }, '/subject'),
    disagrees('another channel', (e) => { e.data.channel.id = 'other'; }, '/source'),
    disagrees('another message', (e) => { e.data.message.id = 'crm-1'; }, '/data/message/id'),
    disagrees('a time without milliseconds', (e) => { e.time = '2026-11-21T20:53:05Z'; }, '/time'),
    disagrees('an unknown type', (e) => { e.type = 'message.invented'; }, '/type'),
]);
finish();
