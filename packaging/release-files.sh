#!/bin/sh
# What a release publishes, as it is downloaded: one folder without folders in it, made anew, with the
# sums of all the rest in SHA256SUMS. Usage: packaging/release-files.sh PACKAGES BILLS FOLDER
set -eu
usage="usage: $0 PACKAGES BILLS FOLDER"
packages=${1:?$usage} bills=${2:?$usage} folder=${3:?$usage}

fail() {
    echo "release-files: $1" >&2
    exit 1
}

# What the glob stands for, or itself where there is nothing.
for file in "$packages"/*.deb; do
    [ -s "$file" ] || fail "$packages has no package: make packages"
done
for file in "$bills"/*.cdx.json; do
    [ -s "$file" ] || fail "$bills has no bill of materials: make sbom"
done
rm -rf "$folder"
mkdir -p "$folder"
cp "$packages"/*.deb "$bills"/*.cdx.json "$folder"
cd "$folder"
sha256sum -- * >../SHA256SUMS.new
mv ../SHA256SUMS.new SHA256SUMS
