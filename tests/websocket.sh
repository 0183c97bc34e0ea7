#!/usr/bin/env bash
# A real WebSocket client and server (websockets, from PyPI) with a host of its own
# between them, plain and over TLS. Wants python3 with venv, and openssl; the package is
# installed below target/.
#
#   tests/websocket.sh [STOA]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/host.sh "$@"

readonly PACKAGE=17.4
venv=target/websocket-venv

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "websockets==$PACKAGE"

certify
start_host serve --tls-listen 127.0.0.1:0 --tls-cert "$scratch/own.pem" --tls-key "$scratch/own.key"
"$venv/bin/python" tests/websocket.py "http://$(address 'Serving HTTP')" "https://$(address 'Serving HTTPS')" \
    "http://$(address 'Admin API')" "$(<"$data/token")" "$scratch/own.pem" "$host"
wait "$host"
if grep -q 'cut off' "$scratch/host.log"; then
    echo "the drain left something" >&2
    exit 1
fi
