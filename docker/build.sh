#!/bin/sh
# build.sh [--if-asked] - proves docker/Dockerfile without a registry and without a daemon: debootstrap makes the base image, buildah builds on it, and
# the kanal of the result serves for real: as the image's user, on a read-only root, against a nats-server of this machine.
# --if-asked: only with KANAL_TEST_IMAGE=1. Exit code 0: right; 77: could not be run, with the reason; else failed.
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'skipped: %s\n' "$*"; exit 77; }
say() { printf '== %s\n' "$*"; }
fail() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

if [ -z "${KANAL_IMAGE_INSIDE:-}" ]; then
    [ "${1:-}" != --if-asked ] || [ "${KANAL_TEST_IMAGE:-}" = 1 ] || skip 'slow: KANAL_TEST_IMAGE=1 or ./dev image runs it'
    [ "$(id -u)" = 0 ] || skip 'building without a daemon needs root here'
    for program in debootstrap buildah "${NATS_SERVER:-nats-server}" curl python3; do
        command -v "$program" >/dev/null || skip "no $program"
    done
    unshare --mount --pid --fork true 2>/dev/null || skip 'no namespaces of its own'
    # Mounts and processes end with the first process of these namespaces: nothing stays behind, however this ends.
    exec unshare --mount --pid --fork --kill-child --mount-proc env KANAL_IMAGE_INSIDE=1 "$0" "$@"
fi

work=$PWD/build-image
rm -rf --one-file-system "$work"
mkdir -p "$work"
finish() { # the first process's end would leave the storage behind
    for pid in ${kanal:-} ${nats:-}; do kill -KILL "$pid" 2>/dev/null || true; done
    # What is bound there is not to be removed through the mounts.
    awk -v under="$work/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
    rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# ---- The build ------------------------------------------------------------------------------------------------------

storage() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

say 'the base: Debian 13 by debootstrap'
docker/base.sh "$PWD/build-trixie.tar"
container=$(storage from scratch)
storage add --quiet "$container" build-trixie.tar / >/dev/null
storage commit --quiet "$container" kanal-base >/dev/null
storage rm "$container" >/dev/null

say 'the image: docker/Dockerfile on that base'
# --format docker: OCI's own has no place for HEALTHCHECK.
storage bud --isolation chroot --format docker --layers=false --pull-never --build-arg BASE=localhost/kanal-base \
    --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || true)" -f docker/Dockerfile -t kanal . >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log" >&2; fail 'the image cannot be built'; }
storage inspect --type image kanal >"$work/image.json"
container=$(storage from --pull-never localhost/kanal)
root=$(storage mount "$container")

field() { # field EXPRESSION: of the image's configuration; a list's members are lines
    python3 -c 'import json, sys
config = json.load(open(sys.argv[1]))["Docker"]["config"]
value = eval(sys.argv[2], {"config": config})
print("\n".join(value) if isinstance(value, list) else value)' "$work/image.json" "$1"
}

