//! What a server and its databases have, as far as it is wanted: JSON of the catalogs comes in.
//!
//! The queries are in `sql`; nothing here talks to a server.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use teams_sync::role::RoleName;

use super::names::{ExtensionName, SchemaName};

/// What all databases share.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Server {
    pub(crate) in_recovery: bool,
    pub(crate) read_only: bool,
    /// Those that are wanted and there.
    pub(crate) databases: BTreeMap<String, Owner>,
    /// Those that are named and there.
    roles: BTreeSet<String>,
}

/// Who owns a database.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Owner {
    /// `None` is somebody whom nothing names.
    #[serde(default)]
    name: Option<String>,
    /// To be shown: in ASCII, whatever the encoding of the name.
    pub(crate) shown: String,
}

/// What is in one database.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Catalog {
    /// Those that are wanted and there.
    pub(crate) schemas: BTreeMap<String, SchemaRow>,
    #[serde(default)]
    defaults: BTreeSet<DefaultRow>,
    pub(crate) extensions: BTreeMap<String, ExtensionRow>,
    /// Those that are wanted, not there, and can be made; with what they need.
    pub(crate) available: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SchemaRow {
    /// Who has USAGE by a grant or as the owner.
    #[serde(default)]
    pub(crate) usage: BTreeSet<String>,
}

/// A privilege in `pg_default_acl`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct DefaultRow {
    creator: String,
    /// `None` is all schemas.
    schema: Option<String>,
    /// `defaclobjtype`.
    kind: String,
    grantee: String,
    privilege: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ExtensionRow {
    pub(crate) schema: String,
    pub(crate) relocatable: bool,
}

impl Server {
    pub(crate) fn has_role(&self, role: &RoleName) -> bool {
        self.roles.contains(role.as_str())
    }
}

impl Owner {
    pub(crate) fn is(&self, role: &RoleName) -> bool {
        self.name.as_deref() == Some(role.as_str())
    }
}

impl Catalog {
    /// Of a database that is not there yet, as if all of these could be made.
    pub(crate) fn of_new(extensions: &BTreeMap<ExtensionName, SchemaName>) -> Self {
        let available = extensions.keys().map(|name| (name.as_str().to_owned(), BTreeSet::new()));
        Self { available: available.collect(), ..Self::default() }
    }

    /// Whether what `creator` makes in a schema (or anywhere) has this privilege for `grantee`.
    pub(crate) fn has_default(
        &self,
        creator: &RoleName,
        schema: Option<&str>,
        (kind, privilege): (&str, &str),
        grantee: &RoleName,
    ) -> bool {
        self.defaults.contains(&DefaultRow {
            creator: creator.as_str().to_owned(),
            schema: schema.map(str::to_owned),
            kind: kind.to_owned(),
            grantee: grantee.as_str().to_owned(),
            privilege: privilege.to_owned(),
        })
    }
}
