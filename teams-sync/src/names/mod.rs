//! What a directory calls people -> names of roles. One normaliser and one validator for all
//! sources.
//!
//! A name that cannot be used is that person's problem and not the team's; two people who would
//! become one role are both refused, for nobody can tell whose it is.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use unicode_normalization::UnicodeNormalization;

use crate::role::{NameError, RoleName};

/// What zalando/postgres-operator allows for roles of manifests: nothing that needs quotes, in
/// any tool.
pub const DEFAULT_PATTERN: &str = "^[a-z0-9]([-_.a-z0-9]*[a-z0-9])?$";

/// The longest name that is worked on; no directory has longer ones.
const LONGEST_RAW: usize = 1024;

/// What becomes of upper case.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// It stays, and is refused where the pattern does.
    Keep,
    /// SCIM and most directories do not tell `Alice` from `alice`; PostgreSQL does.
    #[default]
    Lower,
}

/// How names are made.
#[derive(Clone, Debug)]
pub struct Names {
    pub case: Case,
    /// Domains of the company, in lower case and without `@`: `alice@example.com` is `alice`.
    pub strip_domains: BTreeSet<String>,
    /// What a whole name has to look like.
    pub pattern: Regex,
    /// Names of the directory -> names of roles, before anything else.
    pub map: BTreeMap<String, RoleName>,
    /// How many bytes stay free for `role_deletion_suffix`.
    pub reserved_bytes: usize,
    /// Roles that no person may have.
    pub protected: BTreeSet<RoleName>,
}

/// Why somebody gets no role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadName {
    #[error("{0}")]
    Unusable(#[from] NameError),
    #[error("it does not match names.pattern; names.map can give it another name")]
    Pattern,
    #[error("it is longer than {0} bytes, beside the suffix of those who leave")]
    NoRoomForSuffix(usize),
    #[error("the role {0} is protected")]
    Protected(RoleName),
}

impl Names {
    /// The role of somebody whom a directory calls `raw`.
    pub fn role(&self, raw: &str) -> Result<RoleName, BadName> {
        let name = match self.map.get(raw) {
            Some(name) => name.clone(),
            None => self.normalised(raw)?,
        };
        if self.protected.contains(&name) {
            return Err(BadName::Protected(name));
        }
        let room = crate::role::LONGEST_NAME.saturating_sub(self.reserved_bytes);
        if name.as_str().len() > room {
            return Err(BadName::NoRoomForSuffix(room));
        }
        Ok(name)
    }

    fn normalised(&self, raw: &str) -> Result<RoleName, BadName> {
        if raw.len() > LONGEST_RAW {
            return Err(NameError::TooLong.into());
        }
        let mut name: String = raw.nfc().collect();
        if self.case == Case::Lower {
            // Folding can take a text out of its normal form.
            name = name.to_lowercase().nfc().collect();
        }
        if let Some((local, domain)) = name.rsplit_once('@')
            && self.strip_domains.contains(&domain.to_lowercase())
        {
            name = local.to_owned();
        }
        let name = RoleName::parse(&name)?;
        if !self.pattern.is_match(name.as_str()) {
            return Err(BadName::Pattern);
        }
        Ok(name)
    }
}

/// Everybody of all teams, by role: who is in which teams, and who is nobody.
#[derive(Debug, Default)]
pub struct People {
    /// Role -> the one name that the directory has for it.
    pub roles: BTreeMap<RoleName, String>,
    /// Names that cannot be used, and why.
    pub unusable: BTreeMap<String, BadName>,
    /// Roles that two names claim.
    pub twins: BTreeMap<RoleName, BTreeSet<String>>,
}

/// Gives each of these people a role.
pub fn people<'a>(raw: impl IntoIterator<Item = &'a str>, names: &Names) -> People {
    let mut people = People::default();
    let mut claims: BTreeMap<RoleName, BTreeSet<String>> = BTreeMap::new();
    for raw in raw {
        match names.role(raw) {
            Ok(role) => {
                claims.entry(role).or_default().insert(raw.to_owned());
            }
            Err(error) => {
                people.unusable.insert(raw.to_owned(), error);
            }
        }
    }
    for (role, raw) in claims {
        let mut each = raw.iter();
        match (each.next(), each.next()) {
            (Some(one), None) => {
                people.roles.insert(role, one.clone());
            }
            _ => {
                people.twins.insert(role, raw);
            }
        }
    }
    people
}

#[cfg(test)]
pub(crate) mod tests;
