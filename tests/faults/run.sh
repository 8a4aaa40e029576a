#!/bin/sh
# run.sh BUILD [--form long|short|test] [--json] [--only NAME,…] [--rate N]: the faults with the programs that BUILD holds; see faults.mjs. 77 (skipped)
# where node, nats-server or npm's packages are absent.
set -u
here=$(cd "$(dirname "$0")" && pwd)
KANAL_BUILD=$(cd "${1:?the build directory is missing}" && pwd)
export KANAL_BUILD
shift
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
packages=$here/../integration/gateway
if [ ! -d "$packages/node_modules" ] || [ -n "$(find "$packages/package.json" -newer "$packages/node_modules")" ]; then
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$packages" && flock . npm install --no-audit --no-fund --no-package-lock --silent) >&2 || { echo "skipped: npm cannot install the NATS client"; exit 77; }
    touch "$packages/node_modules"
fi
exec node "$here/run.mjs" "$@"
