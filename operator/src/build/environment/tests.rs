use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::build::vectors;
use crate::config::from_config_map;

/// The ConfigMap form, with these keys set.
fn config(keys: &[(&str, &str)]) -> Config {
    let data: BTreeMap<String, String> =
        keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let environment = crate::config::Environment {
        operator_namespace: "default".to_owned(),
        ..Default::default()
    };
    from_config_map(&data, &environment).unwrap().config
}

/// The minimal manifest, with this in its spec.
fn cluster(spec: serde_json::Value) -> Cluster {
    let mut cluster = vectors::cluster();
    let mut all = serde_json::to_value(&cluster.spec).unwrap();
    let members = spec.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(members);
    cluster.spec = serde_json::from_value(all).unwrap();
    cluster
}

/// One per line, as a person would write them down.
fn written(all: &[EnvVar]) -> Vec<String> {
    all.iter()
        .map(|one| {
            let source = one.value_from.clone().unwrap_or_default();
            let name = &one.name;
            match (&one.value, source.field_ref, source.secret_key_ref) {
                (Some(value), None, None) => format!("{name}={value}"),
                (None, Some(field), None) => {
                    format!("{name}={}:{}", field.api_version.unwrap(), field.field_path)
                }
                (None, None, Some(key)) => format!("{name}=<{}/{}>", key.name, key.key),
                _ => panic!("{one:?}"),
            }
        })
        .collect()
}

/// What comes behind the variables of the minimal manifest.
fn more(cluster: &Cluster, config: &Config, facts: &PodFacts) -> Vec<String> {
    let known = environment(&vectors::cluster(), &self::config(&[]), &PodFacts::default());
    let all = environment(cluster, config, facts);
    assert!(all.len() >= known.len());
    for (one, known) in all.iter().zip(&known) {
        assert_eq!(one.name, known.name);
    }
    written(&all[known.len()..])
}

#[test]
fn the_minimal_manifest_with_the_defaults_has_the_list_of_the_reference() {
    let found = environment(&vectors::cluster(), &config(&[]), &PodFacts::default());
    let expected = [
        "SCOPE=acid-minimal-cluster",
        "PGROOT=/home/postgres/pgdata/pgroot",
        "POD_IP=v1:status.podIP",
        "POD_NAMESPACE=v1:metadata.namespace",
        "PGUSER_SUPERUSER=postgres",
        "KUBERNETES_SCOPE_LABEL=cluster-name",
        "KUBERNETES_ROLE_LABEL=spilo-role",
        "PGPASSWORD_SUPERUSER=<postgres.acid-minimal-cluster.credentials.postgresql.acid.zalan.do/password>",
        "PGUSER_STANDBY=standby",
        "PGPASSWORD_STANDBY=<standby.acid-minimal-cluster.credentials.postgresql.acid.zalan.do/password>",
        "PAM_OAUTH2=https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees",
        "HUMAN_ROLE=zalandos",
        "PGVERSION=15",
        r#"KUBERNETES_LABELS={"application":"spilo"}"#,
        r#"SPILO_CONFIGURATION={"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{"failsafe_mode":false}}}"#,
        "DCS_ENABLE_KUBERNETES_API=true",
        r#"KUBERNETES_BOOTSTRAP_LABELS={"critical-operation":"true"}"#,
        "KUBERNETES_USE_CONFIGMAPS=true",
    ];
    assert_eq!(written(&found), expected);
}

