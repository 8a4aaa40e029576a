#!/bin/sh
# gateway.sh - runs gateway.test.mjs, of the build that KANAL_BUILD names. 77: what it needs is not here.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(realpath "$here/../../..")
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
for folder in "$here/.." "$root/tests/integration/gateway" "$root/tests/contract"; do
    [ -d "$folder/node_modules" ] && continue
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$folder" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm cannot install what $folder needs"; exit 77; }
done
exec node --test --test-reporter=spec "$here/gateway.test.mjs"
