#!/bin/sh
# headers.sh INCLUDE_DIR - compiles every public header alone, in every language and with every compiler that plugin authors
# may use, with all warnings as errors. The ABI's own headers may not even be padded.
set -eu
include=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wundef -Werror'
yyjson=$(pkg-config --cflags yyjson 2>/dev/null || :)
checked=0
failed=0

compile() { # compiler language standard header extra-flags
    printf '#include "%s"\n' "$4" >"$work/alone.$2"
    # shellcheck disable=SC2086
    if ! "$1" -std="$3" $warnings $5 $yyjson -I"$include" -fsyntax-only "$work/alone.$2" 2>"$work/errors"; then
        echo "FAILED: $4 as $3 by $1"
        sed 's/^/    /' "$work/errors"
        failed=$((failed + 1))
    fi
    checked=$((checked + 1))
}

cd "$include"
for header in $(find kanal -name '*.h' | sort); do
    padded=
    case $header in kanal/plugin.h | kanal/ext/*) padded=-Wpadded ;; esac
    for compiler in gcc clang; do
        command -v "$compiler" >/dev/null || continue
        for standard in c11 c17; do compile "$compiler" c "$standard" "$header" "$padded"; done
    done
    for compiler in g++ clang++; do
        command -v "$compiler" >/dev/null || continue
        for standard in c++11 c++20; do compile "$compiler" cpp "$standard" "$header" ''; done
    done
done
[ "$checked" -gt 0 ] || { echo 'no compiler found'; exit 1; }
echo "$checked compilations, $failed failed"
[ "$failed" -eq 0 ]
