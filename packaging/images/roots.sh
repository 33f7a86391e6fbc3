#!/bin/sh
# Makes what the images hold: one folder for each Dockerfile beside this file, which only copies it.
# Usage: packaging/images/roots.sh PROGRAMS TARGET, where PROGRAMS has operator, teams-sync,
# libpam_oauth2.so and pam-oauth2-check. Twice from the same programs gives the same trees.
set -eu
umask 022
[ $# -eq 2 ] || {
    echo "usage: $0 PROGRAMS TARGET" >&2
    exit 64
}
programs=$1 target=$2
source=$(dirname "$0")/../..
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

# Ours, and those of the packages whose files are copied.
licences() {
    for licence in LICENSE-APACHE LICENSE-MIT; do
        put "$source/$licence" "/usr/share/doc/blue-elephant/$licence" 644
    done
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
    licences ca-certificates libc6 libgcc-s1
}

# Where Debian and Ubuntu keep PAM modules.
overlay() {
    triplet=$(gcc -dumpmachine) || fail "gcc is missing"
    put "$programs/libpam_oauth2.so" "/usr/lib/$triplet/security/pam_oauth2.so" 644
    put "$programs/pam-oauth2-check" /usr/bin/pam-oauth2-check 755
    licences
}

rm -rf "$target"
for image in operator spilo teams-sync; do
    root=$target/$image
    mkdir -p "$root"
    case $image in
    spilo) overlay ;;
    *) program $image ;;
    esac
    find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
done
