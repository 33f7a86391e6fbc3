#!/bin/sh
# Debian packages of what is built already. The same input gives the same bytes.
#
# Usage: packaging/deb/build.sh PROGRAMS MANUALS OUTPUT [VERSION]
#
# PROGRAMS is a folder with libpam_oauth2.so, pam-oauth2-check, teams-sync and ztoken, MANUALS what
# `manuals` wrote. SOURCE_DATE_EPOCH is the date of all, that of the last commit by default. VERSION is
# what version.sh says by default. DEBFULLNAME and DEBEMAIL, as of all tools of Debian, are who answers
# for the packages. The notices are in the folder NOTICES, or made (../notices.sh).
set -eu

usage="usage: $0 PROGRAMS MANUALS OUTPUT [VERSION]"
programs=$(realpath "${1:?$usage}")
manuals=$(realpath "${2:?$usage}")
output=$(mkdir -p "${3:?$usage}" && realpath "$3")
own=$(dirname "$(realpath "$0")")
source=$(dirname "$(dirname "$own")")
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
    SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct) || {
        echo "$0: git does not say when $source was last changed (see above): set SOURCE_DATE_EPOCH" >&2
        exit 1
    }
fi
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
umask 022
version=${4:-$("$own/version.sh")}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

tree=$work/blue-elephant
mkdir -p "$tree/programs" "$tree/docs/libpam-oauth2" "$tree/docs/teams-sync" "$tree/docs/ztoken"
cp "$programs/libpam_oauth2.so" "$tree/programs/pam_oauth2.so"
cp "$programs/pam-oauth2-check" "$programs/teams-sync" "$programs/ztoken" "$tree/programs"
cp -R "$manuals" "$tree/manuals"
cp -R "$own/debian" "$own/examples" "$own/pam-configs" "$source/packaging/man" "$tree"
# Documents of the repository, for a package; what links elsewhere in it is text there.
documents() {
    package=$1
    shift
    for document in "$@"; do
        sed 's/\[\([^]]*\)\]([^):]*)/\1/g' "$source/$document" >"$tree/docs/$package/${document##*/}"
    done
}
documents libpam-oauth2 pam-oauth2/README.md docs/reference/pam-toml.md
documents teams-sync teams-sync/README.md
documents ztoken ztoken/README.md
notices=$("$source/packaging/notices.sh" "$work/notices")
cp "$notices/NOTICE.pam-oauth2" "$notices/NOTICE.pam-oauth2-check" "$tree/docs/libpam-oauth2"
cp "$notices/NOTICE.teams-sync" "$tree/docs/teams-sync"
cp "$notices/NOTICE.ztoken" "$tree/docs/ztoken"

if [ -n "${DEBEMAIL-}" ]; then
    maintainer="${DEBFULLNAME:-The Blue Elephant contributors} <$DEBEMAIL>"
    awk -v maintainer="$maintainer" '/^Maintainer: / { $0 = "Maintainer: " maintainer } { print }' \
        "$own/debian/control" >"$tree/debian/control"
fi
maintainer=$(sed -n 's/^Maintainer: //p' "$tree/debian/control")
awk -v version="$version" -v date="$(date -R -d "@$SOURCE_DATE_EPOCH")" \
    -v maintainer="$maintainer" -f "$own/changelog.awk" "$source/CHANGELOG.md" \
    >"$tree/debian/changelog"

if ! (cd "$tree" && debian/rules binary) >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    echo "$0: the packages could not be built" >&2
    exit 1
fi
mv "$work"/*.deb "$output"
