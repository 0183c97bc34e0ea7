#!/usr/bin/env bash
# rustc, with what libFuzzer needs to see where the host's code goes. Only the crates
# that are fuzzed: all others are those of every other build, and not built again.
set -euo pipefail
case " $* " in
*" --crate-name stoa_control "*" --crate-type lib "* | \
*" --crate-name stoa_engine "*" --crate-type lib "* | \
*" --crate-name stoa_gateway "*" --crate-type lib "* | \
*" --crate-name stoa_settings "*" --crate-type lib "*)
    exec "$@" -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
*) exec "$@" ;;
esac
