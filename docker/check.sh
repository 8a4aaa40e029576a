#!/bin/sh
# check.sh KANAL PLUGIN… - the files beside this one, as far as that goes without Docker: kanal accepts kanal.yaml with what secrets.sh makes,
# nats-server accepts nats.conf, and compose.yaml is whole and keeps the precautions. Exit code 0: right; 77: something could not be checked.
set -eu
kanal=$(realpath "$1")
shift
directories=
for plugin in "$@"; do directories="$directories${directories:+, }\"$(dirname "$(realpath "$plugin")")\""; done
cd "$(dirname "$0")"

skipped=''
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/etc/nats" "$work/run"

./secrets.sh "$work/run/secrets" >"$work/made"
[ "$(wc -l <"$work/made")" = 4 ] || { cat "$work/made"; echo 'secrets.sh did not make four secrets'; exit 1; }
cp -r "$work/run/secrets" "$work/before"
./secrets.sh "$work/run/secrets"
diff -r "$work/before" "$work/run/secrets" || { echo 'secrets.sh changed what was there'; exit 1; }

sed -e "s|/run/secrets/|$work/run/secrets/|" -e "s|^  path: \[[^]]*\]|  path: [$directories]|" kanal.yaml >"$work/kanal.yaml"
"$kanal" check -c "$work/kanal.yaml"

if command -v "${NATS_SERVER:-nats-server}" >/dev/null; then
    cp nats.conf "$work/etc/nats/"
    "${NATS_SERVER:-nats-server}" -t -c "$work/etc/nats/nats.conf" 2>&1
else
    skipped="$skipped nats.conf: no nats-server;"
fi

if python3 -c 'import yaml' 2>/dev/null; then
    python3 - compose.yaml kanal.yaml <<'EOP'
import os, sys, yaml
compose, kanal = (yaml.safe_load(open(name)) for name in sys.argv[1:])
wrong = []
def check(right, text):
    if not right: wrong.append(text)
services = compose["services"]
for name, s in services.items():
    check(s.get("read_only") is True, f"{name}: its root file system can be written")
    check(s.get("cap_drop") == ["ALL"] and "cap_add" not in s, f"{name}: it keeps capabilities")
    check("no-new-privileges:true" in s.get("security_opt", []), f"{name}: it may gain privileges")
    check("healthcheck" in s or "build" in s, f"{name}: no health check")
    check(not s.get("privileged"), f"{name}: privileged")
    for port in s.get("ports", []): check(port.startswith("127.0.0.1:"), f"{name}: {port} is published to the world")
    for secret in s.get("secrets", []): check(secret in compose["secrets"], f"{name}: there is no secret {secret}")
    for network in s["networks"]: check(network in compose["networks"], f"{name}: there is no network {network}")
    for other, how in s.get("depends_on", {}).items():
        check(other in services and how["condition"] == "service_healthy", f"{name}: depends_on {other}")
    for volume in s.get("volumes", []):
        source = volume.split(":")[0]
        check(os.path.exists(source) if source[0] in "./" else source in compose["volumes"], f"{name}: there is no {source}")
    for key in s.get("environment", {}): check("PASSWORD" not in key and "SECRET" not in key, f"{name}: {key} is in the environment")
check("ports" not in services["nats"] and compose["networks"]["broker"]["internal"], "the broker can be reached from outside")
read = {line.split("/run/secrets/")[1].split("}")[0] for line in open("kanal.yaml") if "/run/secrets/" in line and not line.lstrip().startswith("#")}
check(read == set(services["kanal"]["secrets"]), f"kanal.yaml reads {sorted(read)}, compose.yaml mounts {services['kanal']['secrets']}")
check(kanal["broker"]["url"] == "nats://nats:4222", "kanal.yaml: another broker than compose.yaml's")
print("\n".join(wrong) or "compose.yaml: right")
sys.exit(bool(wrong))
EOP
else
    skipped="$skipped compose.yaml: no python3-yaml;"
fi
[ -z "$skipped" ] || { echo "skipped:$skipped the rest is right"; exit 77; }
