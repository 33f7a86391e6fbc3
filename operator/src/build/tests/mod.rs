//! Vectors are values of running clusters, written down by hand.

mod checks;
mod resources;
mod shape;
mod statefulset;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use serde_json::{Value, json};

use super::facts::PodFacts;
use super::pod::Notice;
use super::statefulset::stateful_set;
use crate::cluster::{Cluster, ClusterId};
use crate::config::{
    Cloud, Config, Disruption, Identity, Labels, NamespacedName, Operation, PatroniSettings, Pods,
    Secrets, Sidecars, Volumes,
};

/// `k=v` pairs.
pub(crate) fn pairs<const N: usize>(all: [(&str, &str); N]) -> BTreeMap<String, String> {
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// What an empty ConfigMap is.
pub(crate) fn config() -> Config {
    Config {
        operation: Operation { min_instances: -1, max_instances: -1, ..Operation::default() },
        labels: Labels {
            cluster_labels: pairs([("application", "spilo")]),
            cluster_name_label: "cluster-name".to_owned(),
            pod_role_label: "spilo-role".to_owned(),
            ..Labels::default()
        },
        pods: Pods {
            docker_image: "ghcr.io/zalando/spilo-18:4.1-p2".to_owned(),
            pod_service_account_name: "postgres-pod".to_owned(),
            pod_terminate_grace_period: Duration::from_secs(300),
            spilo_allow_privilege_escalation: true,
            pod_antiaffinity_topology_key: "kubernetes.io/hostname".to_owned(),
            enable_shm_volume: true,
            enable_pgversion_env_var: true,
            cluster_domain: "cluster.local".to_owned(),
            ..Pods::default()
        },
        volumes: Volumes { retain_when_deleted: true, retain_when_scaled: true },
        patroni: PatroniSettings { kubernetes_use_configmaps: true, ..PatroniSettings::default() },
        disruption: Disruption { enable_pod_disruption_budget: true, ..Disruption::default() },
        secrets: Secrets {
            secret_name_template: "{username}.{cluster}.credentials.{tprkind}.{tprgroup}"
                .to_owned(),
            ..Secrets::default()
        },
        identity: Identity {
            super_username: "postgres".to_owned(),
            replication_username: "standby".to_owned(),
            pam_role_name: "zalandos".to_owned(),
            pam_configuration: PAM.to_owned(),
            oauth_token_secret_name: NamespacedName::default(),
            ..Identity::default()
        },
        sidecars: Sidecars {
            enable_sidecars: true,
            enable_init_containers: true,
            scalyr_server_url: "https://upload.eu.scalyr.com".to_owned(),
            scalyr_cpu_request: "100m".to_owned(),
            scalyr_memory_request: "50Mi".to_owned(),
            scalyr_cpu_limit: "1".to_owned(),
            scalyr_memory_limit: "500Mi".to_owned(),
            ..Sidecars::default()
        },
        cloud: Cloud { aws_region: "eu-central-1".to_owned(), ..Cloud::default() },
        ..Config::default()
    }
}

pub(crate) const PAM: &str =
    "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees";

/// The minimal manifest with more in its spec.
pub(crate) fn cluster(more: Value) -> Cluster {
    let mut spec = json!({
        "teamId": "acid",
        "numberOfInstances": 2,
        "postgresql": { "version": "15" },
        "volume": { "size": "1Gi" },
    });
    let Value::Object(more) = more else { panic!("{more}") };
    spec.as_object_mut().unwrap().extend(more);
    Cluster {
        id: ClusterId { namespace: "default".to_owned(), name: "acid-minimal-cluster".to_owned() },
        uid: "c5e1f0a2".to_owned(),
        generation: 1,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        owner_references: Vec::new(),
        spec: serde_json::from_value(spec).unwrap(),
    }
}

pub(crate) fn built(cluster: &Cluster, config: &Config) -> (StatefulSet, Vec<Notice>) {
    stateful_set(cluster, config, &PodFacts::default())
}

pub(crate) fn template(cluster: &Cluster, config: &Config) -> PodTemplateSpec {
    built(cluster, config).0.spec.unwrap().template
}

fn pod(cluster: &Cluster, config: &Config) -> PodSpec {
    template(cluster, config).spec.unwrap()
}

fn postgres(cluster: &Cluster, config: &Config) -> Container {
    pod(cluster, config).containers.swap_remove(0)
}

/// `name=value`; for others than plain values, what they refer to.
fn env(container: &Container) -> Vec<String> {
    let all = container.env.iter().flatten();
    all.map(|one| {
        let value = match &one.value_from {
            None => one.value.clone().unwrap_or_default(),
            Some(from) => {
                let field = from.field_ref.as_ref().map(|it| format!("@{}", it.field_path));
                let secret =
                    from.secret_key_ref.as_ref().map(|it| format!("@{}/{}", it.name, it.key));
                field.or(secret).unwrap()
            }
        };
        format!("{}={value}", one.name)
    })
    .collect()
}
