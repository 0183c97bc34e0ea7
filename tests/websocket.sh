#!/usr/bin/env bash
# A real WebSocket client and server (websockets, from PyPI) with a host of its own
# between them, plain and over TLS. Wants python3 with venv, and openssl; the package is
# installed below target/.
#
#   tests/websocket.sh [STOA]
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PACKAGE=17.4
stoa=$(realpath "${1:-target/release/stoa}")
venv=target/websocket-venv
data=$(mktemp -d)
host=

finish() {
    [ -n "$host" ] && kill "$host" 2>/dev/null && wait "$host" || true
    rm -rf "$data"
}
trap finish EXIT

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "websockets==$PACKAGE"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$data/own.key" -out "$data/own.pem" 2>/dev/null
XDG_CONFIG_HOME="$data/user" "$stoa" serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --data "$data/stoa" \
    --tls-listen 127.0.0.1:0 --tls-cert "$data/own.pem" --tls-key "$data/own.key" 2>"$data/log" &
host=$!
told() {
    sed -n "s|^$1 on \(.*\)/\$|\1|p" "$data/log"
}
for _ in $(seq 100); do
    [ -n "$(told 'Admin API')" ] && [ -s "$data/stoa/token" ] && break
    sleep 0.1
done
if ! "$venv/bin/python" tests/websocket.py "$(told 'Serving HTTP')" "$(told 'Serving HTTPS')" \
    "$(told 'Admin API')" "$(cat "$data/stoa/token")" "$data/own.pem" "$host"; then
    cat "$data/log" >&2
    exit 1
fi
wait "$host"
host=
if grep -q 'cut off' "$data/log"; then
    echo "the drain left something:" >&2
    cat "$data/log" >&2
    exit 1
fi
