#!/bin/sh
# The three snippets of proto/snippets, run as a reader would run them, on copies: each accepts every example, refuses a
# damaged one with the place of the damage, and takes a line an event on standard input.
set -u
cd "$(dirname "$0")" || exit 1
contract=$PWD
proto=$(cd ../../proto && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

cp -r "$proto/snippets" "$proto/kanal.schema.json" "$work/" || exit 1
# The damage, a line each: a member is missing; a wrong type deep inside; no JSON; and a sound one.
sound=$(tr -d '\n' <"$proto/examples/message.failed.json")
{
    printf '%s\n' "$sound" | sed 's/"specversion": "1.0", *//'
    printf '%s\n' "$sound" | sed 's/"part": 1,/"part": "1",/'
    printf '{"specversion":\n'
    printf '%s\n' "$sound"
} >"$work/damaged.ndjson"

# try NAME COMMAND…: run in the snippets' folder.
try() {
    name=$1
    shift
    out=$work/$name.out
    errors=
    "$@" "$proto"/examples/*.json >"$out" 2>&1 || errors="$errors; an example is refused"
    [ "$(grep -c ': valid$' "$out")" -eq "$(ls "$proto"/examples/*.json | wc -l)" ] || errors="$errors; not every example has a verdict"
    "$@" <"$work/damaged.ndjson" >"$out.damaged" 2>&1
    [ $? -eq 1 ] || errors="$errors; exit code of damaged input is not 1"
    [ "$(grep -cE '^line [123]: invalid$' "$out.damaged")" -eq 3 ] || errors="$errors; damage is not refused"
    grep -q '^line 4: valid$' "$out.damaged" || errors="$errors; the sound line is refused"
    grep -q '^  /data/message/part: ' "$out.damaged" || errors="$errors; the place of the damage is not told"
    printf '%s\n' "$sound" | "$@" >/dev/null 2>&1 || errors="$errors; exit code of sound input is not 0"
    if [ -n "$errors" ]; then
        echo "FAILED  $name${errors}"
        cat "$out" "$out.damaged" | cut -c1-300 | head -20
        failures=1
    else
        echo "ok  $name"
    fi
}

cd "$work/snippets" || exit 1
if ln -s "$contract/node_modules" "$work/node_modules" && command -v node >/dev/null; then
    try validate.mjs node validate.mjs
else
    echo "skipped  validate.mjs: no node"
fi

# Debian's own Python has Debian's python3-jsonschema; another one first in PATH may have none.
python=
for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -n "$python" ]; then
    try validate.py "$python" validate.py
else
    echo "skipped  validate.py: no Python with jsonschema 4 (apt install python3-jsonschema)"
fi

if ! command -v go >/dev/null; then
    echo "skipped  validate.go: no go"
elif ! GOFLAGS=-mod=mod GOTOOLCHAIN=local go mod download >"$work/download" 2>&1; then
    echo "skipped  validate.go: its modules cannot be had: $(head -1 "$work/download")"
elif GOTOOLCHAIN=local go build -mod=readonly -o "$work/validate-go" . 2>"$work/build"; then
    [ -z "$(gofmt -l . 2>&1)" ] || { echo "FAILED  validate.go: not as gofmt writes it"; failures=1; }
    try validate.go "$work/validate-go"
else
    echo "FAILED  validate.go does not build"
    cat "$work/build"
    failures=1
fi
exit $failures
