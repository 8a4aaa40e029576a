#!/bin/sh
# gateway.sh TEST.mjs: runs one test of a plugin with the whole gateway by node's runner; 77 (skipped) where node, nats-server or npm's
# packages are absent. The packages are those of tests/integration/gateway, of tests/contract and of the plugin's own folder.
set -u
here=$(cd "$(dirname "$0")" && pwd)
test=$(realpath "$1") || exit 1
plugin=$(dirname "$(dirname "$test")")
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
for folder in "$here/../../tests/integration/gateway" "$here/../../tests/contract" "$plugin"; do
    [ -f "$folder/package.json" ] || continue
    # shellcheck disable=SC3013  # dash knows it
    [ -d "$folder/node_modules" ] && [ "$folder/node_modules" -nt "$folder/package.json" ] && continue
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$folder" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm cannot install what $folder needs"; exit 77; }
    touch "$folder/node_modules"
done
exec node --test --test-reporter=spec "$test"
