// strict.mjs as other tests use it: its arguments, its words and its exit code.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { root } from './schema.mjs';
import { check, finish } from './report.mjs';

const program = fileURLToPath(new URL('tests/contract/strict.mjs', root));
const example = (name) => JSON.parse(readFileSync(new URL(`proto/examples/${name}.json`, root), 'utf8'));

// Runs it on documents given as lines; wants { code, out: RegExp, err: RegExp }.
function run(what, args, lines, wants) {
    const input = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const found = spawnSync(process.execPath, [program, ...args], { input, encoding: 'utf8' });
    const errors = [];
    if (found.status !== wants.code) errors.push(`${what}: exit code ${found.status}, expected ${wants.code}`);
    if (wants.out && !wants.out.test(found.stdout)) errors.push(`${what}: printed ${found.stdout}`);
    if (wants.err && !wants.err.test(found.stderr)) errors.push(`${what}: complained ${found.stderr}`);
    return errors;
}

const sound = example('message.sent');
const surplus = structuredClone(sound);
surplus.data.message.colour = 'red';
const provider = structuredClone(sound);
provider.data.provider = { anything: [1, { goes: true }] };
const send = example('commands/message.send');
const edit = example('commands/message.edit');

check('strict.mjs', [
    ...run('sound lines', ['-'], [sound, '', sound], { code: 0, out: /^2 documents, 0 wrong\n$/ }),
    ...run('provider is open', ['-'], [provider], { code: 0 }),
    ...run('a surplus member', ['-'], [sound, surplus], { code: 1, out: /^-:2: \/data\/message: unknown member "colour"\n {2}\{.*"red".*\}\n2 documents, 1 wrong\n$/ }),
    ...run('no JSON', ['-'], [sound, '{'], { code: 1, out: /^-:2: \(whole document\): is not JSON/ }),
    ...run('one document over many lines', ['-'], [JSON.stringify(sound, null, 2)], { code: 0, out: /^1 documents/ }),
    ...run('quiet', ['-q', '-'], [sound], { code: 0, out: /^$/ }),
    ...run('nothing', ['-'], [''], { code: 2, err: /nothing to check/ }),
    ...run('commands by their type', ['--command', '-'], [send, edit], { code: 0, out: /^2 documents/ }),
    ...run('a command of an unknown verb', ['--command', '-'], [{ ...send, type: 'message.fly' }], { code: 1, out: /\/type: must be one of message\.send/ }),
    ...run('commands of one verb', ['--command', 'message.edit', '-'], [send], { code: 1, out: /member "message" is missing/ }),
    ...run('an event among commands', ['--command', '-'], [sound], { code: 1 }),
    ...run('a definition', ['--def', 'dead_letter', '-'], [example('api/dead_letter')], { code: 0 }),
    ...run('no such definition', ['--def', 'nope', '-'], [sound], { code: 2, err: /no definition nope/ }),
    ...run('no such file', ['/nonexistent/events.ndjson'], [], { code: 2, err: /ENOENT/ }),
    ...run('no arguments', [], [], { code: 2, err: /usage/ }),
]);
finish();
