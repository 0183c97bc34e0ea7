#!/usr/bin/env bash
# A real Eureka client (py-eureka-client) against a host of its own. Wants python3
# with venv; the client is installed below target/.
#
#   tests/eureka.sh [STOA]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/host.sh "$@"

readonly CLIENT=0.13.3
venv=target/eureka-venv

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "py-eureka-client==$CLIENT"

start_host serve
"$venv/bin/python" tests/eureka.py "http://eureka:$(<"$data/token")@$(address 'Admin API')/eureka/v2/"
