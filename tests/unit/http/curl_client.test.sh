#!/bin/sh
# The HTTP server against curl. Usage: curl_client.test.sh PATH-OF-http-site
# Exits with 77, which meson counts as skipped, where there is no curl.
set -eu
command -v curl >/dev/null || { echo "skipped: no curl"; exit 77; }

dir=$(mktemp -d)
mkfifo "$dir/in"
"$1" <"$dir/in" >"$dir/port" &
site=$!
exec 9>"$dir/in" # the site ends when this does
trap 'exec 9>&-; wait $site || true; rm -rf "$dir"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$dir/port" ] && break; sleep 0.1; done
url="http://127.0.0.1:$(cat "$dir/port")"

failed=0
check() { # NAME EXPECTED GOT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: expected '$2', got '$3'"
        failed=1
    fi
}
# NAME EXPECTED-CODE ARGUMENTS...
code() {
    name=$1 expected=$2
    shift 2
    check "$name" "$expected" "$(curl -sS -m 20 -o "$dir/out" -w '%{http_code}' "$@" 2>"$dir/err" || true)"
}

head -c 2000000 /dev/zero | tr '\0' 'a' >"$dir/large"
head -c 50000 /dev/zero | tr '\0' 'a' >"$dir/medium"

code "GET" 200 "$url/now"
check "its body" now "$(cat "$dir/out")"
code "POST" 200 -d 'a=1&b=2' "$url/echo"
check "its body" "body=a=1&b=2" "$(grep '^body=' "$dir/out")"
code "a chunked upload" 200 -H 'Transfer-Encoding: chunked' --data-binary "@$dir/medium" "$url/echo"
check "its length" 50005 "$(($(grep '^body=' "$dir/out" | wc -c) - 1))"
code "an upload after 100 Continue" 200 -H 'Expect: 100-continue' --data-binary "@$dir/large" "$url/echo"
check "its length" 2000005 "$(($(grep '^body=' "$dir/out" | wc -c) - 1))"
code "too large" 413 --data-binary "@$dir/large" "$url/small"
code "too large, without Expect" 413 -H 'Expect:' --data-binary "@$dir/large" "$url/small"
code "too large, chunked" 413 -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary "@$dir/large" "$url/small"
code "refused" 401 -H 'Expect:' --data-binary "@$dir/large" "$url/refuse"
code "HEAD" 200 -I "$url/now"
check "its length" "Content-Length: 3" "$(grep -i content-length "$dir/out" | tr -d '\r')"
code "HTTP/1.0" 200 --http1.0 "$url/later"
code "a path that climbs" 400 --path-as-is "$url/a/../now"
code "a stream" 200 "$url/stream/chunked"
check "its length" 10000 "$(($(wc -c <"$dir/out")))"
code "16 MiB" 200 "$url/stream/endless"
check "its length" 16777216 "$(($(wc -c <"$dir/out")))"
curl -sS -m 20 -o "$dir/out" "$url/stream/cut" 2>/dev/null && got=0 || got=$?
check "curl sees that a chunked answer was cut (18 or 56)" yes "$(case $got in 18 | 56) echo yes ;; *) echo "$got" ;; esac)"
curl -sS -m 20 -o "$dir/out" "$url/stream/broken" 2>/dev/null && got=0 || got=$?
check "curl sees that an answer was cut" 18 "$got"
check "one connection for five requests" 1 "$(curl -sS -m 20 -o /dev/null -w '%{num_connects}\n' "$url/now" \
    "$url/later" "$url/now" "$url/echo" "$url/stream/length" -o /dev/null -o /dev/null -o /dev/null -o /dev/null |
    awk '{ n += $1 } END { print n }')"
exit $failed
