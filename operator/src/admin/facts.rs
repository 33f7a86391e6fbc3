//! What the rest of the operator tells the board: clusters, roles, the queue, the configuration.
//!
//! Data only. What may be a secret is taken out when it is put on the board; of an object, whenever
//! it is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::redact::{REDACTED, redact};
use crate::cluster::ClusterId;
use crate::packed;

/// How many workers there are, and how much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Workers, whose numbers begin with 0.
    pub workers: usize,
    /// `ring_log_lines`: of each cluster and of each worker.
    pub log_lines: usize,
    /// `cluster_history_entries`.
    pub history_entries: usize,
}

/// A cluster as it was seen last.
#[derive(Clone, Default)]
pub struct ClusterFacts {
    /// `teamId`.
    pub team: String,
    /// Of the manifest.
    pub uid: String,
    /// Of the manifest.
    pub spec: Shown,
    /// What was made for it.
    pub objects: Objects,
    /// Names of its databases.
    pub databases: Vec<String>,
    /// `PostgresClusterStatus`.
    pub phase: String,
    /// What failed last, if it still fails.
    pub error: Option<String>,
}

/// Nothing that may hold a secret: it was not redacted yet.
impl fmt::Debug for ClusterFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterFacts")
            .field("team", &self.team)
            .field("uid", &self.uid)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

/// Something of a cluster as the caches have it, which costs nothing until somebody asks: it is JSON
/// then, without what may be a secret.
#[derive(Clone)]
pub struct Shown(Arc<dyn Json>);

trait Json: Send + Sync {
    fn json(&self) -> Value;
}

impl<T: Serialize + Send + Sync> Json for T {
    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Shown {
    pub fn of(object: Arc<impl Serialize + Send + Sync + 'static>) -> Self {
        Self(object)
    }
}

impl Default for Shown {
    fn default() -> Self {
        Self(Arc::new(Value::Null))
    }
}

/// Nothing that may hold a secret.
impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = self.0.json();
        packed::unpack(&mut value);
        redact(&mut value);
        value.serialize(serializer)
    }
}

/// Objects of a cluster; `None` is one that does not exist.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Objects {
    pub master_service: Option<Shown>,
    pub replica_service: Option<Shown>,
    pub master_endpoint: Option<Shown>,
    pub replica_endpoint: Option<Shown>,
    pub stateful_set: Option<Shown>,
    pub primary_pod_disruption_budget: Option<Shown>,
    pub critical_op_pod_disruption_budget: Option<Shown>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

/// A cluster that waits for a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueEntry {
    pub cluster: ClusterId,
    /// One word: what happened to it.
    pub why: String,
    pub since: Timestamp,
}

/// The `controller` part of `/config/`: how the operator was started.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ControllerFacts {
    pub no_database_access: bool,
    #[serde(rename = "NoTeamsAPI")]
    pub no_teams_api: bool,
    /// Nanoseconds.
    #[serde(rename = "CRDReadyWaitInterval")]
    pub crd_ready_wait_interval: u64,
    /// Nanoseconds.
    #[serde(rename = "CRDReadyWaitTimeout")]
    pub crd_ready_wait_timeout: u64,
    /// `ns/name`.
    pub config_map_name: String,
    pub namespace: String,
    pub ignored_annotations: Option<Vec<String>>,
    pub enable_json_logging: bool,
    #[serde(rename = "KubeQPS")]
    pub kube_qps: u32,
    pub kube_burst: u32,
}

/// A role that exists in every cluster. Its password is not here, so nothing can tell it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InfrastructureRole {
    pub name: String,
    pub flags: Option<Vec<String>>,
    pub member_of: Option<Vec<String>>,
    pub parameters: Option<BTreeMap<String, String>>,
    pub admin_role: String,
}

/// An infrastructure role with all fields that its readers compare.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleShape<'a> {
    origin: u8,
    name: &'a str,
    namespace: &'static str,
    password: &'static str,
    flags: &'a Option<Vec<String>>,
    member_of: &'a Option<Vec<String>>,
    parameters: &'a Option<BTreeMap<String, String>>,
    admin_role: &'a str,
    is_db_owner: bool,
    deleted: bool,
    rotated: bool,
    degraded: bool,
}

/// Where infrastructure roles come from among all origins of roles.
const ORIGIN: u8 = 2;

impl<'a> From<&'a InfrastructureRole> for RoleShape<'a> {
    fn from(role: &'a InfrastructureRole) -> Self {
        Self {
            origin: ORIGIN,
            name: &role.name,
            namespace: "",
            password: REDACTED,
            flags: &role.flags,
            member_of: &role.member_of,
            parameters: &role.parameters,
            admin_role: &role.admin_role,
            is_db_owner: false,
            deleted: false,
            rotated: false,
            degraded: false,
        }
    }
}

/// An object of a cluster whose manifest does not exist.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Orphan {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

/// What the last sync of people said about a cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RoleSync {
    /// Who can log in.
    pub people: usize,
    /// Plans that wait for a person.
    pub held_plans: usize,
    /// Teams of which nothing new is known.
    pub frozen_teams: usize,
}
