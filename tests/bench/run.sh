#!/bin/sh
# run.sh BUILD [--json] [--rounds N] [--only PART]: the bench of each plugin's translation, then that of the whole gateway, with the programs that
# BUILD holds. See plugins_bench.c and gateway_bench.c. PART: plugins, start, in, out, worker.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?the build directory is missing}" && pwd)
shift

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kanal-bench-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

case " $* " in
*" --only plugins "*) only=plugins ;;
*" --only "*) only=gateway ;;
*) only= ;;
esac

if [ "$only" != gateway ]; then
    ninja -C "$build" --quiet tests/bench/plugins-bench >&2
    "$build/tests/bench/plugins-bench" --plugins "$build/plugins" --sources "$here/../../plugins" --json "$scratch/plugins.json"
    set -- --plugins-json "$scratch/plugins.json" "$@"
fi
if [ "$only" = plugins ]; then
    case " $* " in *" --json "*) printf '{"plugins":%s}\n' "$(cat "$scratch/plugins.json")" ;; esac
    exit 0
fi

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
"$build/tests/bench/gateway-bench" --kanal "$build/core/kanal" --plugins "$build/plugins/telegram" --scratch "$scratch" "$@"
