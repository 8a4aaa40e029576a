// kanal_phone_read() beside libphonenumber-js, the same metadata in other hands: its example numbers of every region, written in every way, and
// numbers made at random after the lengths and prefixes of the plans. Also: is the checked-in table the one that the generator makes?
//   node peer.test.mjs PHONE_LINES; 77: the npm package is not here
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, '../../../..');
const core = await import('libphonenumber-js/core').catch(() => process.exit(77));
const library = join(here, 'node_modules/libphonenumber-js');
const json = (name) => JSON.parse(readFileSync(join(library, name), 'utf8'));
const [metadata, examples] = [json('metadata.min.json'), json('examples.mobile.json')];
const lines = process.argv[2];

const { phonePlans } = await import(join(root, 'tools/phone_plans.mjs'));
assert.equal(readFileSync(join(root, 'sdk/phone_plans.c'), 'utf8'), phonePlans(library), 'sdk/phone_plans.c is not what tools/phone_plans.mjs makes');

function ours(cases) {
  const answers = execFileSync(lines, { input: cases.map(([region, text]) => `${region}\t${text}\n`).join(''), maxBuffer: 1 << 28 }).toString().split('\n');
  return cases.map((_, i) => { const [, sign, rest] = /^(.) ?(.*)$/.exec(answers[i]); return sign === '1' ? { number: rest.split(' ')[0], extension: rest.split(' ')[1] } : { why: rest }; });
}

// A national number has to be one of its region's plan for us: what is a guess there must not become somebody else's number.
const plan = (region) => metadata.countries[region];
const general = new Map(Object.keys(metadata.countries).map((region) => [region, new RegExp(`^(?:${plan(region)[2]})$`)]));
function theirs(region, text) {
  const parsed = core.parsePhoneNumberFromString(text, { defaultCountry: region, extract: text.startsWith('tel:') }, metadata);
  if (!parsed) return null;
  const number = parsed.number;
  if (number.length > 16) return null; // E.164
  if (!parsed.isPossible()) return null;
  const source = parsed.__countryCallingCodeSource;
  if (!source && !general.get(region).test(parsed.nationalNumber)) return null;
  return { number, extension: parsed.ext ?? '' };
}

let seed = 42;
const random = (below) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff, Math.floor(seed / 0x7fffffff * below) % below);
const digits = (count) => Array.from({ length: count }, () => random(10)).join('');
const regions = Object.keys(metadata.countries);
const cases = [];
for (const region of regions) {
  const [code, , , lengths, , trunk] = plan(region);
  const national = examples[region];
  if (national) {
    const number = core.parsePhoneNumberFromString(national, region, metadata);
    cases.push([region, national], [region, `+${code}${national}`], [region, `${code}${national}`], [region, number.formatNational()], [region, number.formatInternational()], ['RU', number.formatInternational()],
      ['GB', `00${code}${national}`], ['US', `011 ${code} ${national}`], ['RU', `8~10${code}${national}`.replace('~', '')], [region, `${number.formatNational()} ext. 12`], [region, number.format('RFC3966') + ';ext=7'],
      [region, `${trunk ?? ''}${national}`], ['DE', `+${code} (0)${national}`], ['', `+${code}${national}`], ['', national]);
    for (let i = 0; i < 20; i++) { // one digit changed, one too few, one too many
      const at = random(national.length), other = national.slice(0, at) + random(10) + national.slice(at + 1);
      cases.push([region, other], [region, (trunk ?? '0') + other], [region, `+${code}${other}`], [region, code + other]);
    }
    cases.push([region, national.slice(1)], [region, `${national}5`], [region, `+${code}${national.slice(1)}`], [region, `+${code}${national}55`]);
  }
  for (let i = 0; i < 60; i++) {
    const text = digits(lengths[random(lengths.length)] + random(3) - 1);
    cases.push([region, text], [region, (trunk ?? '0') + text], [region, `+${code}${text}`], [region, `${code}${text}`], [region, `+${code}${trunk ?? '0'}${text}`], [region, `00${code}${text}`]);
  }
  for (let i = 0; i < 10; i++) cases.push([region, digits(5 + random(14))], [region, `+${digits(6 + random(11))}`]);
}

// They ask first which of the regions that share a code has the number, and then for that one's lengths; we ask for the main region's. So some
// numbers that are in no use are read by us alone; nothing is ever read as another number.
const isShared = (number) => Object.entries(metadata.country_calling_codes).some(([code, all]) => all.length > 1 && number.startsWith(`+${code}`));
const answers = ours(cases), wrong = [], lenient = [];
let read = 0;
cases.forEach(([region, text], i) => {
  const count = (text.replace(/(;ext=| ext\. ).*/, '').match(/\d/g) ?? []).length;
  if (count < 5 || count > 20) return; // no number for us
  const expected = theirs(region || undefined, text), got = answers[i];
  if (expected) read++;
  if ((expected?.number ?? null) === (got.number ?? null) && (!expected || expected.extension === got.extension)) return;
  (!expected && isShared(got.number) ? lenient : wrong).push(`${region} "${text}": ${JSON.stringify(got)}, libphonenumber-js ${JSON.stringify(expected)}`);
});
console.log(`${cases.length} texts, ${read} of them numbers, ${wrong.length} read otherwise, ${lenient.length} by us alone`);
for (const line of wrong.slice(0, 40)) console.log(line);
assert.ok(cases.length > 100000 && read > 50000);
assert.equal(wrong.length, 0);
assert.ok(lenient.length < cases.length / 2000, lenient.slice(0, 10).join('\n'));
