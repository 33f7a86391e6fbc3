//! A manifest -> a cluster that can be worked with, or the field that keeps it from being one.
//! Pure. A cluster that runs is never touched by a manifest that is refused here.

mod sources;
mod spellings;
mod unused;

use std::collections::BTreeMap;

use teams_sync::role::RoleName;

use crate::api::postgresql::{FieldError, Postgresql};
use crate::api::spec::{PostgresSpec, PreparedDatabase};
use crate::build;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::databases::{
    BadName, DatabaseName, ExtensionName, Prepared, PreparedSchema, SchemaName, Wanted,
};
use crate::roles::{self, ManifestRoles};
use crate::{upgrade, windows};

/// What a manifest asks for and gets not, or not as it says.
pub fn notes(cluster: &Cluster, config: &Config) -> Vec<String> {
    let mut notes = unused::notes(&cluster.spec);
    notes.extend(spellings::notes(&cluster.spec));
    notes.extend(sources::notes(&cluster.id.name, &cluster.spec, config));
    notes
}

/// A manifest that was understood.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub cluster: Cluster,
    pub roles: ManifestRoles,
    pub databases: Wanted,
}

/// # Errors
/// The first field that is wrong, and why.
pub fn validate(manifest: &Postgresql, config: &Config) -> Result<Accepted, FieldError> {
    let missing = || FieldError::new("metadata.name", "the object has no name or namespace");
    let id = ClusterId::of(manifest).ok_or_else(missing)?;
    let mut spec = manifest.parsed()?;
    // All that is made is made for the version that the cluster is to have.
    spec.postgresql.version = upgrade::version::wanted(&spec.postgresql.version, config);
    check_name(&id, &spec.team_id, config)?;
    build::service::check_services(&spec)?;
    build::pod::check_pods(&spec, config)?;
    build::pooler::check(&spec)?;
    build::backup::check(&spec)?;
    sources::check(&spec)?;
    check_windows(&spec.maintenance_windows)?;
    let databases = databases(&id, &spec)?;
    let cluster = Cluster::new(id, &manifest.metadata, spec);
    let roles = roles::of_manifest(&cluster, config)?;
    Ok(Accepted { cluster, roles, databases })
}

fn check_windows(windows: &[String]) -> Result<(), FieldError> {
    for (index, window) in windows.iter().enumerate() {
        windows::check(window).map_err(|reason| {
            let field = format!("spec.maintenanceWindows[{index}]");
            FieldError::new(field, format!("{window:?} {reason}"))
        })?;
    }
    Ok(())
}

fn databases(id: &ClusterId, spec: &PostgresSpec) -> Result<Wanted, FieldError> {
    let mut wanted = Wanted::default();
    for (name, owner) in &spec.databases {
        let field = format!("spec.databases.{name}");
        let database = DatabaseName::parse(&field, name).map_err(refused)?;
        let owner = RoleName::parse(owner).map_err(|error| {
            FieldError::new(&field, format!("the owner {owner:?} cannot be a role: {error}"))
        });
        wanted.databases.insert(database, owner?);
    }
    for (name, prepared) in spec.prepared(&id.name) {
        let field = format!("spec.preparedDatabases.{name}");
        let database = DatabaseName::parse_prepared(&field, &name).map_err(refused)?;
        let prepared = prepared_database(&database, &prepared, &field)?;
        wanted.prepared.insert(database, prepared);
    }
    Ok(wanted)
}

fn prepared_database(
    database: &DatabaseName,
    prepared: &PreparedDatabase,
    field: &str,
) -> Result<Prepared, FieldError> {
    let mut schemas = BTreeMap::new();
    for (name, schema) in prepared.named_schemas() {
        let field = format!("{field}.schemas.{name}");
        let style = PreparedSchema {
            default_roles: schema.default_roles.unwrap_or(true),
            default_users: schema.default_users,
        };
        schemas.insert(SchemaName::parse(&field, &name).map_err(refused)?, style);
    }
    let mut extensions = BTreeMap::new();
    for (name, schema) in &prepared.extensions {
        let field = format!("{field}.extensions.{name}");
        let extension = ExtensionName::parse(&field, name).map_err(refused)?;
        let schema = SchemaName::parse_existing(&field, schema).map_err(refused)?;
        extensions.insert(extension, schema);
    }
    Prepared::new(database, prepared.default_users, &schemas, extensions)
        .map_err(|error| FieldError::new(field, format!("a role of it cannot be made: {error}")))
}

fn refused(bad: BadName) -> FieldError {
    let reason = bad.to_string();
    let reason = reason.strip_prefix(&format!("{}: ", bad.field)).unwrap_or(&reason).to_owned();
    FieldError::new(bad.field, reason)
}

/// The longest name of which Kubernetes makes a Service with our longest suffix.
const LONGEST_NAME: usize = 58;

fn check_name(id: &ClusterId, team: &str, config: &Config) -> Result<(), FieldError> {
    let refused = |reason: String| Err(FieldError::new("metadata.name", reason));
    let name = &id.name;
    let is_label = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-');
    if !is_label || name.len() > LONGEST_NAME {
        return refused(format!(
            "{name:?} cannot be the name of a Service: it takes 1 to {LONGEST_NAME} characters of a-z, 0-9 and -, a letter first and no - at the end"
        ));
    }
    if !config.operation.enable_team_id_clustername_prefix {
        return Ok(());
    }
    if team.is_empty() {
        return Err(FieldError::new("spec.teamId", "it is empty"));
    }
    let prefix = format!("{}-", team.to_lowercase());
    if !name.starts_with(&prefix) || name.len() == prefix.len() {
        return refused(format!("{name:?} has to begin with {prefix:?}, the name of its team"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
