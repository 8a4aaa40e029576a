#!/bin/sh
# complete.sh INCLUDE_DIR LAYOUT_FILE... - every type, member and constant of the ABI's headers is held by some layout file.
set -eu
cd "$(dirname "$0")"
include=$1
shift
headers=$(cd "$include" && echo kanal/plugin.h kanal/ext/*.h)
known=
for file; do known="$known --missing-from $file"; done
# shellcheck disable=SC2086
missing=$(python3 layout.py $known "$include" $headers) || {
    echo "These lines stand in no layout file. If the addition is meant (docs/abi.md), put them into a new one by"
    echo "    tests/abi/layout.py --file layout_NEW.c$known include HEADER... > tests/abi/layout_NEW.c"
    echo "and add it to tests/abi/meson.build."
    echo "$missing"
    exit 1
}
