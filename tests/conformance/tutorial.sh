#!/bin/sh
# tutorial.sh BUILD PAGE - follows docs/plugin-author.md to the letter: its `sh` blocks are run in an empty folder, against a Kanal that is
# installed into another one. Only the ports are changed to free ones. 77: something that the page asks for is not here.
set -eu
build=$1 page=$2
for tool in cc make pkg-config curl openssl python3 nats-server; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
processes=
clean_up() {
    for process in $processes; do kill "$process" 2>/dev/null || :; done
    # what the page starts is told by its own variables; a failure in the middle leaves them to us
    if [ -f "$work/pids" ]; then
        while read -r process; do kill "$process" 2>/dev/null || :; done <"$work/pids"
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

DESTDIR=$work/root meson install -C "$build" --no-rebuild --quiet >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
prefix=$(find "$work/root" -type f -path '*/bin/kanal' | sed 's|/bin/kanal$||')
# The files say where they will be; here they are elsewhere.
find "$work/root" -name '*.pc' -exec sed -i "s|^prefix=.*|prefix=$prefix|" {} +
PATH=$prefix/bin:$PATH
PKG_CONFIG_PATH=$(find "$work/root" -type d -name pkgconfig | head -n 1)
export PATH PKG_CONFIG_PATH

ports=$(python3 - <<'EOT'
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
EOT
)
# shellcheck disable=SC2086
set -- $ports
change="s/8080/$1/g;s/8081/$2/g;s/9090/$3/g"

# The commands, each block followed by what the test adds: other ports in the written files, the processes to end.
awk '/^```sh$/ { inside = 1; next } /^```/ { if (inside) print "after_block"; inside = 0 } inside' "$page" | sed "$change" >"$work/commands"
[ "$(grep -c '^after_block' "$work/commands")" -ge 7 ] || { echo "the page has fewer blocks than it should"; exit 1; }
cat >"$work/script" <<EOT
set -eux
after_block() {
    { set +x; } 2>/dev/null
    if [ -z "\${changed:-}" ] && [ -f kanal.yaml ]; then sed -i '$change' kanal.yaml try.sh; changed=1; fi
    for process in "\${gateway:-}" "\${stand_in:-}"; do [ -z "\$process" ] || echo "\$process" >>"$work/pids"; done
    set -x
}
$(cat "$work/commands")
EOT
mkdir "$work/folder"
cd "$work/folder"
timeout 150 sh "$work/script" >"$work/log" 2>&1 &
processes=$!
wait "$processes" || { code=$?; tail -n 60 "$work/log"; echo "the tutorial ended with $code"; exit 1; }
grep -q 'Hello from the app' "$work/log" && grep -q 'to anna: Hello, Anna' "$work/log" || { tail -n 60 "$work/log"; exit 1; }

# The other way to build it, and that nothing is overwritten.
cd "$work/folder/acme"
if kanal plugin new acme -d . 2>"$work/refused"; then echo "it overwrote files"; exit 1; fi
grep -q 'nothing was written' "$work/refused"
if command -v meson >/dev/null; then
    meson setup "$work/meson" >"$work/log" 2>&1 && meson test -C "$work/meson" >>"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
    grep -q '^Ok: *2' "$work/log" || { tail -n 20 "$work/log"; exit 1; }
fi
if command -v clang >/dev/null && clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null <<'EOT'
int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n);
int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n) { return b && n ? 0 : 0; }
EOT
then
    make acme_fuzz >"$work/log" 2>&1 && ./acme_fuzz -runs=2000 acme_fuzz_corpus >>"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
fi
echo "the tutorial works"
