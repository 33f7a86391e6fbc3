#!/bin/sh
# Fuzzes every target for so many seconds, as many at a time as there are processors.
# Usage: pam-oauth2/fuzz/run.sh SECONDS [TARGET...]
#
# Prints one line for each target, and ends with 1 where one of them broke; the input is then in
# target/fuzz/broken. What is found of new ways through the code stays in target/fuzz/corpus and
# is where the next run goes on; seeds/ changes by hand alone.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:?usage: $0 SECONDS [TARGET...]}
shift
[ $# -gt 0 ] ||
    set -- arguments cache dns headers introspection jwks jwt policy redact revocations signed tokeninfo

work=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
# The passes of LLVM that libFuzzer needs, which the pinned stable toolchain has as well. With
# --target they are for the code that runs, and not for build scripts and macros.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --quiet --locked -p pam-oauth2-fuzz --profile fuzz --target "$host" \
    --target-dir "$work/build"
program=$work/build/$host/fuzz/pam-oauth2-fuzz

# The files that targets read lie in memory, if there is room.
memory=/dev/shm
[ -w $memory ] || memory=/tmp
TMPDIR=$(mktemp -d $memory/pam-oauth2-fuzz.XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$work/log" "$work/broken"
for target; do mkdir -p "$work/corpus/$target"; done

# One target: $1 is its name.
one='
    log=$work/log/$1
    limits="-max_total_time=$seconds -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512"
    result=ok
    RUST_BACKTRACE=0 FUZZ_TARGET=$1 "$program" $limits -max_len=8192 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$work/broken/$1-" \
        "$work/corpus/$1" "pam-oauth2/fuzz/seeds/$1" >"$log" 2>&1 || result=BROKEN
    runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "$log")
    covered=$(sed -n "s/.* cov: \([0-9]*\) .*/\1/p" "$log" | sort -n)
    first=$(echo "$covered" | head -n 1)
    last=$(echo "$covered" | tail -n 1)
    echo "fuzz $1: $result, ${runs:-?} runs, ${last:-?} edges (${first:-?} at first)"
    [ $result = ok ] && exit
    grep -A 2 -e "panicked at" -e "^SUMMARY" -e "Test unit written to" "$log" | head -n 12
    exit 1
'
export work seconds program
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c "$one" one '{}' || {
    echo "fuzz: something broke; again with FUZZ_TARGET=NAME $program INPUT" >&2
    exit 1
}
