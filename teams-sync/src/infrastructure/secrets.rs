//! The formats in which infrastructure roles come, all at once: the numbered Secret, Secrets with
//! named keys, and definitions whose passwords are in the Secret under the name of the role.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::definition::{Definition, group_name};
use super::folder::{FolderError, Keys, read_file, read_folder};
use super::{Infrastructure, Robot};
use crate::password::Secret;
use crate::plan::record::Kind;
use crate::role::RoleName;
use crate::why::{Problem, Rule, Why};

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
        keyed(secret, &read_folder(&secret.dir)?, found);
    }
    let Some(dir) = roles_dir else { return Ok(()) };
    let keys = read_folder(dir)?;
    let mut used = numbered(dir, &keys, found);
    if let Some(path) = definitions {
        let definitions = if path.is_dir() {
            read_folder(path)?
        } else {
            // One file: a mapping of names to definitions.
            split_file(path)?
        };
        used.extend(defined(path, &definitions, &keys, found));
    }
    for unused in keys.keys().filter(|key| !used.contains(*key)) {
        let text = format!(
            "{}/{} belongs to no role: there is no definition of that name, and it is none of user<N>, password<N>, inrole<N>",
            dir.display(),
            unused.escape_debug()
        );
        found.warnings.push(text);
    }
    Ok(())
}

/// `user1`, `password1`, `inrole1`; all there are, whatever numbers are missing.
fn numbered(dir: &Path, keys: &Keys, found: &mut Infrastructure) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut numbers = BTreeMap::new();
    for key in keys.keys() {
        for prefix in ["user", "password", "inrole"] {
            let number = key.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
            if let Some(number) = number.filter(|number| *key == format!("{prefix}{number}")) {
                numbers.insert(number, ());
                used.insert(key.clone());
            }
        }
    }
    for number in numbers.into_keys() {
        let origin = format!("{}/user{number}", dir.display());
        let value = |prefix: &str| keys.get(&format!("{prefix}{number}"));
        let Some(user) = value("user") else {
            let text =
                format!("{origin} is missing, and there is a password{number} or inrole{number}");
            nameless(format!("user{number}"), text, found);
            continue;
        };
        let definition = Definition::default();
        named(&origin, user, found);
        add(&origin, user, value("password"), value("inrole"), &definition, found);
    }
    used
}

fn keyed(secret: &KeyedSecret, keys: &Keys, found: &mut Infrastructure) {
    let origin = secret.dir.display().to_string();
    let value = |key: &Option<String>, default: &Option<String>| {
        let own = key.as_ref().and_then(|key| keys.get(key)).cloned();
        own.or_else(|| default.as_ref().map(|text| text.clone().into_bytes().into()))
    };
    let user = value(&secret.userkey, &secret.defaultuservalue);
    let Some(user) = user else {
        let text = format!("{origin} has no key {:?} with the name of the role", secret.userkey);
        nameless(origin, text, found);
        return;
    };
    named(&origin, &user, found);
    let definition = match secret.details.as_ref().map(|key| (key, keys.get(key))) {
        None => Ok(Definition::default()),
        Some((key, None)) => Err(format!("it has no key {key:?} with details")),
        Some((key, Some(yaml))) => {
            Definition::read(yaml).map_err(|error| format!("{key}: {error}"))
        }
    };
    let group = value(&secret.rolekey, &secret.defaultrolevalue);
    match definition {
        Ok(definition) => {
            let password = keys.get(&secret.passwordkey);
            add(&origin, &user, password, group.as_ref(), &definition, found);
        }
        Err(error) => {
            found.problems.push(Problem::new(origin.clone(), format!("{origin}: {error}")));
            hold(&trimmed(&user), found);
        }
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

fn defined(
    path: &Path,
    definitions: &Keys,
    keys: &Keys,
    found: &mut Infrastructure,
) -> BTreeSet<String> {
    for (name, yaml) in definitions {
        let origin = format!("{}/{}", path.display(), name.escape_debug());
        match Definition::read(yaml) {
            Ok(definition) => {
                add(&origin, name.as_bytes(), keys.get(name), None, &definition, found);
            }
            Err(error) => {
                let subject = name.escape_debug().to_string();
                found.problems.push(Problem::new(subject, format!("{origin}: {error}")));
                hold(name, found);
            }
        }
    }
    definitions.keys().cloned().collect()
}

fn add(
    origin: &str,
    user: &[u8],
    password: Option<&zeroize::Zeroizing<Vec<u8>>>,
    group: Option<&zeroize::Zeroizing<Vec<u8>>>,
    definition: &Definition,
    found: &mut Infrastructure,
) {
    let name = trimmed(user);
    match robot(origin, &name, password, group, definition) {
        Ok(robot) => found.roles.push(robot),
        Err(error) => {
            let subject = name.escape_debug().to_string();
            found.problems.push(Problem::new(subject, format!("{origin}: {error}")));
            hold(&name, found);
        }
    }
}

/// There is a robot, and nobody can tell which: it may be any, so nothing is taken from one.
fn nameless(subject: String, text: String, found: &mut Infrastructure) {
    found.frozen.get_or_insert_with(|| text.clone());
    found.problems.push(Problem::new(subject, text));
}

/// A name that is the content of a file may be half of it, or of another file.
fn named(origin: &str, user: &[u8], found: &mut Infrastructure) {
    if let Err(error) = role_name(&trimmed(user)) {
        found.frozen.get_or_insert_with(|| format!("{origin}: {error}"));
    }
}

/// What is broken about a robot does not lock it out.
fn hold(name: &str, found: &mut Infrastructure) {
    if let Ok(name) = RoleName::parse(name) {
        found.broken.insert(name);
    }
}

fn robot(
    origin: &str,
    name: &str,
    password: Option<&zeroize::Zeroizing<Vec<u8>>>,
    group: Option<&zeroize::Zeroizing<Vec<u8>>>,
    definition: &Definition,
) -> Result<Robot, String> {
    let role = role_name(name)?;
    let parsed = definition.parse()?;
    let mut member_of = parsed.member_of;
    if let Some(group) = group.map(|group| trimmed(group)).filter(|group| !group.is_empty()) {
        member_of.push(group_name(&group)?);
    }
    let password = match password {
        Some(text) => Some(Secret::parse(text).map_err(|error| error.to_string())?),
        None if parsed.attributes.login => {
            return Err(format!("there is no password for {role}"));
        }
        None => None,
    };
    Ok(Robot {
        name: role,
        kind: Kind::Robot,
        attributes: parsed.attributes,
        member_of,
        parameters: parsed.parameters,
        password,
        why: Why::of(Rule::Infrastructure { origin: origin.to_owned() }),
    })
}

fn role_name(text: &str) -> Result<RoleName, String> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("the name of the role is not UTF-8".to_owned());
    }
    RoleName::parse(text).map_err(|error| format!("{text:?} cannot be the name of a role: {error}"))
}

fn trimmed(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}