#[test]
fn switches_add_and_remove_variables_where_the_reference_does() {
    let config = config(&[
        ("pam_configuration", ""),
        ("enable_spilo_wal_path_compat", "true"),
        ("enable_pgversion_env_var", "false"),
        ("enable_pod_disruption_budget", "false"),
        ("kubernetes_use_configmaps", "false"),
        ("cluster_labels", "application:spilo,stage:test"),
    ]);
    let found = written(&environment(&vectors::cluster(), &config, &PodFacts::default()));
    let behind: Vec<&str> = found[10..].iter().map(String::as_str).collect();
    assert_eq!(
        behind,
        [
            "PAM_OAUTH2=",
            "HUMAN_ROLE=zalandos",
            "ENABLE_WAL_PATH_COMPAT=true",
            r#"KUBERNETES_LABELS={"application":"spilo","stage":"test"}"#,
            r#"SPILO_CONFIGURATION={"postgresql":{"bin_dir":"/usr/lib/postgresql/15/bin"},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{"failsafe_mode":false}}}"#,
            "DCS_ENABLE_KUBERNETES_API=true",
        ]
    );
}

#[test]
fn etcd_takes_the_place_of_kubernetes() {
    let mut config = config(&[]);
    config.patroni.etcd_host = "etcd.default:2379".to_owned();
    let found = written(&environment(&vectors::cluster(), &config, &PodFacts::default()));
    assert_eq!(found[15..], ["ETCD_HOST=etcd.default:2379"]);
}

