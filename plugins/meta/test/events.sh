#!/bin/sh
# events.sh TEST_EXECUTABLE - every event that the unit test published is valid by the contract, strictly.
# Exit code 0: passed; 77: could not be run, with the reason; 1: failed.
set -u
test=$(realpath "$1") || exit 1
contract=$(realpath "$(dirname "$0")/../../../tests/contract") || exit 1
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
if [ ! -d "$contract/node_modules/ajv" ]; then
    command -v npm >/dev/null || { echo "skipped: no npm"; exit 77; }
    (cd "$contract" && flock . npm install --no-audit --no-fund --no-package-lock --silent) || { echo "skipped: npm install failed"; exit 77; }
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
KANAL_FAKE_EVENTS=$work/events "$test" -j1 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
node "$contract/strict.mjs" "$work/events"
