#!/bin/sh
# gateway.sh KANAL PLUGIN.so... - plugins that others built run in a real gateway: a message in, a message out. 77: no nats-server, no curl.
set -eu
for tool in nats-server curl python3; do command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
kanal=$(realpath "$1")
shift
work=$(mktemp -d)
gateway=
clean_up() {
    [ -z "$gateway" ] || { kill "$gateway" 2>/dev/null && wait "$gateway" 2>/dev/null || :; }
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*(x.getsockname()[1] for x in s))')
http=${ports% *} admin=${ports#* }
mkdir "$work/plugins"
{
    echo "http: { listen: 127.0.0.1:$http, public_url: \"http://127.0.0.1:$http\" }"
    echo "admin: { listen: 127.0.0.1:$admin }"
    echo "data_dir: $work/data"
    echo 'identity: { salt: "0123456789abcdef0123456789abcdef" }'
    echo "plugins: { path: [$work/plugins] }"
    echo 'channels:'
    for plugin; do echo "  - { id: ch-$(basename "$plugin" .so), plugin: $(basename "$plugin" .so) }"; done
} >"$work/kanal.yaml"
for plugin; do cp "$plugin" "$work/plugins/"; done
"$kanal" run -c "$work/kanal.yaml" 2>"$work/log" &
gateway=$!
for _ in $(seq 100); do
    "$kanal" health --url "http://127.0.0.1:$admin/readyz" >/dev/null 2>&1 && break
    kill -0 "$gateway" || { cat "$work/log"; exit 1; }
    sleep 0.1
done
say() { # say CHANNEL: posts until it is up
    for _ in $(seq 50); do
        code=$(curl -sS -o "$work/answer" -w '%{http_code}' -H 'x-from: anna' -H 'x-id: 1' -d 'Hello there' "http://127.0.0.1:$http/c/$1/")
        [ "$code" = 503 ] || break
        sleep 0.1
    done
    [ "$code" = 200 ] || { echo "$1 answered $code: $(cat "$work/answer")"; tail -n 20 "$work/log"; exit 1; }
}
for plugin; do
    name=$(basename "$plugin" .so)
    say "ch-$name"
    "$kanal" tail -c "$work/kanal.yaml" --channel "ch-$name" --type message.received --since all --count 1 --timeout 20s --json >"$work/event"
    grep -q "\"address\":\"$name:anna\"" "$work/event" && grep -q 'Hello there' "$work/event" || { cat "$work/event"; exit 1; }
    "$kanal" send -c "$work/kanal.yaml" "ch-$name" "$name:anna" "Hello $name" >"$work/sent" || { cat "$work/sent"; exit 1; }
    last=$(curl -sS "http://127.0.0.1:$http/c/ch-$name/last")
    [ "$last" = "Hello $name" ] || { echo "$name kept '$last'"; exit 1; }
    echo "$name: a message in, a message out"
done
