#!/bin/sh
# stand_in.sh TEST_EXECUTABLE - starts the stand-in of Telegram on a free port, and runs the test against it.
# Exit code 0: passed; 77: could not be run, with the reason; 1: failed.
set -u
test=$(realpath "$1") || exit 1
server=$(realpath "$(dirname "$0")/../../../tests/providers/telegram/server.mjs") || exit 1
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] || { echo "skipped: node is older than 20"; exit 77; }

work=$(mktemp -d) || exit 1
node "$server" --port 0 --retry-ms 50 >"$work/line" 2>"$work/errors" &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    [ -s "$work/line" ] && break
    sleep 0.1
done
[ -s "$work/line" ] || { echo "the stand-in did not start"; cat "$work/errors"; exit 1; }
KANAL_TELEGRAM_STAND_IN=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).url' "$work/line")
KANAL_TELEGRAM_TOKEN=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).token' "$work/line")
export KANAL_TELEGRAM_STAND_IN KANAL_TELEGRAM_TOKEN
cat "$work/line"
"$test" -j1
