//! What the licences of the crates in our programs ask for is with the programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Packages;
use harness::artifacts::source;
use harness::bills::bills;
use harness::manifest_tools::said;
use harness::workdir::Workdir;
use serde_json::Value;

use crate::images::roots;

/// Each of our Debian packages and root trees, and the programs in it.
const PACKAGES: [(&str, &[&str]); 3] = [
    ("libpam-oauth2", &["pam-oauth2", "pam-oauth2-check"]),
    ("teams-sync", &["teams-sync"]),
    ("ztoken", &["ztoken"]),
];
const TREES: [(&str, &[&str]); 3] = [
    ("operator", &["operator"]),
    ("spilo", &["pam-oauth2", "pam-oauth2-check"]),
    ("teams-sync", &["teams-sync"]),
];
/// Shorter is no licence.
const SHORTEST: usize = 400;

fn notice(program: &str) -> String {
    fs::read_to_string(bills().join(format!("NOTICE.{program}"))).unwrap()
}

/// The texts of a notice by their numbers.
fn texts(notice: &str) -> BTreeMap<&str, &str> {
    let line = "-".repeat(80);
    let parts: Vec<&str> = notice.split(&format!("{line}\n")).skip(1).collect();
    let texts = parts.chunks(2).map(|part| {
        let [head, text] = part else { panic!("{part:?}") };
        (head.split_once(": ").unwrap().0, *text)
    });
    texts.collect()
}

fn shipped() -> Vec<String> {
    let names = fs::read_dir(bills()).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".cdx.json").map(str::to_owned)).collect()
}

#[test]
fn each_crate_in_a_program_has_its_licence_and_a_text_of_it_in_the_notice() {
    let programs = shipped();
    assert_eq!(programs.len(), 5);
    for program in programs {
        let bill = fs::read_to_string(bills().join(format!("{program}.cdx.json"))).unwrap();
        let bill: Value = serde_json::from_str(&bill).unwrap();
        let notice = notice(&program);
        let texts = texts(&notice);
        let (mut linked, mut others) = (0, 0);
        for component in bill["components"].as_array().unwrap() {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let licence = word(&component["licenses"][0]["expression"]);
            let start = format!("\n{} {}: ", word(&component["name"]), word(&component["version"]));
            let entry = notice.split_once(&start).map(|(_, rest)| rest.lines().next().unwrap());
            if component["scope"] != "required" {
                others += 1;
                continue;
            }
            let entry = entry.unwrap_or_else(|| panic!("{program} says nothing of {start}"));
            let (told, numbers) = entry.strip_suffix(']').unwrap().rsplit_once(" [").unwrap();
            assert_eq!(told, licence, "{program}: {start}");
            let longest = numbers.split(", ").map(|number| texts[number].len()).max().unwrap();
            assert!(longest >= SHORTEST, "{program}: {start}: {longest}");
            linked += 1;
        }
        assert!(linked > 30 && others > 5, "{program}: {linked} {others}");
        // The library of the compiler is in each, too.
        assert!(notice.contains("\nstd 1."), "{program}");
    }
}

/// Not a copy by heart: the very files of a crate, those of what it has taken from others included.
#[test]
fn the_texts_of_a_crate_are_those_that_it_comes_with() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked"]).current_dir(source());
    let metadata: Value = serde_json::from_str(&said(&mut cargo).unwrap()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ring = packages.iter().find(|package| package["name"] == "ring").unwrap();
    let folder = PathBuf::from(ring["manifest_path"].as_str().unwrap());
    let notice = notice("pam-oauth2");
    for file in ["LICENSE", "LICENSE-BoringSSL", "LICENSE-other-bits", "third_party/fiat/LICENSE"] {
        let text = fs::read_to_string(folder.with_file_name(file)).unwrap();
        let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
        assert!(notice.contains(&lines.join("\n")), "{file}");
    }
}

fn unpacked(file: &Path) -> String {
    said(Command::new("gzip").arg("-dc").arg(file)).unwrap()
}

#[test]
fn each_package_and_each_tree_has_the_notices_of_its_programs() {
    let workdir = Workdir::new();
    let packages = Packages::shared().current();
    for (name, programs) in PACKAGES {
        let prefix = format!("{name}_");
        let is_it =
            |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(&prefix);
        let root = workdir.path().join(name);
        let package = packages.iter().find(is_it).unwrap();
        said(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&root)).unwrap();
        for program in programs {
            let file = root.join(format!("usr/share/doc/{name}/NOTICE.{program}.gz"));
            assert!(unpacked(&file) == notice(program), "{}", file.display());
        }
        no_link_leads_nowhere(&root.join("usr/share/doc").join(name));
    }
    for (tree, programs) in TREES {
        for program in programs {
            let file = format!("usr/share/doc/blue-elephant/NOTICE.{program}.gz");
            assert!(unpacked(&roots().join(tree).join(&file)) == notice(program), "{tree}: {file}");
        }
    }
}

/// Of documents that are read outside of the repository.
fn no_link_leads_nowhere(folder: &Path) {
    let mut seen = 0;
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = match name.rsplit_once(".md") {
            Some((_, "")) => fs::read_to_string(&path).unwrap(),
            Some((_, ".gz")) => unpacked(&path),
            _ => continue,
        };
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            assert!(link.contains("://"), "{}: {link}", path.display());
        }
        assert!(text.len() > 1000, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 0, "{}", folder.display());
}
