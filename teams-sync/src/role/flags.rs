//! What a role may do beyond its memberships: the attributes of CREATE ROLE.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One attribute that is on or off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Flag {
    Bypassrls,
    Createdb,
    Createrole,
    Inherit,
    Login,
    Replication,
    Superuser,
}

impl Flag {
    pub const ALL: [Self; 7] = [
        Self::Bypassrls,
        Self::Createdb,
        Self::Createrole,
        Self::Inherit,
        Self::Login,
        Self::Replication,
        Self::Superuser,
    ];

    /// As CREATE ROLE writes it.
    pub fn keyword(self, on: bool) -> &'static str {
        match (self, on) {
            (Self::Bypassrls, true) => "BYPASSRLS",
            (Self::Bypassrls, false) => "NOBYPASSRLS",
            (Self::Createdb, true) => "CREATEDB",
            (Self::Createdb, false) => "NOCREATEDB",
            (Self::Createrole, true) => "CREATEROLE",
            (Self::Createrole, false) => "NOCREATEROLE",
            (Self::Inherit, true) => "INHERIT",
            (Self::Inherit, false) => "NOINHERIT",
            (Self::Login, true) => "LOGIN",
            (Self::Login, false) => "NOLOGIN",
            (Self::Replication, true) => "REPLICATION",
            (Self::Replication, false) => "NOREPLICATION",
            (Self::Superuser, true) => "SUPERUSER",
            (Self::Superuser, false) => "NOSUPERUSER",
        }
    }

    /// Whether only a superuser can switch it, whatever else a role may do (PostgreSQL 16 lets
    /// a role with CREATEROLE pass on REPLICATION and BYPASSRLS that it has itself).
    pub fn needs_superuser(self) -> bool {
        matches!(self, Self::Bypassrls | Self::Replication | Self::Superuser)
    }
}

/// All attributes of one role.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attributes {
    #[serde(rename = "rolbypassrls")]
    pub bypassrls: bool,
    #[serde(rename = "rolcreatedb")]
    pub createdb: bool,
    #[serde(rename = "rolcreaterole")]
    pub createrole: bool,
    #[serde(rename = "rolinherit")]
    pub inherit: bool,
    #[serde(rename = "rolcanlogin")]
    pub login: bool,
    #[serde(rename = "rolreplication")]
    pub replication: bool,
    #[serde(rename = "rolsuper")]
    pub superuser: bool,
}

impl Attributes {
    /// What `CREATE ROLE name` gives.
    pub const NOLOGIN: Self = Self {
        bypassrls: false,
        createdb: false,
        createrole: false,
        inherit: true,
        login: false,
        replication: false,
        superuser: false,
    };

    /// What `CREATE ROLE name LOGIN` gives.
    pub const LOGIN: Self = Self { login: true, ..Self::NOLOGIN };

    pub fn get(&self, flag: Flag) -> bool {
        match flag {
            Flag::Bypassrls => self.bypassrls,
            Flag::Createdb => self.createdb,
            Flag::Createrole => self.createrole,
            Flag::Inherit => self.inherit,
            Flag::Login => self.login,
            Flag::Replication => self.replication,
            Flag::Superuser => self.superuser,
        }
    }

    pub fn set(&mut self, flag: Flag, on: bool) {
        let place = match flag {
            Flag::Bypassrls => &mut self.bypassrls,
            Flag::Createdb => &mut self.createdb,
            Flag::Createrole => &mut self.createrole,
            Flag::Inherit => &mut self.inherit,
            Flag::Login => &mut self.login,
            Flag::Replication => &mut self.replication,
            Flag::Superuser => &mut self.superuser,
        };
        *place = on;
    }
}

/// Why a list of `user_flags` is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FlagError {
    #[error(
        "{0:?} is no attribute of a role; there are: LOGIN, SUPERUSER, CREATEDB, CREATEROLE, INHERIT, REPLICATION, BYPASSRLS, and each with NO before it"
    )]
    Unknown(String),
    #[error("{0} and its opposite are both there")]
    Contradiction(&'static str),
}

/// A list of attributes as manifests of zalando/postgres-operator write it: in any case, with
/// `NO` for the opposite, nothing twice with different meaning.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Flags(BTreeMap<Flag, bool>);

impl Flags {
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, FlagError> {
        let mut found = BTreeMap::new();
        for word in words {
            // The CRD of the operator lets an empty string stand for no flag.
            if word.is_empty() {
                continue;
            }
            let upper = word.to_ascii_uppercase();
            let known = Flag::ALL.into_iter().flat_map(|flag| [(flag, true), (flag, false)]);
            let mut matching = known.filter(|(flag, on)| flag.keyword(*on) == upper);
            let Some((flag, on)) = matching.next() else {
                return Err(FlagError::Unknown(word.to_owned()));
            };
            if found.insert(flag, on).is_some_and(|before| before != on) {
                return Err(FlagError::Contradiction(flag.keyword(true)));
            }
        }
        Ok(Self(found))
    }

    /// These, and what `base` has for all that they do not name.
    pub fn over(&self, base: Attributes) -> Attributes {
        let mut all = base;
        for (flag, on) in &self.0 {
            all.set(*flag, *on);
        }
        all
    }
}
