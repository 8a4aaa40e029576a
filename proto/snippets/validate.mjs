// Validates Kanal events in Node. npm install ajv@8 ajv-formats@3
//
//   node validate.mjs event.json …        one document a file
//   kanal tail --json | node validate.mjs one event a line
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const schema = JSON.parse(readFileSync(new URL('../kanal.schema.json', import.meta.url), 'utf8'));
const ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false });
addFormats(ajv);
const validate = ajv.compile(schema); // one kind only: { $ref: `${schema.$id}#/$defs/message.received` } after addSchema

function check(name, text) {
    let errors;
    try {
        errors = validate(JSON.parse(text)) ? [] : validate.errors.filter((e) => e.keyword !== 'if');
    } catch (e) {
        errors = [{ instancePath: '', message: e.message }];
    }
    console.log(`${name}: ${errors.length ? 'invalid' : 'valid'}`);
    for (const e of errors) console.log(`  ${e.instancePath || '(whole document)'}: ${e.message}`);
    return errors.length === 0;
}

let valid = true;
for (const file of process.argv.slice(2)) valid = check(file, readFileSync(file, 'utf8')) && valid;
if (process.argv.length === 2) {
    let number = 0;
    for await (const line of createInterface({ input: process.stdin }))
        if (++number && line.trim()) valid = check(`line ${number}`, line) && valid;
}
process.exitCode = valid ? 0 : 1;
