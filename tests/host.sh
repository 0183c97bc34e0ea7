# A host of a script's own. To be sourced, with the script's arguments, of which the
# first is the binary: `source tests/host.sh "$@"`.
#
#   $stoa       the binary
#   $scratch    a folder that goes with the script. When the script fails, the ends of
#               the logs in it (*.log) are printed
#   $data       the host's data directory, below it
#   $host       the host's process, once it is started
#
# What the script has in the background ends with it, its host too.

# For one wait. `stoa up` may build the services first. Seconds.
readonly PATIENCE=600

stoa=$(realpath "${1:-target/release/stoa}")
scratch=$(mktemp -d)
data=$scratch/data
host=
trap finish EXIT

finish() {
    local code=$? running
    [ "$code" -eq 0 ] || tail -n 40 "$scratch"/*.log >&2 || true
    running=$(jobs -p)
    # shellcheck disable=SC2086 # one word for each process
    [ -z "$running" ] || kill $running 2>/dev/null || true
    wait 2>/dev/null
    rm -rf "$scratch"
    exit "$code"
}

# start_host COMMAND…: `serve` or `up FOLDER`, and more options; on free ports.
start_host() {
    : >"$scratch/host.log"
    XDG_CONFIG_HOME=$scratch/user "$stoa" "$@" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --data "$data" >>"$scratch/host.log" 2>&1 &
    host=$!
    await announced
}

announced() {
    [ -n "$(address 'Admin API')" ] && [ -s "$data/token" ]
}

# The address and port in the host's line that begins with `$1 on `.
address() {
    sed -n "s|^$1 on https\{0,1\}://\([^/]*\)/.*|\1|p" "$scratch/host.log"
}

# await COMMAND…: until it succeeds, unless the host ends before.
await() {
    local until=$((SECONDS + PATIENCE))
    until "$@"; do
        kill -0 "$host" 2>/dev/null || { echo "the host ended before this: $*" >&2; return 1; }
        [ "$SECONDS" -lt "$until" ] || { echo "in $PATIENCE s not this: $*" >&2; return 1; }
        sleep 0.1
    done
}

# The binary as this host's operator.
stoa() {
    "$stoa" --host "http://$(address 'Admin API')" --data "$data" "$@"
}

# A certificate for localhost that it signs itself: $scratch/own.pem and own.key.
certify() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$scratch/own.key" -out "$scratch/own.pem" 2>/dev/null
}
