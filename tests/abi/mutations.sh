#!/bin/sh
# mutations.sh INCLUDE_DIR LAYOUT_FILE - the gate itself is tried: each change that would break built plugins must stop the layout file
# from compiling, and each that may be made must not.
set -eu
include=$1 layout=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 tried=0

changed() { # changed SED-EXPRESSION: a copy of the headers with it; fails if nothing changed
    rm -rf "$work/include"
    cp -r "$include" "$work/include"
    sed -i -E "$1" "$work/include/kanal/plugin.h"
    ! cmp -s "$include/kanal/plugin.h" "$work/include/kanal/plugin.h" || { echo "nothing is changed by: $1"; failed=1; }
    tried=$((tried + 1))
}
compiles() { ${CC:-cc} -std=gnu17 -I"$work/include" -fsyntax-only "$layout" 2>"$work/errors"; }
breaks() {
    changed "$2"
    if compiles; then echo "not noticed: $1"; failed=1; fi
}
keeps() {
    changed "$2"
    if ! compiles; then echo "refused though allowed: $1"; cat "$work/errors"; failed=1; fi
}

breaks 'a renumbered status' 's/KANAL_E_BUSY = -4/KANAL_E_BUSY = -14/'
breaks 'swapped statuses' 's/KANAL_E_TIMEOUT = -5/KANAL_E_TIMEOUT = -6/;s/KANAL_E_NETWORK = -6/KANAL_E_NETWORK = -5/'
breaks 'a moved capability' 's/(KANAL_CAP_EDIT .*) << 32/\1 << 31/'
breaks 'a renumbered outcome' 's/define KANAL_RETRY 2/define KANAL_RETRY 5/'
breaks 'swapped slots of one type' 's/\(\*start\)\(kanal_channel/(*XX)(kanal_channel/;s/\(\*stop\)\(kanal_channel/(*start)(kanal_channel/;s/\(\*XX\)\(kanal_channel/(*stop)(kanal_channel/'
breaks 'a slot with another argument' 's/kanal_op \(\*timer\)\(const kanal_host \*, uint32_t/kanal_op (*timer)(const kanal_host *, uint64_t/'
breaks 'another callback type' 's/typedef void kanal_done_fn\(void \*user, kanal_status\)/typedef void kanal_done_fn(void *user, int64_t)/'
breaks 'a member in the middle' 's/^( *)kanal_str dedupe;/\1kanal_str inserted;\n\1kanal_str dedupe;/'
breaks 'a member that is gone' 's/^ *kanal_str raw;.*//'
breaks 'a member of another size' 's/int64_t time_ms;/int32_t time_ms; int32_t more;/'
breaks 'a frozen struct that grew' 's/(kanal_str name, value;)/\1 uint64_t flags;/'
breaks 'a wider kanal_op' 's/typedef uint64_t kanal_op;/typedef __uint128_t kanal_op;/'
breaks 'another major' 's/KANAL_ABI_MAJOR 1u/KANAL_ABI_MAJOR 2u/'
keeps 'a member appended to a growing struct' 's/^( *)(kanal_str raw;.*)/\1\2\n\1kanal_str region;/'
keeps 'a slot appended to the host' 's/(const void \*\(\*extension\)\(const kanal_host \*, const char \*id\);)/\1 void (*newer)(const kanal_host *);/'
keeps 'a new capability' 's/^(#define KANAL_CAP_TEMPLATE .*)/\1\n#define KANAL_CAP_NEW (UINT64_C(1) << 20)/'
keeps 'the next minor' 's/KANAL_ABI_MINOR 0u/KANAL_ABI_MINOR 1u/'
echo "$tried changes tried"
exit $failed