#[test]
fn a_manifest_cannot_replace_what_the_operator_needs_in_any_case() {
    let cluster = cluster(json!({"env": [
        {"name": "SCOPE", "value": "other"},
        {"name": "pam_oauth2", "value": "https://evil.example.com/?t= uid"},
        {"name": "ALLOW_NOSSL", "value": "true"},
        {"name": "allow_nossl", "value": "again"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]}));
    let all = environment(&cluster, &config(&[]), &PodFacts::default());
    assert_eq!(all.len(), 20);
    assert_eq!(written(&all[..1]), ["SCOPE=acid-minimal-cluster"]);
    assert_eq!(written(&all[18..19]), ["ALLOW_NOSSL=true"]);
    assert_eq!(all[19], cluster.spec.env[4]);
}

#[test]
fn the_manifest_comes_before_the_secret_that_before_the_config_map_and_that_before_buckets() {
    let cluster = cluster(json!({"env": [{"name": "WAL_BUCKET_SCOPE_SUFFIX", "value": ""}]}));
    let config = config(&[
        ("pod_environment_secret", "backup"),
        ("wal_s3_bucket", "bucket"),
        ("log_s3_bucket", "logs"),
    ]);
    let facts = PodFacts {
        environment_secret_keys: vec!["USE_WALG_BACKUP".to_owned(), "AWS_REGION".to_owned()],
        environment_config_map: BTreeMap::from([
            ("AWS_REGION".to_owned(), "eu-north-1".to_owned()),
            ("LOG_S3_BUCKET".to_owned(), "mine".to_owned()),
            ("scope".to_owned(), "other".to_owned()),
        ]),
    };
    assert_eq!(
        more(&cluster, &config, &facts),
        [
            "WAL_BUCKET_SCOPE_SUFFIX=",
            "AWS_REGION=<backup/AWS_REGION>",
            "USE_WALG_BACKUP=<backup/USE_WALG_BACKUP>",
            "LOG_S3_BUCKET=mine",
            "WAL_S3_BUCKET=bucket",
            "WAL_BUCKET_SCOPE_PREFIX=",
            "LOG_BUCKET_SCOPE_SUFFIX=/867e5e2e-2ba8-4893-845c-e144b06e301a",
            "LOG_BUCKET_SCOPE_PREFIX=",
        ]
    );
}

#[test]
fn every_provider_has_its_bucket_and_the_uid_of_the_manifest_keeps_archives_apart() {
    let suffix = "WAL_BUCKET_SCOPE_SUFFIX=/867e5e2e-2ba8-4893-845c-e144b06e301a";
    for (key, value, expected) in [
        ("wal_s3_bucket", "b", "WAL_S3_BUCKET=b"),
        ("wal_gs_bucket", "b", "WAL_GS_BUCKET=b"),
        ("wal_az_storage_account", "b", "AZURE_STORAGE_ACCOUNT=b"),
    ] {
        let config = config(&[(key, value), ("gcp_credentials", "/var/secrets/key.json")]);
        assert_eq!(
            more(&vectors::cluster(), &config, &PodFacts::default()),
            [
                expected,
                suffix,
                "WAL_BUCKET_SCOPE_PREFIX=",
                "GOOGLE_APPLICATION_CREDENTIALS=/var/secrets/key.json"
            ]
        );
    }
}

#[test]
fn a_copy_of_a_running_cluster_reads_the_password_from_its_secret() {
    let cluster = cluster(json!({"clone": {"cluster": "acid-batman"}}));
    assert_eq!(
        more(&cluster, &config(&[]), &PodFacts::default()),
        [
            "CLONE_SCOPE=acid-batman",
            "CLONE_METHOD=CLONE_WITH_BASEBACKUP",
            "CLONE_HOST=acid-batman",
            "CLONE_PORT=5432",
            "CLONE_USER=standby",
            "CLONE_PASSWORD=<standby.acid-batman.credentials.postgresql.acid.zalan.do/password>",
        ]
    );
}

#[test]
fn a_copy_of_an_archive_names_the_time_the_bucket_and_the_uid() {
    let cluster = cluster(json!({"clone": {
        "cluster": "acid-batman",
        "uid": "efd12e58-5786-11e8-b5a7-06148230260c",
        "timestamp": "2017-12-19T12:40:33+01:00",
    }}));
    let mut config = config(&[]);
    config.cloud.wal_gs_bucket = Some("bucket".to_owned());
    config.cloud.gcp_credentials = Some("/key.json".to_owned());
    let found = more(&cluster, &config, &PodFacts::default());
    assert_eq!(
        found[..7],
        [
            "CLONE_SCOPE=acid-batman",
            "CLONE_WAL_GS_BUCKET=bucket",
            "CLONE_GOOGLE_APPLICATION_CREDENTIALS=/key.json",
            "CLONE_WAL_BUCKET_SCOPE_SUFFIX=/efd12e58-5786-11e8-b5a7-06148230260c",
            "CLONE_METHOD=CLONE_WITH_WALE",
            "CLONE_TARGET_TIME=2017-12-19T12:40:33+01:00",
            "CLONE_WAL_BUCKET_SCOPE_PREFIX=",
        ]
    );
    config.cloud.wal_s3_bucket = Some("s3".to_owned());
    let found = more(&cluster, &config, &PodFacts::default());
    assert_eq!(found[1], "CLONE_WAL_S3_BUCKET=s3");
    assert!(found[2].starts_with("CLONE_WAL_BUCKET_SCOPE_SUFFIX="), "{found:?}");
}

#[test]
fn a_copy_of_an_archive_elsewhere_takes_its_path_and_keys() {
    let cluster = cluster(json!({"clone": {
        "cluster": "acid-batman",
        "timestamp": "2017-12-19T12:40:33+01:00",
        "s3_wal_path": "s3://bucket/spilo/acid-batman/wal",
        "s3_endpoint": "https://s3.example.com",
        "s3_access_key_id": "id",
        "s3_secret_access_key": "key",
        "s3_force_path_style": true,
    }}));
    assert_eq!(
        more(&cluster, &config(&[]), &PodFacts::default()),
        [
            "CLONE_SCOPE=acid-batman",
            "CLONE_WALE_S3_PREFIX=s3://bucket/spilo/acid-batman/wal",
            "CLONE_METHOD=CLONE_WITH_WALE",
            "CLONE_TARGET_TIME=2017-12-19T12:40:33+01:00",
            "CLONE_WAL_BUCKET_SCOPE_PREFIX=",
            "CLONE_AWS_ENDPOINT=https://s3.example.com",
            "CLONE_WALE_S3_ENDPOINT=https://s3.example.com",
            "CLONE_AWS_ACCESS_KEY_ID=id",
            "CLONE_AWS_SECRET_ACCESS_KEY=key",
            "CLONE_AWS_S3_FORCE_PATH_STYLE=1",
        ]
    );
}

#[test]
fn a_standby_follows_a_host_an_archive_or_both() {
    let host = json!({
        "standby_host": "remote-primary.example.com", "standby_port": "5433",
        "standby_primary_slot_name": "standby_slot",
    });
    let s3 = json!({"s3_wal_path": "s3://custom/path/to/bucket/"});
    let both = json!({"standby_host": "remote", "gs_wal_path": "gs://bucket"});
    let method = ["STANDBY_METHOD=STANDBY_WITH_WALE", "STANDBY_WAL_BUCKET_SCOPE_PREFIX="];
    let found = |standby: serde_json::Value| {
        more(&cluster(json!({ "standby": standby })), &config(&[]), &PodFacts::default())
    };
    assert_eq!(
        found(host),
        [
            "STANDBY_HOST=remote-primary.example.com",
            "STANDBY_PORT=5433",
            "STANDBY_PRIMARY_SLOT_NAME=standby_slot",
        ]
    );
    let prefix = "STANDBY_WALE_S3_PREFIX=s3://custom/path/to/bucket/";
    assert_eq!(found(s3), [prefix, method[0], method[1]]);
    let prefix = "STANDBY_WALE_GS_PREFIX=gs://bucket";
    assert_eq!(found(both), ["STANDBY_HOST=remote", prefix, method[0], method[1]]);
    assert_eq!(found(json!({"standby_port": "5433"})), Vec::<String>::new());
}

#[test]
fn certificates_are_where_their_secret_is_mounted() {
    let found = |tls: serde_json::Value| {
        more(&cluster(json!({ "tls": tls })), &config(&[]), &PodFacts::default())
    };
    assert_eq!(
        found(json!({"secretName": "pg-tls", "caFile": "ca.crt"})),
        [
            "SSL_CERTIFICATE_FILE=/tls/tls.crt",
            "SSL_PRIVATE_KEY_FILE=/tls/tls.key",
            "SSL_CA_FILE=/tls/ca.crt",
        ]
    );
    assert_eq!(
        found(json!({
            "secretName": "pg-tls", "certificateFile": "./a/../server.crt",
            "privateKeyFile": "/keys/server.key", "caFile": "ca.crt", "caSecretName": "pg-ca",
        })),
        [
            "SSL_CERTIFICATE_FILE=/tls/server.crt",
            "SSL_PRIVATE_KEY_FILE=/keys/server.key",
            "SSL_CA_FILE=/tlsca/ca.crt",
        ]
    );
    assert_eq!(found(json!({"secretName": ""})), Vec::<String>::new());
}

/// Everything at once, and every name of it in the manifest, too.
#[test]
fn no_name_is_there_twice_whatever_a_manifest_and_the_namespace_say() {
    let config = config(&[
        ("pod_environment_secret", "backup"),
        ("wal_s3_bucket", "s3"),
        ("wal_gs_bucket", "gs"),
        ("wal_az_storage_account", "az"),
        ("log_s3_bucket", "logs"),
    ]);
    let mut cluster = cluster(json!({
        "clone": {"cluster": "acid-batman"},
        "standby": {"standby_host": "remote", "s3_wal_path": "s3://bucket"},
        "tls": {"secretName": "pg-tls", "caFile": "ca.crt"},
    }));
    let all = environment(&cluster, &config, &PodFacts::default());
    let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let facts = PodFacts {
        environment_secret_keys: names.iter().chain(&names).cloned().collect(),
        environment_config_map: names.iter().map(|name| (name.clone(), String::new())).collect(),
    };
    cluster.spec.env = names.iter().map(|name| plain(name, "mine")).collect();
    let again = environment(&cluster, &config, &facts);
    let found: BTreeSet<&String> = again.iter().map(|one| &one.name).collect();
    assert_eq!(found.len(), again.len());
    assert_eq!(found, names.iter().collect());
    assert_eq!(again[..18], all[..18]);
    assert!(again[18..].iter().all(|one| one.value.as_deref() == Some("mine")));
}