is() { # is WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

is 'the user' 10001:10001 "$(field 'config["User"]')"
is 'the stop signal' SIGTERM "$(field 'config["StopSignal"]')"
is 'the command' 'kanal run -c /etc/kanal/kanal.yaml' "$(field 'config["Entrypoint"] + config["Cmd"]' | tr '\n' ' ' | sed 's/ $//')"
is 'the health check' 'CMD kanal health' "$(field 'config["Healthcheck"]["Test"]' | tr '\n' ' ' | sed 's/ $//')"
is 'the licence' Apache-2.0 "$(field 'config["Labels"]["org.opencontainers.image.licenses"]')"
for unwanted in usr/bin/gcc usr/bin/ninja usr/include/uv.h src var/lib/apt/lists/lock; do
    [ ! -e "$root/$unwanted" ] || fail "the image holds /$unwanted"
done
say "the image has $(du -sm "$root" | cut -f1) MB, its base $(du -m build-trixie.tar | cut -f1)"

# ---- What a container runtime would set up: a read-only root, a volume, the configuration, secrets -------------------------

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

port_nats=$(free_port) port_monitor=$(free_port) port_http=$(free_port) port_admin=$(free_port)
mkdir -p "$work/etc/nats" "$work/run/secrets" "$work/data" "$work/plugins" "$work/jetstream" "$root/run/secrets"
docker/secrets.sh "$work/run/secrets" >/dev/null
chmod 0755 "$work/run/secrets"
chown 10001:10001 "$work/data"
chmod 0700 "$work/data"
cp "$root/usr/lib/kanal/plugins/echo.so" "$work/plugins/echo.so"
sed -e "s/nats:4222/127.0.0.1:$port_nats/" -e "s/0\.0\.0\.0:8080/127.0.0.1:$port_http/" -e "s/0\.0\.0\.0:9090/127.0.0.1:$port_admin/" docker/kanal.yaml >"$work/kanal.yaml"
sed -e "s/0\.0\.0\.0:4222/127.0.0.1:$port_nats/" -e "s/0\.0\.0\.0:8222/127.0.0.1:$port_monitor/" -e "s|\"/data\"|\"$work/jetstream\"|" docker/nats.conf >"$work/etc/nats/nats.conf"
touch "$root/etc/kanal/kanal.yaml"

mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid "$root"
mount -t proc proc "$root/proc"
mount --bind "$work/run/secrets" "$root/run/secrets"
mount --bind "$work/kanal.yaml" "$root/etc/kanal/kanal.yaml"
mount --bind "$work/data" "$root/var/lib/kanal"
mount --bind "$work/plugins" "$root/plugins"

exec_inside() { # as a runtime would with --user, --read-only, --cap-drop ALL, no-new-privileges
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
}
inside() { (exec_inside "$@"); }

if inside touch /usr/bin/written 2>/dev/null; then fail 'the root file system can be written'; fi

say 'kanal version, plugins, check'
inside kanal version
for plugin in echo telegram webchat webform; do
    inside kanal plugins | grep -q "^$plugin" || fail "the plugin $plugin is not there"
done
inside kanal plugins /plugins | grep -q '^echo' || fail 'a plugin on the volume /plugins is not found'
umount "$root/plugins" # its id is the image's own echo's
inside kanal check -c /etc/kanal/kanal.yaml

# ---- It runs --------------------------------------------------------------------------------------------------------------

until_true() { # until_true SECONDS COMMAND…
    tries=$(($1 * 10))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

api() { curl --noproxy '*' --silent --show-error --fail --max-time 10 "$@"; }
log() { cat "$work/kanal.log"; }
health() { inside kanal health --url "http://127.0.0.1:$port_admin/readyz"; }
ended() { ! kill -0 "$kanal" 2>/dev/null; }
stored() { api "http://127.0.0.1:$port_monitor/jsz?streams=true&accounts=true" | python3 -c 'import json, sys
streams = [s for a in json.load(sys.stdin).get("account_details", []) for s in a.get("stream_detail") or []]
print(sum(s["state"]["messages"] for s in streams if s["name"] == "KANAL_EVENTS"))'; }

say 'kanal run, against a nats-server with docker/nats.conf'
"${NATS_SERVER:-nats-server}" -c "$work/etc/nats/nats.conf" >"$work/nats.log" 2>&1 &
nats=$!
until_true 10 api "http://127.0.0.1:$port_monitor/healthz" || { cat "$work/nats.log" >&2; fail 'nats-server does not start'; }
if health 2>/dev/null; then fail 'kanal health found a gateway before there was one'; fi
exec_inside kanal run -c /etc/kanal/kanal.yaml 2>"$work/kanal.log" &
kanal=$!
until_true 15 health || { log >&2; fail '/readyz is not 200'; }
until_true 15 grep -q 'commands are taken' "$work/kanal.log" || { log >&2; fail 'the streams are not there'; }
health

for line in 'Uid:.10001' 'CapEff:.0000000000000000' 'CapBnd:.0000000000000000' 'NoNewPrivs:.1'; do
    grep -q "^$line" "/proc/$kanal/status" || { cat "/proc/$kanal/status"; fail "its process is not $line"; }
done

say 'a message through the echo channel is stored, and told by kanal tail'
before=$(stored)
api -d '{"from":"anna","text":"from the image"}' -H 'content-type: application/json' "http://127.0.0.1:$port_http/c/demo-echo/"
echo
[ "$(stored)" -gt "$before" ] || fail 'the message is not in the stream'
inside kanal tail -c /etc/kanal/kanal.yaml --since all --no-live --json | grep -q '"from the image"' || fail 'kanal tail does not tell the message'
inside kanal send -c /etc/kanal/kanal.yaml demo-echo echo:anna 'an answer' >/dev/null
answered() { api "http://127.0.0.1:$port_http/c/demo-echo/outbox?to=anna" | grep -q 'an answer'; }
until_true 10 answered || { log >&2; fail 'the answer does not arrive'; }

say 'SIGTERM: a request under way is finished, then it ends with 0'
kill -STOP "$nats"
api -d '{"from":"anna","text":"the last"}' -H 'content-type: application/json' "http://127.0.0.1:$port_http/c/demo-echo/" >"$work/last" 2>&1 &
last=$!
sleep 0.3
kill -TERM "$kanal"
until_true 5 grep -q '"stopping' "$work/kanal.log" || { log >&2; fail 'SIGTERM is not heard'; }
sleep 0.3
if ended; then log >&2; fail 'it does not wait for the request'; fi
kill -CONT "$nats"
wait "$last" || { cat "$work/last" >&2; log >&2; fail 'the request under way was not answered'; }
until_true 20 ended || fail 'it does not end'
code=0
wait "$kanal" || code=$?
kanal=
is 'the exit code after SIGTERM' 0 "$code"
[ "$(stored)" -gt "$((before + 1))" ] || fail 'the last message is not stored'
say 'right'
