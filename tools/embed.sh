#!/bin/sh
# embed.sh NAME INPUT OUTPUT.c - the bytes of a file as a C array: `const unsigned char NAME[]`, NUL-ended, and
# `const size_t NAME_len` without the NUL. POSIX sh, od and sed only.
set -eu
name=$1 input=$2 output=$3
{
    printf '/* Made by tools/embed.sh. */\n#include <stddef.h>\n'
    printf 'extern const unsigned char %s[];\nextern const size_t %s_len;\n' "$name" "$name"
    printf 'const unsigned char %s[] = {\n' "$name"
    od -An -v -tx1 "$input" | sed -e 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
    printf '0 };\nconst size_t %s_len = sizeof %s - 1;\n' "$name" "$name"
} > "$output.new"
mv "$output.new" "$output"
