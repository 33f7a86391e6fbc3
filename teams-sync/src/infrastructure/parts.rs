//! The formats in which infrastructure roles come, all at once: the numbered Secret, Secrets with
//! named keys, and definitions whose passwords are in the Secret under the name of the role. Pure.
//!
//! Keys and values of Secrets and ConfigMaps go in, from wherever they were read; roles come out.
//! Never: a value in a problem, a warning or a `Debug`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::definition::Definition;
use super::folder::Keys;
use super::{Infrastructure, Robot};
use crate::password::Secret;
use crate::plan::record::Kind;
use crate::role::RoleName;
use crate::why::{Problem, Rule, Why};

/// One Secret, and what is beside it. `origin` is how messages and reasons call it.
///
/// `definitions` is a ConfigMap: the key is the name of a role, the value its definition in YAML,
/// and its password is under the same name in the Secret.
#[derive(Clone)]
pub enum Part {
    /// Which keys hold what; the names are those of `infrastructure_roles_secrets`.
    Keyed {
        origin: String,
        secret: Keys,
        userkey: Option<String>,
        passwordkey: String,
        rolekey: Option<String>,
        /// The name, where `userkey` is not set or not in the Secret.
        defaultuservalue: Option<String>,
        defaultrolevalue: Option<String>,
        /// A key whose value is a definition in YAML.
        details: Option<String>,
        definitions: Option<Keys>,
    },
    /// `user1`, `password1`, `inrole1`, and so on: `infrastructure_roles_secret_name`.
    Numbered { origin: String, secret: Keys, definitions: Option<Keys> },
}

/// The names of keys, and no value of one.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, origin, secret, definitions) = match self {
            Self::Keyed { origin, secret, definitions, .. } => {
                ("Keyed", origin, secret, definitions)
            }
            Self::Numbered { origin, secret, definitions } => {
                ("Numbered", origin, secret, definitions)
            }
        };
        let names = |keys: &Keys| keys.keys().cloned().collect::<Vec<_>>();
        f.debug_struct(name)
            .field("origin", origin)
            .field("secret", &names(secret))
            .field("definitions", &definitions.as_ref().map(names))
            .finish_non_exhaustive()
    }
}

/// All roles of all parts.
///
/// What is broken about one role is its own problem, and the role is in
/// [`Infrastructure::broken`]. Where a name is missing or cannot be one,
/// [`Infrastructure::frozen`] says so: the role may be any. A part that could not be read is not a
/// part; whoever reads them sets `frozen` then. A role that two parts define is there twice.
pub fn from_parts(parts: &[Part]) -> Infrastructure {
    let mut found = Infrastructure::default();
    for part in parts {
        add(part, &mut found);
    }
    found
}

pub(super) fn add(part: &Part, found: &mut Infrastructure) {
    match part {
        Part::Numbered { origin, secret, definitions } => {
            let definitions = definitions.as_ref().map(|keys| (origin.as_str(), keys));
            add_numbered(origin, secret, definitions, found);
        }
        Part::Keyed { .. } => keyed(part, found),
    }
}

/// `definitions` with an origin of their own.
pub(super) fn add_numbered(
    origin: &str,
    keys: &Keys,
    definitions: Option<(&str, &Keys)>,
    found: &mut Infrastructure,
) {
    let mut used = numbered(origin, keys, found);
    if let Some((own, definitions)) = definitions {
        used.extend(defined(own, definitions, keys, found));
    }
    for unused in keys.keys().filter(|key| !used.contains(*key)) {
        let text = format!(
            "{origin}/{} belongs to no role: there is no definition of that name, and it is none of user<N>, password<N>, inrole<N>",
            unused.escape_debug()
        );
        found.warnings.push(text);
    }
}

/// `user1`, `password1`, `inrole1`; all there are, whatever numbers are missing.
fn numbered(dir: &str, keys: &Keys, found: &mut Infrastructure) -> BTreeSet<String> {
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
        let origin = format!("{dir}/user{number}");
        let value = |prefix: &str| keys.get(&format!("{prefix}{number}"));
        let Some(user) = value("user") else {
            let text =
                format!("{origin} is missing, and there is a password{number} or inrole{number}");
            nameless(format!("user{number}"), text, found);
            continue;
        };
        let definition = Definition::default();
        named(&origin, user, found);
        add_robot(&origin, &origin, user, value("password"), value("inrole"), &definition, found);
    }
    used
}

