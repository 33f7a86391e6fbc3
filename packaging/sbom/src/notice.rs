//! What the licences of the crates in a program want to go with it: their texts.
//!
//! They are taken as each crate comes with them, and each is printed once. A crate that comes with
//! none is an error, unless its licence has one text for everybody, which is then ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Fault;
use crate::tree::{Id, Tree};

/// How such files begin, in any case.
const NAMES: [&str; 6] = ["COPYING", "COPYRIGHT", "LICENCE", "LICENSE", "NOTICE", "UNLICENSE"];
/// The licence whose text names nobody, so that any copy of it is as good, and where ours is.
const STANDARD: (&str, &str) = ("Apache-2.0", "LICENSE-APACHE");
/// Ours, for what is of this workspace.
const OWN: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
const LINE: &str =
    "--------------------------------------------------------------------------------";

/// Where the sources of each crate are. Those of this workspace are in no registry.
#[derive(Debug)]
pub(crate) struct Sources {
    workspace: PathBuf,
    folders: BTreeMap<Id, Option<PathBuf>>,
}

impl Sources {
    pub(crate) fn of(metadata: &Value, workspace: &str) -> Self {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let folders = packages.map(|package| {
            let id = Id { name: word(&package["name"]), version: word(&package["version"]) };
            let manifest = PathBuf::from(word(&package["manifest_path"]));
            let folder = manifest.parent().map(Path::to_owned);
            (id, folder.filter(|_| !package["source"].is_null()))
        });
        Self { workspace: PathBuf::from(workspace), folders: folders.collect() }
    }

    /// The texts of a crate, by the names of their files.
    fn texts(&self, id: &Id, licence: &str) -> Result<BTreeMap<String, String>, Fault> {
        let ours = |names: &[&str]| {
            let paths = names.iter().map(|name| PathBuf::from(*name)).collect();
            read(&self.workspace, paths)
        };
        let folder = self.folders.get(id).ok_or_else(|| format!("nobody knows where {id} is"))?;
        let Some(folder) = folder else { return ours(&OWN) };
        let found = read(folder, named(folder)?)?;
        let (standard, text) = STANDARD;
        match found.is_empty() {
            false => Ok(found),
            true if licence.split(" OR ").any(|one| one == standard) => ours(&[text]),
            true => Err(format!(
                "{id} ({licence}) comes without the text of its licence: look for it in its \
                 repository, and say in packaging/sbom/src/notice.rs where it is"
            )),
        }
    }
}

/// The notice of a package. Pure, but for the sources.
pub(crate) fn notice(tree: &Tree, sources: &Sources, compiler: &str) -> Result<String, Fault> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let (mut list, mut below) = (String::new(), String::new());
    let std = Id { name: "std".to_owned(), version: compiler.to_owned() };
    let std = (&std, "MIT OR Apache-2.0", read(&sources.workspace, vec![STANDARD.1.into()])?);
    let linked = tree.crates.iter().filter(|(id, _)| tree.linked.contains(id));
    let linked = linked.map(|(id, about)| {
        let licence = about.licence.as_str();
        sources.texts(id, licence).map(|texts| (id, licence, texts))
    });
    for one in linked.chain([Ok(std)]) {
        let (id, licence, texts) = one?;
        let mut used = BTreeSet::new();
        for (name, text) in texts {
            let next = numbers.len() + 1;
            let number = *numbers.entry(text.clone()).or_insert(next);
            if number == next {
                append(
                    &mut below,
                    &format!("\n{LINE}\n{number}: {name} of {id}\n{LINE}\n\n{text}"),
                );
            }
            used.insert(number);
        }
        let used: Vec<String> = used.iter().map(usize::to_string).collect();
        append(&mut list, &format!("{id}: {licence} [{}]\n", used.join(", ")));
    }
    let root = &tree.root;
    Ok(format!(
        "What is in {root}, and under which licences. The numbers are those of the texts below; each \
         text is\nthere as the first crate that has it comes with it.\n\n{list}{below}"
    ))
}

fn append(text: &mut String, more: &str) {
    // Nothing that is written to a String fails.
    let _fine = text.write_str(more);
}

/// Files of a crate that are named like one with a licence, those of what it has copied included.
fn named(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(open) = folders.pop() {
        let fault = |error: std::io::Error| format!("{}: {error}", open.display());
        for entry in fs::read_dir(&open).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            if path.is_dir() {
                folders.push(path);
            } else if NAMES.iter().any(|own| name.starts_with(own)) && !name.ends_with(".RS") {
                found.push(path.strip_prefix(folder).unwrap_or(&path).to_owned());
            }
        }
    }
    Ok(found)
}

/// Without what differs from system to system at the ends of lines.
fn read(folder: &Path, paths: Vec<PathBuf>) -> Result<BTreeMap<String, String>, Fault> {
    let texts = paths.into_iter().map(|path| {
        let file = folder.join(&path);
        let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = lines.join("\n").trim_matches('\n').to_owned() + "\n";
        Ok((path.display().to_string(), text))
    });
    let mut texts: BTreeMap<String, String> = texts.collect::<Result<_, Fault>>()?;
    texts.retain(|_, text| text.len() > 1);
    Ok(texts)
}
