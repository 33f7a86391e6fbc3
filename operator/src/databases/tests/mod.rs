//! The pure middle: names, roles of prepared databases, plans and their statements.

mod names;
mod plan;

use std::collections::BTreeMap;

use teams_sync::role::RoleName;

use super::*;

fn role(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}

fn database(name: &str) -> DatabaseName {
    DatabaseName::parse("spec.databases", name).unwrap()
}

fn schema(name: &str) -> SchemaName {
    SchemaName::parse("spec.preparedDatabases.bar.schemas", name).unwrap()
}

fn extension(name: &str) -> ExtensionName {
    ExtensionName::parse("spec.preparedDatabases.bar.extensions", name).unwrap()
}

/// `bar` with the schema `data` and what is in it, as manifests have it.
fn bar(style: PreparedSchema, users: bool, extensions: &[(&str, &str)]) -> Prepared {
    let schemas = BTreeMap::from([(schema("data"), style)]);
    let extensions = extensions.iter().map(|(name, place)| {
        (extension(name), SchemaName::parse_existing("extensions", place).unwrap())
    });
    Prepared::new(&database("bar"), users, &schemas, extensions.collect()).unwrap()
}
