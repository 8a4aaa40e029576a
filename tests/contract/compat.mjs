// What in a changed schema breaks those who rely on an older one of the same major.
//
// Consumers read what the gateway publishes: there nothing that they could rely on goes away. They write commands and requests:
// there nothing new is asked of them. Most definitions serve both, so both rules hold everywhere, except that only what is
// never written by a consumer may require more, and only what is never read by one may require less.
import { walk } from './schema.mjs';

// Names of the definitions that a consumer writes, with all that they refer to.
function written(schema) {
    const found = new Set();
    const add = (name) => {
        if (found.has(name) || !schema.$defs[name]) return;
        found.add(name);
        walk(schema.$defs[name], (sub) => sub.$ref && add(sub.$ref.replace('#/$defs/', '')));
    };
    Object.keys(schema.$defs).filter((name) => name.startsWith('command') || /^api\..*\.request$/.test(name)).forEach(add);
    return found;
}

const scalar = ['type', 'const', 'pattern', 'format', '$ref'];
const upper = ['maxLength', 'maxItems', 'maximum', 'maxProperties'];
const lower = ['minLength', 'minItems', 'minimum', 'minProperties'];

export function breaks(older, newer) {
    const now = new Map();
    walk(newer, (sub, pointer) => now.set(pointer, sub));
    const inputs = written(older);
    const found = [];
    walk(older, (old, pointer) => {
        const sub = now.get(pointer);
        if (!sub) return void found.push(`${pointer}: is gone`);
        const definition = /^#\/\$defs\/([^/]+)/.exec(pointer)?.[1];
        for (const key of scalar)
            if (JSON.stringify(old[key]) !== JSON.stringify(sub[key])) found.push(`${pointer}: ${key} was ${JSON.stringify(old[key])}`);
        for (const word of old.enum ?? []) if (!sub.enum?.includes(word)) found.push(`${pointer}: the word ${word} is gone`);
        for (const key of upper) if (key in sub && !(old[key] <= sub[key])) found.push(`${pointer}: ${key} was ${old[key]}`);
        for (const key of lower) if (key in sub && !(old[key] >= sub[key])) found.push(`${pointer}: ${key} was ${old[key]}`);
        const [before, after] = [old.required ?? [], sub.required ?? []];
        if (inputs.has(definition)) after.filter((n) => !before.includes(n)).forEach((n) => found.push(`${pointer}: ${n} was not required`));
        if (!inputs.has(definition) || definition.startsWith('part.'))
            before.filter((n) => !after.includes(n)).forEach((n) => found.push(`${pointer}: ${n} was required`));
    });
    return found;
}
