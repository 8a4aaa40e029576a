// asyncapi.yaml: valid by AsyncAPI's own parser, and it says the same as the schema.
import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { fromFile, Parser } from '@asyncapi/parser';
import { load, root } from './schema.mjs';
import { check, finish } from './report.mjs';

const defs = load().$defs;
const path = fileURLToPath(new URL('proto/asyncapi.yaml', root));
const { document, diagnostics } = await fromFile(new Parser(), path).parse();
// Severity 0 is an error, 1 a warning; 2 and 3 are hints (that 3.1 is out).
check("valid by AsyncAPI's parser", diagnostics.filter((d) => d.severity < 2).map((d) => `${d.path.join('/')}: ${d.message}`));
if (!document) {
    finish();
    process.exit();
}

const types = defs.event.allOf[0].properties.type.enum;
const verbs = defs.command.allOf[0].properties.type.enum;
const endpoints = Object.keys(defs).map((name) => /^api\.(.*)\.request$/.exec(name)?.[1]).filter(Boolean);
const channels = new Map(document.allChannels().all().map((channel) => [channel.id(), channel]));
const operations = new Map(document.allOperations().all().map((operation) => [operation.id(), operation]));
const source = readFileSync(path, 'utf8');

// The parser has put the definitions in place of the references: the const of `type` or the title tells which it is.
function payloads(channel) {
    return channel.messages().all().map((message) => {
        const payload = message.payload()?.json();
        const schema = payload?.schema ?? payload;
        return schema?.properties?.type?.const ?? schema?.title;
    });
}

function agree(id, address, payload, action, operation) {
    const channel = channels.get(id);
    if (!channel) return `${id}: no channel`;
    const errors = [];
    if (!address.test(channel.address())) errors.push(`${id}: address ${channel.address()}`);
    if (payloads(channel).join() !== payload) errors.push(`${id}: payload ${payloads(channel)}, expected ${payload}`);
    const found = operations.get(operation);
    if (!found) errors.push(`${id}: no operation ${operation}`);
    else if (found.action() !== action || found.channels().all()[0].id() !== id) errors.push(`${operation}: not ${action} on ${id}`);
    return errors;
}

const family = { 'activity.tracked': 'kanal\\.activity', 'typing.started': 'kanal\\.live' };
const last = (type) => (type === 'activity.tracked' ? 'bucket' : 'node');
const exact = (text) => text.replace(/\./g, '\\.');
const expected = [
    ...types.map((t) => [t, `${family[t] ?? 'kanal\\.events'}\\.{plugin}\\.{channel}\\.${exact(t)}\\.{${last(t)}}`, t, 'send', `publish.${t}`]),
    ...verbs.map((v) => [`command.${v}`, `kanal\\.commands\\.{target}\\.${exact(v)}`, v, 'receive', `take.${v}`]),
    ...endpoints.map((e) => [`api.${e}`, `kanal\\.api\\.${e}`, `request of kanal.api.${e}`, 'receive', `answer.${e}`]),
    ['facts', 'kanal\\.facts\\.{plugin}\\.{channel}\\.{object}\\.{verb}\\.{bucket}', 'Fact', 'send', 'publish.facts'],
    ['dead', 'kanal\\.dead\\.{channel}', 'Dead letter', 'send', 'publish.dead'],
];
check(`a channel and an operation for each type, verb and endpoint (${expected.length})`,
    expected.flatMap(([id, address, ...rest]) => agree(id, new RegExp(`^${address.replace(/[{}]/g, '\\$&')}$`), ...rest)));

const known = new Set([...expected.map(([id]) => id), 'raw', 'reply']);
check('no channel beyond them', [...channels.keys()].filter((id) => !known.has(id)));
check('each request has its reply', endpoints.flatMap((endpoint) => {
    const reply = operations.get(`answer.${endpoint}`)?.reply();
    const names = reply?.messages().all().map((m) => m.payload().json().schema?.title ?? m.payload().json().title) ?? [];
    return names.join() === `reply of kanal.api.${endpoint}` ? [] : `${endpoint}: ${names}`;
}));
check('each parameter is declared, and no other', [...channels.values()].flatMap((channel) => {
    const inAddress = [...(channel.address() ?? '').matchAll(/{(\w+)}/g)].map((m) => m[1]).sort().join();
    const declared = channel.parameters().all().map((p) => p.id()).sort().join();
    return inAddress === declared ? [] : `${channel.id()}: ${declared}`;
}));
check('each channel says who may use it, and which stream keeps it', [...channels.values()].filter((c) => c.address()).flatMap((channel) => {
    const json = channel.json();
    const kept = !/^kanal\.(live|api)\./.test(channel.address());
    const errors = json['x-permissions'] ? [] : [`${channel.id()}: no x-permissions`];
    if (kept !== Boolean(json['x-jetstream'])) errors.push(`${channel.id()}: x-jetstream`);
    return errors;
}));
const subjects = readFileSync(new URL('proto/subjects.md', root), 'utf8');
check('subjects.md names the same streams', [...new Set([...source.matchAll(/stream: (KANAL_\w+)/g)].map((m) => m[1]))].filter((s) => !subjects.includes(s)));
check('subjects.md names every endpoint and verb', [...endpoints, ...verbs].filter((name) => !subjects.includes(`\`${name}\``)));
finish();
