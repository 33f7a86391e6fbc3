//! How the operator is configured: everything that a ConfigMap or an `OperatorConfiguration`
//! can say, parsed and checked once.
//!
//! In: either form. Out: a [`Config`] with nothing left to interpret, and what is odd about it
//! in words. The names of fields are those of the keys (contract of zalando/postgres-operator),
//! so that a reader finds one by the other. What there is, is said in one table, [`keys`].

mod aliases;
mod backup;
mod check;
mod cross;
mod error;
mod infrastructure;
pub mod keys;
mod load;
mod pam;
mod read;
mod show;
mod syntax;
mod template;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use serde_json::Value;
use teams_sync::approve::Limits;

pub use backup::{Backup, Upgrade};
pub use error::{ConfigError, ConfigErrors};
pub use load::{Environment, Loaded, from_config_map, from_operator_configuration};
pub use show::{changes, needs_restart, redacted};
pub(crate) use syntax::{image, one_of_pool_modes, pooler_schema, pooler_user};

/// `[ns/]name`.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct NamespacedName {
    pub namespace: String,
    pub name: String,
}

impl NamespacedName {
    /// Without a namespace in it, `default` is meant.
    pub fn parse(text: &str, default: &str) -> Self {
        let (namespace, name) = text.split_once('/').unwrap_or((default, text));
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Everything, by theme.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub operation: Operation,
    pub labels: Labels,
    pub pods: Pods,
    pub resources: PodResources,
    pub volumes: Volumes,
    pub patroni: PatroniSettings,
    pub services: Services,
    pub disruption: Disruption,
    pub secrets: Secrets,
    pub identity: Identity,
    pub cloud: Cloud,
    pub sidecars: Sidecars,
    pub deletion: Deletion,
    pub backup: Backup,
    pub upgrade: Upgrade,
    pub poolers: Poolers,
    /// What was set and is not used.
    pub unused: Unused,
}

/// Values by the names of their keys. Some are secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Unused(pub BTreeMap<&'static str, Value>);

/// The names alone.
impl fmt::Debug for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How the operator itself runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    pub workers: usize,
    pub resync_period: Duration,
    pub repair_period: Duration,
    pub enable_crd_registration: bool,
    pub crd_categories: Vec<String>,
    /// `None`: the operator's own; `Some("*")`: all. A loaded configuration always says which.
    pub watched_namespace: Option<String>,
    pub api_port: u16,
    /// What callers of the HTTP API have to know; `None`: nothing. Ours.
    pub api_token_secret_name: Option<NamespacedName>,
    /// Ours.
    pub connect_to: ConnectTo,
    /// Between two looks at CRDs that were just made.
    pub ready_wait_interval: Duration,
    /// For how long these may take.
    pub ready_wait_timeout: Duration,
    pub ring_log_lines: usize,
    pub cluster_history_entries: usize,
    pub debug_logging: bool,
    pub resource_check_interval: Duration,
    pub resource_check_timeout: Duration,
    pub pod_label_wait_timeout: Duration,
    pub pod_deletion_wait_timeout: Duration,
    pub master_pod_move_timeout: Duration,
    pub patroni_api_check_interval: Duration,
    pub patroni_api_check_timeout: Duration,
    pub enable_owner_references: bool,
    pub enable_finalizers: bool,
    pub min_instances: i32,
    pub max_instances: i32,
    pub ignore_instance_limits_annotation_key: Option<String>,
    pub enable_team_id_clustername_prefix: bool,
    pub enable_lazy_spilo_upgrade: bool,
    pub enable_maintenance_windows: bool,
    /// Checked; for clusters without windows of their own.
    pub maintenance_windows: Vec<String>,
    pub storage_resize_mode: String,
}

/// How the operator reaches the primary of a cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ConnectTo {
    /// By the DNS name of its Service.
    #[default]
    Service,
    /// By the address of its pod.
    Pod,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    pub cluster_labels: BTreeMap<String, String>,
    pub cluster_name_label: String,
    pub pod_role_label: String,
    pub inherited_labels: BTreeSet<String>,
    pub inherited_annotations: BTreeSet<String>,
    /// Regular expressions, checked.
    pub downscaler_annotations: Vec<String>,
    pub ignored_annotations: BTreeSet<String>,
}

