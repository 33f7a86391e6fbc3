//! A cluster and a configuration that tests start from: those of the talk, with the defaults.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::postgresql::Postgresql;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;

/// `default/acid-minimal-cluster`.
pub(crate) fn cluster() -> Cluster {
    let manifest = include_str!("../../examples/minimal-postgres-manifest.yaml");
    let found: Postgresql =
        serde_json::from_value(serde_saphyr::from_str(manifest).unwrap()).unwrap();
    let name = found.metadata.name.clone().unwrap();
    Cluster {
        id: ClusterId { namespace: "default".to_owned(), name },
        uid: "867e5e2e-2ba8-4893-845c-e144b06e301a".to_owned(),
        generation: 1,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        owner_references: Vec::new(),
        spec: found.parsed().unwrap(),
    }
}

/// The defaults, as far as roles go.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    let identity = &mut config.identity;
    identity.super_username = "postgres".to_owned();
    identity.replication_username = "standby".to_owned();
    identity.pam_role_name = "zalandos".to_owned();
    identity.team_admin_role = Some("admin".to_owned());
    identity.enable_admin_role_for_users = true;
    identity.protected_role_names = BTreeSet::from(["admin".to_owned(), "cron_admin".to_owned()]);
    identity.role_deletion_suffix = "_deleted".to_owned();
    identity.team_api_role_configuration.insert("log_statement".to_owned(), "all".to_owned());
    config.secrets.password_rotation_interval = 90;
    config.secrets.password_rotation_user_retention = 180;
    config
}
