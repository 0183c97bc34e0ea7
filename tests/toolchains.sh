#!/usr/bin/env bash
# Components that other toolchains' own packages make, on a host of their own: a fetch
# handler in JavaScript, whose instances serve one request each, and functions in
# Python, whose instances are reused. Wants node with npm, python3 with venv, curl and
# jq; the packages are installed below target/.
#
#   tests/toolchains.sh [STOA]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/host.sh "$@"

# jco is what brings WASI's WIT; the engine of ComponentizeJS is bound to one version
# of it, older than jco's.
readonly COMPONENTIZE_JS=0.23.0 JCO=1.35.0 COMPONENTIZE_PY=0.25.1 WASI=0.2.10 JCO_WASI=0.2.12
readonly REQUESTS=12
readonly SOURCE=tests/toolchains BUILT=target/toolchains
readonly WIT=$BUILT/wit VENV=$BUILT/venv

javascript() {
    local packages=("@bytecodealliance/componentize-js@$COMPONENTIZE_JS" "@bytecodealliance/jco@$JCO")
    # Into an empty folder: a second install over the first takes packages away.
    if [ "$(cat "$BUILT/packages" 2>/dev/null)" != "${packages[*]}" ]; then
        rm -rf "$BUILT"/node_modules "$BUILT"/package*
        npm install --prefix "$BUILT" --silent --no-audit --no-fund "${packages[@]}"
        echo "${packages[*]}" >"$BUILT/packages"
    fi
    rm -rf "$WIT"
    mkdir -p "$WIT/deps"
    cp -r "$BUILT/node_modules/@bytecodealliance/jco/lib/wit/builtin/$JCO_WASI"/wasi-* "$WIT/deps"
    find "$WIT" -name '*.wit' -exec sed -i -E "s/0\.2\.1[12]/$WASI/g" {} +
    cp "$SOURCE"/handler/*.wit "$WIT"
    "$BUILT/node_modules/.bin/componentize-js" "$SOURCE/fetch.js" \
        --wit "$WIT" --world-name handler --out "$BUILT/javascript.wasm"
}

python() {
    [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY"
    "$VENV/bin/componentize-py" --wit-path "$SOURCE/functions" --world functions \
        componentize --python-path "$SOURCE" app --output "$BUILT/python.wasm"
}

# Asks for a path a dozen times, $2 at a time; every status must be 200.
ask() {
    local found
    found=$(seq "$REQUESTS" | xargs -P "$2" -I {} \
        curl -sS -o "$scratch/{}.body" -w '%{http_code}\n' "http://$gateway$1" | sort | uniq -c | xargs)
    [ "$found" = "$REQUESTS 200" ] || { echo "$1, $2 at a time: expected $REQUESTS times 200, found $found" >&2; return 1; }
}

# Whether the last answer, in the order of the requests, is $1.
last_is() {
    local found
    found=$(<"$scratch/$REQUESTS.body")
    [ "$found" = "$1" ] || { echo "expected $1, found $found" >&2; return 1; }
}

# Whether a service's instances are said to live so long, and why.
lives() {
    local found
    found=$(stoa -o json show "$1" | jq -r '.live[0].reuse | "\(.calls): \(.reason)"')
    [[ $found == "$2"*"$3"* ]] || { echo "$1: expected $2 … $3, found $found" >&2; return 1; }
}

mkdir -p "$BUILT"
javascript >"$scratch/javascript.log" 2>&1 &
making=$!
python >"$scratch/python.log" 2>&1
wait "$making"
start_host serve
gateway=$(address 'Serving HTTP')
stoa deploy "$SOURCE"
for at_a_time in 1 "$REQUESTS"; do
    ask /javascript/page "$at_a_time"
    last_is 'hello /javascript/page from JavaScript'
    ask /python/greet/Ada "$at_a_time"
    last_is '"Hello, Ada!"'
done
ask /python/calls 1
[ "$(<"$scratch/$REQUESTS.body")" -ge "$REQUESTS" ] || { echo "Python's instances are not reused" >&2; exit 1; }
lives javascript 1 "ComponentizeJS $COMPONENTIZE_JS"
lives python null 'exported functions'
echo "Components of other toolchains run."
