//! What a manifest wants of the databases of its cluster.
//!
//! Names go in, parsed; for prepared databases the roles come out that they are named after. Which
//! of them exist is not known here.

use std::collections::{BTreeMap, BTreeSet};

use teams_sync::role::{NameError, RoleName};

use super::names::{DatabaseName, ExtensionName, SchemaName};

/// Why nobody is given `postgres`.
pub(super) const KEPT: &str = "the database postgres is given to nobody: it is where the operator looks after roles, and whoever owns it could keep it from that; use another database";

/// All databases that a cluster is to have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// `spec.databases`: who owns what.
    pub databases: BTreeMap<DatabaseName, RoleName>,
    /// `spec.preparedDatabases`.
    pub prepared: BTreeMap<DatabaseName, Prepared>,
}

/// A database with schemas, extensions and privileges.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prepared {
    pub owner: RoleName,
    /// Who reads and writes what its owners make, in whatever schema.
    pub default_roles: DefaultRoles,
    pub schemas: BTreeMap<SchemaName, Schema>,
    /// Extension -> the schema that it is to be in.
    pub extensions: BTreeMap<ExtensionName, SchemaName>,
}

/// A schema of a prepared database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schema {
    /// Of a schema that is made. One that is there keeps its own.
    pub owner: RoleName,
    /// Who reads and writes in it.
    pub default_roles: Vec<DefaultRoles>,
}

/// Whoever reads and writes what others make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DefaultRoles {
    /// The roles that make tables and the like.
    pub creators: BTreeSet<RoleName>,
    pub reader: RoleName,
    pub writer: RoleName,
}

/// What a manifest says about a schema of a prepared database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PreparedSchema {
    /// Roles of its own, and not those of the database.
    pub default_roles: bool,
    /// Roles that can log in, too.
    pub default_users: bool,
}

impl Default for PreparedSchema {
    fn default() -> Self {
        Self { default_roles: true, default_users: false }
    }
}

impl Wanted {
    /// What a manifest wants and does not get, whatever a server has.
    pub fn notes(&self) -> Vec<String> {
        let initial = self.databases.keys().filter(|database| database.is_initial());
        initial.map(|database| format!("spec.databases.{database}: {KEPT}")).collect()
    }

    /// Every role that it names.
    pub(crate) fn roles(&self) -> BTreeSet<RoleName> {
        let prepared = self.prepared.values().flat_map(Prepared::roles);
        self.databases.values().chain(prepared).cloned().collect()
    }

    pub(crate) fn names(&self) -> BTreeSet<&DatabaseName> {
        self.databases.keys().chain(self.prepared.keys()).collect()
    }
}

impl Prepared {
    /// With the usual roles: `bar_owner`, `bar_reader` and `bar_writer`, for a schema with roles of
    /// its own `bar_data_owner` and so on, and `bar_owner_user` where there are users.
    ///
    /// # Errors
    /// A name that is too long for a role once the suffix is behind it.
    pub fn new(
        database: &DatabaseName,
        default_users: bool,
        schemas: &BTreeMap<SchemaName, PreparedSchema>,
        extensions: BTreeMap<ExtensionName, SchemaName>,
    ) -> Result<Self, NameError> {
        let name = database.as_str();
        let default_roles = DefaultRoles::of(name, owners(name, default_users)?)?;
        let owner = role(name, "owner")?;
        let mut all = BTreeMap::new();
        for (schema, style) in schemas {
            let own = format!("{name}_{schema}");
            let wanted = if style.default_roles {
                let mut everybody = owners(&own, style.default_users)?;
                let of_schema = DefaultRoles::of(name, everybody.clone())?;
                everybody.extend(default_roles.creators.iter().cloned());
                let default_roles = vec![of_schema, DefaultRoles::of(&own, everybody)?];
                Schema { owner: role(&own, "owner")?, default_roles }
            } else {
                Schema { owner: owner.clone(), default_roles: vec![default_roles.clone()] }
            };
            all.insert(schema.clone(), wanted);
        }
        Ok(Self { owner, default_roles, schemas: all, extensions })
    }

    fn roles(&self) -> impl Iterator<Item = &RoleName> {
        let schemas = self.schemas.values();
        let default_roles = schemas.flat_map(|schema| &schema.default_roles);
        let default_roles = std::iter::once(&self.default_roles).chain(default_roles);
        let owners = self.schemas.values().map(|schema| &schema.owner);
        std::iter::once(&self.owner).chain(owners).chain(default_roles.flat_map(DefaultRoles::all))
    }
}

impl DefaultRoles {
    fn of(prefix: &str, creators: BTreeSet<RoleName>) -> Result<Self, NameError> {
        Ok(Self { creators, reader: role(prefix, "reader")?, writer: role(prefix, "writer")? })
    }

    fn all(&self) -> impl Iterator<Item = &RoleName> {
        self.creators.iter().chain([&self.reader, &self.writer])
    }
}

fn owners(prefix: &str, users: bool) -> Result<BTreeSet<RoleName>, NameError> {
    let mut owners = BTreeSet::from([role(prefix, "owner")?]);
    if users {
        owners.insert(role(prefix, "owner_user")?);
    }
    Ok(owners)
}

fn role(prefix: &str, suffix: &str) -> Result<RoleName, NameError> {
    RoleName::parse(&format!("{prefix}_{suffix}"))
}
