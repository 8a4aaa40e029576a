#!/bin/sh
# abidiff.sh INCLUDE_DIR - the library of every type, built with the archived first header and with today's: what abidiff says, unsuppressed, is
# what abidiff_accepted.txt says. 77: no abidiff.
set -eu
command -v abidiff >/dev/null || { echo "skipped: no abidiff (abigail-tools)"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { ${CC:-cc} -std=gnu17 -g -O0 -shared -fPIC -fvisibility=hidden "-I$1" "$here/every_type.c" -o "$2"; }
# without line numbers, which any edit moves
compare() { { abidiff --no-default-suppression --non-reachable-types "$1" "$2" || :; } | sed -E 's/ at [a-z_]+\.[ch]:[0-9]+:[0-9]+//g'; }

mkdir "$work/old" "$work/new" "$work/broken"
build "$here/archive/1.0" "$work/old/every.so"
build "$1" "$work/new/every.so"
compare "$work/old/every.so" "$work/new/every.so" >"$work/report"
diff -u "$here/abidiff_accepted.txt" "$work/report" || {
    echo "abidiff says something else than abidiff_accepted.txt. If the addition is meant (docs/abi.md), put its report there."
    exit 1
}
# It must see something when there is something to see.
cp -r "$here/archive/1.0/kanal" "$work/broken/kanal"
sed -i 's/int64_t time_ms;/int32_t time_ms; int32_t more;/' "$work/broken/kanal/plugin.h"
build "$work/broken" "$work/broken/every.so"
[ -n "$(compare "$work/old/every.so" "$work/broken/every.so")" ] || { echo "abidiff does not see a changed member"; exit 1; }
echo "no other difference than the accepted ones"
