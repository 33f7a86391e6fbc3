//! Which profile counts, and what it says.
//!
//! In: `-n` and the files. Out: one [`Profile`] that was checked as a whole, or the file and the key
//! that is wrong. Never: a secret in a configuration file, or a key that is silently ignored.

mod file;
mod profile;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

pub(crate) use self::profile::{
    ClientSecret, Exchange, Flow, Keep, Origin, Profile, Redirect, Robot, Way, endpoint,
};
use crate::files;
use crate::foreign::shown;
use file::{File, Table};

const SITE: &str = "/etc/ztoken/config.toml";
/// Far more than anybody writes.
const LONGEST: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "there is no configuration: write {} with at least\n\n  [profile.NAME]\n  issuer = \"https://...\"\n  \
         client_id = \"...\"\n\nor ask who runs your identity provider for one",
        shown(&.0.to_string_lossy())
    )]
    Absent(PathBuf),
    #[error("{}: {what}", shown(&.path.to_string_lossy()))]
    Wrong { path: PathBuf, what: String },
    #[error("there is no profile \"{}\"; there are: {known}", shown(.wanted))]
    Unknown { wanted: String, known: String },
    #[error("which profile? Give -n NAME, or set `default` in the configuration; there are: {0}")]
    Ambiguous(String),
    #[error("HOME is not set, and there is no {SITE}; where is the configuration? (--config)")]
    Homeless,
}

/// The profile that was asked for, or the default one.
pub(crate) fn profile(file: Option<&Path>, name: Option<&str>) -> Result<Profile, Fault> {
    let places = match file {
        Some(file) => vec![file.to_owned()],
        None => {
            let own = home("XDG_CONFIG_HOME", ".config").map(|home| home.join("config.toml"));
            [Some(PathBuf::from(SITE)), own].into_iter().flatten().collect()
        }
    };
    choose(&places, file.is_some(), name)
}

/// Our folder in one of the base directories of a user; `default` is below HOME. `None` where neither
/// is set, as in a pod or a unit of systemd.
pub(crate) fn home(variable: &str, default: &str) -> Option<PathBuf> {
    // The specification wants relative paths to be ignored.
    let given = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given(variable).or_else(|| given("HOME").map(|home| home.join(default)));
    base.map(|base| base.join("ztoken"))
}

/// A later file counts more: its profiles replace those of the same name, as a whole.
fn choose(places: &[PathBuf], must_exist: bool, name: Option<&str>) -> Result<Profile, Fault> {
    let mut default: Option<(String, &Path)> = None;
    let mut tables: BTreeMap<String, (Table, &Path)> = BTreeMap::new();
    for place in places {
        let Some(text) = read(place, must_exist)? else { continue };
        let file = File::parse(&text).map_err(|what| wrong(place, what))?;
        default = file.default.map(|name| (name, place.as_path())).or(default);
        tables
            .extend(file.profile.into_iter().map(|(name, table)| (name, (table, place.as_path()))));
    }
    let known = || tables.keys().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    let wanted = match (name, &default) {
        (Some(name), _) => name,
        (None, Some((name, _))) => name,
        (None, None) => match tables.keys().collect::<Vec<_>>().as_slice() {
            [] => {
                let own = places.iter().find(|place| **place != Path::new(SITE));
                return Err(own.map_or(Fault::Homeless, |own| Fault::Absent(own.clone())));
            }
            [only] => only.as_str(),
            _ => return Err(Fault::Ambiguous(known())),
        },
    };
    let Some((table, place)) = tables.get(wanted) else {
        return Err(Fault::Unknown { wanted: wanted.to_owned(), known: known() });
    };
    let folder = place.parent().unwrap_or(Path::new("/"));
    Profile::parse(wanted, table, folder)
        .map_err(|what| wrong(place, format!("profile \"{}\": {what}", shown(wanted))))
}

fn wrong(path: &Path, what: impl Into<String>) -> Fault {
    Fault::Wrong { path: path.to_owned(), what: what.into() }
}

/// `None` where there is no file.
fn read(path: &Path, must_exist: bool) -> Result<Option<String>, Fault> {
    match files::trusted(path, LONGEST).map_err(|what| wrong(path, what))? {
        None if must_exist => Err(wrong(path, "is not there")),
        text => Ok(text),
    }
}

/// A profile with these lines, for tests.
#[cfg(test)]
pub(crate) fn example(lines: &str) -> Profile {
    let plain = "issuer = \"https://idp.example.com\"\nclient_id = \"ztoken\"";
    let file = File::parse(&format!("[profile.it]\n{plain}\n{lines}")).unwrap();
    Profile::parse("it", &file.profile["it"], Path::new("/etc/ztoken")).unwrap()
}

#[cfg(test)]
mod tests;
