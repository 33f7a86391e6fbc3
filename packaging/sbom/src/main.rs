//! `sbom FOLDER`: for each package that ships, `FOLDER/PACKAGE.cdx.json` says which crates are in it,
//! and `FOLDER/NOTICE.PACKAGE` has their licences.
//!
//! Cargo says which (`cargo tree`: the features and the target that a build has, not those of the
//! whole workspace), Cargo.lock has their checksums. Nothing else goes in, no time and no random
//! number: the same sources give the same bytes.

mod cyclonedx;
mod notice;
mod tree;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

/// What is wrong, in words.
type Fault = String;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        return complain("usage: sbom FOLDER");
    };
    match write_all(PathBuf::from(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => complain(&fault),
    }
}

fn complain(fault: &str) -> ExitCode {
    let _nobody_reads = writeln!(io::stderr(), "sbom: {fault}");
    ExitCode::FAILURE
}

fn write_all(folder: PathBuf) -> Result<(), Fault> {
    let metadata = json(&cargo(&["metadata", "--format-version=1", "--locked"])?)?;
    let workspace = text(&metadata["workspace_root"])?;
    let checksums = tree::Checksums::read(&workspace)?;
    let sources = notice::Sources::of(&metadata, &workspace);
    let idle = tree::idle(&metadata);
    // `rustc 1.2.3 (abc 2026-01-01)`; its library is in every program.
    let compiler = said("RUSTC", "rustc", &["--version"])?;
    let compiler = compiler.split(' ').nth(1).unwrap_or_default();
    clear(&folder)?;
    for (package, kind) in shipped(&metadata) {
        let tree = tree::Tree::of(package, &idle)?;
        let bill = cyclonedx::bill(&tree, kind, &checksums)?;
        let notice = notice::notice(&tree, &sources, compiler)?;
        let files = [
            (format!("{package}.cdx.json"), format!("{bill:#}\n")),
            (format!("NOTICE.{package}"), notice),
        ];
        for (name, text) in files {
            let file = folder.join(name);
            fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// Makes the folder, and removes what was written there before: a package may be gone.
fn clear(folder: &Path) -> Result<(), Fault> {
    let fault = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".cdx.json") || name.starts_with("NOTICE.") {
            fs::remove_file(&path).map_err(fault)?;
        }
    }
    Ok(())
}

/// The default members of the workspace that become a file which is installed, and what CycloneDX
/// calls such a file.
fn shipped(metadata: &Value) -> impl Iterator<Item = (&str, &'static str)> {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let defaults = list(&metadata["workspace_default_members"]);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(move |package| defaults.contains(&package["id"])).filter_map(move |package| {
        let targets = list(&package["targets"]);
        // That of a build script is its own, though it is compiled as a program.
        let kinds: Vec<Value> = targets.iter().flat_map(|target| list(&target["kind"])).collect();
        let is = |kind: &str| kinds.iter().any(|own| own == kind);
        let kind = match (is("bin"), is("cdylib")) {
            (true, _) => "application",
            (false, true) => "library",
            (false, false) => return None,
        };
        Some((package["name"].as_str()?, kind))
    })
}

fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| format!("cargo metadata: {error}"))
}

fn text(value: &Value) -> Result<String, Fault> {
    value.as_str().map(str::to_owned).ok_or_else(|| "cargo metadata: no workspace_root".to_owned())
}

/// What cargo prints.
fn cargo(arguments: &[&str]) -> Result<String, Fault> {
    said("CARGO", "cargo", arguments)
}

/// What a program prints, which a variable may name.
fn said(variable: &str, name: &str, arguments: &[&str]) -> Result<String, Fault> {
    let program = std::env::var_os(variable).unwrap_or_else(|| name.into());
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{name} cannot be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} {}: {}", arguments.join(" "), said.trim_end()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name} {arguments:?}: {error}"))
}
