#!/bin/sh
# exports.sh PLUGIN.so - a plugin exports one function, brings all its helpers along, and needs nothing of the core.
set -eu
exported=$(nm -D --defined-only "$1" | awk '{ print $3 }' | grep -v '^__odr_asan' || :)
[ "$exported" = kanal_plugin_v1 ] || { echo "$1 exports: $exported"; exit 1; }
open=$(nm -D --undefined-only "$1" | awk '{ print $2 }' | grep '^kanal' || :)
[ -z "$open" ] || { echo "$1 lacks: $open"; exit 1; }
