//! The spec of a `postgresql`: every field that the reference knows.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvFromSource, EnvVar, NodeAffinity, Probe, Toleration,
    TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lenient::{maps_of_texts, null_is_default, optional_text, text, texts};

/// Sizes and amounts are text as Kubernetes quantities are (`10Gi`, `100m`); numbers become text.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresSpec {
    pub team_id: String,
    pub number_of_instances: i32,
    pub postgresql: Postgres,
    pub volume: Volume,
    pub resources: Option<Resources>,
    /// Name -> flags.
    #[serde(default, deserialize_with = "null_is_default")]
    pub users: BTreeMap<String, Option<Vec<String>>>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub users_ignoring_secret_rotation: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub users_with_secret_rotation: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub users_with_in_place_secret_rotation: Vec<String>,
    /// Name -> owner.
    #[serde(default, deserialize_with = "null_is_default")]
    pub databases: BTreeMap<String, String>,
    /// `None` is no prepared database, an empty map is one with the name of the cluster.
    pub prepared_databases: Option<BTreeMap<String, Option<PreparedDatabase>>>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub allowed_source_ranges: Vec<String>,
    pub enable_master_load_balancer: Option<bool>,
    pub enable_replica_load_balancer: Option<bool>,
    pub enable_master_pooler_load_balancer: Option<bool>,
    pub enable_replica_pooler_load_balancer: Option<bool>,
    pub enable_master_node_port: Option<bool>,
    pub enable_replica_node_port: Option<bool>,
    pub enable_master_pooler_node_port: Option<bool>,
    pub enable_replica_pooler_node_port: Option<bool>,
    pub master_node_port: Option<i32>,
    pub replica_node_port: Option<i32>,
    pub master_pooler_node_port: Option<i32>,
    pub replica_pooler_node_port: Option<i32>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub service_annotations: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub master_service_annotations: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub replica_service_annotations: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub pod_annotations: BTreeMap<String, String>,
    pub patroni: Option<Patroni>,
    pub docker_image: Option<String>,
    pub spilo_run_as_user: Option<i64>,
    pub spilo_run_as_group: Option<i64>,
    #[serde(rename = "spiloFSGroup")]
    pub spilo_fs_group: Option<i64>,
    pub scheduler_name: Option<String>,
    pub node_affinity: Option<NodeAffinity>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tolerations: Vec<Toleration>,
    pub liveness_probe: Option<Probe>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub sidecars: Vec<Sidecar>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub init_containers: Vec<Container>,
    pub pod_priority_class_name: Option<String>,
    pub enable_shm_volume: Option<bool>,
    pub tls: Option<Tls>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub additional_volumes: Vec<AdditionalVolume>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub env: Vec<EnvVar>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub env_from: Vec<EnvFromSource>,
    pub clone: Option<CloneFrom>,
    pub standby: Option<Standby>,
    pub enable_connection_pooler: Option<bool>,
    pub enable_replica_connection_pooler: Option<bool>,
    pub connection_pooler: Option<ConnectionPooler>,
    pub enable_logical_backup: Option<bool>,
    pub logical_backup_schedule: Option<String>,
    pub logical_backup_retention: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub maintenance_windows: Vec<String>,
    /// Not ours.
    #[serde(default, deserialize_with = "null_is_default")]
    pub streams: Vec<Value>,
}

