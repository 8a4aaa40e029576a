#!/usr/bin/env node
// Validates documents strictly: an unknown member is an error, and members that must agree do.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const usage = `usage: strict.mjs [--command [VERB] | --def NAME] FILE…|-

Each FILE holds one JSON document a line, or one document over many lines; - is standard input.
  --command [VERB]  commands, told apart by "type" (default message.send), or all of one verb
  --def NAME        of the definition NAME of the schema: dead_letter, fact, api.message-send.reply …
  -q, --quiet       no summary
Prints FILE:LINE: POINTER: what is wrong, and the line. Exit code 0: all valid; 1: not; 2: usage or nothing to check.
`;

// [{ line, text }]: one entry a non-empty line, or the whole file if it is a single document over many lines.
function documents(text) {
    const whole = text.trim();
    if (whole.includes('\n')) {
        try {
            const value = JSON.parse(whole);
            if (typeof value === 'object') return [{ line: 1, text: whole }];
        } catch { /* not one document: line by line */ }
    }
    return text.split('\n').map((t, index) => ({ line: index + 1, text: t })).filter((d) => d.text.trim() !== '');
}

function options(argv) {
    const parsed = { mode: 'event', files: [], quiet: false };
    for (let index = 0; index < argv.length; index++) {
        const arg = argv[index];
        if (arg === '--command') {
            parsed.mode = 'command';
            if (/^[a-z_]+\.[a-z_]+$/.test(argv[index + 1] ?? '')) parsed.verb = argv[++index];
        } else if (arg === '--def') {
            parsed.mode = 'definition';
            parsed.name = argv[++index];
        } else if (arg === '-q' || arg === '--quiet') parsed.quiet = true;
        else if (arg === '-h' || arg === '--help') parsed.help = true;
        else if (arg.startsWith('-') && arg !== '-') parsed.bad = arg;
        else parsed.files.push(arg);
    }
    if (parsed.mode === 'definition' && !parsed.name) parsed.bad = '--def';
    return parsed;
}

async function main(argv) {
    const wanted = options(argv);
    if (wanted.help) return process.stdout.write(usage), 0;
    if (wanted.bad || wanted.files.length === 0) return process.stderr.write(usage), 2;
    const { strictChecker, load } = await import('./schema.mjs');
    const definition = { command: `command.${wanted.verb}`, definition: wanted.name }[wanted.mode];
    if ((wanted.verb || wanted.name) && !Object.hasOwn(load().$defs, definition))
        return process.stderr.write(`strict: the schema has no definition ${definition}\n`), 2;
    const checker = strictChecker();
    const check = {
        event: (d) => checker.event(d),
        command: (d) => checker.command(d, wanted.verb),
        definition: (d) => checker.definition(wanted.name, d),
    }[wanted.mode];
    let checked = 0;
    let wrong = 0;
    for (const file of wanted.files) {
        for (const { line, text } of documents(readFileSync(file === '-' ? 0 : file, 'utf8'))) {
            checked++;
            let errors;
            try {
                errors = check(JSON.parse(text));
            } catch (e) {
                if (!(e instanceof SyntaxError)) throw e;
                errors = [{ pointer: '', message: `is not JSON: ${e.message}` }];
            }
            for (const e of errors) console.log(`${file}:${line}: ${e.pointer || '(whole document)'}: ${e.message}`);
            if (errors.length) console.log(`  ${text.length > 4000 ? `${text.slice(0, 4000)}…` : text}`);
            wrong += errors.length ? 1 : 0;
        }
    }
    if (checked === 0) return process.stderr.write('strict: nothing to check\n'), 2;
    if (!wanted.quiet) console.log(`${checked} documents, ${wrong} wrong`);
    return wrong ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    try {
        process.exitCode = await main(process.argv.slice(2));
    } catch (e) {
        process.stderr.write(`strict: ${e.message}\n`);
        process.exitCode = 2;
    }
}
