//! What is to be done so that a server has what is wanted: steps, and what stands in the way.
//!
//! In: what is wanted, and what the catalogs have. Out: steps in the order in which they are done.
//! Nothing is in a plan that drops or revokes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use teams_sync::role::RoleName;

use super::names::{DatabaseName, ExtensionName, SchemaName};
use super::observed::{Catalog, Server};
use super::report::Problem;
use super::wanted::{DefaultRoles, KEPT, Prepared, Wanted};

/// One thing to do in or about a database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    CreateDatabase {
        owner: RoleName,
    },
    SetOwner {
        owner: RoleName,
        was: String,
    },
    CreateSchema {
        schema: SchemaName,
        owner: RoleName,
        by: RoleName,
    },
    GrantUsage {
        schema: SchemaName,
        to: RoleName,
    },
    /// What `creator` makes from now on.
    SetDefaults {
        creator: RoleName,
        schema: Option<SchemaName>,
        to: RoleName,
        grants: Vec<Grant>,
    },
    CreateExtension {
        extension: ExtensionName,
        schema: SchemaName,
        by: RoleName,
    },
    MoveExtension {
        extension: ExtensionName,
        schema: SchemaName,
        was: String,
    },
}

/// Privileges on a kind of objects, as keywords of SQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Grant {
    pub(crate) privileges: Vec<&'static str>,
    pub(crate) on: &'static str,
}

/// A step, and the field of the manifest that wants it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Planned {
    pub(crate) database: DatabaseName,
    pub(crate) field: String,
    pub(crate) step: Step,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Planned>,
    pub(crate) problems: BTreeSet<Problem>,
    /// Databases that cannot be had as they are wanted.
    pub(crate) blocked: BTreeSet<DatabaseName>,
}

/// (`defaclobjtype`, what SQL calls it, privileges of readers, privileges of writers): what prepared
/// databases always gave. Writers are readers by membership.
type Kind = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);
const KINDS: [Kind; 5] = [
    ("r", "tables", &["SELECT"], &["INSERT", "UPDATE", "DELETE"]),
    ("S", "sequences", &["SELECT"], &["USAGE", "UPDATE"]),
    ("f", "functions", &["EXECUTE"], &["EXECUTE"]),
    ("T", "types", &["USAGE"], &["USAGE"]),
    ("n", "schemas", &["USAGE"], &["USAGE"]),
];
/// The one of them that no schema can have in it.
const SCHEMAS: &str = "n";

impl Plan {
    fn step(&mut self, database: &DatabaseName, field: &str, step: Step) {
        self.steps.push(Planned { database: database.clone(), field: field.to_owned(), step });
    }

    fn problem(&mut self, database: &DatabaseName, field: &str, reason: String) {
        let (database, field) = (database.clone(), field.to_owned());
        self.problems.insert(Problem { database, field, reason });
    }

    fn block(&mut self, database: &DatabaseName, field: &str, reason: String) {
        self.problem(database, field, reason);
        self.blocked.insert(database.clone());
    }
}

/// Where a prepared database stands in a manifest.
pub(crate) fn field(database: &DatabaseName) -> String {
    format!("spec.preparedDatabases.{database}")
}

/// Which databases are to be made, or to get another owner.
pub(crate) fn of_server(wanted: &Wanted, server: &Server) -> Plan {
    let mut plan = Plan::default();
    for (database, (field, owner)) in owners(wanted, &mut plan) {
        let there = server.databases.get(database.as_str());
        if database.is_initial() && there.is_some_and(|now| !now.is(owner)) {
            // That of `spec.databases` is a note of the manifest, see `Wanted::notes`.
            if wanted.prepared.contains_key(database) {
                plan.block(database, &field, KEPT.to_owned());
            }
            continue;
        }
        if !server.has_role(owner) {
            let reason = format!("its owner, the role {owner}, does not exist");
            plan.block(database, &field, reason);
            continue;
        }
        match there {
            None if database.is_initial() => {
                let reason = "it is made with a cluster and not here, and this one has none";
                plan.block(database, &field, reason.to_owned());
            }
            None => plan.step(database, &field, Step::CreateDatabase { owner: owner.clone() }),
            Some(now) if !now.is(owner) => {
                let was = now.shown.clone();
                plan.step(database, &field, Step::SetOwner { owner: owner.clone(), was });
            }
            Some(_) => {}
        }
    }
    plan
}