impl PostgresSpec {
    /// The prepared databases, by name. The field without anything in it means one with the name
    /// of the cluster.
    pub fn prepared(&self, cluster: &str) -> BTreeMap<String, PreparedDatabase> {
        let Some(named) = &self.prepared_databases else { return BTreeMap::new() };
        if named.is_empty() {
            return BTreeMap::from([(cluster.replace('-', "_"), PreparedDatabase::default())]);
        }
        let own = |database: &Option<PreparedDatabase>| database.clone().unwrap_or_default();
        named.iter().map(|(name, database)| (name.clone(), own(database))).collect()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Postgres {
    /// Major version: `"15"`.
    #[serde(deserialize_with = "text")]
    pub version: String,
    #[serde(default, deserialize_with = "texts")]
    pub parameters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    #[serde(deserialize_with = "text")]
    pub size: String,
    pub storage_class: Option<String>,
    pub selector: Option<LabelSelector>,
    pub sub_path: Option<String>,
    pub is_sub_path_expr: Option<bool>,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    #[serde(rename = "type")]
    pub type_: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Resources {
    #[serde(default, deserialize_with = "null_is_default")]
    pub requests: ResourceAmounts,
    #[serde(default, deserialize_with = "null_is_default")]
    pub limits: ResourceAmounts,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ResourceAmounts {
    #[serde(default, deserialize_with = "optional_text")]
    pub cpu: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    pub memory: Option<String>,
    #[serde(rename = "hugepages-2Mi", default, deserialize_with = "optional_text")]
    pub hugepages_2mi: Option<String>,
    #[serde(rename = "hugepages-1Gi", default, deserialize_with = "optional_text")]
    pub hugepages_1gi: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreparedDatabase {
    #[serde(default, deserialize_with = "null_is_default")]
    pub schemas: BTreeMap<String, Option<PreparedSchema>>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub default_users: bool,
    /// Extension -> schema.
    #[serde(default, deserialize_with = "null_is_default")]
    pub extensions: BTreeMap<String, String>,
    pub secret_namespace: Option<String>,
}

impl PreparedDatabase {
    /// Its schemas, by name; one that is called `data` where none is named.
    pub fn named_schemas(&self) -> BTreeMap<String, PreparedSchema> {
        if self.schemas.is_empty() {
            return BTreeMap::from([("data".to_owned(), PreparedSchema::default())]);
        }
        let own = |schema: &Option<PreparedSchema>| schema.clone().unwrap_or_default();
        self.schemas.iter().map(|(name, schema)| (name.clone(), own(schema))).collect()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreparedSchema {
    /// True where nothing is said.
    pub default_roles: Option<bool>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub default_users: bool,
}

/// What Patroni is told at the bootstrap, or through its API later.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Patroni {
    #[serde(default, deserialize_with = "texts")]
    pub initdb: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub pg_hba: Vec<String>,
    /// Seconds.
    pub ttl: Option<u32>,
    /// Seconds.
    pub loop_wait: Option<u32>,
    /// Seconds.
    pub retry_timeout: Option<u32>,
    /// Bytes.
    pub maximum_lag_on_failover: Option<i64>,
    #[serde(default, deserialize_with = "maps_of_texts")]
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
    pub synchronous_mode: Option<bool>,
    pub synchronous_mode_strict: Option<bool>,
    pub synchronous_node_count: Option<u32>,
    pub failsafe_mode: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sidecar {
    /// One is made for it where it is empty.
    #[serde(default)]
    pub name: String,
    #[serde(rename = "image")]
    pub docker_image: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub ports: Vec<ContainerPort>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub env: Vec<EnvVar>,
    pub resources: Option<Resources>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub command: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    pub secret_name: String,
    pub certificate_file: Option<String>,
    pub private_key_file: Option<String>,
    pub ca_file: Option<String>,
    pub ca_secret_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalVolume {
    pub name: String,
    pub mount_path: String,
    pub sub_path: Option<String>,
    pub is_sub_path_expr: Option<bool>,
    /// None is `postgres`, `all` is all.
    #[serde(default, deserialize_with = "null_is_default")]
    pub target_containers: Vec<String>,
    pub volume_source: k8s_openapi::api::core::v1::Volume,
}

/// What is not said is as the configuration has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPooler {
    pub number_of_instances: Option<i32>,
    pub schema: Option<String>,
    pub user: Option<String>,
    pub mode: Option<String>,
    pub docker_image: Option<String>,
    /// Of all instances together, to each database.
    #[serde(rename = "maxDBConnections")]
    pub max_db_connections: Option<i32>,
    pub resources: Option<Resources>,
}

/// `clone`.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub struct CloneFrom {
    pub cluster: String,
    pub uid: Option<String>,
    pub timestamp: Option<String>,
    pub s3_wal_path: Option<String>,
    pub s3_endpoint: Option<String>,
    pub s3_access_key_id: Option<String>,
    pub s3_secret_access_key: Option<String>,
    pub s3_force_path_style: Option<bool>,
}

/// Without keys of a cloud.
impl fmt::Debug for CloneFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneFrom")
            .field("cluster", &self.cluster)
            .field("uid", &self.uid)
            .field("timestamp", &self.timestamp)
            .field("s3_wal_path", &self.s3_wal_path)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Standby {
    pub s3_wal_path: Option<String>,
    pub gs_wal_path: Option<String>,
    pub standby_host: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    pub standby_port: Option<String>,
    pub standby_primary_slot_name: Option<String>,
}
