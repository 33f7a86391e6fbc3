#!/bin/sh
# Installs the Debian packages that a recipe of the Makefile needs and that are missing.
# Quick and silent when nothing is. Usage: tests/install.sh demo|test|fuzz|bench
set -eu

build="gcc libc6-dev libpam0g-dev"
# libFuzzer is C++.
fuzz="g++"
servers="libpam-modules postgresql-15 postgresql-client-15 util-linux mount ca-certificates"
case "${1-}" in
demo) wanted="$build $servers" ;;
test) wanted="$build $servers libfaketime openssl pgbouncer valgrind $fuzz" ;;
fuzz) wanted="$build $fuzz" ;;
bench) wanted="$build $servers libcurl4-openssl-dev" ;;
*) echo "usage: $0 demo|test|fuzz|bench" >&2; exit 64 ;;
esac

fail() {
    echo "install: $1" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or later (https://rustup.rs)"
command -v dpkg-query >/dev/null ||
    fail "this is no Debian: install what these packages hold, then run cargo directly: $wanted"

missing=
for package in $wanted; do
    # A package may be removed but configured; only "install ok installed" is there.
    case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" -eq 0 ] || fail "root is needed to install: apt-get install$missing"
echo "installing:$missing"

# The packages of servers would start one on this machine: postgresql-15 by making a cluster,
# pgbouncer by its service (invoke-rc.d and deb-systemd-invoke ask policy-rc.d first). Nobody
# asked for that.
no_cluster=/etc/postgresql-common/createcluster.d/blue-elephant-install.conf
no_services=/usr/sbin/policy-rc.d
ours=
clean_up() { rm -f "$no_cluster" $ours; }
trap clean_up EXIT
trap 'clean_up; exit 130' INT TERM HUP
mkdir -p "${no_cluster%/*}"
echo "create_main_cluster = false" >"$no_cluster"
if [ ! -e "$no_services" ]; then
    ours=$no_services
    printf '#!/bin/sh\nexit 101\n' >"$no_services"
    chmod +x "$no_services"
fi
export DEBIAN_FRONTEND=noninteractive

log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "apt-get could not install$missing (whole output: $log)"
fi
rm -f "$log"
