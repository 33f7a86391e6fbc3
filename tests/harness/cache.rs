//! What tests/install.sh keeps in the user's cache folder, because Debian does not have it.

use std::path::PathBuf;

/// Where the versions are listed.
pub(crate) const INSTALL: &str = include_str!("../install.sh");
const OPENID_PROVIDER: &str = include_str!("../openid-provider/package.json");
const CONTROL_PLANE: &str = include_str!("../control-plane/go.mod");

/// The folder that holds all of it.
pub fn folder() -> PathBuf {
    let not_empty = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = match not_empty("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(not_empty("HOME").expect("HOME is set")).join(".cache"),
    };
    cache.join("blue-elephant")
}

/// The Python environment with Patroni. It may lie in a home that is closed to others: a process
/// that is not root needs it mounted elsewhere, and runs `bin/python3 -m patroni` of that place.
pub fn patroni() -> PathBuf {
    let version = INSTALL.lines().find_map(|line| line.strip_prefix("patroni="));
    let version = version.expect("tests/install.sh has a version of Patroni");
    present(folder().join(format!("patroni-{version}")))
}

/// A root of Debian 12.
pub(crate) fn debian() -> PathBuf {
    let line = INSTALL.lines().find_map(|line| line.strip_prefix("debian=\""));
    let packages = line.and_then(|line| line.strip_suffix('"'));
    let packages = packages.expect("tests/install.sh has a list of packages").replace(' ', "-");
    present(folder().join(format!("debian-12-{packages}")))
}

/// A program of the control plane of Kubernetes: of KUBEBUILDER_ASSETS where that has all of them,
/// else the one that was built.
pub(crate) fn kubernetes(program: &str) -> PathBuf {
    let given = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).filter(|folder| {
        ["kube-apiserver", "kube-controller-manager"].iter().all(|own| folder.join(own).exists())
    });
    let built = || {
        let line =
            CONTROL_PLANE.lines().find_map(|line| line.strip_prefix("\tk8s.io/kubernetes v"));
        let version = line.and_then(|line| line.split(' ').next()).expect("a version in go.mod");
        folder().join(format!("control-plane-{version}"))
    };
    present(given.unwrap_or_else(built).join(program))
}

/// The folder with the modules of the OpenID provider.
pub(crate) fn openid_provider() -> PathBuf {
    let package: serde_json::Value = serde_json::from_str(OPENID_PROVIDER).expect("JSON");
    let version = package["dependencies"]["oidc-provider"].as_str().expect("a version");
    present(folder().join(format!("openid-provider-{version}")))
}

fn present(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run tests/install.sh test", path.display());
    path
}
