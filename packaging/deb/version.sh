#!/bin/sh
# Prints the version of packages that are built from these sources now: that of Cargo.toml, and
# between releases VERSION+gitDATE.COMMIT, which is behind VERSION and before the next one. DATE is
# SOURCE_DATE_EPOCH, that of the commit by default.
#
# Usage: packaging/deb/version.sh [CHANGELOG]
set -eu

source=$(realpath "$(dirname "$0")/../..")
changelog=${1:-$source/CHANGELOG.md}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source/Cargo.toml" | head -n 1)

# Whether this version is released, and something is there that is not.
between() {
    awk -v heading="## [$version]" '
        /^## / { unreleased = index($0, "## [Unreleased]") == 1; released += index($0, heading) == 1 }
        unreleased && /^- / { more = 1 }
        END { exit !(released && more) }
    ' "$changelog"
}

if between; then
    commit=$(git -C "$source" rev-parse --short=10 HEAD) || {
        echo "$0: git does not say which commit this is (see above): name a version" >&2
        exit 1
    }
    date=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct)}
    version=$version+git$(date -u -d "@$date" +%Y%m%d%H%M%S).$commit
fi
echo "$version"