/// The pod template beyond what a manifest says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pods {
    pub docker_image: String,
    pub pod_service_account_name: String,
    /// Templates of the objects in each namespace, parsed; `None` is a bare one.
    pub pod_service_account_definition: Option<Value>,
    pub pod_service_account_role_binding_definition: Option<Value>,
    pub pod_terminate_grace_period: Duration,
    pub pod_management_policy: PodManagementPolicy,
    pub pod_priority_class_name: Option<String>,
    pub spilo_runasuser: Option<i64>,
    pub spilo_runasgroup: Option<i64>,
    pub spilo_fsgroup: Option<i64>,
    pub spilo_privileged: bool,
    pub spilo_allow_privilege_escalation: bool,
    pub additional_pod_capabilities: Vec<String>,
    pub toleration: BTreeMap<String, String>,
    pub node_readiness_label: BTreeMap<String, String>,
    pub node_readiness_label_merge: Merge,
    pub enable_pod_antiaffinity: bool,
    pub pod_antiaffinity_preferred_during_scheduling: bool,
    pub pod_antiaffinity_topology_key: String,
    pub custom_pod_annotations: BTreeMap<String, String>,
    pub enable_readiness_probe: bool,
    pub liveness_probe: Option<Probe>,
    pub enable_shm_volume: bool,
    pub share_pgsocket_with_sidecars: bool,
    pub pod_environment_configmap: Option<NamespacedName>,
    pub pod_environment_secret: Option<String>,
    pub additional_secret_mount: Option<String>,
    pub additional_secret_mount_path: Option<String>,
    pub enable_pgversion_env_var: bool,
    pub enable_spilo_wal_path_compat: bool,
    pub cluster_domain: String,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PodManagementPolicy {
    #[default]
    OrderedReady,
    Parallel,
}

/// How the readiness label of nodes joins a manifest's own node affinity.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Merge {
    And,
    #[default]
    Or,
}

