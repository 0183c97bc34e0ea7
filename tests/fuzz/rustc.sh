#!/usr/bin/env bash
# rustc, with what libFuzzer needs to see where the host's code goes. Only that
# crate: its dependencies are those of every other build, and not built again.
set -euo pipefail
case " $* " in
*" --crate-name stoa "*" --crate-type lib "*)
    exec "$@" -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
*) exec "$@" ;;
esac
