#!/bin/sh
# Builds the module as somebody else would, who has nothing of this machine but the sources, the
# toolchain, the crates and gcc: other folders, another name, another time. Ends with 1 where one byte
# differs from the module that is tested and packaged here, or where a folder of a builder is in it.
# Usage: pam-oauth2/reproducible.sh
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

# Crates are downloaded once, and unpacked by each.
theirs=$work/somebody sources=$work/somebody/deeper/than/that
mkdir -p "$theirs/cargo/registry" "$sources"
for part in cache index; do
    ln -s "$shared/registry/$part" "$theirs/cargo/registry/$part"
done
[ ! -e "$shared/config.toml" ] || cp "$shared/config.toml" "$theirs/cargo/"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$sources"
(
    umask 077
    export HOME="$theirs" USER=somebody LOGNAME=somebody TZ=XYZ-9
    export CARGO_HOME="$theirs/cargo" CARGO_TARGET_DIR="$theirs/target"
    "$sources/packaging/build.sh" --quiet -p pam-oauth2
)
packaging/build.sh --quiet -p pam-oauth2
cp "$theirs/target/release/libpam_oauth2.so" "$work/theirs.so"
cp "${CARGO_TARGET_DIR:-target}/release/libpam_oauth2.so" "$work/ours.so"
cmp "$work/theirs.so" "$work/ours.so" || {
    trap - EXIT
    fail "two builds of the same sources differ: compare theirs.so and ours.so in $work"
}
! grep -aqF -e "$work" -e "$shared" -e "$PWD" "$work/ours.so" ||
    fail "a folder of the builder is in the module"
echo "toolchain: $(rustc --version), $(cc --version | sed -n 1p), $(ld --version | sed -n 1p)"
sha256sum <"$work/ours.so" | sed 's/ .*/  libpam_oauth2.so/'
