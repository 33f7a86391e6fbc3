#!/bin/sh
# Prints the folder with the notices of our programs (NOTICE.PACKAGE: which crates are in it, and their
# licences), for what ships them. It is $NOTICES, where somebody has made them already; else they are
# made there. Usage: packaging/notices.sh FOLDER
set -eu
if [ -z "${NOTICES-}" ]; then
    NOTICES=$(mkdir -p "${1:?usage: $0 FOLDER}" && realpath "$1")
    (cd "$(dirname "$0")/.." && cargo run --quiet --locked -p sbom -- "$NOTICES")
fi
realpath "$NOTICES"
