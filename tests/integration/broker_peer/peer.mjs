// Another client's view of buckets and objects: prints one line for each command, "command args -> result".
import { connect, StringCodec } from "nats";
import { createHash } from "node:crypto";

const [url, ...commands] = process.argv.slice(2);
const nc = await connect({ servers: url });
const js = nc.jetstream();
const text = StringCodec();

async function bytes(stream) {
  const parts = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(parts);
    parts.push(value);
  }
}

const run = {
  async kvput(bucket, key, value) {
    const kv = await js.views.kv(bucket, { bindOnly: true });
    return String(await kv.put(key, text.encode(value)));
  },
  async kvget(bucket, key) {
    const kv = await js.views.kv(bucket, { bindOnly: true });
    const entry = await kv.get(key);
    return entry && entry.operation === "PUT" ? `${text.decode(entry.value)}@${entry.revision}` : "none";
  },
  async kvdelete(bucket, key) {
    await (await js.views.kv(bucket, { bindOnly: true })).delete(key);
    return "ok";
  },
  async kvkeys(bucket) {
    const kv = await js.views.kv(bucket, { bindOnly: true });
    const keys = [];
    for await (const key of await kv.keys()) keys.push(key);
    return keys.sort().join(",");
  },
  async objput(bucket, name, size) {
    const os = await js.views.os(bucket);
    const data = Buffer.alloc(Number(size));
    for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 8)) & 255;
    const info = await os.putBlob({ name, headers: undefined }, data);
    return `${info.size} ${createHash("sha256").update(data).digest("hex")}`;
  },
  async objget(bucket, name) {
    const os = await js.views.os(bucket);
    const info = await os.info(name);
    const object = await os.get(name);
    if (!object) return "none";
    const data = await bytes(object.data);
    const error = await object.error; // the client checks the digest
    const type = info.headers ? info.headers.get("Content-Type") : "";
    return `${data.length} ${createHash("sha256").update(data).digest("hex")} ${type} ${error ?? "ok"}`;
  },
};

for (const command of commands) {
  const [verb, ...args] = command.split(" ");
  console.log(`${command} -> ${await run[verb](...args)}`);
}
await nc.close();
