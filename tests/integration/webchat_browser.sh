#!/bin/sh
# The chat widget and the demo shop in headless Chromium. Exit code 0: passed; 77: could not be run, with the reason; else failed.
# CHROMIUM names the browser; the rest of the environment: webchat_browser.test.mjs.
set -u
cd "$(dirname "$0")" || exit 1

command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] || { echo "skipped: node is older than 20"; exit 77; }
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
[ -x "$CHROMIUM" ] || { echo "skipped: no Chromium"; exit 77; }
export CHROMIUM
if [ ! -d node_modules/playwright-core ] || [ ! -d node_modules/axe-core ]; then
    command -v npm >/dev/null || { echo "skipped: no npm, and node_modules is missing"; exit 77; }
    log=$(npm install --silent 2>&1) || { echo "skipped: npm install failed: $log"; exit 77; }
fi
exec node --test --test-reporter=spec webchat_browser.test.mjs
