//! A cluster and a configuration that tests start from: those of the talk, with the defaults.

use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;

/// `default/acid-minimal-cluster`.
pub(crate) fn cluster() -> Cluster {
    let manifest = include_str!("../../examples/minimal-postgres-manifest.yaml");
    let found: crate::api::postgresql::Postgresql =
        serde_json::from_value(serde_saphyr::from_str(manifest).unwrap()).unwrap();
    Cluster {
        id: ClusterId {
            namespace: "default".to_owned(),
            name: found.metadata.name.clone().unwrap(),
        },
        uid: "867e5e2e-2ba8-4893-845c-e144b06e301a".to_owned(),
        generation: 1,
        labels: Default::default(),
        annotations: Default::default(),
        owner_references: Vec::new(),
        spec: found.parsed().unwrap(),
    }
}

/// The defaults of the ConfigMap form, without load balancers.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.labels.cluster_labels.insert("application".to_owned(), "spilo".to_owned());
    config.labels.cluster_name_label = "cluster-name".to_owned();
    config.labels.pod_role_label = "spilo-role".to_owned();
    config.pods.pod_service_account_name = "postgres-pod".to_owned();
    config.patroni.kubernetes_use_configmaps = true;
    config.services.external_traffic_policy = "Cluster".to_owned();
    config.services.db_hosted_zone = "db.example.com".to_owned();
    config.services.master_dns_name_format = "{cluster}.{namespace}.{hostedzone}".to_owned();
    config.services.master_legacy_dns_name_format = "{cluster}.{team}.{hostedzone}".to_owned();
    config.services.replica_dns_name_format = "{cluster}-repl.{namespace}.{hostedzone}".to_owned();
    config.services.replica_legacy_dns_name_format =
        "{cluster}-repl.{team}.{hostedzone}".to_owned();
    config.disruption.enable_pod_disruption_budget = true;
    config.disruption.pdb_name_format = "postgres-{cluster}-pdb".to_owned();
    config.disruption.pdb_master_label_selector = true;
    config
}