/// Who owns what, and which field says so. `spec.databases` counts where both name a database.
fn owners<'a>(
    wanted: &'a Wanted,
    plan: &mut Plan,
) -> BTreeMap<&'a DatabaseName, (String, &'a RoleName)> {
    let mut owners = BTreeMap::new();
    for (database, owner) in &wanted.databases {
        owners.insert(database, (format!("spec.databases.{database}"), owner));
    }
    for (database, prepared) in &wanted.prepared {
        match wanted.databases.get(database) {
            None => {
                owners.insert(database, (field(database), &prepared.owner));
            }
            Some(owner) if *owner != prepared.owner => {
                let reason = format!(
                    "it is in spec.databases as well, so its owner is {owner} and not {}",
                    prepared.owner
                );
                plan.problem(database, &field(database), reason);
            }
            Some(_) => {}
        }
    }
    owners
}

/// What is to be done in a prepared database that `owner` owns.
pub(crate) fn of_database(
    database: &DatabaseName,
    prepared: &Prepared,
    owner: &RoleName,
    server: &Server,
    catalog: &Catalog,
) -> Plan {
    let mut here = Here { database, owner, server, catalog, plan: Plan::default() };
    let own = field(database);
    let mut schemas: BTreeSet<&str> = catalog.schemas.keys().map(String::as_str).collect();
    here.defaults(&own, None, &prepared.default_roles);
    for (schema, wanted) in &prepared.schemas {
        let field = format!("{own}.schemas.{schema}");
        if !catalog.schemas.contains_key(schema.as_str()) {
            if !here.has_role(&field, &wanted.owner) {
                continue;
            }
            let (owner, by) = (wanted.owner.clone(), here.owner.clone());
            let step = Step::CreateSchema { schema: schema.clone(), owner, by };
            here.plan.step(database, &field, step);
            schemas.insert(schema.as_str());
        }
        for roles in &wanted.default_roles {
            here.usage(&field, schema, roles, &wanted.owner);
        }
        for roles in &wanted.default_roles {
            here.defaults(&field, Some(schema), roles);
        }
    }
    here.extensions(&prepared.extensions, &schemas);
    here.plan
}

struct Here<'a> {
    database: &'a DatabaseName,
    owner: &'a RoleName,
    server: &'a Server,
    catalog: &'a Catalog,
    plan: Plan,
}

impl Here<'_> {
    /// Says so where it does not exist.
    fn has_role(&mut self, field: &str, role: &RoleName) -> bool {
        let there = self.server.has_role(role);
        if !there {
            let reason = format!("the role {role} does not exist");
            self.plan.problem(self.database, field, reason);
        }
        there
    }

    fn usage(&mut self, field: &str, schema: &SchemaName, roles: &DefaultRoles, owner: &RoleName) {
        let row = self.catalog.schemas.get(schema.as_str());
        for to in [&roles.reader, &roles.writer] {
            let has = match row {
                Some(row) => row.usage.contains(to.as_str()),
                None => to == owner,
            };
            if !has && self.has_role(field, to) {
                let step = Step::GrantUsage { schema: schema.clone(), to: to.clone() };
                self.plan.step(self.database, field, step);
            }
        }
    }

    fn defaults(&mut self, field: &str, schema: Option<&SchemaName>, roles: &DefaultRoles) {
        for creator in &roles.creators {
            if !self.has_role(field, creator) {
                continue;
            }
            for (to, writes) in [(&roles.reader, false), (&roles.writer, true)] {
                let grants = match to == creator {
                    // She has all of it, and PostgreSQL keeps no row that says so.
                    true => Vec::new(),
                    false => self.missing(creator, schema, to, writes),
                };
                if !grants.is_empty() && self.has_role(field, to) {
                    let (creator, schema, to) = (creator.clone(), schema.cloned(), to.clone());
                    let step = Step::SetDefaults { creator, schema, to, grants };
                    self.plan.step(self.database, field, step);
                }
            }
        }
    }

    fn missing(
        &self,
        creator: &RoleName,
        schema: Option<&SchemaName>,
        to: &RoleName,
        writes: bool,
    ) -> Vec<Grant> {
        let schema = schema.map(SchemaName::as_str);
        let kinds = KINDS.iter().filter(|(kind, ..)| schema.is_none() || *kind != SCHEMAS);
        let grants = kinds.map(|&(kind, on, read, write)| {
            let all = if writes { write } else { read };
            let has =
                |privilege: &str| self.catalog.has_default(creator, schema, (kind, privilege), to);
            Grant { privileges: all.iter().copied().filter(|one| !has(one)).collect(), on }
        });
        grants.filter(|grant| !grant.privileges.is_empty()).collect()
    }

    fn extensions(
        &mut self,
        wanted: &BTreeMap<ExtensionName, SchemaName>,
        schemas: &BTreeSet<&str>,
    ) {
        for extension in in_order(wanted, self.catalog) {
            let Some(schema) = wanted.get(extension) else { continue };
            let field = format!("{}.extensions.{extension}", field(self.database));
            let now = self.catalog.extensions.get(extension.as_str());
            if now.is_some_and(|now| now.schema == schema.as_str()) {
                continue;
            }
            match self.extension(extension, schema, schemas) {
                Ok(step) => self.plan.step(self.database, &field, step),
                Err(reason) => self.plan.problem(self.database, &field, reason),
            }
        }
    }

    /// One that is not where it is to be.
    fn extension(
        &self,
        extension: &ExtensionName,
        schema: &SchemaName,
        schemas: &BTreeSet<&str>,
    ) -> Result<Step, String> {
        let now = self.catalog.extensions.get(extension.as_str());
        if now.is_none() && !self.catalog.available.contains_key(extension.as_str()) {
            return Err(format!("the server has no extension {extension} to install"));
        }
        if !schemas.contains(schema.as_str()) {
            return Err(format!("the schema {schema} does not exist in {}", self.database));
        }
        let (extension, schema) = (extension.clone(), schema.clone());
        match now {
            None => Ok(Step::CreateExtension { extension, schema, by: self.owner.clone() }),
            Some(now) => {
                let was = SchemaName::from_catalog(now.schema.clone()).to_string();
                match now.relocatable {
                    true => Ok(Step::MoveExtension { extension, schema, was }),
                    false => Err(format!(
                        "the extension {extension} is in schema {was} and cannot be moved to \
                         {schema}: it is not relocatable"
                    )),
                }
            }
        }
    }
}

