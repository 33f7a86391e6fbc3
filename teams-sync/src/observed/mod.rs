//! What a server has: its roles, as far as they concern us, read in one query.
//!
//! The text of the query goes out, its JSON comes in; nothing here talks to a server.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::plan::record::Record;
use crate::role::{Attributes, RoleName, marker};

/// The catalog, as far as we look.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Observed {
    /// The role that we are.
    pub me: RoleNameFromCatalog,
    pub superuser: bool,
    pub createrole: bool,
    /// `server_version_num`, 150018 for 15.18.
    pub version: u32,
    /// Of the database cluster: `initdb` draws it, standbys have that of their primary.
    pub system_identifier: String,
    /// When the server started, to the microsecond.
    #[serde(default)]
    pub started: String,
    pub in_recovery: bool,
    pub read_only: bool,
    /// `None` before PostgreSQL 16, which has 4096.
    #[serde(default)]
    pub scram_iterations: Option<u32>,
    /// Whether we may look at `pg_authid.rolpassword`.
    pub sees_passwords: bool,
    /// Superusers who can log in and are not in the marker role.
    pub foreign_superusers: u32,
    #[serde(deserialize_with = "by_name")]
    pub roles: BTreeMap<RoleName, CatalogRole>,
}

/// A role in `pg_roles`, and what hangs on it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CatalogRole {
    pub(crate) rolname: String,
    pub oid: u32,
    #[serde(flatten)]
    pub attributes: Attributes,
    #[serde(default, deserialize_with = "escaped")]
    pub comment: Option<String>,
    /// `name=value`, for all databases.
    #[serde(default, deserialize_with = "all_escaped")]
    pub settings: Vec<String>,
    /// What it is a member of.
    #[serde(default)]
    pub memberships: Vec<Membership>,
    /// Memberships that it granted to others.
    #[serde(default)]
    pub granted: Vec<Granted>,
    /// Backends that it is logged in with, on this server.
    pub sessions: u32,
    /// The verifier, where we may see it.
    #[serde(default)]
    pub password: Option<String>,
}

/// A row of `pg_auth_members`, seen from the member.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Membership {
    pub role: RoleNameFromCatalog,
    /// `None` where the grantor is gone, which PostgreSQL before 16 allows.
    #[serde(default)]
    pub grantor: Option<RoleNameFromCatalog>,
    pub admin: bool,
    /// Since PostgreSQL 16.
    #[serde(default)]
    pub inherit: Option<bool>,
    #[serde(default)]
    pub set: Option<bool>,
}

impl Membership {
    /// Whether it marks a role as ours. Whoever makes a role with CREATEROLE is a member of it from
    /// then on, with the admin option and nothing else (PostgreSQL 16), and so is another syncer who
    /// is to mark roles: that is no mark.
    pub fn marks(&self) -> bool {
        let hands_on = self.admin && self.inherit == Some(false) && self.set == Some(false);
        self.role.0 == marker() && !hands_on
    }
}

/// A row of `pg_auth_members`, seen from the grantor.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Granted {
    pub role: RoleNameFromCatalog,
    pub member: RoleNameFromCatalog,
    pub admin: bool,
    #[serde(default)]
    pub inherit: Option<bool>,
    #[serde(default)]
    pub set: Option<bool>,
}

/// PostgreSQL said so.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(from = "String")]
pub struct RoleNameFromCatalog(pub RoleName);

impl From<String> for RoleNameFromCatalog {
    fn from(text: String) -> Self {
        Self(RoleName::from_catalog(text))
    }
}

impl Observed {
    /// PostgreSQL 16 keeps memberships by grantor and lets CREATEROLE do less.
    pub fn has_grantors(&self) -> bool {
        self.version >= 160_000
    }

    /// Roles in the marker role.
    pub fn managed(&self) -> impl Iterator<Item = (&RoleName, &CatalogRole)> {
        self.roles.iter().filter(|(_, role)| role.is_managed())
    }
}

impl CatalogRole {
    /// Whether we look after it.
    pub fn is_managed(&self) -> bool {
        let is_member = |own: &Membership| own.role.0 == marker();
        // Whoever is noted as ours does not get away by being made one who marks others.
        let is_noted = || self.comment.as_deref().and_then(Record::find).is_some();
        self.memberships.iter().any(Membership::marks)
            || (self.memberships.iter().any(is_member) && is_noted())
    }

    /// Whom initdb made: `BOOTSTRAP_SUPERUSERID` of pg_authid.h.
    pub fn is_bootstrap_superuser(&self) -> bool {
        self.oid == 10
    }

    pub fn is_member_of(&self, role: &RoleName) -> bool {
        self.memberships.iter().any(|membership| membership.role.0 == *role)
    }
}

/// What the query is about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Names to look up, existing or not.
    pub names: BTreeSet<RoleName>,
    /// Everybody in these is looked at, too.
    pub members_of: BTreeSet<RoleName>,
    /// Whatever is called like somebody in the marker role and this behind it, too: it would be
    /// in the way of a renaming.
    pub suffix: Option<String>,
}

/// The one query of the catalog; `crate::sql` puts the names in.
pub(crate) const QUERY: &str = include_str!("observed.sql");

/// encode(..., 'escape') of PostgreSQL: a backslash is two, and what is no ASCII is octal.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (*first, octal) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            (b'\\', None) => {
                bytes.push(b'\\');
                rest = behind.strip_prefix(b"\\").unwrap_or(behind);
            }
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| unescape(&text)))
}

fn all_escaped<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(all.iter().map(|text| unescape(text)).collect())
}

fn by_name<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<RoleName, CatalogRole>, D::Error> {
    let roles = Vec::<CatalogRole>::deserialize(deserializer)?;
    Ok(roles.into_iter().map(|role| (RoleName::from_catalog(role.rolname.clone()), role)).collect())
}

#[cfg(test)]
pub(crate) mod tests;
