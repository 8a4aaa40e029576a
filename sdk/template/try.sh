#!/bin/sh
# try.sh ID FROM TEXT - posts a message as the app's server would: signed.
set -eu
body=$(printf '{"id":"%s","from":"%s","text":"%s"}' "$1" "$2" "$3")
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac a-shared-secret | sed 's/.* //')
curl -sS --fail-with-body -H "x-signature: sha256=$signature" -H 'content-type: application/json' -d "$body" \
    "${KANAL_URL:-http://127.0.0.1:8080}/c/postbox/"
echo
