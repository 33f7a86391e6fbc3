//! `preparedDatabases` of a manifest: owners, readers and writers of databases and schemas.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use teams_sync::role::{Attributes, Parameter, RoleName};

use super::{ManifestRole, ManifestRoles, Origin, SecretPlace, name};
use crate::api::postgresql::FieldError;
use crate::api::spec::{PreparedDatabase, PreparedSchema};
use crate::cluster::Cluster;
use crate::config::Config;

/// May grant the owners of databases, whatever `team_admin_role` says.
const ADMIN: &str = "admin";
/// Of a database that names none.
const DEFAULT_SCHEMA: &str = "data";

/// Adds them. Databases come before schemas: where the schema `b` of `a` and the database `a_b`
/// would share roles, they are the database's.
pub(super) fn add(
    cluster: &Cluster,
    config: &Config,
    all: &mut ManifestRoles,
) -> Result<(), FieldError> {
    let databases = databases(cluster);
    let mut later = Vec::new();
    for (database, prepared) in databases.as_ref() {
        let field = format!("spec.preparedDatabases.{}", database.escape_debug());
        let wrong = |reason| FieldError::new(&field, reason);
        name::database_or_schema(database).map_err(wrong)?;
        let nothing = PreparedDatabase::default();
        let prepared = prepared.as_ref().unwrap_or(&nothing);
        let schemas = schemas(prepared);
        for schema in schemas.keys() {
            let field = format!("{field}.schemas.{}", schema.escape_debug());
            name::database_or_schema(schema).map_err(|reason| FieldError::new(field, reason))?;
        }
        let secret = place(database, prepared, config, &mut all.notes);
        let group = Group {
            prefix: database.clone(),
            owner_admin: ADMIN.to_owned(),
            search_path: search_path(schemas.keys().map(String::as_str)),
            has_users: prepared.default_users,
            secret: secret.clone(),
        };
        group.add(all).map_err(wrong)?;
        for (schema, rules) in schemas.iter() {
            let rules = rules.clone().unwrap_or_default();
            if !rules.default_roles.unwrap_or(true) {
                continue;
            }
            let group = Group {
                prefix: format!("{database}_{schema}"),
                owner_admin: format!("{database}_owner"),
                search_path: search_path([schema.as_str()]),
                has_users: rules.default_users,
                secret: secret.clone(),
            };
            later.push((format!("{field}.schemas.{schema}"), group));
        }
    }
    for (field, group) in later {
        group.add(all).map_err(|reason| FieldError::new(field, reason))?;
    }
    Ok(())
}

type Databases = BTreeMap<String, Option<PreparedDatabase>>;

/// An empty map is a database with the name of the cluster.
fn databases(cluster: &Cluster) -> Cow<'_, Databases> {
    match &cluster.spec.prepared_databases {
        None => Cow::Owned(Databases::new()),
        Some(all) if all.is_empty() => {
            Cow::Owned(Databases::from([(cluster.id.name.replace('-', "_"), None)]))
        }
        Some(all) => Cow::Borrowed(all),
    }
}

type Schemas = BTreeMap<String, Option<PreparedSchema>>;

fn schemas(prepared: &PreparedDatabase) -> Cow<'_, Schemas> {
    if prepared.schemas.is_empty() {
        return Cow::Owned(Schemas::from([(DEFAULT_SCHEMA.to_owned(), None)]));
    }
    Cow::Borrowed(&prepared.schemas)
}

/// Always in the same order, or it would be set anew each time.
fn search_path<'a>(schemas: impl IntoIterator<Item = &'a str>) -> Parameter {
    let own = std::iter::once("$user");
    let values = own.chain(schemas).map(str::to_owned).collect();
    Parameter { name: "search_path".to_owned(), values }
}

fn place(
    database: &str,
    prepared: &PreparedDatabase,
    config: &Config,
    notes: &mut Vec<String>,
) -> SecretPlace {
    let namespace = prepared.secret_namespace.clone().filter(|name| !name.is_empty());
    if namespace.is_some() && !config.secrets.enable_cross_namespace_secret {
        notes.push(format!(
            "secretNamespace of the prepared database {database} means nothing: enable_cross_namespace_secret is false, and its Secrets are in the namespace of the cluster"
        ));
        return SecretPlace::default();
    }
    SecretPlace { namespace }
}

/// The roles of one database or schema.
struct Group {
    prefix: String,
    /// May grant the owner.
    owner_admin: String,
    search_path: Parameter,
    has_users: bool,
    secret: SecretPlace,
}

impl Group {
    fn add(&self, all: &mut ManifestRoles) -> Result<(), String> {
        let Self { prefix, owner_admin, .. } = self;
        let owner = format!("{prefix}_owner");
        for (kind, inherits) in [("owner", None), ("reader", None), ("writer", Some("reader"))] {
            let is_owner = kind == "owner";
            let admin = if is_owner { owner_admin } else { &owner };
            let group = format!("{prefix}_{kind}");
            let inherits = inherits.map(|other| format!("{prefix}_{other}"));
            self.role(&group, inherits.as_deref(), admin, Attributes::NOLOGIN, is_owner, all)?;
            if self.has_users {
                let user = format!("{group}_user");
                self.role(&user, Some(&group), admin, Attributes::LOGIN, is_owner, all)?;
            }
        }
        Ok(())
    }

    fn role(
        &self,
        text: &str,
        member_of: Option<&str>,
        admin: &str,
        attributes: Attributes,
        is_database_owner: bool,
        all: &mut ManifestRoles,
    ) -> Result<(), String> {
        let name = name::role(text)?;
        if all.roles.contains_key(&name) {
            all.notes.push(format!(
                "two prepared databases or schemas would have the role {name}; it is as the first of them, databases before schemas, has it"
            ));
            return Ok(());
        }
        let role = |text: &str| RoleName::from_catalog(text.to_owned());
        let made = ManifestRole {
            origin: Origin::Prepared,
            attributes,
            member_of: member_of.into_iter().map(role).collect(),
            admins: BTreeSet::from([role(admin)]),
            parameters: vec![self.search_path.clone()],
            is_database_owner,
            secret: attributes.login.then(|| self.secret.clone()),
        };
        all.roles.insert(name, made);
        Ok(())
    }
}
