#!/bin/sh
# run.sh BUILD [--json] [--rounds N] [--only PART]: the bench of each plugin's translation, then that of the whole gateway, with the programs that
# BUILD holds. See plugins_bench.c and gateway_bench.c. PART: plugins, start, in, out, backlog, worker, project, identity.
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
report=$scratch/report
"$build/tests/bench/gateway-bench" --kanal "$build/core/kanal" --plugins "$build/plugins/telegram" --scratch "$scratch" "$@" >"$report"
if [ -n "$only" ]; then
    cat "$report"
    exit 0
fi

# What a worker needs at most that reads a mailbox of 100,000 mails, one of 20 MB; nothing where dovecot or opensmtpd is not installed.
rss=$(KANAL_MAILS=${KANAL_MAILS:-100000} KANAL_BUILD=$build sh "$here/../plugins/gateway.sh" "$here/../../plugins/email/test/size.test.mjs" 2>/dev/null |
    sed -n 's/.*"email.rss_mb","value":\([0-9.]*\).*/\1/p') || rss=
case " $* " in
*" --json "*) sed "\$s/}\$/${rss:+,\"email\":{\"rss_mb\":$rss\}}}/" "$report" ;;
*)
    cat "$report"
    [ -z "$rss" ] || printf '%-34s %9.1f\n' 'a mailbox of 100,000 mails, MB' "$rss"
    ;;
esac
