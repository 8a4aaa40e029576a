// The contract's schema for tests: loading, closing (strictness), compiling.
//
// The published schema is open to additions. Strictness is made here, mechanically: every object schema that lists its
// members and does not say otherwise takes no others. `provider` and the free maps (properties, context, values,
// attributes …) list none, or say `additionalProperties`, and stay open.
import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export const root = new URL('../../', import.meta.url);

export function load() {
    return JSON.parse(readFileSync(new URL('proto/kanal.schema.json', root), 'utf8'));
}

// Calls visit(schema, pointer) for each subschema, not for what only looks like one (const, enum, default, examples).
export function walk(schema, visit, pointer = '#') {
    if (typeof schema !== 'object' || schema === null) return;
    visit(schema, pointer);
    const escape = (key) => String(key).replace(/~/g, '~0').replace(/\//g, '~1');
    const deeper = (sub, ...keys) => walk(sub, visit, [pointer, ...keys.map(escape)].join('/'));
    for (const map of ['properties', 'patternProperties', '$defs'])
        for (const [key, sub] of Object.entries(schema[map] ?? {})) deeper(sub, map, key);
    for (const list of ['oneOf', 'anyOf', 'allOf', 'prefixItems'])
        (schema[list] ?? []).forEach((sub, index) => deeper(sub, list, index));
    for (const one of ['items', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'])
        if (typeof schema[one] === 'object') deeper(schema[one], one);
}

export function closed(schema) {
    const copy = structuredClone(schema);
    walk(copy, (sub) => {
        if (sub.type === 'object' && sub.properties && sub.additionalProperties === undefined)
            sub.additionalProperties = false;
    });
    return copy;
}

// Returns compile(definition) → check(instance) → [{ pointer, message }].
export function validator(schema) {
    // strictTypes asks for "type" beside every keyword, also inside if; all other strict checks are on.
    const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
    addFormats(ajv);
    ajv.addSchema(schema);
    const compiled = new Map();
    return (definition) => {
        if (!compiled.has(definition))
            compiled.set(definition, ajv.compile({ $ref: `${schema.$id}#/$defs/${definition}` }));
        const validate = compiled.get(definition);
        return (instance) => (validate(instance) ? [] : validate.errors.filter((e) => e.keyword !== 'if').map(error));
    };
}

function error(e) {
    const member = e.params.additionalProperty ?? e.params.missingProperty;
    if (e.keyword === 'additionalProperties') return { pointer: e.instancePath, message: `unknown member "${member}"` };
    if (e.keyword === 'required') return { pointer: e.instancePath, message: `member "${member}" is missing` };
    if (e.keyword === 'enum') return { pointer: e.instancePath, message: `must be one of ${e.params.allowedValues.join(', ')}` };
    if (e.keyword === 'const') return { pointer: e.instancePath, message: `must be ${JSON.stringify(e.params.allowedValue)}` };
    return { pointer: e.instancePath, message: e.message };
}

// What a schema cannot say: members of one event that must agree. The core writes them.
export function consistent(event) {
    const errors = [];
    const same = (pointer, found, expected, what) => {
        if (found !== expected) errors.push({ pointer, message: `must be ${what} (${expected}), is ${found}` });
    };
    const data = event.data;
    same('/subject', event.subject, data.customer?.node, 'data.customer.node');
    if (data.channel) same('/source', event.source.split(':')[3], data.channel.id, 'urn:kanal:<prefix>:<data.channel.id>');
    if (event.type === 'message.received') same('/data/message/id', data.message.id, event.corrects ?? event.id, "the event's id, or that of the event that it corrects");
    for (const name of ['time', 'recordedtime'])
        if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(event[name]))
            errors.push({ pointer: `/${name}`, message: 'must be UTC with milliseconds (…T20:53:05.000Z)' });
    return errors;
}

// Definition of a document: an event, a fact, or a command (of a verb, or told by its own type).
export function strictChecker() {
    const compile = validator(closed(load()));
    return {
        definition: (name, document) => compile(name)(document),
        event(document) {
            const errors = compile('event')(document);
            return errors.length ? errors : consistent(document);
        },
        command: (document, verb) => compile(verb ? `command.${verb}` : 'command')(document),
    };
}
