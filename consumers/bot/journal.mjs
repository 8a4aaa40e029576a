// What the bot knows, on disk: a file of JSON lines, only ever appended to and written to the disk before anything is acknowledged; now and then
// written anew without what is over. A line that a crash cut off is the last one, and was never acknowledged: it is dropped.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, truncateSync, unlinkSync, writeSync } from 'node:fs';
import { fdatasync, write } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

const REWRITE_LINES = 4096;
const writeTo = promisify(write), sync = promisify(fdatasync);

export class StateError extends Error {}

// Holds the folder until the process ends, however it ends: a socket that nobody answers on is a dead bot's.
async function lock(folder) {
  const before = process.cwd();
  for (let attempt = 0; attempt < 2; attempt++) {
    const server = net.createServer((socket) => socket.destroy());
    process.chdir(folder); // a socket's path has 107 bytes at most
    const outcome = await new Promise((resolve) => {
      server.once('error', (error) => resolve(error));
      server.listen('lock', () => resolve(null));
      process.chdir(before);
    });
    if (!outcome) { server.unref(); return server; }
    if (outcome.code !== 'EADDRINUSE') throw new StateError(`${folder}: cannot be locked: ${outcome.message}`);
    process.chdir(folder);
    const alive = await new Promise((resolve) => {
      const socket = net.connect('lock', () => { socket.destroy(); resolve(true); }).once('error', () => resolve(false));
      process.chdir(before);
    });
    if (alive) break;
    unlinkSync(path.join(folder, 'lock'));
  }
  throw new StateError(`${folder}: another bot uses this folder; give each its own --state`);
}

function readLines(file) {
  let data;
  try { data = readFileSync(file); } catch (error) { if (error.code === 'ENOENT') return []; throw new StateError(`${file}: cannot be read: ${error.code}`); }
  const end = data.lastIndexOf(10) + 1; // behind it: cut off
  if (end < data.length) truncateSync(file, end);
  return data.subarray(0, end).toString().split('\n').slice(0, -1).map((line, i) => {
    try { return JSON.parse(line); } catch { throw new StateError(`${file}:${i + 1}: is no JSON; the file was changed or the disk is damaged. Without it all waits are forgotten`); }
  });
}

export class Journal {
  // Calls apply(record) for each that is there.
  static async open(folder, apply) {
    const journal = new Journal();
    try { mkdirSync(folder, { recursive: true, mode: 0o700 }); } catch (error) { throw new StateError(`${folder}: cannot be made: ${error.code}`); }
    Object.assign(journal, { folder, file: path.join(folder, 'journal'), pending: [], lines: 0, writing: Promise.resolve(), lock: await lock(folder) });
    for (const record of readLines(journal.file)) { apply(record); journal.lines++; }
    journal.fd = openSync(journal.file, 'a', 0o600);
    return journal;
  }
  append(record) { this.pending.push(record); }
  // Resolves when everything that was appended until now is on the disk.
  commit() { return (this.writing = this.writing.then(() => this.flush())); }
  async flush() {
    const records = this.pending;
    if (records.length === 0) return;
    this.pending = [];
    const data = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    for (let at = 0; at < data.length;) at += (await writeTo(this.fd, data, at)).bytesWritten;
    await sync(this.fd);
    this.lines += records.length;
  }
  isLong(count) { return this.lines >= REWRITE_LINES && this.lines >= 2 * count; }
  // live(): what is still of use. The old file is there until the new one is.
  rewrite(live) {
    this.writing = this.writing.then(() => this.flush()).then(() => {
      const next = `${this.file}.new`, fd = openSync(next, 'w', 0o600), records = live();
      for (const record of records) writeSync(fd, `${JSON.stringify(record)}\n`);
      fsyncSync(fd);
      renameSync(next, this.file);
      const folder = openSync(this.folder, 'r');
      fsyncSync(folder);
      closeSync(folder);
      closeSync(this.fd);
      Object.assign(this, { fd, lines: records.length });
    });
  }
  async close() {
    await this.commit();
    closeSync(this.fd);
    this.lock.close();
  }
}
