// Who holds which lease: as the gateways say, and as the records in the bucket say.
import { json, until } from './harness.mjs';

export const EVEN_MS = 15000;

// FNV-1a, as host/lease.c has it.
export const groupOf = (channel) => [...Buffer.from(channel)].reduce((hash, byte) => Math.imul(hash ^ byte, 16777619) >>> 0, 2166136261) % 64;
export const laneOf = (channel) => groupOf(channel) % 8;

// How many leases of these kinds a gateway says that it holds.
export const held = (one, kinds = 'intake|lane') => one.metric(new RegExp(`^kanal_leases_held\\{kind="(${kinds})"\\}`));

// key → { holder, ttl_ms, count }, without the announcements.
export async function records(client) {
  const bucket = await client.jetstream().views.kv('kanal_leases');
  const keys = [];
  for await (const key of await bucket.keys()) keys.push(key);
  const entries = await Promise.all(keys.filter((key) => !key.startsWith('_.replica.')).map(async (key) => [key, await bucket.get(key)]));
  return new Map(entries.filter(([, entry]) => entry?.operation === 'PUT').map(([key, entry]) => [key, json.decode(entry.value)]));
}

export async function areEven(gateways) {
  const counts = await Promise.all(gateways.map((one) => held(one)));
  return counts.reduce((sum, count) => sum + count, 0) === 9 && Math.max(...counts) - Math.min(...counts) <= 1;
}

// What channels hold is held by who has their lanes.
export async function areTogether(client, plugin, atLeast = 1) {
  const all = await records(client);
  const groups = [...all].filter(([key]) => key.startsWith(`${plugin}.`));
  return groups.length >= atLeast && groups.every(([key, { holder }]) => all.get(`_.lane-${Number(key.split('.')[1]) % 8}`)?.holder === holder);
}

// These gateways share, and nothing is going to move any more.
export async function settled(client, gateways, plugin) {
  await until('leases are spread evenly', () => areEven(gateways), EVEN_MS);
  if (plugin) await until('leases are where the lanes are', () => areTogether(client, plugin), EVEN_MS);
}
