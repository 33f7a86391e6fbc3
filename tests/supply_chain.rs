//! What a release is made of, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use harness::artifacts::{self, sbom, source};
use harness::bills::{bills, bills_in};
use harness::book;
use harness::manifest_tools::said;
use harness::workdir::Workdir;
use serde_json::Value;

/// Name and version.
type Crate = (String, String);

fn cargo(arguments: &[&str]) -> String {
    output_of(Command::new(env!("CARGO")), arguments)
}

fn output_of(mut command: Command, arguments: &[&str]) -> String {
    let command = artifacts::of_its_own(&mut command).args(arguments);
    let output = command.current_dir(source()).output().unwrap();
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

/// What cargo compiles for a package, by its own plan. No stable cargo tells it; ours is pinned.
fn compiled(package: &str, ids: &BTreeMap<String, Crate>) -> BTreeSet<Crate> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env("RUSTC_BOOTSTRAP", "1");
    let arguments = ["build", "--locked", "--release", "-Zunstable-options", "--unit-graph"];
    let plan = output_of(cargo, &[&arguments[..], &["--package", package]].concat());
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let units = plan["units"].as_array().unwrap().iter();
    units.map(|unit| ids[unit["pkg_id"].as_str().unwrap()].clone()).collect()
}

#[test]
fn a_bill_of_materials_names_exactly_the_crates_that_cargo_compiles() {
    let (shipped, ids) = packages();
    let ours: BTreeSet<&str> = shipped.iter().map(String::as_str).collect();
    let wanted = ["operator", "pam-oauth2", "pam-oauth2-check", "teams-sync", "ztoken"];
    assert!(ours.is_superset(&wanted.into()));
    let folder = bills();
    // A bill and a notice of each.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2 * shipped.len());
    for package in shipped {
        let file = folder.join(format!("{package}.cdx.json"));
        let bill: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let own = &bill["metadata"]["component"];
        let is_library = package == "pam-oauth2";
        assert_eq!(own["type"], if is_library { "library" } else { "application" }, "{package}");
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
    let other = bills_in("other-bills");
    // What is of nothing any more goes; what is not ours stays.
    for name in ["gone.cdx.json", "NOTICE.gone", "notes.txt"] {
        fs::write(other.join(name), "old").unwrap();
    }
    assert!(Command::new(sbom()).arg(&other).current_dir(source()).status().unwrap().success());
    fs::remove_file(other.join("notes.txt")).unwrap();
    let names = |folder: &Path| -> BTreeSet<_> {
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect()
    };
    assert_eq!(names(bills()), names(&other));
    for name in names(bills()) {
        let [one, other] = [bills(), &other].map(|folder| fs::read(folder.join(&name)).unwrap());
        assert!(one == other, "{name:?}");
    }
}

/// The commands of the page, in a folder with packages and bills of nothing.
#[test]
fn a_release_is_one_folder_that_can_be_checked_as_the_page_says() {
    let workdir = Workdir::new();
    for folder in ["packaging", "target/packages", "target/sbom", "target/release-files"] {
        workdir.folder(folder);
    }
    for file in ["Makefile", "packaging/release-files.sh", "tests/install.sh"] {
        workdir.folder(Path::new(file).parent().unwrap().to_str().unwrap());
        fs::copy(source().join(file), workdir.path().join(file)).unwrap();
    }
    workdir.file("target/release-files/ztoken_0.0.9_amd64.deb", "of the last release");
    let run = |folder: &Path, subject: &str| {
        let fences = book::fences_on("releasing.md", "sh").into_iter();
        let commands: Vec<_> = fences.filter(|fence| fence.subject == subject).collect();
        assert_eq!(commands.len(), 1, "{subject}");
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("{}ls\n", commands[0].text)]).current_dir(folder);
        said(&mut shell)
    };
    let error = run(workdir.path(), "release").unwrap_err();
    assert!(error.contains("target/packages has no package"), "{error}");
    workdir.file("target/packages/ztoken_1.2.3_amd64.deb", "package");
    let error = run(workdir.path(), "release").unwrap_err();
    assert!(error.contains("target/sbom has no bill"), "{error}");
    workdir.file("target/sbom/ztoken.cdx.json", "bill");
    let told = run(workdir.path(), "release").unwrap();
    assert!(told.ends_with("\nSHA256SUMS\nztoken.cdx.json\nztoken_1.2.3_amd64.deb\n"), "{told}");

    // Somebody who wants the package alone downloads it, and the sums.
    let download = workdir.folder("download");
    let published = workdir.path().join("target/release-files");
    for name in ["SHA256SUMS", "ztoken_1.2.3_amd64.deb"] {
        fs::copy(published.join(name), download.join(name)).unwrap();
    }
    let told = run(&download, "check").unwrap();
    assert!(told.starts_with("ztoken_1.2.3_amd64.deb: OK\n"), "{told}");
    fs::write(download.join("ztoken_1.2.3_amd64.deb"), "Package").unwrap();
    assert!(run(&download, "check").unwrap_err().contains("FAILED"));
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
