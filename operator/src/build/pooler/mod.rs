//! Connection poolers: one Deployment and one Service for the primary, and one of each for the
//! replicas, as somebody asks for them.
//!
//! In: a cluster and a configuration. Out: what a pooler is made of, its objects, and the list of
//! users that PgBouncer reads. Everything in an order of its own, so that nothing is rolled for it.
//! Nobody but applications logs in through one: people have tokens, which PgBouncer cannot pass on.

use std::collections::BTreeMap;

use super::names::{self, Role};
use crate::api::postgresql::FieldError;
use crate::api::spec::{ConnectionPooler, PostgresSpec};
use crate::cluster::Cluster;
use crate::config::{self, Config, Labels};
use crate::databases::SchemaName;

mod deployment;
mod service;
#[cfg(test)]
mod tests;
mod user_list;

pub use deployment::{Facts, INFRASTRUCTURE_ROLES, SCHEMA, USER, deployment};
pub use service::service;
pub use user_list::{MAP_KEY, UserList};

/// The label of everything that belongs to poolers, in place of the cluster's own.
pub const APPLICATION: (&str, &str) = ("application", "db-connection-pooler");
/// Which of the two it belongs to.
pub const LABEL: &str = "connection-pooler";
/// Which list of users it is, where there was another one before: on its Secret, and on the pods
/// that read it. A file in a pod stays as it was, so that pods have to be made anew.
pub const VERSION: &str = "acid.zalan.do/pooler-users";
/// Of all instances together, where nothing is said.
const MAX_DB_CONNECTIONS: i32 = 60;

/// What the poolers of a cluster are: the manifest over the configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pooler {
    /// The Services that have one, never none.
    pub roles: Vec<Role>,
    pub user: String,
    pub schema: String,
    pub mode: String,
    pub image: String,
    pub instances: i32,
    /// Of all instances together, to each database.
    pub max_db_connections: i32,
}

impl Pooler {
    /// `None`: no schema can be called so, which was checked before.
    pub fn schema(&self) -> Option<SchemaName> {
        SchemaName::parse("connectionPooler.schema", &self.schema).ok()
    }
}

/// `None`: nobody asks for one. For the primary a section without a flag does, for replicas only
/// their flag.
pub fn of(spec: &PostgresSpec, config: &Config) -> Option<Pooler> {
    let section = spec.connection_pooler.as_ref();
    let primary = spec.enable_connection_pooler.unwrap_or(section.is_some());
    let replicas = spec.enable_replica_connection_pooler.unwrap_or(false);
    let wanted = |role: &Role| match role {
        Role::Master => primary,
        Role::Replica => replicas,
    };
    let roles: Vec<Role> = Role::ALL.into_iter().filter(wanted).collect();
    if roles.is_empty() {
        return None;
    }
    let nothing = ConnectionPooler::default();
    let (said, usual) = (section.unwrap_or(&nothing), &config.poolers);
    let text = |said: &Option<String>, usual: &String| {
        said.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| usual.clone())
    };
    let most = said.max_db_connections.unwrap_or(usual.max_db_connections);
    Some(Pooler {
        roles,
        user: text(&said.user, &usual.user),
        schema: text(&said.schema, &usual.schema),
        mode: text(&said.mode, &usual.mode),
        image: text(&said.docker_image, &usual.image),
        instances: said.number_of_instances.unwrap_or(usual.number_of_instances).max(1),
        max_db_connections: if most > 0 { most } else { MAX_DB_CONNECTIONS },
    })
}

/// `C-pooler` or `C-pooler-repl`: the Deployment and its Service.
pub fn name(cluster: &str, role: Role) -> String {
    match role {
        Role::Master => format!("{cluster}-pooler"),
        Role::Replica => format!("{cluster}-pooler-repl"),
    }
}

/// The Secret with the users that one of them knows.
pub fn user_list(cluster: &str, role: Role) -> String {
    format!("{}-u", name(cluster, role))
}

/// By which the pods of one are found.
pub fn base_labels(cluster: &str, role: Role, labels: &Labels) -> BTreeMap<String, String> {
    let mut all = names::base_labels(cluster, labels);
    all.insert(APPLICATION.0.to_owned(), APPLICATION.1.to_owned());
    all.insert(LABEL.to_owned(), name(cluster, role));
    all
}

/// That every object of one has.
pub fn labels(cluster: &Cluster, role: Role, labels: &Labels) -> BTreeMap<String, String> {
    let mut all = names::labels(cluster, labels);
    all.extend(base_labels(&cluster.id.name, role, labels));
    names::with_role(all, role, labels)
}

/// Whether pods of poolers could be taken for pods of databases, and why.
pub fn confusion(labels: &Labels) -> Option<String> {
    let (key, own) = APPLICATION;
    match labels.cluster_labels.get(key) {
        Some(value) if value != own => None,
        other => Some(format!(
            "cluster_labels has to have {key} with another value than {own}, and has {}: pods of poolers would be taken for databases",
            other.map_or("none", |_| "that")
        )),
    }
}

/// The longest name of a Service, and value of a label.
const LONGEST_NAME: usize = 63;

/// Whether a cluster is called too long for its poolers, and how long it could be.
pub fn is_too_long(cluster: &str, pooler: &Pooler) -> Option<String> {
    let suffix = |role: &Role| name("", *role).len();
    let longest = LONGEST_NAME.saturating_sub(pooler.roles.iter().map(suffix).max()?);
    (cluster.len() > longest).then(|| {
        format!("a cluster with these poolers has a name of at most {longest} characters, and {cluster} has {}", cluster.len())
    })
}

/// For LISTs and watches of Deployments.
pub fn selector(labels: &Labels) -> String {
    selected(labels, |_| format!("{}={},{LABEL}", APPLICATION.0, APPLICATION.1))
}

/// For watches of kinds that clusters and poolers both have.
pub fn selector_of_both(labels: &Labels) -> String {
    selected(labels, |value| format!("{} in ({value},{})", APPLICATION.0, APPLICATION.1))
}

fn selected(labels: &Labels, application: impl Fn(&str) -> String) -> String {
    let all = labels.cluster_labels.iter().map(|(key, value)| match key == APPLICATION.0 {
        true => application(value),
        false => format!("{key}={value}"),
    });
    all.collect::<Vec<_>>().join(",")
}

/// # Errors
/// The first field that PgBouncer or Kubernetes could not take.
pub fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    let Some(said) = &spec.connection_pooler else { return Ok(()) };
    let at = |field: &str| format!("spec.connectionPooler.{field}");
    for (field, number) in [
        ("numberOfInstances", said.number_of_instances),
        ("maxDBConnections", said.max_db_connections),
    ] {
        if number.is_some_and(|number| number < 1) {
            let reason = "must be at least 1; enableConnectionPooler: false switches it off";
            return Err(FieldError::new(at(field), reason));
        }
    }
    type Check = fn(&str) -> Result<(), String>;
    let texts: [(&str, &Option<String>, Check); 4] = [
        ("user", &said.user, config::pooler_user),
        ("schema", &said.schema, config::pooler_schema),
        ("mode", &said.mode, config::one_of_pool_modes),
        ("dockerImage", &said.docker_image, config::image),
    ];
    for (field, text, holds) in texts {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { continue };
        holds(text).map_err(|reason| {
            FieldError::new(at(field), format!("\"{}\": {reason}", text.escape_debug()))
        })?;
    }
    match &said.resources {
        Some(resources) => super::resources::check(resources, &at("resources")),
        None => Ok(()),
    }
}
