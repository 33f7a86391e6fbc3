#!/bin/sh
# A release build that holds nothing of the machine that made it but its tools: the same sources, the
# same toolchain, C compiler, binutils and C library give the same bytes in any folder, for any user
# (pam-oauth2/reproducible.sh proves it for the module; docs/releasing.md has more). Usage: packaging/build.sh -p PACKAGE [ARGUMENT OF cargo build ...]
set -eu
cd "$(dirname "$0")/.."

# What cargo tells a program that it runs, as a test, is no word about this build; build scripts would
# take it for a change, and everything would be compiled anew.
for name in $(env | sed -n 's/^\(CARGO_\(MANIFEST\|PKG\)_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

home=${CARGO_HOME:-$HOME/.cargo}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cargo fetch --quiet --locked

# Where panics say that they happened, for example, paths are in the code. The last one that fits
# counts. Cargo does not let these flags into the names of symbols.
separator=$(printf '\037')
flags="--remap-path-prefix=$PWD=/source$separator--remap-path-prefix=$target=/target"
for folder in "$home"/registry/src/*; do
    flags="$flags$separator--remap-path-prefix=$folder=/crates"
done
CARGO_ENCODED_RUSTFLAGS=$flags exec cargo build --locked --release "$@"
