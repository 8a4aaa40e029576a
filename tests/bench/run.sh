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

# What a worker needs at most that reads a mailbox of 100,000 mails, one of 20 MB; nothing where dovecot or opensmtpd is not installed.
email_rss_mb() {
    KANAL_MAILS=${KANAL_MAILS:-100000} KANAL_BUILD=$build sh "$here/../plugins/gateway.sh" "$here/../../plugins/email/test/size.test.mjs" 2>/dev/null |
        sed -n 's/.*"email.rss_mb","value":\([0-9.]*\).*/\1/p'
}

"$build/tests/bench/gateway-bench" --kanal "$build/core/kanal" --plugins "$build/plugins/telegram" --scratch "$scratch" "$@" >"$scratch/report"
rss=$(email_rss_mb || true)
case " $* " in
*" --json "*) sed "\$s/}\$/${rss:+,\"email\":{\"rss_mb\":$rss\}}}/" "$scratch/report" ;;
*)
    cat "$scratch/report"
    [ -z "$rss" ] || printf '%-34s %9.1f\n' 'a mailbox of 100,000 mails, MB' "$rss"
    ;;
esac
