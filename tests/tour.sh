#!/usr/bin/env bash
# Plays a page against the release build, README.md or one of the manual: the fenced
# blocks that a marker stands before, in their order, in one shell.
#
#   <!-- tour -->             runs the `sh` block; a command that fails ends the tour
#   <!-- tour: background --> runs it until the tour ends, goes on when the
#                             output has what the block expects
#   <!-- tour: elsewhere -->  ends what runs in the background, and runs the block in
#                             a new folder that has the checkout beside it, as `stoa`
#   <!-- tour: file PATH -->  writes the block, of whatever language, to that file
#
# A line `#> TEXT` says that the output of the commands since the last such
# line contains TEXT; `…` in it stands for anything. All the rest is run as it
# is written. `stoa` is the release build's.
set -euo pipefail

# A background block may build the shop first. Seconds.
readonly PATIENCE=600

page=$(realpath "${1:-README.md}")
checkout=$(dirname "$(dirname "$(realpath "$0")")")
cd "$checkout"
scratch=$(mktemp -d)
background=()
trap finish EXIT

finish() {
    local code=$?
    [ "$code" -eq 0 ] || report "$code"
    end_background
    rm -rf "$scratch" "$checkout/.stoa"
    exit "$code"
}

end_background() {
    local process
    for process in "${background[@]}"; do
        kill -TERM "-$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    background=()
}

# What a failed command said, and what the host said.
report() {
    local file
    for file in "$scratch"/*.output; do
        [ -f "$file" ] && printf -- '--- %s\n%s\n' "$(basename "$file")" "$(tail -n 40 "$file")"
    done
    echo "The tour failed with exit code $1. Page: $page"
} >&2

# Writes each marked block to its own file: 01.run, 02.background …; the place of
# 03.file is in 03.place.
extract() {
    awk -v scratch="$scratch" '
        /^<!-- tour(: (background|elsewhere|file [^ ]+))? -->$/ { kind = $3 == "-->" ? "run" : $3; place = $4; next }
        kind && (/^```sh$/ || kind == "file" && /^```./) {
            inside = 1
            file = sprintf("%s/%02d.%s", scratch, ++count, kind)
            printf "" > file
            if (kind == "file") print place > sprintf("%s/%02d.place", scratch, count)
            next
        }
        inside && /^```$/ { inside = 0; kind = ""; close(file); next }
        inside { print > file; next }
        kind && NF { print "a tour marker without its block: line " NR > "/dev/stderr"; exit 1 }
        END { if (!count) { print "no tour in the page" > "/dev/stderr"; exit 1 } }
    ' "$page"
}

# Whether a file contains a text, in which … stands for anything.
contains() {
    local pattern
    pattern=$(sed 's/[][*?\\]/\\&/g; s/…/*/g' <<<"$2")
    # shellcheck disable=SC2053 # it is a pattern
    [[ $(<"$1") == *$pattern* ]]
}

expect() {
    contains "$1" "$2" && return
    printf 'expected the output to contain\n    %s\nfound\n%s\n' "$2" "$(cat "$1")" >&2
    exit 1
}

# Runs a chunk in this shell, so that its variables stay.
run_chunk() {
    [ -n "${1//[[:space:]]/}" ] || return 0
    printf '%s' "$1"
    eval "$1" >"$output" 2>&1
}

play() {
    output=$scratch/$(basename "$1").output
    : >"$output"
    local chunk='' line
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line == '#> '* ]]; then
            run_chunk "$chunk"
            chunk=''
            expect "$output" "${line#\#> }"
        else
            chunk+=$line$'\n'
        fi
    done <"$1"
    run_chunk "$chunk"
}

# Starts a block in a process group of its own, then waits for what it expects.
play_background() {
    local file=$1 output line process
    output=$scratch/$(basename "$file").output
    grep -v '^#>' "$file"
    set -m
    bash -euo pipefail "$file" >"$output" 2>&1 &
    process=$!
    set +m
    background+=("$process")
    local until=$((SECONDS + PATIENCE))
    grep '^#> ' "$file" | while IFS= read -r line; do
        until contains "$output" "${line#\#> }"; do
            kill -0 "$process" 2>/dev/null || { echo "it ended before it said: ${line#\#> }" >&2; exit 1; }
            [ "$SECONDS" -lt "$until" ] || { echo "in $PATIENCE s it did not say: ${line#\#> }" >&2; exit 1; }
            sleep 0.2
        done
    done
}

go_elsewhere() {
    end_background
    mkdir "$scratch/elsewhere"
    cd "$scratch/elsewhere"
    ln -s "$checkout" stoa
}

# Writes a block to the file that the page says.
put() {
    local place
    place=$(<"${1%.file}.place")
    echo "$place"
    mkdir -p "$(dirname "$place")"
    cp "$1" "$place"
}

[ ! -e .stoa ] || { echo "the tour wants an empty data directory: move $PWD/.stoa away first" >&2; trap - EXIT; exit 1; }
# The manifest of the shop names target/ itself.
unset CARGO_TARGET_DIR
PATH=$PWD/target/release:$PATH
export XDG_CONFIG_HOME=$scratch/user
extract
for block in "$scratch"/[0-9]*; do
    case $block in
        *.run) play "$block" ;;
        *.background) play_background "$block" ;;
        *.elsewhere) go_elsewhere; play "$block" ;;
        *.file) put "$block" ;;
    esac
done
echo "The tour is true: $page"
