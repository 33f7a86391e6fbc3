//! What keeps the databases of a cluster as they are.

use std::collections::BTreeMap;

use super::*;
use crate::roles::vectors;

fn manifest(annotation: Option<&str>) -> Postgresql {
    let text = include_str!("../../../examples/minimal-postgres-manifest.yaml");
    let mut manifest: Postgresql =
        serde_json::from_value(serde_saphyr::from_str(text).unwrap()).unwrap();
    let annotations = annotation.map(|text| (ROLE_SYNC.to_owned(), text.to_owned()));
    manifest.metadata.annotations = Some(annotations.into_iter().collect::<BTreeMap<_, _>>());
    manifest
}

fn config() -> Config {
    let mut config = vectors::config();
    config.identity.enable_database_access = true;
    config
}

#[test]
fn databases_follow_their_secrets_unless_somebody_says_otherwise() {
    let cluster = vectors::cluster();
    for follows in [None, Some(""), Some("apply")] {
        assert_eq!(why_databases_stay(&config(), &manifest(follows), &cluster), None);
    }
    // A typo is no permission.
    for stays in ["plan", "plna", "Apply"] {
        let reason = why_databases_stay(&config(), &manifest(Some(stays)), &cluster);
        assert!(reason.is_some_and(|text| text.contains(ROLE_SYNC)), "{stays}");
    }
}

#[test]
fn they_stay_where_we_do_not_log_in_at_all() {
    let mut cluster = vectors::cluster();
    let off = vectors::config();
    assert!(!off.identity.enable_database_access);
    assert!(why_databases_stay(&off, &manifest(None), &cluster).is_some());
    cluster.spec.number_of_instances = 0;
    assert!(why_databases_stay(&config(), &manifest(None), &cluster).is_some());
}

#[test]
fn the_roles_of_a_standby_are_those_of_its_source_however_it_says_so() {
    let mut cluster = vectors::cluster();
    let name = "STANDBY_WALE_S3_PREFIX".to_owned();
    let old = k8s_openapi::api::core::v1::EnvVar {
        name,
        value: Some("s3://a".to_owned()),
        value_from: None,
    };
    cluster.spec.env = vec![old];
    let reason = why_databases_stay(&config(), &manifest(None), &cluster);
    assert!(reason.is_some_and(|text| text.contains("standby")));
    cluster.spec.env.clear();
    assert_eq!(why_databases_stay(&config(), &manifest(None), &cluster), None);
    cluster.spec.standby = Some(Default::default());
    assert!(why_databases_stay(&config(), &manifest(None), &cluster).is_some());
}
