// run.mjs [--form long|short|test] [--json] [--only NAME,…] [--rate N]: one fault after the other under load; a row of each on stdout, progress on stderr.
// 0: nothing acknowledged was lost, stored twice or out of order, and nothing was sent twice but where the channel declares it.
import { parseArgs } from 'node:util';
import { sleep } from '../integration/gateway/harness.mjs';
import { faults } from './faults.mjs';
import { World } from './world.mjs';

const { values: options } = parseArgs({ options: { form: { type: 'string', default: 'long' }, short: { type: 'boolean' }, json: { type: 'boolean' },
  only: { type: 'string' }, rate: { type: 'string', default: '150' } } });
const form = options.short ? 'short' : options.form;
const say = (text) => process.stderr.write(`${text}\n`);

// The numbers of a row, with what is declared taken apart from what may not be.
function rowOf(fault, world, { row, details }) {
  const { again, told_unknown, told_both, ...numbers } = row;
  const result = { name: fault.name, ...numbers, sent_twice: row.sent_twice + again, recovery_s: world.recovery ?? world.load.recoverySeconds() };
  if (again > 0 && fault.declared) result.declared = `${fault.declared} (${again})`;
  if (told_unknown > 0) result.told_failed = told_unknown;
  if (told_both > 0 && fault.isZombie) result.told_both = told_both; // docs/guarantees.md, "A zombie"
  else result.doubled += told_both;
  result.isRight = row.lost + result.doubled + row.out_of_order + row.sent_twice === 0 && (again === 0 || Boolean(fault.declared));
  for (const line of details.slice(0, 20)) say(`  ${line}`);
  return result;
}

async function runFault(fault) {
  const why = fault.skip?.(form);
  if (why) return { name: fault.name, skipped: why, isRight: true };
  let world;
  try {
    world = await World.start(fault.world ?? {}, Number(options.rate));
    world.mark();
    await world.recovered(); // every conversation works before anything happens to it
    await sleep(700);
    const problem = await fault.run(world, form !== 'long');
    await sleep(form === 'long' ? 3000 : 500);
    await world.load.end();
    const result = rowOf(fault, world, await world.settle());
    return problem ? { ...result, problem, isRight: false } : result;
  } catch (error) {
    say(`  ${error.stack}`);
    for (const gateway of world?.gateways ?? []) say(gateway.child?.lines.slice(-15).join('\n') ?? '');
    return { name: fault.name, problem: error.message, isRight: false };
  } finally {
    await world?.stop();
  }
}

const columns = ['name', 'acknowledged', 'lost', 'doubled', 'out_of_order', 'sent_twice', 'recovery_s'];
const widths = [18, 12, 6, 8, 12, 10, 10];
const line = (cells) => cells.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]))).join(' ');
const note = (row) => [row.skipped && `skipped: ${row.skipped}`, row.declared && `declared: ${row.declared}`, row.told_failed && `told as failed: ${row.told_failed}`, row.told_both && `told as sent and as failed: ${row.told_both}`, row.problem && `problem: ${row.problem}`].filter(Boolean).join('; ');

function print(row) {
  const { isRight, ...shown } = row;
  if (options.json) console.log(JSON.stringify(shown));
  else console.log(`${line(columns.map((column) => row[column] ?? '-'))}  ${note(row)}${isRight ? '' : '  WRONG'}`);
}

const chosen = faults.filter((fault) => (options.only ? options.only.split(',').includes(fault.name) : (fault.forms ?? ['short', 'long']).includes(form)));
if (chosen.length === 0) throw new Error(`no such fault; there are: ${faults.map((fault) => fault.name).join(', ')}`);
if (!options.json) console.log(line(columns));
let isRight = true;
for (const fault of chosen) {
  say(`== ${fault.name}: ${fault.what}`);
  const row = await runFault(fault);
  isRight &&= row.isRight;
  print(row);
}
process.exit(isRight ? 0 : 1);
