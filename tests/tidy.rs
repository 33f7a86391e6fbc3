//! The rules of ARCHITECTURE.md that can be read off the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::artifacts::{module, source};
use serde_json::Value;

/// Lines of code in a file, tests not counted.
const LONGEST_FILE: usize = 500;

/// Every Rust file below a folder of the repository, by its path from there.
pub(crate) fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![source().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(source()).unwrap().to_owned(), text);
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// The part that ships.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
        .current_dir(source())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn no_file_is_too_long() {
    for folder in ["operator", "packaging", "pam-oauth2", "teams-sync", "tests", "ztoken"] {
        for (path, text) in sources(folder) {
            let lines = without_tests(&text).lines().count();
            assert!(lines <= LONGEST_FILE, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn unsafe_code_of_the_module_lies_behind_the_fence() {
    for (path, text) in sources("pam-oauth2") {
        let fenced = path.starts_with("pam-oauth2/src/pam")
            || ["src/hooks.rs", "src/system.rs"].iter().any(|file| path.ends_with(file));
        let has = text.contains("unsafe {")
            || text.contains("unsafe extern")
            || text.contains("unsafe fn");
        assert!(fenced || !has, "{}", path.display());
    }
}

#[test]
fn the_middle_of_the_module_is_pure() {
    let pure = [
        "authorize/mapping/mod.rs",
        "authorize/mod.rs",
        "claims/mod.rs",
        "policy/expression.rs",
        "policy/fault.rs",
        "policy/file/mod.rs",
        "policy/file/rules.rs",
        "policy/file/section.rs",
        "policy/file/source.rs",
        "policy/file/tables.rs",
        "policy/file/trust.rs",
        "policy/file/user.rs",
        "policy/file/values.rs",
        "policy/line.rs",
        "policy/map_file/mod.rs",
        "policy/mod.rs",
        "redact.rs",
        "revocation/mod.rs",
        "revocation/time.rs",
        "role.rs",
        "token.rs",
        "resolver/message/mod.rs",
    ];
    let effects = [
        "tokio",
        "reqwest",
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "SystemTime",
        "Instant",
        "async",
    ];
    for file in pure {
        let path = source().join("pam-oauth2/src").join(file);
        let text = fs::read_to_string(path).unwrap();
        for effect in effects {
            assert!(!without_tests(&text).contains(effect), "{file} has {effect}");
        }
    }
    for (path, text) in sources("pam-oauth2/arguments/src") {
        for effect in ["std::fs", "std::env", "std::net", "SystemTime", "unsafe"] {
            let has = text.replace("forbid(unsafe_code)", "").contains(effect);
            assert!(!has, "{} has {effect}", path.display());
        }
    }
}

#[test]
fn libpam_is_a_leaf_and_only_one_place_succeeds() {
    let mut successes = Vec::new();
    for (path, text) in sources("pam-oauth2/src") {
        if path.starts_with("pam-oauth2/src/pam") {
            assert!(!text.contains("use crate::"), "{} looks outside", path.display());
        }
        let shipped = without_tests(&text).matches("PamResultCode::PAM_SUCCESS").count();
        let compared = without_tests(&text).matches("!= PamResultCode::PAM_SUCCESS").count();
        successes.extend((compared..shipped).map(|_| path.clone()));
    }
    assert_eq!(successes, [Path::new("pam-oauth2/src/hooks.rs")]);
}

#[test]
fn only_the_transport_and_syslog_open_sockets() {
    for (path, text) in sources("pam-oauth2/src") {
        let transport =
            path.starts_with("pam-oauth2/src/http") || path.starts_with("pam-oauth2/src/resolver");
        let transport = transport || path.ends_with("src/syslog.rs");
        let opens = ["TcpStream", "UdpSocket", "reqwest", "UnixStream", "UnixDatagram"]
            .iter()
            .any(|word| text.contains(word));
        assert!(transport || !opens, "{}", path.display());
    }
}

#[test]
fn no_profile_turns_panics_into_aborts() {
    let manifest = fs::read_to_string(source().join("Cargo.toml")).unwrap();
    let settings = manifest.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert!(settings.clone().count() > 0);
    for line in settings {
        let line = line.replace([' ', '\'', '"'], "");
        assert!(!line.starts_with("panic=abort"), "{line}");
    }
}

/// What `cargo tree` prints of the module as it ships.
fn module_tree(format: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "-p",
            "pam-oauth2",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-f",
            format,
        ])
        .current_dir(source())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_tree_of_the_module_has_no_part_of_tokio_that_needs_threads_or_signals() {
    let tree = module_tree("{p} {f}");
    let tokio = tree.lines().find(|line| line.starts_with("tokio v")).unwrap();
    for feature in ["rt-multi-thread", "signal", "process", "fs", "full", "io-std"] {
        let features = tokio.rsplit(' ').next().unwrap();
        assert!(!features.split(',').any(|own| own == feature), "{tokio}");
    }
    let crates: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    // deny.toml bans others from the whole workspace.
    for foreign in ["operator", "rayon", "teams-sync", "ureq"] {
        assert!(!crates.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_module_exports_its_hooks_alone_and_stays_mapped() {
    let readelf = |option: &str| {
        let output = Command::new("readelf").args(["-W", option]).arg(module()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let symbols = readelf("--dyn-syms");
    let exported: BTreeSet<&str> = symbols
        .lines()
        .filter(|line| line.contains(" GLOBAL ") && !line.contains(" UND "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let hooks =
        ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    let hooks = hooks.map(|hook| format!("pam_sm_{hook}"));
    assert_eq!(exported, hooks.iter().map(String::as_str).collect());
    let dynamic = readelf("--dynamic");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert!(dynamic.contains("[libpam.so.0]"), "{dynamic}");
    // It is loaded into a server that runs as somebody else than who asks: no folder of ours is
    // searched for libraries, and nothing stays both writable and executable, or writable though
    // only the loader has to write there.
    for unwanted in ["RPATH", "RUNPATH", "TEXTREL"] {
        assert!(!dynamic.contains(unwanted), "{dynamic}");
    }
    assert!(dynamic.contains("BIND_NOW"), "{dynamic}");
    let segments = readelf("--segments");
    let flags = |kind: &str| {
        let line = segments.lines().find(|line| line.trim_start().starts_with(kind));
        line.unwrap_or_else(|| panic!("{kind}: {segments}")).contains(" RWE ")
    };
    assert!(!flags("GNU_STACK") && segments.contains("GNU_RELRO"), "{segments}");
    assert!(!segments.contains(" RWE "), "{segments}");
}

/// The toolchain that checks everything is the oldest that is promised to do, so nothing newer can be
/// used; where the two part, the lint `incompatible_msrv` goes on.
#[test]
fn the_promised_version_of_rust_is_the_one_that_is_used() {
    let read = |file: &str| fs::read_to_string(source().join(file)).unwrap();
    let [workspace, toolchain] = ["Cargo.toml", "rust-toolchain.toml"].map(read);
    let version = workspace.split("\nrust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(toolchain.contains(&format!("channel = \"{version}.")), "{toolchain}");
    let all = metadata();
    for package in all["packages"].as_array().unwrap() {
        let is_ours = all["workspace_members"].as_array().unwrap().contains(&package["id"]);
        assert!(!is_ours || package["rust_version"] == version, "{}", package["name"]);
    }
}

/// `idna` takes them from whichever version of its adapter Cargo.lock names; the one without is
/// 1.0, and `cargo update` goes to the newest. Then: `cargo update -p idna_adapter --precise 1.0.0`.
#[test]
fn the_module_carries_no_tables_of_unicode() {
    let tree = module_tree("{p}");
    assert!(tree.lines().any(|line| line.starts_with("idna_adapter v1.0.")), "{tree}");
}

/// deny.toml says so to whoever adds one; this holds deny.toml to it, and looks at all platforms.
#[test]
fn what_is_banned_is_banned_and_nowhere() {
    let read = |file: &str| fs::read_to_string(source().join(file)).unwrap();
    let [rules, locked] = ["deny.toml", "Cargo.lock"].map(read);
    let (_, denied) = rules.split_once("\ndeny = [\n").unwrap();
    let denied = denied.split("\n]").next().unwrap();
    let is_locked = |name: &str| locked.contains(&format!("\nname = \"{name}\"\n"));
    assert!(is_locked("ring"));
    for banned in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys", "rsa"] {
        let rule = format!("\n    {{ crate = \"{banned}\", reason = ");
        assert!(format!("\n{denied}").contains(&rule), "deny.toml lets {banned} in");
        assert!(!is_locked(banned), "{banned}");
    }
}

/// In `teams-sync/src`: whether a file is in one of these folders, or is one of these files.
fn is_in(path: &Path, places: &[&str]) -> bool {
    let path = path.strip_prefix("teams-sync/src").unwrap();
    places.iter().any(|place| path.starts_with(place))
}

#[test]
fn the_middle_of_teams_sync_is_pure() {
    let pure = [
        "adopt/mod.rs",
        "approve",
        "desired",
        "infrastructure/definition.rs",
        "infrastructure/parts.rs",
        "names",
        "observed",
        "plan",
        "role",
        "sql",
        "why.rs",
    ];
    let effects = [
        "tokio",
        "reqwest",
        "std::fs",
        "std::env",
        "std::net",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "async ",
    ];
    let mut seen = 0;
    for (path, text) in sources("teams-sync/src") {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        if is_test || path.ends_with("tests.rs") || !is_in(&path, &pure) {
            continue;
        }
        seen += 1;
        for effect in effects {
            assert!(!without_tests(&text).contains(effect), "{} has {effect}", path.display());
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_middle_of_the_operator_is_pure() {
    let pure = [
        "api",
        "build",
        "cluster.rs",
        "config",
        "cron",
        "nodes/facts.rs",
        "nodes/judge.rs",
        "nodes/selector.rs",
        "patroni/dynamic",
        "report",
        "restart",
        "roles",
        "rolling",
        "rotation",
        "upgrade/note.rs",
        "upgrade/plan",
        "upgrade/version",
        "validate",
        "volumes",
        "windows",
    ];
    let effects = [
        "tokio",
        "reqwest::Client",
        "kube::Client",
        "kube::Api",
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "async ",
    ];
    let mut seen = 0;
    for (path, text) in sources("operator/src") {
        let own = path.strip_prefix("operator/src").unwrap();
        let is_test = own.components().any(|part| part.as_os_str() == "tests");
        let is_pure = pure.iter().any(|place| own.starts_with(place));
        if is_test || own.ends_with("tests.rs") || !is_pure {
            continue;
        }
        seen += 1;
        for effect in effects {
            assert!(!without_tests(&text).contains(effect), "{} has {effect}", path.display());
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn in_teams_sync_each_effect_has_its_place() {
    let rules: [(&[&str], &[&str]); 4] = [
        (&["escape_identifier", "escape_literal"], &["sql"]),
        (
            &["TcpListener", "TcpStream", "UnixDatagram", "reqwest::"],
            &["connect", "teams", "service", "fake_api"],
        ),
        (&["std::io::stdout", "std::io::stderr"], &["cli"]),
        (&["unsafe "], &[]),
    ];
    for (path, text) in sources("teams-sync/src") {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        if is_test || path.ends_with("tests.rs") {
            continue;
        }
        for (words, places) in rules {
            let has = words.iter().find(|word| without_tests(&text).contains(**word));
            assert!(has.is_none() || is_in(&path, places), "{} has {has:?}", path.display());
        }
    }
}

#[test]
fn in_ztoken_each_effect_has_its_place() {
    let rules: [(&[&str], &[&str]); 6] = [
        (&["unsafe "], &["system.rs"]),
        (&["io::stdout", "io::stderr().write"], &["output.rs"]),
        (&["SystemTime", "thread::sleep"], &["clock.rs"]),
        (&["reqwest", "TcpListener", "TcpStream::"], &["provider", "login/loopback.rs"]),
        (&["Command::new"], &["program.rs"]),
        (&["rustls"], &["provider/http.rs", "provider/tls.rs"]),
    ];
    let mut seen = 0;
    for (path, text) in sources("ztoken/src") {
        let own = path.strip_prefix("ztoken/src").unwrap();
        for (words, places) in rules {
            let has = words.iter().find(|word| without_tests(&text).contains(**word));
            let is_place = places.iter().any(|place| own.starts_with(place));
            assert!(has.is_none() || is_place, "{} has {has:?}", path.display());
            seen += usize::from(has.is_some());
        }
    }
    assert!(seen >= 8, "{seen}");
}

/// Cargo drops `lto` without a word where the same target is built as an rlib, too.
#[test]
fn the_module_is_optimized_as_a_whole() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "pam-oauth2").unwrap();
    let target = |target: &&Value| target["name"] == "pam_oauth2";
    let module = package["targets"].as_array().unwrap().iter().find(target).unwrap();
    assert_eq!(module["crate_types"], serde_json::json!(["cdylib"]));
    let manifest = fs::read_to_string(source().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nlto = \"fat\"\n"));
}

#[test]
fn every_test_of_the_table_is_run() {
    let main = fs::read_to_string(source().join("tests/main.rs")).unwrap();
    for entry in fs::read_dir(source().join("tests")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".rs").filter(|name| *name != "main") {
            assert!(main.contains(&format!("mod {name};")), "{name} is in no list");
        }
    }
    let all =
        ["tests", "operator", "pam-oauth2", "teams-sync", "ztoken"].into_iter().flat_map(sources);
    for (path, text) in all {
        let ignored = concat!("#[", "ignore");
        assert!(!text.contains(ignored), "{} skips a test", path.display());
    }
}

/// A promise that names a test which is not there is none.
#[test]
fn every_test_that_a_promise_names_is_there() {
    let text = fs::read_to_string(source().join("docs/promises.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 31);
    let mut all = sources("tests");
    all.extend(sources("operator/src"));
    let mut seen = 0;
    for named in text.split('`').skip(1).step_by(2).filter(|one| one.contains("::")) {
        let (place, name) = named.rsplit_once("::").unwrap();
        let place = format!("/{}.rs", place.replace("::", "/"));
        let is_there = all.iter().any(|(path, text)| {
            format!("/{}", path.display()).ends_with(&place)
                && text.contains(&format!("fn {name}("))
        });
        assert!(is_there, "{named}");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
