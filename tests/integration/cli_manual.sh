#!/bin/sh
# Every option that a command's --help names is in the manual, in that command's part or in that about the broker; and the
# manual is well-formed. usage: cli_manual.sh KANAL MANUAL
set -eu
kanal=$1 manual=$2 wrong=0

part() { # part TITLE: a subsection of the manual
    awk -v title=".Ss $1" '$0 == title { inside = 1; next } /^\.S[sh]/ { inside = 0 } inside' "$manual"
}

part "The broker" | grep -q 'Fl -server' || { echo "the manual has no part about the broker"; exit 1; }
for command in $("$kanal" --help | awk '/^  [a-z]/ { print $1 }'); do
    text=$("$kanal" "$command" --help)
    options=$(printf '%s\n' "$text" | grep -oE -- '--[a-z][a-z-]*' | sort -u)
    [ "$command" = run ] || [ -n "$options" ] || { echo "kanal $command --help names no option"; wrong=1; }
    described=$(part "kanal $command"; part "The broker")
    for option in $options; do
        printf '%s\n' "$described" | grep -qE -- "Fl -${option#--}([ ,]|\$)" || { echo "kanal $command $option is not in the manual"; wrong=1; }
    done
    # And the other way: what its part of the manual has, --help has.
    for option in $(part "kanal $command" | grep '^\.It' | grep -oE 'Fl -[a-z][a-z-]*' | sed 's/Fl -/--/' | sort -u); do
        printf '%s\n' "$options" | grep -qxe "$option" || { echo "the manual has $option of kanal $command, --help has not"; wrong=1; }
    done
done

if command -v mandoc >/dev/null; then
    problems=$(mandoc -Tlint -Wwarning "$manual" 2>&1 || true)
elif command -v man >/dev/null && command -v groff >/dev/null; then
    problems=$(LC_ALL=C.UTF-8 MANROFFOPT=-ww man --warnings -E UTF-8 -l "$manual" 2>&1 >/dev/null || true)
else
    problems=''
    echo "neither mandoc nor man is there: the form is not checked"
fi
[ -z "$problems" ] || { echo "$problems"; wrong=1; }
exit $wrong
