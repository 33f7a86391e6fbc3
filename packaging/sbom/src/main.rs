//! `sbom FOLDER`: for each package that ships, `FOLDER/PACKAGE.cdx.json` says which crates are in it.
//!
//! Cargo says which (`cargo tree`: the features and the target that a build has, not those of the
//! whole workspace), Cargo.lock has their checksums. Nothing else goes in, no time and no random
//! number: the same sources give the same bytes.

mod cyclonedx;
mod tree;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
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
    let _nobody_reads = writeln!(std::io::stderr(), "sbom: {fault}");
    ExitCode::FAILURE
}

fn write_all(folder: PathBuf) -> Result<(), Fault> {
    let metadata = json(&cargo(&["metadata", "--format-version=1", "--locked"])?)?;
    let checksums = tree::Checksums::read(&text(&metadata["workspace_root"])?)?;
    let idle = tree::idle(&metadata);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for package in shipped(&metadata) {
        let bill = cyclonedx::bill(&tree::Tree::of(package, &idle)?, &checksums)?;
        let file = folder.join(format!("{package}.cdx.json"));
        let text = format!("{bill:#}\n");
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// The default members of the workspace that become a file which is installed.
fn shipped(metadata: &Value) -> impl Iterator<Item = &str> {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let defaults = list(&metadata["workspace_default_members"]);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let becomes_a_file = move |package: &&Value| {
        let targets = list(&package["targets"]);
        let mut kinds = targets.iter().flat_map(|target| list(&target["crate_types"]));
        defaults.contains(&package["id"]) && kinds.any(|kind| kind == "bin" || kind == "cdylib")
    };
    packages.filter(becomes_a_file).filter_map(|package| package["name"].as_str())
}

fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| format!("cargo metadata: {error}"))
}

fn text(value: &Value) -> Result<String, Fault> {
    value.as_str().map(str::to_owned).ok_or_else(|| "cargo metadata: no workspace_root".to_owned())
}

/// What cargo prints.
fn cargo(arguments: &[&str]) -> Result<String, Fault> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo {}: {}", arguments.join(" "), said.trim_end()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo {arguments:?}: {error}"))
}
