#!/bin/sh
# Makes what the images hold: one folder for each Dockerfile beside this file, which only copies it.
# Usage: packaging/images/roots.sh PROGRAMS TARGET, where PROGRAMS has operator, teams-sync,
# libpam_oauth2.so and pam-oauth2-check. Twice from the same programs gives the same trees.
# The notices are in the folder NOTICES, or made (../notices.sh).
# SPILO_GLIBC is the version of glibc in the Spilo image, 2.35 unless given (Ubuntu 22.04).
set -eu
umask 022
[ $# -eq 2 ] || {
    echo "usage: $0 PROGRAMS TARGET" >&2
    exit 64
}
programs=$1 target=$2
source=$(dirname "$0")/../..
spilo_glibc=${SPILO_GLIBC:-2.35}
bundle=/etc/ssl/certs/ca-certificates.crt

fail() {
    echo "image-roots: $1" >&2
    exit 1
}

[ -s "$bundle" ] || fail "$bundle is missing: install ca-certificates"

# One file: from where, to where in the tree, with which mode.
put() {
    [ -s "$1" ] || fail "$1 is missing"
    mkdir -p "$root${2%/*}"
    install -m "$3" "$1" "$root$2"
}

# A line of a file in the tree.
say() {
    mkdir -p "$root${1%/*}"
    echo "$2" >>"$root$1"
}

# Ours, those of the crates that are in a program, and those of the packages whose files are copied.
licences() {
    for licence in LICENSE-APACHE LICENSE-MIT; do
        put "$source/$licence" "/usr/share/doc/blue-elephant/$licence" 644
    done
    for program in $1; do
        gzip -9nc "$notices/NOTICE.$program" >"$root/usr/share/doc/blue-elephant/NOTICE.$program.gz"
    done
    shift
    for package in "$@"; do
        put "/usr/share/doc/$package/copyright" "/usr/share/doc/$package/copyright" 644
    done
}

# A program with what it needs to run: the loader and the libraries of this machine, those who are
# trusted, and a user without rights.
program() {
    name=$1
    put "$programs/$name" "/usr/bin/$name" 755
    # "libc.so.6 => /lib/.../libc.so.6 (0x...)", and the loader by its path alone
    libraries=$(ldd "$programs/$name" | grep -o '/[^ ]*') || fail "ldd says nothing of $name"
    for library in $libraries; do
        put "$library" "$library" 755
    done
    put "$bundle" "$bundle" 644
    say /etc/passwd "$name:x:65532:65532::/nonexistent:/nonexistent"
    say /etc/group "$name:x:65532:"
    say /etc/nsswitch.conf "hosts: files dns"
    licences "$name" ca-certificates libc6 libgcc-s1
}

# No version of glibc's functions is newer than the one of Spilo. GLIBC_ABI_DT_RELR is a newer one, and
# GLIBC_PRIVATE that of one build of glibc.
suits_spilo() {
    readelf --version-info --wide "$1" | grep -o 'Name: GLIBC_[^ ]*' | cut -d _ -f 2- | sort -Vu >"$target/versions"
    ! grep -q '[^0-9.]' "$target/versions" || fail "$1 asks for GLIBC_$(grep '[^0-9.]' "$target/versions" | head -n 1)"
    newest=$(tail -n 1 "$target/versions")
    rm "$target/versions"
    [ -n "$newest" ] || fail "readelf says nothing of $1"
    [ "$(printf '%s\n' "$newest" "$spilo_glibc" | sort -V | tail -n 1)" = "$spilo_glibc" ] ||
        fail "$1 asks for glibc $newest, and Spilo has $spilo_glibc: build it on an older Debian"
}

# Where Debian and Ubuntu keep PAM modules.
overlay() {
    suits_spilo "$programs/libpam_oauth2.so"
    suits_spilo "$programs/pam-oauth2-check"
    triplet=$(gcc -dumpmachine) || fail "gcc is missing"
    put "$programs/libpam_oauth2.so" "/usr/lib/$triplet/security/pam_oauth2.so" 644
    put "$programs/pam-oauth2-check" /usr/bin/pam-oauth2-check 755
    licences "pam-oauth2 pam-oauth2-check"
}

rm -rf "$target"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
trap 'exit 130' INT TERM HUP
notices=$("$source/packaging/notices.sh" "$made")
for image in operator spilo teams-sync; do
    root=$target/$image
    mkdir -p "$root"
    case $image in
    spilo) overlay ;;
    *) program $image ;;
    esac
    find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
done