/// What others need comes first.
fn in_order<'a>(
    wanted: &'a BTreeMap<ExtensionName, SchemaName>,
    catalog: &Catalog,
) -> Vec<&'a ExtensionName> {
    let mut rest: Vec<&ExtensionName> = wanted.keys().collect();
    let mut order = Vec::new();
    while !rest.is_empty() {
        let waits = |one: &&ExtensionName| {
            let needs = catalog.available.get(one.as_str());
            needs.is_some_and(|needs| {
                rest.iter().any(|other| other != one && needs.contains(other.as_str()))
            })
        };
        let (later, now): (Vec<_>, Vec<_>) = rest.iter().copied().partition(waits);
        // A circle is for the server to refuse.
        let stuck = now.is_empty();
        order.extend(if stuck { later.clone() } else { now });
        rest = if stuck { Vec::new() } else { later };
    }
    order
}

impl Step {
    /// The schema that has to be there for it.
    pub(crate) fn schema(&self) -> Option<&SchemaName> {
        match self {
            Self::CreateDatabase { .. } | Self::SetOwner { .. } => None,
            Self::SetDefaults { schema, .. } => schema.as_ref(),
            Self::CreateSchema { schema, .. }
            | Self::GrantUsage { schema, .. }
            | Self::CreateExtension { schema, .. }
            | Self::MoveExtension { schema, .. } => Some(schema),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = &self.database;
        match &self.step {
            Step::CreateDatabase { owner } => {
                write!(f, "create database {database}, owner {owner}")
            }
            Step::SetOwner { owner, was } => {
                write!(f, "give database {database} to {owner}; its owner was {was}")
            }
            Step::CreateSchema { schema, owner, .. } => {
                write!(f, "create schema {schema} in database {database}, owner {owner}")
            }
            Step::GrantUsage { schema, to } => {
                write!(f, "grant USAGE on schema {schema} in database {database} to {to}")
            }
            Step::SetDefaults { creator, schema, to, grants } => {
                let grants: Vec<_> = grants.iter().map(ToString::to_string).collect();
                write!(f, "grant {to} what {creator} makes in ")?;
                match schema {
                    Some(schema) => write!(f, "schema {schema} of database {database}")?,
                    None => write!(f, "database {database}")?,
                }
                write!(f, ": {}", grants.join("; "))
            }
            Step::CreateExtension { extension, schema, .. } => {
                write!(f, "create extension {extension} in schema {schema} of database {database}")
            }
            Step::MoveExtension { extension, schema, was } => write!(
                f,
                "move extension {extension} of database {database} from schema {was} to {schema}"
            ),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.privileges.join(", "), self.on)
    }
}
