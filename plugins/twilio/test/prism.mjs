// A prism over a part of Twilio's OpenAPI description, on a free port of loopback. The whole has some two hundred paths; we ask for three.
// Lists are sent as the same name again, which is what OpenAPI says of forms, but prism wants to be told so.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../node_modules/.bin/prism', import.meta.url));
const account = '/2010-04-01/Accounts/{AccountSid}';
const paths = [`${account}/Messages.json`, `${account}/Calls.json`, `${account}/IncomingPhoneNumbers/{Sid}.json`];

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

function part(file) {
  const description = JSON.parse(readFileSync(file, 'utf8'));
  description.paths = Object.fromEntries(paths.map((one) => [one, description.paths[one]]));
  for (const { post } of Object.values(description.paths)) {
    const form = post.requestBody.content['application/x-www-form-urlencoded'];
    form.encoding = { ...form.encoding };
    for (const [name, { type }] of Object.entries(form.schema.properties))
      if (type === 'array') form.encoding[name] = { style: 'form', explode: true };
  }
  return JSON.stringify(description);
}

export async function startPrism(file) {
  const port = await freePort(), folder = mkdtempSync(path.join(os.tmpdir(), 'kanal-twilio-')), described = path.join(folder, 'twilio.json');
  writeFileSync(described, part(file));
  const child = spawn(process.execPath, [binary, 'mock', '-h', '127.0.0.1', '-p', String(port), described], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + 60000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (await fetch(url).then(() => true, () => false)) break;
    if (Date.now() > end || child.exitCode !== null) throw new Error('prism does not start');
  }
  rmSync(folder, { recursive: true });
  return { url, stop: () => { child.kill(); return ended; } };
}
