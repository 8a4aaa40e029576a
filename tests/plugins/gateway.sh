#!/bin/sh
# gateway.sh TEST.mjs [SPEC]: runs one test of a plugin with the whole gateway (of the build that KANAL_BUILD names) by node's runner; 77
# (skipped) where node, nats-server, npm's packages or the provider's description SPEC are absent. The packages are those of
# tests/integration and tests/integration/gateway, of tests/contract, of the plugin's own folder, and beside the test.
# NODE_LEAST: the oldest major version that the packages run on.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(realpath "$here/../..")
test=$(realpath "$1") || exit 1
specs=${KANAL_SPECS:-$root/../shared/specs}
[ -z "${2:-}" ] || [ -e "$specs/$2" ] || { echo "skipped: no $2 in $specs (KANAL_SPECS)"; exit 77; }
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0])')" -ge "${NODE_LEAST:-18}" ] || { echo "skipped: node is older than $NODE_LEAST"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
for folder in "$root/tests/integration" "$root/tests/integration/gateway" "$root/tests/contract" "$(dirname "$(dirname "$test")")" "$(dirname "$test")"; do
    [ -f "$folder/package.json" ] || continue
    # What an older list of packages left there is completed.
    # shellcheck disable=SC3013  # dash knows it
    [ -d "$folder/node_modules" ] && [ "$folder/node_modules" -nt "$folder/package.json" ] && continue
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$folder" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm cannot install what $folder needs"; exit 77; }
    touch "$folder/node_modules"
done
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
export CHROMIUM # where there is none, the parts in a browser are skipped
exec node --test --test-reporter=spec "$test"
