#!/bin/sh
# Prints what CHANGELOG.md says about a version. Usage: packaging/release-notes.sh VERSION [CHANGELOG]
set -eu
version=${1:?usage: $0 VERSION [CHANGELOG]}
changelog=${2:-$(dirname "$0")/../CHANGELOG.md}

awk -v version="$version" '
    # "## [1.2.3] - 2027-01-31", or "## [Unreleased]".
    /^## / { is_in = index($0, "## [" version "]") == 1; next }
    # Where the links of headings go stands at the end of the file.
    /^\[[^]]*\]: / { is_in = 0 }
    is_in && NF { for (; empty > 0; empty--) print ""; print; printed = 1 }
    is_in && !NF && printed { empty++ }
    END { exit !printed }
' "$changelog" || {
    echo "release-notes: $changelog has nothing under \"## [$version]\"" >&2
    exit 1
}
