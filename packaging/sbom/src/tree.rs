//! The crates of one package as `cargo tree` prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::{Fault, cargo};

/// A crate.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// What its manifest says.
#[derive(Debug)]
pub(crate) struct About {
    /// An expression of SPDX.
    pub(crate) licence: String,
    pub(crate) repository: Option<String>,
}

/// A package and all that is compiled for it.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: Id,
    pub(crate) crates: BTreeMap<Id, About>,
    pub(crate) needs: BTreeMap<Id, BTreeSet<Id>>,
    /// Those whose code is in the file; the others run while it is built: build scripts, macros.
    pub(crate) linked: BTreeSet<Id>,
}

/// Who needs whom for a build script that it does not have: cargo lists these, and compiles none.
pub(crate) fn idle(metadata: &Value) -> BTreeSet<(Id, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut idle = BTreeSet::new();
    for package in list(&metadata["packages"]) {
        let targets = list(&package["targets"]);
        if targets
            .iter()
            .any(|target| list(&target["kind"]).iter().any(|one| one == "custom-build"))
        {
            continue;
        }
        let id = Id { name: word(&package["name"]), version: word(&package["version"]) };
        let needs = list(&package["dependencies"]);
        let of_kind = |kind: &Value| -> BTreeSet<String> {
            let own = needs.iter().filter(|need| need["kind"] == *kind);
            own.map(|need| word(&need["name"])).collect()
        };
        let lost = of_kind(&"build".into());
        idle.extend(lost.difference(&of_kind(&Value::Null)).map(|name| (id.clone(), name.clone())));
    }
    idle
}

impl Tree {
    pub(crate) fn of(package: &str, idle: &BTreeSet<(Id, String)>) -> Result<Self, Fault> {
        let mut crates = BTreeMap::new();
        let mut needs: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
        // The way from the root to where we are.
        let mut way: Vec<Id> = Vec::new();
        for line in print(package, "normal,build")?.lines() {
            let (depth, id, about) = parse(line)?;
            if let Some(parent) = depth.checked_sub(1).and_then(|parent| way.get(parent)) {
                needs.entry(parent.clone()).or_default().insert(id.clone());
            }
            way.truncate(depth);
            way.push(id.clone());
            crates.insert(id, about);
        }
        let root = way.into_iter().next().ok_or_else(|| format!("{package} has no tree"))?;
        for (parent, children) in &mut needs {
            children.retain(|child| !idle.contains(&(parent.clone(), child.name.clone())));
        }
        let mut reached = BTreeSet::new();
        let mut open = vec![root.clone()];
        while let Some(next) = open.pop() {
            if reached.insert(next.clone()) {
                open.extend(needs.get(&next).into_iter().flatten().cloned());
            }
        }
        crates.retain(|id, _| reached.contains(id));
        let linked = print(package, "normal,no-proc-macro")?;
        let linked = linked.lines().map(|line| parse(line).map(|(_, id, _)| id));
        Ok(Self { root, crates, needs, linked: linked.collect::<Result<_, _>>()? })
    }
}

fn print(package: &str, edges: &str) -> Result<String, Fault> {
    let format = "\t{p}\t{l}\t{r}\t";
    cargo(&[
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        edges,
        "--prefix",
        "depth",
        "--format",
        format,
    ])
}

/// `2<tab>serde v1.0.229 (proc-macro)<tab>MIT OR Apache-2.0<tab>https://...<tab> (*)`.
fn parse(line: &str) -> Result<(usize, Id, About), Fault> {
    let fault = || format!("cargo tree: {line:?} is not understood");
    let parts: Vec<&str> = line.split('\t').collect();
    let [depth, package, licence, repository, _repeated] = parts[..] else { return Err(fault()) };
    let (name, rest) = package.split_once(" v").ok_or_else(fault)?;
    let version = rest.split(' ').next().unwrap_or(rest);
    if licence.is_empty() {
        return Err(format!("{name} {version} names no licence"));
    }
    let about = About {
        // As it was written before SPDX had expressions.
        licence: licence.replace('/', " OR "),
        repository: Some(repository).filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let id = Id { name: name.to_owned(), version: version.to_owned() };
    Ok((depth.parse().map_err(|_| fault())?, id, about))
}

/// SHA-256 of the archives, by crate. Those of our own have none.
#[derive(Debug)]
pub(crate) struct Checksums(BTreeMap<Id, Option<String>>);

impl Checksums {
    pub(crate) fn read(workspace: &str) -> Result<Self, Fault> {
        let path = Path::new(workspace).join("Cargo.lock");
        let fault = |why: &dyn fmt::Display| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| fault(&error))?;
        let table: toml::Table = text.parse().map_err(|error| fault(&error))?;
        let packages = table.get("package").and_then(toml::Value::as_array);
        let word = |package: &toml::Value, key: &str| {
            package.get(key).and_then(toml::Value::as_str).map(str::to_owned)
        };
        let known = packages.into_iter().flatten().filter_map(|package| {
            let id = Id { name: word(package, "name")?, version: word(package, "version")? };
            Some((id, word(package, "checksum")))
        });
        Ok(Self(known.collect()))
    }

    pub(crate) fn of(&self, id: &Id) -> Result<Option<&str>, Fault> {
        let known = self.0.get(id).ok_or_else(|| format!("Cargo.lock has no {id}"))?;
        Ok(known.as_deref())
    }
}
