#!/bin/sh
# plugin.sh TEST.mjs: runs a plugin's test against the real gateway, whose packages of npm stand in a package.json beside it; 77 (skipped) where
# node, nats-server or the packages are absent.
set -u
here=$(cd "$(dirname "$0")" && pwd)
test=$(realpath "$1") || exit 1
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] || { echo "skipped: node is older than 20"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
for folder in "$here" "$here/gateway" "$here/../contract" "$(dirname "$test")"; do
    [ -f "$folder/package.json" ] || continue
    # What an older list of packages left there is completed.
    [ -d "$folder/node_modules" ] && [ "$folder/node_modules" -nt "$folder/package.json" ] && continue
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$folder" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm cannot install what $folder needs"; exit 77; }
    touch "$folder/node_modules"
done
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
export CHROMIUM # where there is none, the parts in a browser are skipped
exec node --test --test-reporter=spec "$test"
