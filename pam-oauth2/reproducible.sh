#!/bin/sh
# Builds the module as two people would, who share nothing but the sources, the toolchain and the
# crates: other folders, another name, another time. Ends with 1 where one byte differs, or where a
# folder of theirs is in the file. Usage: pam-oauth2/reproducible.sh
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "reproducible: $1" >&2
    exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/pam-oauth2-reproducible.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

cargo fetch --quiet --locked
shared=${CARGO_HOME:-$HOME/.cargo}
# Where rustup has the toolchain, if it comes from there.
export RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"

# $1 is the name of a person. Crates are downloaded once, and unpacked by each.
build() {
    home=$work/$1 sources=$work/$1/$2
    mkdir -p "$home/cargo/registry" "$sources"
    for part in cache index; do
        ln -s "$shared/registry/$part" "$home/cargo/registry/$part"
    done
    [ ! -e "$shared/config.toml" ] || cp "$shared/config.toml" "$home/cargo/"
    git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$sources"
    (
        umask "$3"
        export HOME="$home" USER="$1" LOGNAME="$1" CARGO_HOME="$home/cargo" CARGO_TARGET_DIR="$home/target"
        export TZ="$4"
        "$sources/packaging/build.sh" --quiet -p pam-oauth2
    )
    cp "$home/target/release/libpam_oauth2.so" "$work/$1.so"
}

build alice src 022 UTC0
build bob deeper/than/that 077 XYZ-9
cmp "$work/alice.so" "$work/bob.so" || {
    trap - EXIT
    fail "two builds of the same sources differ: compare alice.so and bob.so in $work"
}
! grep -aqF -e "$work" -e "$shared" -e "$PWD" "$work/alice.so" ||
    fail "a folder of the builder is in the module"
sha256sum <"$work/alice.so" | sed 's/ .*/  libpam_oauth2.so/'
