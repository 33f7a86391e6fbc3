use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::build::vectors::{cluster, config};

fn with_patroni(patroni: serde_json::Value) -> Cluster {
    let mut cluster = cluster();
    cluster.spec.patroni = Some(serde_json::from_value(patroni).unwrap());
    cluster
}

fn parameters(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_manifest_that_says_nothing_gets_the_directory_of_its_version_and_two_options() {
    let mut cluster = cluster();
    cluster.spec.postgresql.version = "18".to_owned();
    assert_eq!(
        configuration(&cluster, &config()),
        r#"{"postgresql":{"bin_dir":"/usr/lib/postgresql/18/bin"},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{}}}"#
    );
}

#[test]
fn both_parts_are_there_even_if_they_are_empty() {
    let mut config = config();
    config.pods.enable_pgversion_env_var = true;
    assert_eq!(
        configuration(&cluster(), &config),
        r#"{"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{}}}"#
    );
}

#[test]
fn what_a_manifest_says_of_patroni_comes_in_the_order_of_the_reference() {
    let cluster = with_patroni(json!({
        "initdb": {"encoding": "UTF8", "locale": "en_US.UTF-8", "data-checksums": "true"},
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 33554432,
        "synchronous_mode": true, "synchronous_mode_strict": true, "synchronous_node_count": 1,
        "slots": {"permanent_logical_1": {"type": "logical", "plugin": "pgoutput", "database": "foo"}},
        "failsafe_mode": true,
    }));
    let mut config = config();
    config.pods.enable_pgversion_env_var = true;
    assert_eq!(
        configuration(&cluster, &config),
        concat!(
            r#"{"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"},"#,
            r#""data-checksums",{"encoding":"UTF8"},{"locale":"en_US.UTF-8"}],"dcs":{"ttl":30,"loop_wait":10,"#,
            r#""retry_timeout":10,"maximum_lag_on_failover":33554432,"synchronous_mode":true,"#,
            r#""synchronous_mode_strict":true,"synchronous_node_count":1,"#,
            r#""slots":{"permanent_logical_1":{"database":"foo","plugin":"pgoutput","type":"logical"}},"#,
            r#""failsafe_mode":true}}}"#
        )
    );
}

#[test]
fn parameters_stay_in_the_pod_or_belong_to_the_cluster() {
    let mut cluster = cluster();
    cluster.spec.postgresql.parameters = parameters(&[
        ("shared_buffers", "32MB"),
        ("max_connections", "100"),
        ("log_statement", "all"),
        ("bg_mon.listen_address", "0.0.0.0"),
    ]);
    let mut config = config();
    config.pods.enable_pgversion_env_var = true;
    assert_eq!(
        configuration(&cluster, &config),
        concat!(
            r#"{"postgresql":{"parameters":{"bg_mon.listen_address":"0.0.0.0","shared_buffers":"32MB"}},"#,
            r#""bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"#,
            r#""dcs":{"postgresql":{"parameters":{"log_statement":"all","max_connections":"100"}}}}}"#
        )
    );
}

#[test]
fn options_of_initdb_replace_the_defaults_in_place_and_only_true_is_bare() {
    let cluster = with_patroni(json!({
        "initdb": {"auth-local": "peer", "data-checksums": "false", "nosync": "true"}
    }));
    let found = configuration(&cluster, &config());
    let expected = r#""initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"peer"},{"data-checksums":"false"},"nosync"]"#;
    assert!(found.contains(expected), "{found}");
}

#[test]
fn zeros_and_false_are_left_out_except_for_the_failsafe_mode() {
    let cluster = with_patroni(json!({
        "ttl": 0, "maximum_lag_on_failover": 0, "synchronous_mode": false,
        "synchronous_node_count": 0, "slots": {}, "failsafe_mode": false,
    }));
    let found = configuration(&cluster, &config());
    assert!(found.ends_with(r#""dcs":{"failsafe_mode":false}}}"#), "{found}");
}

#[test]
fn the_configuration_decides_about_the_failsafe_mode_where_a_manifest_does_not() {
    let mut config = config();
    config.patroni.enable_patroni_failsafe_mode = Some(true);
    assert!(configuration(&cluster(), &config).ends_with(r#""dcs":{"failsafe_mode":true}}}"#));
    let off = with_patroni(json!({"failsafe_mode": false}));
    assert!(configuration(&off, &config).ends_with(r#""dcs":{"failsafe_mode":false}}}"#));
}

#[test]
fn a_lag_has_the_digits_of_single_precision() {
    for (given, written) in [(33_554_432, 33_554_432), (1_073_741_824, 1_073_741_800)] {
        assert_eq!(single_precision(given), written);
    }
}

#[test]
fn characters_that_the_reference_escapes_are_escaped() {
    let mut cluster = cluster();
    cluster.spec.postgresql.parameters =
        parameters(&[("archive_command", "test ! -f <x> && cp \"%p\" /x")]);
    let found = configuration(&cluster, &config());
    let expected = r#""archive_command":"test ! -f \u003cx\u003e \u0026\u0026 cp \"%p\" /x""#;
    assert!(found.contains(expected), "{found}");
}

#[test]
fn an_own_pg_hba_gets_the_line_for_tokens_only_if_both_switches_are_on() {
    let cluster = with_patroni(json!({"pg_hba": ["hostssl all all all scram-sha-256"]}));
    let mut config = config();
    config.identity.pam_role_name = "zalandos".to_owned();
    let without = r#""pg_hba":["hostssl all all all scram-sha-256"]"#;
    let with = r#""pg_hba":["hostssl all +zalandos all pam","hostssl all all all scram-sha-256"]"#;
    for (line, pam, expected) in [
        (false, "", without),
        (true, "", without),
        (false, "https://info.example.com/?access_token= uid", without),
        (true, "https://info.example.com/?access_token= uid", with),
    ] {
        config.identity.pam_line_in_custom_hba = line;
        config.identity.pam_configuration = pam.to_owned();
        let found = configuration(&cluster, &config);
        assert!(found.contains(expected), "{found}");
    }
}
