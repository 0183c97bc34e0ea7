#!/usr/bin/env bash
# Tries the gateway against its own OpenAPI documents: those of the shop and of a
# guest with every type of WIT. Requests are made from the documents, right and
# wrong ones; answers must be what the documents say, wrong input must be refused
# and nothing may be an error of the server's.
#
#   tests/schemathesis.sh [STOA]
#
# Wants python3 with venv, curl, and the shop and the guests as `cargo test` has
# built them.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/host.sh "$@"

readonly VERSION=4.32.5 SEED=20260101 EXAMPLES=${EXAMPLES:-20}
readonly CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method
readonly VENV=$PWD/target/schemathesis BUILT=$PWD/target/guests/wasm32-wasip2

install() {
    [ "$("$VENV/bin/pip" show schemathesis 2>/dev/null | sed -n 's/^Version: //p')" = "$VERSION" ] && return
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$VERSION"
}

# The echo of every type, one public route for each of its functions, but for the
# tuple: this schemathesis reads `prefixItems` as a list of `items`, and stops.
echo_manifest() {
    printf '[service.echo]\ncomponent = "%s"\n[service.echo.routes]\n' \
        "$BUILT/release/examples/echo_types.wasm"
    local function
    for function in bool u8 s8 u16 s16 u32 s32 u64 s64 f32 f64 char string bytes numbers matrix \
        option nested-option result bare-result enum flags variant record records; do
        printf '"POST /echo/%s" = { call = "test:echo/values.echo-%s", access = "public" }\n' \
            "$function" "$function"
    done
    printf '"%s" = { call = "test:echo/values.several", access = "public" }\n' \
        "GET /several/{first}" "POST /several" "PUT /several/{first}/{second}"
    printf '"POST /nothing" = { call = "test:echo/values.nothing", access = "public" }\n'
}

# One worker: the parser of Python 3.11 trips over itself in two threads.
try() {
    curl -sSf -H "authorization: Bearer $(<"$data/token")" \
        "http://$(address 'Admin API')/v1/app/openapi.json" >"$scratch/openapi.json"
    # It leaves its notes where it runs.
    cd "$scratch"
    "$VENV/bin/schemathesis" run openapi.json --url "http://$(address 'Serving HTTP')" \
        --checks "$CHECKS" --max-examples "$EXAMPLES" --seed "$SEED" --phases examples,coverage,fuzzing --workers 1 \
        --suppress-health-check all --warnings off
}

install
start_host serve
mkdir "$scratch/echo" "$scratch/shop"
echo_manifest >"$scratch/echo/stoa.toml"
sed -e "s|\.\./target/wasm32-wasip2|$BUILT|" -e "s|[a-z]*/config.schema.json|$PWD/components/&|" \
    components/stoa.toml >"$scratch/shop/stoa.toml"
stoa deploy "$scratch/echo" >/dev/null
stoa deploy "$scratch/shop" >/dev/null
try
