#!/bin/sh
# secrets.sh [DIRECTORY] - makes the secrets that compose.yaml mounts, those that are not there yet. Back kanal_salt up: with another salt
# every customer is a stranger.
set -eu
directory=${1:-$(dirname "$0")/secrets}
mkdir -p "$directory"
chmod 0700 "$directory" # the containers' users are not yours: the files are readable, the way to them is not
cd "$directory"

random() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }
make() { [ -s "$1" ] || { cat >"$1"; chmod 0444 "$1"; echo "made $directory/$1"; }; }

random | make kanal_salt
random | make nats_kanal
random | make visitor_session
printf 'NATS_KANAL: "%s"\nNATS_SYSTEM: "%s"\n' "$(cat nats_kanal)" "$(random)" | make nats_passwords
