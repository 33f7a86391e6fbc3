//! What a release is made of, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::artifacts::{self, source};
use serde_json::Value;

/// Name and version.
type Crate = (String, String);

fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(source()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn crate_of(value: &Value) -> Crate {
    let word = |key: &str| value[key].as_str().unwrap().to_owned();
    (word("name"), word("version"))
}

/// The packages that ship, and every package by its id.
fn packages() -> (Vec<String>, BTreeMap<String, Crate>) {
    let metadata = cargo(&["metadata", "--format-version=1", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let all = metadata["packages"].as_array().unwrap();
    let defaults = metadata["workspace_default_members"].as_array().unwrap();
    let ships = |package: &&Value| {
        let kinds = package["targets"].to_string();
        defaults.contains(&package["id"])
            && ["[\"bin\"]", "cdylib"].iter().any(|kind| kinds.contains(kind))
    };
    let shipped = all.iter().filter(ships).map(|package| crate_of(package).0).collect();
    let id = |package: &Value| package["id"].as_str().unwrap().to_owned();
    (shipped, all.iter().map(|package| (id(package), crate_of(package))).collect())
}

/// What cargo compiles for a package, as it says itself while it does.
fn compiled(package: &str, ids: &BTreeMap<String, Crate>) -> BTreeSet<Crate> {
    // As other tests have built it already.
    let profile = if package.starts_with("pam-oauth2") { "release" } else { "dev" };
    let said = cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--message-format=json",
        "--package",
        package,
        "--profile",
        profile,
    ]);
    let messages = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let artifacts = messages.filter(|message| message["reason"] == "compiler-artifact");
    artifacts.map(|message| ids[message["package_id"].as_str().unwrap()].clone()).collect()
}

fn bills(name: &str) -> PathBuf {
    let folder = artifacts::target().join(name);
    let _nothing_there = fs::remove_dir_all(&folder);
    cargo(&["run", "--quiet", "--locked", "--package", "sbom", "--", folder.to_str().unwrap()]);
    folder
}

#[test]
fn a_bill_of_materials_names_exactly_the_crates_that_cargo_compiles() {
    let (shipped, ids) = packages();
    let ours: BTreeSet<&str> = shipped.iter().map(String::as_str).collect();
    assert!(ours.is_superset(&["operator", "pam-oauth2", "pam-oauth2-check", "teams-sync"].into()));
    let folder = bills("sbom-tested");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), shipped.len());
    for package in shipped {
        let file = folder.join(format!("{package}.cdx.json"));
        let bill: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let own = &bill["metadata"]["component"];
        let components = bill["components"].as_array().unwrap();
        let named: Vec<Crate> = components.iter().chain([own]).map(crate_of).collect();
        let once: BTreeSet<Crate> = named.iter().cloned().collect();
        assert_eq!(named.len(), once.len(), "{package}");
        assert_eq!(once, compiled(&package, &ids), "{package}");
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let edges = bill["dependencies"].as_array().unwrap();
        let known: BTreeSet<String> =
            components.iter().chain([own]).map(|one| word(&one["bom-ref"])).collect();
        assert_eq!(known, edges.iter().map(|edge| word(&edge["ref"])).collect());
        for needed in edges.iter().flat_map(|edge| edge["dependsOn"].as_array().unwrap()) {
            assert!(known.contains(&word(needed)), "{package}: {needed}");
        }
        for component in components {
            let (name, version) = crate_of(component);
            assert!(component["licenses"][0]["expression"].is_string(), "{name}");
            let checksum = component["hashes"][0]["content"].as_str().unwrap_or_default();
            let is_ours = ids.iter().any(|(id, own)| {
                id.starts_with("path+") && *own == (name.clone(), version.clone())
            });
            assert_eq!(checksum.len(), if is_ours { 0 } else { 64 }, "{name}");
        }
        let scope = |name: &str| {
            components.iter().find(|one| one["name"] == name).map(|one| one["scope"].clone())
        };
        // A library, and a macro that runs while it is built.
        assert_eq!(scope("ring"), Some("required".into()), "{package}");
        assert_eq!(scope("serde_derive"), Some("excluded".into()), "{package}");
    }
}

#[test]
fn bills_of_the_same_sources_are_the_same_bytes() {
    let [one, other] = ["sbom-one", "sbom-other"].map(bills);
    for entry in fs::read_dir(&one).unwrap().flatten() {
        let [one, other] =
            [&one, &other].map(|folder| fs::read(folder.join(entry.file_name())).unwrap());
        assert_eq!(one, other, "{:?}", entry.file_name());
    }
}

fn release_notes(version: &str, changelog: &Path) -> Output {
    let program = source().join("packaging/release-notes.sh");
    Command::new(program).arg(version).arg(changelog).output().unwrap()
}

#[test]
fn the_notes_of_a_release_are_what_the_changelog_says_about_it_and_nothing_else() {
    let file = artifacts::target().join("changelog-tested.md");
    let text = "# Changelog\n\n## [Unreleased]\n\n## [1.10.0] - 2027-02-01\n\n### Added\n\n- This,\n  \
                and [that].\n\n\n## [1.1.0] - 2027-01-01\n\n- [Older](x).\n\n[1.1.0]: https://e.example\n";
    fs::write(&file, text).unwrap();
    let told = |version: &str| {
        let output = release_notes(version, &file);
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(told("1.10.0").unwrap(), "### Added\n\n- This,\n  and [that].\n");
    assert_eq!(told("1.1.0").unwrap(), "- [Older](x).\n");
    for nothing in ["1.1", "1.1.0]", "2.0.0", "Unreleased", "1.10.0 - 2027", "."] {
        assert_eq!(told(nothing), None, "{nothing}");
    }
}

#[test]
fn the_version_of_the_workspace_is_in_the_changelog_or_still_to_come() {
    let changelog = source().join("CHANGELOG.md");
    let text = fs::read_to_string(&changelog).unwrap();
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for heading in &headings {
        let (version, date) =
            heading.split_once("] - ").unwrap_or((heading.trim_end_matches(']'), ""));
        let version = version.strip_prefix('[').unwrap();
        let numbers: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
        let is_release = numbers.len() == 3 && numbers.iter().all(Result::is_ok);
        let is_day = date.parse::<jiff::civil::Date>().is_ok_and(|day| day.to_string() == date);
        let is_to_come = (version, date) == ("Unreleased", "");
        assert!(is_to_come || (is_release && is_day), "{heading}");
    }
    let version = format!("[{}]", env!("CARGO_PKG_VERSION"));
    let is_released = headings.iter().any(|heading| heading.starts_with(&version));
    let to_come = release_notes("Unreleased", &changelog).status.success();
    assert!(is_released || to_come, "CHANGELOG.md says nothing about {version}");
}
