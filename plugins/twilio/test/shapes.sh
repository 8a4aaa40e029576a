#!/bin/sh
# shapes.sh TEST_EXECUTABLE - the plugin's words held against what is not ours.
#   conformance  fixtures/conformance.json is signed as npm twilio signs
#   calls        every request that the unit test saw passes prism over Twilio's OpenAPI description, with no parameter that it does not know,
#                and those of each kind are what npm twilio's own client sends
#   events       every event that the unit test published is valid by the contract, strictly
# Exit code 0: passed; 77: could not be run, with the reason; 1: failed.
set -u
test=$(realpath "$1") || exit 1
cd "$(dirname "$0")/.." || exit 1
root=$(realpath ../..)
specs=${KANAL_SPECS:-$root/../shared/specs}

[ -f "$specs/twilio-api.json" ] || { echo "skipped: no twilio-api.json in $specs (KANAL_SPECS)"; exit 77; }
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] || { echo "skipped: node is older than 18"; exit 77; }
for folder in . "$root/tests/contract"; do
    [ -d "$folder/node_modules" ] && continue
    command -v npm >/dev/null || { echo "skipped: no npm, and $folder/node_modules is missing"; exit 77; }
    log=$(cd "$folder" && npm install --silent --no-save --no-package-lock 2>&1) || { echo "skipped: npm install failed: $log"; exit 77; }
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
KANAL_TWILIO_CALLS=$work/calls KANAL_FAKE_EVENTS=$work/events "$test" -j1 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
failed=0
node test/conformance.mjs || failed=1
node test/shapes.test.mjs "$work/calls" "$specs/twilio-api.json" || failed=1
echo "# events"
node "$root/tests/contract/strict.mjs" "$work/events" || failed=1
exit $failed
