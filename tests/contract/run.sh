#!/bin/sh
# The contract's own tests. Exit code 0: passed; 77: could not be run, with the reason; 1: failed.
set -u
cd "$(dirname "$0")" || exit 1

command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] || { echo "skipped: node is older than 18"; exit 77; }
if [ ! -d node_modules/ajv ] || [ ! -d node_modules/@asyncapi/parser ]; then
    command -v npm >/dev/null || { echo "skipped: no npm, and node_modules is missing"; exit 77; }
    log=$(npm install --silent 2>&1) || { echo "skipped: npm install failed: $log"; exit 77; }
fi

failed=0
for test in schema_test.mjs examples_test.mjs asyncapi_test.mjs compat_test.mjs strict_test.mjs; do
    echo "# $test"
    node "$test" || failed=1
done
echo "# snippets_test.sh"
sh ./snippets_test.sh || failed=1
exit $failed
