use super::*;
use crate::build::vectors::{cluster, config};

#[test]
fn with_configmaps_there_are_none() {
    assert_eq!(endpoints(&cluster(), &config()), None);
}

#[test]
fn what_is_patronis_is_not_in_them() {
    let mut config = config();
    config.patroni.kubernetes_use_configmaps = false;
    let found = serde_json::to_value(endpoints(&cluster(), &config).unwrap()).unwrap();
    let wanted = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "acid-minimal-cluster",
            "namespace": "default",
            "labels": {
                "application": "spilo",
                "cluster-name": "acid-minimal-cluster",
                "spilo-role": "master",
                "team": "ACID",
            },
        },
    });
    assert_eq!(found, wanted);
}

#[test]
fn an_etcd_of_its_own_makes_spilo_write_them() {
    let mut config = config();
    config.patroni.etcd_host = "etcd:2379".to_owned();
    assert!(endpoints(&cluster(), &config).is_some());
}
