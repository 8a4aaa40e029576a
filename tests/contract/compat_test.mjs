// Within a major, changes only add: the schema against every released one (released/*.json, a copy made at each release). Before
// the first release there is none; that the comparison sees what breaks is shown on changes made here.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { load } from './schema.mjs';
import { breaks } from './compat.mjs';
import { check, finish, skipped } from './report.mjs';

const schema = load();

function after(change) {
    const copy = structuredClone(schema);
    change(copy.$defs);
    return breaks(schema, copy);
}
const seen = (what, expected, change) => (after(change).some((text) => expected.test(text)) ? '' : `${what}: not noticed`);
const allowed = (what, change) => after(change).map((text) => `${what}: ${text}`);
const data = (defs, type) => defs[type].properties.data;

check('what breaks a consumer is noticed', [
    seen('a type is gone', /message\.read/, (d) => { delete d['message.read']; }),
    seen('a member is gone', /properties\/username: is gone/, (d) => { delete d.customer.properties.username; }),
    seen('a member has another type', /type was "integer"/, (d) => { d['part.image'].properties.size.type = 'string'; }),
    seen('a reference leads elsewhere', /\$ref was/, (d) => { d.picture.properties.mime.$ref = '#/$defs/locale'; }),
    seen('a word is gone', /the word group is gone/, (d) => { d.chat.properties.kind.enum = ['private']; }),
    seen('an event may lack what it had', /message was required/, (d) => { data(d, 'message.received').required = ['channel']; }),
    seen('a command must have more', /reference was not required/, (d) => { d['command.message.send'].required.push('reference'); }),
    seen('a text must be shorter', /maxLength was 262144/, (d) => { d['part.text'].properties.text.maxLength = 100; }),
    seen('an array may no longer be empty', /minItems was undefined/, (d) => { d['part.order'].properties.items.minItems = 1; }),
]);
check('what only adds is allowed', [
    ...allowed('nothing', () => {}),
    ...allowed('a member', (d) => { d.customer.properties.mood = { type: 'string' }; }),
    ...allowed('a word', (d) => { d.chat.properties.kind.enum.push('forum'); }),
    ...allowed('a definition', (d) => { d['part.poll'] = { type: 'object' }; }),
    ...allowed('an event that always has more', (d) => { data(d, 'message.received').required.push('chat'); }),
    ...allowed('a longer text', (d) => { d['part.text'].properties.text.maxLength = 1000000; }),
]);

const folder = new URL('released/', import.meta.url);
const released = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
if (released.length === 0) skipped('the released schemas', 'nothing is released yet');
for (const name of released) check(`nothing of ${name} is broken`, breaks(JSON.parse(readFileSync(new URL(name, folder), 'utf8')), schema));
finish();
