// What the demo starts, it stops: children by their own handles, nothing by name.
import { spawn } from 'node:child_process';
import readline from 'node:readline';

export const say = (text) => console.error(`\x1b[1m==\x1b[0m ${text}`);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, probe, ms = 20000) {
  for (const end = Date.now() + ms; ;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`missing: ${what} (waited ${ms / 1000} s)`);
    await sleep(50);
  }
}

export class Processes {
  #children = [];

  start(command, args) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.lines = [];
    child.ended = new Promise((resolve) => { child.once('exit', resolve); child.once('error', (error) => { child.lines.push(error.message); resolve(1); }); });
    for (const stream of [child.stdout, child.stderr]) readline.createInterface({ input: stream }).on('line', (line) => child.lines.push(line));
    this.#children.push(child);
    return child;
  }

  // A child whose output a person sees.
  show(command, args) {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.ended = new Promise((resolve) => child.once('exit', resolve));
    this.#children.push(child);
  }

  async line(child, what, pattern) {
    return until(what, () => {
      const found = child.lines.find((line) => pattern.test(line));
      if (!found && child.exitCode !== null) throw new Error(`${what} ended:\n${child.lines.join('\n')}`);
      return found;
    });
  }

  async startTelegram(file) {
    const child = this.start(process.execPath, [file, '--port', '0', '--any-chat']);
    return JSON.parse(await this.line(child, 'the stand-in of Telegram', /^\{/));
  }

  async startKanal(binary, config) {
    const child = this.start(binary, ['run', '-c', config]);
    const line = await this.line(child, 'kanal', / channels on http/);
    const url = /on (http\S+?),/.exec(line)[1].replace('localhost', '127.0.0.1');
    const admin = `http://127.0.0.1:${/admin on port (\d+)/.exec(line)[1]}`;
    await this.line(child, 'the broker', /commands are taken/);
    await until('channels that are up', async () => {
      const { channels } = await (await fetch(`${admin}/channels`)).json();
      return channels.every((channel) => channel.healthy);
    });
    return { url, admin, log: child.lines };
  }

  async stop() {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15000);
      await child.ended;
      clearTimeout(timer);
    }
  }
}