fn keyed(part: &Part, found: &mut Infrastructure) {
    let Part::Keyed {
        origin,
        secret: keys,
        userkey,
        passwordkey,
        rolekey,
        defaultuservalue,
        defaultrolevalue,
        details,
        definitions,
    } = part
    else {
        return;
    };
    if let Some(definitions) = definitions {
        defined(origin, definitions, keys, found);
    }
    let value = |key: &Option<String>, default: &Option<String>| {
        let own = key.as_ref().and_then(|key| keys.get(key)).cloned();
        own.or_else(|| default.as_ref().map(|text| text.clone().into_bytes().into()))
    };
    let Some(user) = value(userkey, defaultuservalue) else {
        let text = format!("{origin} has no key {userkey:?} with the name of the role");
        nameless(origin.clone(), text, found);
        return;
    };
    named(origin, &user, found);
    let definition = match details.as_ref().map(|key| (key, keys.get(key))) {
        None => Ok(Definition::default()),
        Some((key, None)) => Err(format!("it has no key {key:?} with details")),
        Some((key, Some(yaml))) => {
            // What is wrong with it would be told with some of it.
            Definition::read(yaml)
                .map_err(|_of_a_secret| format!("its key {key:?} is no definition in YAML"))
        }
    };
    let group = value(rolekey, defaultrolevalue);
    match definition {
        Ok(definition) => {
            let password = keys.get(passwordkey);
            add_robot(origin, origin, &user, password, group.as_ref(), &definition, found);
        }
        Err(error) => {
            found.problems.push(Problem::new(origin.clone(), format!("{origin}: {error}")));
            hold(&trimmed(&user), found);
        }
    }
}

fn defined(
    from: &str,
    definitions: &Keys,
    keys: &Keys,
    found: &mut Infrastructure,
) -> BTreeSet<String> {
    for (name, yaml) in definitions {
        let origin = format!("{from}/{}", name.escape_debug());
        match Definition::read(yaml) {
            Ok(definition) => {
                let subject = name.escape_debug().to_string();
                let password = keys.get(name);
                add_robot(&origin, &subject, name.as_bytes(), password, None, &definition, found);
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

/// `subject`: what a problem is about. A name that is the value of a key is not shown: it may be a
/// password that somebody put into the wrong one.
#[allow(clippy::too_many_arguments, reason = "they are what is known of one robot")]
fn add_robot(
    origin: &str,
    subject: &str,
    user: &[u8],
    password: Option<&Zeroizing<Vec<u8>>>,
    group: Option<&Zeroizing<Vec<u8>>>,
    definition: &Definition,
    found: &mut Infrastructure,
) {
    let name = trimmed(user);
    match robot(origin, &name, password, group, definition) {
        Ok(robot) => found.roles.push(robot),
        Err(error) => {
            found.problems.push(Problem::new(subject.to_owned(), format!("{origin}: {error}")));
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
    password: Option<&Zeroizing<Vec<u8>>>,
    group: Option<&Zeroizing<Vec<u8>>>,
    definition: &Definition,
) -> Result<Robot, String> {
    let role = role_name(name)?;
    let parsed = definition.parse()?;
    let mut member_of = parsed.member_of;
    if let Some(group) = group.map(|group| trimmed(group)).filter(|group| !group.is_empty()) {
        let group = RoleName::parse_group(&group);
        member_of.push(group.map_err(|error| format!("its role cannot be granted: {error}"))?);
    }
    let password = match password {
        Some(text) => Some(Secret::parse(text).map_err(|error| error.to_string())?),
        None if parsed.attributes.login => return Err("there is no password for it".to_owned()),
        None => None,
    };
    Ok(Robot {
        name: role,
        kind: Kind::Robot,
        attributes: parsed.attributes,
        member_of,
        admins: parsed.admins,
        parameters: parsed.parameters,
        password,
        rotated_from: None,
        why: Why::of(Rule::Infrastructure { origin: origin.to_owned() }),
    })
}

fn role_name(text: &str) -> Result<RoleName, String> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("the name of the role is not UTF-8".to_owned());
    }
    RoleName::parse(text)
        .map_err(|error| format!("what stands for the name of the role cannot be one: {error}"))
}

fn trimmed(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[(&str, &str)]) -> Keys {
        all.iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into()))
            .collect()
    }

    fn keyed(own: (&str, &str)) -> Part {
        let mut secret =
            keys(&[("user", "etl"), ("password", "x"), ("inrole", "reporting"), ("details", "{}")]);
        secret.extend(keys(&[own]));
        Part::Keyed {
            origin: "pg/etl".to_owned(),
            secret,
            userkey: Some("user".to_owned()),
            passwordkey: "password".to_owned(),
            rolekey: Some("inrole".to_owned()),
            defaultuservalue: None,
            defaultrolevalue: None,
            details: Some("details".to_owned()),
            definitions: None,
        }
    }

    #[test]
    fn a_password_in_the_wrong_key_is_in_no_problem() {
        // As long as those that are generated, and longer than any name.
        let hidden = format!("hidden{}", "x".repeat(58));
        let numbered = |all: &[(&str, &str)]| Part::Numbered {
            origin: "pg/all".to_owned(),
            secret: keys(all),
            definitions: None,
        };
        for part in [
            numbered(&[("user1", &hidden), ("password1", "etl")]),
            numbered(&[("user1", "etl"), ("password1", "x"), ("inrole1", &hidden)]),
            numbered(&[("user1", "hiddenname"), ("inrole1", "reporting")]),
            keyed(("user", &hidden)),
            keyed(("inrole", &hidden)),
            keyed(("details", "hidden: 1")),
        ] {
            let found = from_parts(std::slice::from_ref(&part));
            assert_eq!(found.problems.len(), 1, "{part:?}");
            let told = format!("{:?} {:?} {:?}", found.problems, found.frozen, found.warnings);
            assert!(!told.contains("hidden"), "{told}");
        }
    }
}