/// Kubernetes quantities, checked; `None` is not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodResources {
    pub default_cpu_request: Option<String>,
    pub default_memory_request: Option<String>,
    pub default_cpu_limit: Option<String>,
    pub default_memory_limit: Option<String>,
    pub min_cpu_limit: Option<String>,
    pub min_memory_limit: Option<String>,
    pub max_cpu_request: Option<String>,
    pub max_memory_request: Option<String>,
    pub set_memory_request_to_limit: bool,
    pub ignore_resources_limits_annotation_key: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Volumes {
    pub retain_when_deleted: bool,
    pub retain_when_scaled: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatroniSettings {
    pub kubernetes_use_configmaps: bool,
    /// Empty: Kubernetes itself.
    pub etcd_host: String,
    pub enable_patroni_failsafe_mode: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    pub enable_master_load_balancer: bool,
    pub enable_replica_load_balancer: bool,
    pub enable_master_node_port: bool,
    pub enable_replica_node_port: bool,
    pub enable_master_pooler_load_balancer: bool,
    pub enable_replica_pooler_load_balancer: bool,
    pub enable_master_pooler_node_port: bool,
    pub enable_replica_pooler_node_port: bool,
    pub custom_service_annotations: BTreeMap<String, String>,
    pub external_traffic_policy: String,
    pub db_hosted_zone: String,
    pub master_dns_name_format: String,
    pub master_legacy_dns_name_format: String,
    pub replica_dns_name_format: String,
    pub replica_legacy_dns_name_format: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disruption {
    pub enable_pod_disruption_budget: bool,
    pub pdb_name_format: String,
    pub pdb_master_label_selector: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secrets {
    pub secret_name_template: String,
    pub enable_cross_namespace_secret: bool,
    pub enable_password_rotation: bool,
    /// Days.
    pub password_rotation_interval: u32,
    /// Days.
    pub password_rotation_user_retention: u32,
}

/// People, robots, and how people log in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub super_username: String,
    pub replication_username: String,
    pub pam_role_name: String,
    /// `PAM_OAUTH2`, checked by the module's grammar; empty is off.
    pub pam_configuration: String,
    /// A manifest's own `pg_hba` gets the PAM lines; ours.
    pub pam_line_in_custom_hba: bool,
    pub enable_database_access: bool,
    pub enable_teams_api: bool,
    pub teams_api_url: String,
    pub oauth_token_secret_name: NamespacedName,
    /// How often teams are asked for; ours.
    pub teams_refresh_period: Duration,
    /// What may change at once without anybody looking; ours.
    pub guard: Limits,
    pub enable_team_superuser: bool,
    pub team_admin_role: Option<String>,
    pub enable_admin_role_for_users: bool,
    pub enable_postgres_team_crd: bool,
    pub enable_postgres_team_crd_superusers: bool,
    pub postgres_superuser_teams: BTreeSet<String>,
    pub protected_role_names: BTreeSet<String>,
    pub team_api_role_configuration: BTreeMap<String, String>,
    pub role_deletion_suffix: String,
    pub enable_team_member_deprecation: bool,
    pub additional_owner_roles: Vec<String>,
    pub infrastructure_roles_secret_name: Option<NamespacedName>,
    pub infrastructure_roles_secrets: Vec<InfrastructureSecret>,
}

/// One item of `infrastructure_roles_secrets`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InfrastructureSecret {
    pub secret: NamespacedName,
    pub userkey: Option<String>,
    pub passwordkey: String,
    pub rolekey: Option<String>,
    pub defaultuservalue: Option<String>,
    pub defaultrolevalue: Option<String>,
    pub details: Option<String>,
    /// The keys are those of the numbered Secret.
    pub template: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cloud {
    pub aws_region: String,
    pub kube_iam_role: Option<String>,
    pub irsa_role_arn: Option<String>,
    pub wal_s3_bucket: Option<String>,
    pub log_s3_bucket: Option<String>,
    pub wal_gs_bucket: Option<String>,
    pub gcp_credentials: Option<String>,
    pub wal_az_storage_account: Option<String>,
}

#[derive(Clone, Default, PartialEq)]
pub struct Sidecars {
    pub enable_sidecars: bool,
    pub enable_init_containers: bool,
    pub sidecars: Vec<Container>,
    /// Deprecated: name -> image.
    pub sidecar_docker_images: BTreeMap<String, String>,
    pub scalyr_api_key: Option<String>,
    pub scalyr_image: Option<String>,
    pub scalyr_server_url: String,
    pub scalyr_cpu_request: String,
    pub scalyr_memory_request: String,
    pub scalyr_cpu_limit: String,
    pub scalyr_memory_limit: String,
}

/// Without the key of Scalyr, and without containers, whose environment may hold passwords.
impl fmt::Debug for Sidecars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.sidecars.iter().map(|one| one.name.as_str()).collect();
        f.debug_struct("Sidecars")
            .field("enable_sidecars", &self.enable_sidecars)
            .field("enable_init_containers", &self.enable_init_containers)
            .field("sidecars", &names)
            .field("sidecar_docker_images", &self.sidecar_docker_images)
            .field("scalyr_image", &self.scalyr_image)
            .finish_non_exhaustive()
    }
}

/// Connection poolers, where a manifest says nothing of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poolers {
    pub number_of_instances: i32,
    pub schema: String,
    pub user: String,
    pub image: String,
    /// `session` or `transaction`.
    pub mode: String,
    /// Of all instances together, to each database; 0 is nothing said.
    pub max_db_connections: i32,
    /// Kubernetes quantities, checked; `None` is not set.
    pub default_cpu_request: Option<String>,
    pub default_memory_request: Option<String>,
    pub default_cpu_limit: Option<String>,
    pub default_memory_limit: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deletion {
    pub delete_annotation_date_key: Option<String>,
    pub delete_annotation_name_key: Option<String>,
    pub enable_secrets_deletion: bool,
    pub enable_persistent_volume_claim_deletion: bool,
}

#[cfg(test)]
mod tests;
