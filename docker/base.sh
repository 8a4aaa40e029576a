#!/bin/sh
# base.sh FILE.tar - the root file system of a minimal Debian 13, made by debootstrap from the mirror that apt uses here. It stands for the
# image debian:trixie-slim where no registry can be reached. Nothing is done if FILE.tar is there. Exit code 77: something needed is missing.
set -eu
tar=$1

skip() { printf 'skipped: %s\n' "$*" >&2; exit 77; }

[ ! -s "$tar" ] || exit 0
[ "$(id -u)" = 0 ] || skip 'debootstrap needs root'
command -v debootstrap >/dev/null || skip 'no debootstrap'
# shellcheck disable=SC2016  # apt fills in REPO_URI
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || skip "no Debian mirror in apt's sources"

work=$(mktemp -d "$tar.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
# In a mount namespace of its own: whatever happens, no mount of debootstrap's stays behind.
unshare --mount debootstrap --variant=minbase trixie "$work/root" "$mirror" >"$tar.log" 2>&1 ||
    { tail -n 5 "$tar.log" >&2; echo "debootstrap failed; see $tar.log" >&2; exit 1; }
rm -rf "$work/root/var/cache/apt/archives"/*.deb "$work/root/var/lib/apt/lists"/*
# How apt reaches its mirror from here (a proxy, for example) holds there too.
apt-config dump | grep -E "^Acquire::(https?::|Check-|Retries)" >"$work/root/etc/apt/apt.conf.d/90host" || true
tar --one-file-system --numeric-owner -C "$work/root" -cf "$work/root.tar" .
mv "$work/root.tar" "$tar"
