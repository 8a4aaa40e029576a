#!/bin/sh
# run.sh BUILD [--json] [--rounds N]: the bench of the whole gateway, with the programs that BUILD holds. See gateway_bench.c.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?the build directory is missing}" && pwd)
shift

# Node is a peer, not a tool of the bench: without it its ratios are left out.
service=$here/node
if ! command -v node >/dev/null; then
    set -- --no-node "node is not installed" "$@"
elif [ ! -d "$service/node_modules" ] && ! { command -v npm >/dev/null && (cd "$service" && npm install --silent >&2); }; then
    set -- --no-node "npm cannot install fastify and nats" "$@"
else
    set -- --node "$service" "$@"
fi

ninja -C "$build" --quiet tests/bench/gateway-bench >&2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kanal-bench-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
"$build/tests/bench/gateway-bench" --kanal "$build/core/kanal" --plugins "$build/plugins/telegram" --scratch "$scratch" "$@"
