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
source tests/host.sh "$@"

services=$(realpath "${2:-components}")
readonly LASTS=15 CONNECTIONS=400 SERVED='^200$'

start() {
    certify
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
    start_host up "$services" --config "$scratch/stoa-host.toml"
    url=http://$(address 'Serving HTTP')
    tls=$(address 'Serving HTTPS')
    tls=https://localhost:${tls##*:}
    await serves
}

serves() {
    [ "$(status)" = 200 ]
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
    timeout $((LASTS + 5)) "$@" >"$scratch/$name.log" 2>&1 || {
        echo "$name: the attack itself failed with exit code $?" >&2
        return 1
    }
    rm "$scratch/attacked"
    wait "$witness"
    served=$(grep -cE "$SERVED" "$scratch/witness" || true)
    failed=$(grep -cvE "$SERVED" "$scratch/witness" || true)
    echo "served $served, failed $failed"
    [ "$served" -gt 0 ]
    [ "$failed" -eq 0 ]
    kill -0 "$host"
    serves
}

# slow NAME ARGUMENTS…: the host closes every slow connection by itself.
slow() {
    attack "$1" slowhttptest "${@:2}" -c "$CONNECTIONS" -r 200 -i 2 -p 5 -l "$LASTS"
    grep -q 'No open connections left' "$scratch/$1.log" || {
        echo "$1: slow connections stay open" >&2
        return 1
    }
}

# load NAME ARGUMENTS…: every request is served.
load() {
    attack "$1" h2load "${@:2}"
    grep -q ' 0 errored, 0 timeout' "$scratch/$1.log"
    grep -q ' 0 4xx, 0 5xx' "$scratch/$1.log"
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
