#!/bin/sh
# shapes.sh TEST_EXECUTABLE - the plugin's words held against what is not ours.
#   fixtures   every webhook is what Meta's OpenAPI description says (ajv), and whatsapp-api-js reads it as what it is
#   calls      every request that the unit test saw passes prism over that description, or equals what whatsapp-api-js sends
#   events     every event that the unit test published is valid by the contract, strictly
# Exit code 0: passed; 77: could not be run, with the reason; 1: failed.
set -u
test=$(realpath "$1") || exit 1
cd "$(dirname "$0")/.." || exit 1
root=$(realpath ../..)
specs=${KANAL_SPECS:-$root/../shared/specs}

[ -f "$specs/whatsapp-cloud-api.yaml" ] || { echo "skipped: no whatsapp-cloud-api.yaml in $specs (KANAL_SPECS)"; exit 77; }
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] || { echo "skipped: node is older than 18"; exit 77; }
for folder in . "$root/tests/contract"; do
    [ -d "$folder/node_modules/ajv" ] && continue
    command -v npm >/dev/null || { echo "skipped: no npm, and $folder/node_modules is missing"; exit 77; }
    log=$(cd "$folder" && npm install --silent --no-save --no-package-lock 2>&1) || { echo "skipped: npm install failed: $log"; exit 77; }
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
KANAL_META_CALLS=$work/calls KANAL_FAKE_EVENTS=$work/events "$test" -j1 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
failed=0
node test/shapes.test.mjs fixtures "$work/calls" "$specs/whatsapp-cloud-api.yaml" || failed=1
echo "# events"
node "$root/tests/contract/strict.mjs" "$work/events" || failed=1
exit $failed
