// A prism over an OpenAPI description, on a free port of loopback.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../node_modules/.bin/prism', import.meta.url));

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export async function startPrism(description) {
  const port = await freePort();
  const child = spawn(process.execPath, [binary, 'mock', '-h', '127.0.0.1', '-p', String(port), '--errors', description],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + 60000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (await fetch(url).then(() => true, () => false)) break;
    if (Date.now() > end || child.exitCode !== null) throw new Error('prism does not start');
  }
  return { url, stop: () => { child.kill(); return ended; } };
}
