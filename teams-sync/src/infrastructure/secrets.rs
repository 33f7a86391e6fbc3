//! The files in which infrastructure roles come: folders laid out as mounted Secrets, and a folder
//! or one file of definitions. Reads them, and leaves the rest to `parts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Infrastructure;
use super::folder::{FolderError, Keys, read_file, read_folder};
use super::parts::{self, Part};

/// `[[infrastructure.secret]]`: which keys of a Secret hold what. The names are those of
/// `infrastructure_roles_secrets`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyedSecret {
    /// The folder where the Secret is mounted.
    pub dir: PathBuf,
    #[serde(default)]
    pub userkey: Option<String>,
    pub passwordkey: String,
    #[serde(default)]
    pub rolekey: Option<String>,
    /// The name, where `userkey` is not set or not in the Secret.
    #[serde(default)]
    pub defaultuservalue: Option<String>,
    #[serde(default)]
    pub defaultrolevalue: Option<String>,
    /// A key whose value is a definition in YAML.
    #[serde(default)]
    pub details: Option<String>,
}

/// Reads them all. What cannot be read at all freezes every robot.
pub fn read(
    roles_dir: Option<&Path>,
    definitions: Option<&Path>,
    secrets: &[KeyedSecret],
) -> Infrastructure {
    let mut found = Infrastructure::default();
    let outcome = try_read(roles_dir, definitions, secrets, &mut found);
    if let Err(error) = outcome {
        found = Infrastructure { frozen: Some(error.to_string()), ..Infrastructure::default() };
    }
    found
}

fn try_read(
    roles_dir: Option<&Path>,
    definitions: Option<&Path>,
    secrets: &[KeyedSecret],
    found: &mut Infrastructure,
) -> Result<(), FolderError> {
    for secret in secrets {
        parts::add(&secret.part()?, found);
    }
    let Some(dir) = roles_dir else { return Ok(()) };
    let keys = read_folder(dir)?;
    let definitions = match definitions {
        None => None,
        Some(path) if path.is_dir() => Some((path.display().to_string(), read_folder(path)?)),
        // One file: a mapping of names to definitions.
        Some(path) => Some((path.display().to_string(), split_file(path)?)),
    };
    let definitions = definitions.as_ref().map(|(origin, keys)| (origin.as_str(), keys));
    parts::add_numbered(&dir.display().to_string(), &keys, definitions, found);
    Ok(())
}

impl KeyedSecret {
    fn part(&self) -> Result<Part, FolderError> {
        Ok(Part::Keyed {
            origin: self.dir.display().to_string(),
            secret: read_folder(&self.dir)?,
            userkey: self.userkey.clone(),
            passwordkey: self.passwordkey.clone(),
            rolekey: self.rolekey.clone(),
            defaultuservalue: self.defaultuservalue.clone(),
            defaultrolevalue: self.defaultrolevalue.clone(),
            details: self.details.clone(),
            definitions: None,
        })
    }
}

/// A file with a mapping: name of a role -> definition.
fn split_file(path: &Path) -> Result<Keys, FolderError> {
    let content = read_file(path)?;
    let text = String::from_utf8_lossy(&content);
    let all: Result<BTreeMap<String, serde_json::Value>, _> = serde_saphyr::from_str(&text);
    match all {
        // A file that is being written, more likely than one that is meant.
        Ok(_)
            if text
                .lines()
                .all(|line| line.trim_start().starts_with('#') || line.trim().is_empty()) =>
        {
            let text = format!("{}: it is empty; {{}} would be no definitions", path.display());
            Err(FolderError::NoMapping(text))
        }
        // JSON is YAML.
        Ok(all) => {
            Ok(all.into_iter().map(|(k, v)| (k, v.to_string().into_bytes().into())).collect())
        }
        Err(error) => {
            let text = format!("{}: {}", path.display(), error.to_string().escape_debug());
            Err(FolderError::NoMapping(text))
        }
    }
}
