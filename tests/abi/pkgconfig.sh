#!/bin/sh
# pkgconfig.sh PKG_CONFIG_DIR SOURCE - builds a plugin with the flags of kanal-plugin.pc alone, and checks that it exports one
# function and leaves no symbol of the helpers open.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH="$1"
flags=$(pkg-config --cflags --libs kanal-plugin)
# shellcheck disable=SC2086
${CC:-cc} -shared -fPIC -fvisibility=hidden "$2" -o "$work/outside.so" $flags
exported=$(nm -D --defined-only "$work/outside.so" | awk '{ print $3 }')
[ "$exported" = kanal_plugin_v1 ] || { echo "exports: $exported"; exit 1; }
if nm -D --undefined-only "$work/outside.so" | grep kanal_; then
    echo 'not all helpers were linked'
    exit 1
fi
