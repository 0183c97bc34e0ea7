#!/usr/bin/env bash
# Attacks a host with slowhttptest (slow heads, slow bodies, slow readers) and
# h2load (many streams, plain and over TLS), while a client asks as clients do. The
# client must be served all the while, and the host be alive and well afterwards.
#
#   tests/attack.sh [STOA [DIR]]    a binary, and the folder of a manifest with the
#                                   shop's routes
#
# Wants slowhttptest, h2load, openssl and curl. Each attack lasts 15 s at most.
set -euo pipefail
cd "$(dirname "$0")/.."

stoa=$(realpath "${1:-target/release/stoa}")
services=$(realpath "${2:-components}")
readonly LASTS=15 CONNECTIONS=400 SERVED='^200$'
# The host may build the services first. Seconds.
readonly PATIENCE=600

scratch=$(mktemp -d)
trap finish EXIT

finish() {
    local code=$?
    [ "$code" -eq 0 ] || tail -n 40 "$scratch"/*.output >&2
    [ -z "${host:-}" ] || kill -TERM "$host" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
    exit "$code"
}

start() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$scratch/own.key" -out "$scratch/own.pem" 2>/dev/null
    # Shorter than the defaults, so that an attack of seconds meets them.
    cat >"$scratch/stoa-host.toml" <<TOML
[gateway]
header_timeout = "3s"
body_timeout = "3s"
write_timeout = "6s"
idle_timeout = "5s"
[tls]
listen = "127.0.0.1:0"
cert = "$scratch/own.pem"
key = "$scratch/own.key"
TOML
    : >"$scratch/host.output"
    XDG_CONFIG_HOME="$scratch/user" "$stoa" up "$services" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --data "$scratch/data" \
        --config "$scratch/stoa-host.toml" >"$scratch/host.output" 2>&1 &
    host=$!
    local second
    for ((second = 0; second < PATIENCE; second++)); do
        url=$(sed -n 's|^Serving HTTP on \(.*\)/$|\1|p' "$scratch/host.output")
        tls=$(sed -n 's|^Serving HTTPS on https://[^:]*:\([0-9]*\)/$|https://localhost:\1|p' "$scratch/host.output")
        [ -n "$url" ] && [ "$(status)" = 200 ] && return
        kill -0 "$host"
        sleep 1
    done
    echo "no host within $PATIENCE s" >&2
    return 1
}

status() {
    curl -sS -o /dev/null -w '%{http_code}' --max-time 10 "$url/products" || true
}

# Asks until it is told to stop: each answer must be 200.
witness() {
    while [ -e "$scratch/attacked" ]; do
        status
        echo
        sleep 0.2
    done
}

# attack NAME COMMAND…: the client is served meanwhile, and the host is there after.
attack() {
    local name=$1 failed served
    shift
    echo "--- $name"
    touch "$scratch/attacked"
    witness >"$scratch/witness" &
    local witness=$!
    timeout $((LASTS + 5)) "$@" >"$scratch/$name.output" 2>&1 || {
        echo "$name: the attack itself failed with exit code $?" >&2
        return 1
    }
    rm "$scratch/attacked"
    wait "$witness"
    served=$(grep -cE "$SERVED" "$scratch/witness" || true)
    failed=$(grep -cvE "$SERVED" "$scratch/witness" || true)
    echo "served $served, failed $failed"
    [ "$served" -gt 0 ] && [ "$failed" -eq 0 ]
    kill -0 "$host"
    [ "$(status)" = 200 ]
}

# slow NAME ARGUMENTS…: the host closes every slow connection by itself.
slow() {
    attack "$1" slowhttptest "${@:2}" -c "$CONNECTIONS" -r 200 -i 2 -p 5 -l "$LASTS"
    grep -q 'No open connections left' "$scratch/$1.output" || {
        echo "$1: slow connections stay open" >&2
        return 1
    }
}

# load NAME ARGUMENTS…: every request is served.
load() {
    attack "$1" h2load "${@:2}"
    grep -q ' 0 errored, 0 timeout' "$scratch/$1.output"
    grep -q ' 0 4xx, 0 5xx' "$scratch/$1.output"
}

start
slow slow-heads -H -t GET -x 24 -u "$url/products"
slow slow-bodies -B -t POST -s 8192 -x 10 -f application/json -u "$url/products"
# What is left for them waits in the kernel, where it costs the host nothing.
attack slow-readers slowhttptest -X -w 10 -y 20 -n 1 -z 32 -k 3 -u "$url/products" \
    -c "$CONNECTIONS" -r 200 -i 2 -p 5 -l "$LASTS"
load streams -n 20000 -c 20 -m 100 "$url/products"
load streams-over-tls -n 10000 -c 20 -m 100 "$tls/products"
load http1-over-tls --h1 -n 5000 -c 20 "$tls/products"
echo "The host stood all attacks."
