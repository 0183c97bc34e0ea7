#!/usr/bin/env bash
# Fuzzes each target for some seconds, from its seeds and what earlier runs found:
#
#   tests/fuzz/run.sh [SECONDS] [TARGET …]
#
# libFuzzer on stable Rust: LLVM's own pass counts where the host goes. An input
# with a fault is left in target/fuzz/TARGET/faults; it belongs into seeds/TARGET
# with the repair, where `cargo test` tries it. Wants a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."
# A backtrace of each fault costs seconds; the input tells more.
unset RUST_BACKTRACE
seconds=${1:-20}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(manifest route transcode eureka)

# As the tests are built, so that only the host is built again.
export RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/rustc.sh
fuzz=(cargo test --locked --workspace --features stoa-fuzz/fuzz)
"${fuzz[@]}" --no-run "${targets[@]/#/--test=fuzz-}"

for target in "${targets[@]}"; do
    found=$PWD/target/fuzz/$target
    mkdir -p "$found/corpus" "$found/faults"
    # A busy machine may stand still for seconds: a hang is more than that.
    "${fuzz[@]}" --quiet --test "fuzz-$target" -- \
        -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=4096 \
        -dict="$PWD/tests/fuzz/words/$target.dict" -use_value_profile=1 \
        -print_final_stats=1 -artifact_prefix="$found/faults/" \
        "$found/corpus" "$PWD/tests/fuzz/seeds/$target" >"$found/log" 2>&1 || {
        tail -n 40 "$found/log"
        echo "$target: found a fault; the whole log is $found/log" >&2
        exit 1
    }
    printf '%s: %s\n' "$target" "$(grep '^Done ' "$found/log")"
done
