#!/bin/sh
# words.sh KANAL PLUGIN.so FIXTURES - the words of `kanal plugin`, its exit codes, and that a run can be repeated.
set -u
kanal=$1 plugin=$2 fixtures=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
expect() { # expect CODE TEXT COMMAND…: the exit code, and a text in the output
    code=$1 text=$2
    shift 2
    "$@" >"$work/out" 2>&1
    got=$?
    [ "$got" = "$code" ] && grep -qF -- "$text" "$work/out" || { echo "$* gave $got:"; head -n 5 "$work/out"; failed=1; }
}
expect 2 'expected new or check' "$kanal" plugin
expect 2 "there is no 'mend'" "$kanal" plugin mend
expect 0 'usage: kanal plugin' "$kanal" plugin --help
expect 0 'life.two-channels' "$kanal" plugin check --list
expect 2 'expected one FILE.so' "$kanal" plugin check
expect 2 '--seed' "$kanal" plugin check --seed x "$plugin"
expect 2 '--limit' "$kanal" plugin check --limit 0 "$plugin"
expect 1 'cannot be read' "$kanal" plugin check "$work/nothing.so"
expect 1 'there is no such test' "$kanal" plugin check "$plugin" --only nothing
expect 1 'conformance.json cannot be read' "$kanal" plugin check "$plugin" --fixtures "$work"
echo 'no library' >"$work/text.so"
expect 1 'it is no ELF file' "$kanal" plugin check "$work/text.so"
mkdir "$work/wrong"
echo '{"webhooks":[{"body_files":"x"}]}' >"$work/wrong/conformance.json"
expect 1 'body_files' "$kanal" plugin check "$plugin" --fixtures "$work/wrong"
echo '{"skip":{"in.garbage":"for this test only"}}' >"$work/wrong/conformance.json"
expect 0 'conformance.json says: for this test only' "$kanal" plugin check "$plugin" --fixtures "$work/wrong" --only in.garbage --limit 60
echo '{"settings":{"unknown_setting":1}}' >"$work/wrong/conformance.json"
expect 1 'unknown_setting' "$kanal" plugin check "$plugin" --fixtures "$work/wrong" --only descriptor.schema --limit 60
expect 1 'settings' "$kanal" plugin check "$plugin" --fixtures "$fixtures" --settings "$work/text.so"
for name in '' A a- ../x a/b 'a b' 1a abcdefghijklmnopqrstuvwxyz0123456789; do
    expect 1 "a plugin's name is" "$kanal" plugin new -d "$work/new" -- "$name"
done
[ ! -e "$work/new" ] || { echo 'something was written under a wrong name'; failed=1; }
expect 0 'x9.c' "$kanal" plugin new x9 -d "$work/deep/new"
expect 1 'nothing was written' "$kanal" plugin new x9 -d "$work/deep/new"
if grep -rqi postbox "$work/deep/new"; then echo "the template's name is left"; failed=1; fi
touch "$work/file"
expect 1 'Not a directory' "$kanal" plugin new x9 -d "$work/file"

# The same seed, the same report; only the times differ.
for run in 1 2; do
    "$kanal" plugin check "$plugin" --fixtures "$fixtures" --seed 77 --limit 60 --json | sed 's/"took_ms":[0-9]*//g' >"$work/run$run"
done
cmp "$work/run1" "$work/run2" || failed=1
grep -q '"seed":77' "$work/run1" || { echo 'no report'; failed=1; }
exit $failed
