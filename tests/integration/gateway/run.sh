#!/bin/sh
# run.sh TEST.mjs: runs one test file of this folder with node's runner; 77 (skipped) where node or npm's packages are absent.
set -u
here=$(cd "$(dirname "$0")" && pwd)
command -v node >/dev/null || { echo "skipped: node is not installed"; exit 77; }
command -v "${NATS_SERVER:-nats-server}" >/dev/null || { echo "skipped: nats-server is not installed"; exit 77; }
for folder in "$here" "$here/../../contract"; do
    # What an older list of packages left there is completed.
    [ -d "$folder/node_modules" ] && [ -z "$(find "$folder/package.json" -newer "$folder/node_modules")" ] && continue
    command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 77; }
    (cd "$folder" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm cannot install what $folder needs"; exit 77; }
    touch "$folder/node_modules"
done
exec node --test --test-reporter=spec "$here/$1"
