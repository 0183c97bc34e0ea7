#!/usr/bin/env bash
# A real Eureka client (py-eureka-client) against a host of its own. Wants python3
# with venv; the client is installed below target/.
#
#   tests/eureka.sh [STOA]
set -euo pipefail
cd "$(dirname "$0")/.."

readonly CLIENT=0.13.3
stoa=$(realpath "${1:-target/release/stoa}")
venv=target/eureka-venv
data=$(mktemp -d)
host=

finish() {
    [ -n "$host" ] && kill "$host" 2>/dev/null && wait "$host" || true
    rm -rf "$data"
}
trap finish EXIT

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "py-eureka-client==$CLIENT"

XDG_CONFIG_HOME="$data/user" "$stoa" serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --data "$data/stoa" 2>"$data/log" &
host=$!
admin=
for _ in $(seq 100); do
    admin=$(sed -n 's|^Admin API on http://\(.*\)/$|\1|p' "$data/log")
    [ -n "$admin" ] && [ -s "$data/stoa/token" ] && break
    sleep 0.1
done
if ! "$venv/bin/python" tests/eureka.py "http://eureka:$(cat "$data/stoa/token")@$admin/eureka/v2/"; then
    cat "$data/log" >&2
    exit 1
fi
