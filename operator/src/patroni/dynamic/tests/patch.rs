use serde_json::{Map, Value, json};

use super::{ours, planned, spilo, wanted};
use crate::api::status::PatroniStatus;
use crate::build::tests::{cluster, config};
use crate::patroni::dynamic::{Wanted, plan};

fn nothing() -> PatroniStatus {
    PatroniStatus::default()
}

#[test]
fn settings_that_hold_already_need_no_patch_and_nothing_new_is_remembered() {
    let spec = json!({
        "patroni": { "ttl": 30, "loop_wait": 10, "retry_timeout": 10,
            "maximum_lag_on_failover": 33_554_432, "synchronous_mode": false },
        "postgresql": { "version": "15", "parameters": {
            "max_connections": "100", "archive_mode": "on", "shared_buffers": "32MB" } },
    });
    let plan = planned(spec.clone(), &ours(spec.clone()), json!({}));
    assert_eq!(plan.patch, None);
    assert_eq!(plan.changes, <[&str; 0]>::default());
    assert_eq!((&plan.before, &plan.after), (&ours(spec.clone()), &ours(spec)));
}

#[test]
fn a_patch_has_what_differs_and_nothing_else() {
    let spec = json!({
        "patroni": { "ttl": 29, "loop_wait": 9, "retry_timeout": 10,
            "maximum_lag_on_failover": 77_777_777, "synchronous_mode": true,
            "synchronous_mode_strict": false, "synchronous_node_count": 1,
            "failsafe_mode": true, "pg_hba": ["local all all trust"] },
        "postgresql": { "version": "15", "parameters": {
            "max_connections": "120", "wal_level": "logical", "log_statement": "ddl" } },
    });
    let plan = planned(spec, &nothing(), json!({}));
    let wanted = json!({
        "ttl": 29, "loop_wait": 9, "maximum_lag_on_failover": 77_777_777,
        "synchronous_mode": true, "synchronous_node_count": 1, "failsafe_mode": true,
        "postgresql": { "parameters": { "max_connections": "120", "wal_level": "logical" } },
    });
    assert_eq!(plan.patch, Some(wanted));
    let changes = ["ttl: 30 -> 29", "max_connections: 100 -> 120"];
    assert!(changes.iter().all(|change| plan.changes.iter().any(|own| own == change)), "{plan:?}");
}

#[test]
fn parameters_that_stay_in_a_pod_are_not_sent() {
    let local = json!({
        "archive_command": "x", "shared_buffers": "1GB", "logging_collector": "off",
        "log_destination": "stderr", "log_directory": "x", "log_filename": "x",
        "log_file_mode": "0600", "log_rotation_age": "1h", "log_truncate_on_rotation": "off",
        "ssl": "off", "ssl_ca_file": "x", "ssl_crl_file": "x", "ssl_cert_file": "x",
        "ssl_key_file": "x", "shared_preload_libraries": "x", "bg_mon.listen_address": "x",
        "bg_mon.history_buckets": "1", "pg_stat_statements.track_utility": "on",
        "extwlist.extensions": "x", "extwlist.custom_path": "x",
    });
    assert_eq!(local.as_object().map(Map::len), Some(20));
    let spec = json!({ "postgresql": { "version": "15", "parameters": local } });
    let plan = planned(spec, &nothing(), json!({}));
    assert_eq!((plan.patch, plan.after), (None, nothing()));
}

#[test]
fn zeros_say_nothing() {
    let spec = json!({ "patroni": {
        "ttl": 0, "loop_wait": 0, "retry_timeout": 0, "maximum_lag_on_failover": 0,
        "synchronous_node_count": 0,
    } });
    assert_eq!(wanted(spec).settings, Default::default());
}

#[test]
fn the_configuration_decides_about_the_failsafe_mode_where_a_manifest_does_not() {
    let mut config = config();
    config.patroni.enable_patroni_failsafe_mode = Some(true);
    let found = |spec: Value| Wanted::of(&cluster(spec), &config, false).settings;
    assert_eq!(found(json!({})).get("failsafe_mode"), Some(&json!(true)));
    let off = json!({ "patroni": { "failsafe_mode": false } });
    assert_eq!(found(off).get("failsafe_mode"), Some(&json!(false)));
}

#[test]
fn a_setting_that_the_manifest_does_not_name_any_more_is_again_what_spilo_writes() {
    let before = ours(json!({
        "patroni": { "ttl": 20, "synchronous_mode": true, "maximum_lag_on_failover": 1 },
        "postgresql": { "version": "15", "parameters": {
            "archive_mode": "off", "work_mem": "64MB", "Log_Statement": "all" } },
    }));
    let there = json!({
        "ttl": 20, "synchronous_mode": true, "maximum_lag_on_failover": 1,
        "postgresql": { "parameters": {
            "archive_mode": "off", "work_mem": "64MB", "log_statement": "all",
            "idle_in_transaction_session_timeout": "1h" } },
    });
    let plan = planned(json!({}), &before, there);
    let wanted = json!({
        "ttl": 30, "synchronous_mode": null, "maximum_lag_on_failover": 33_554_432,
        "postgresql": { "parameters": {
            "archive_mode": "on", "work_mem": null, "log_statement": "ddl" } },
    });
    assert_eq!(plan.patch, Some(wanted));
    assert_eq!((plan.before, plan.after), (before, nothing()));
}

#[test]
fn what_the_manifest_has_never_named_stays_as_it_is() {
    let there = json!({
        "ttl": 77, "synchronous_mode": true, "master_start_timeout": 1,
        "slots": { "foreign": { "type": "physical" } },
        "postgresql": { "parameters": { "work_mem": "64MB" }, "pg_hba": ["local all all trust"] },
    });
    assert_eq!(planned(json!({}), &nothing(), there).patch, None);
}

#[test]
fn a_parameter_without_which_a_server_may_not_start_stays_and_that_is_told() {
    let parameters = json!({ "wal_level": "logical", "max_connections": "200" });
    let spec = json!({ "postgresql": { "version": "15", "parameters": parameters } });
    let there = json!({ "postgresql": { "parameters": parameters } });
    let plan = planned(json!({}), &ours(spec), there);
    assert_eq!(plan.patch, None);
    assert!(plan.stays.iter().any(|text| text.starts_with("wal_level = logical stays")));
    assert!(plan.stays.iter().any(|text| text.starts_with("max_connections = 200 stays")));
    assert!(plan.after.parameters.contains("wal_level"), "it is told at each look");
    // Until somebody takes it away.
    let gone = json!({ "postgresql": { "parameters": {} } });
    let plan = planned(json!({}), &plan.after, gone);
    assert_eq!((plan.stays.len(), plan.after), (0, nothing()));
}

#[test]
fn the_name_of_a_parameter_has_no_case() {
    let parameters = json!({ "Max_Connections": "120" });
    let spec = json!({ "postgresql": { "version": "15", "parameters": parameters } });
    let plan = planned(spec, &nothing(), json!({}));
    let wanted = json!({ "postgresql": { "parameters": { "max_connections": "120" } } });
    assert_eq!(plan.patch, Some(wanted));
}

#[test]
fn what_is_to_be_set_is_remembered_before_the_patch_and_what_is_taken_away_until_it_is_gone() {
    let before =
        ours(json!({ "patroni": { "ttl": 20, "slots": { "old": { "type": "physical" } } } }));
    let spec = json!({ "patroni": { "loop_wait": 1, "slots": { "new": { "type": "physical" } } } });
    let there = json!({ "ttl": 20, "slots": { "old": { "type": "physical" } } });
    let plan = planned(spec, &before, there);
    let names = |all: [&str; 2]| all.map(str::to_owned).into();
    assert_eq!(plan.before.settings, names(["ttl", "loop_wait"]));
    assert_eq!(plan.before.slots, names(["old", "new"]));
    assert_eq!(plan.after.settings, ["loop_wait".to_owned()].into());
    assert_eq!(plan.after.slots, ["new".to_owned()].into());
}

#[test]
fn settings_that_are_not_there_at_all_are_written() {
    let spec = json!({ "postgresql": { "version": "15", "parameters": { "work_mem": "64MB" } } });
    for there in [json!({}), json!({ "postgresql": null }), json!({ "postgresql": [] })] {
        let there = there.as_object().expect("an object");
        let plan = plan(&wanted(spec.clone()), &nothing(), there);
        let patch = json!({ "postgresql": { "parameters": { "work_mem": "64MB" } } });
        assert_eq!(plan.patch, Some(patch), "{there:?}");
    }
}

#[test]
fn a_pause_is_ended_only_if_it_was_begun_here() {
    let paused = Wanted { pause: true, ..Wanted::default() };
    let running = Wanted::default();
    let mut config = spilo().as_object().expect("an object").clone();
    let begins = plan(&paused, &nothing(), &config);
    assert_eq!(begins.patch, Some(json!({ "pause": true })));
    assert!(begins.before.pause && begins.after.pause && begins.is_paused);
    config.insert("pause".to_owned(), json!(true));
    let goes_on = plan(&paused, &begins.after, &config);
    assert_eq!((goes_on.patch, goes_on.after.pause), (None, true));
    let ends = plan(&running, &begins.after, &config);
    assert_eq!(ends.patch, Some(json!({ "pause": null })));
    assert!(ends.before.pause && !ends.after.pause && !ends.is_paused);
    // Somebody else's, whatever the manifest says meanwhile.
    let of_others = plan(&paused, &nothing(), &config);
    assert_eq!((of_others.patch, of_others.after.pause), (None, false));
    let of_others = plan(&running, &of_others.after, &config);
    assert_eq!((of_others.patch, of_others.is_paused), (None, true));
}

#[test]
fn what_is_ours_is_forgotten_only_where_the_manifest_does_not_ask_for_it_any_more() {
    let spec = json!({
        "postgresql": { "version": "15", "parameters": { "work_mem": "8MB" } },
        "patroni": { "ttl": 20, "slots": { "one": { "type": "physical" } } },
    });
    let ours = PatroniStatus { pause: true, ..ours(spec.clone()) };
    let paused = |spec: Value| Wanted { pause: true, ..wanted(spec) };
    let there = json!({ "ttl": 20, "slots": { "one": { "type": "physical" } }, "pause": true });
    let there = there.as_object().expect("an object");
    assert!(!plan(&paused(spec.clone()), &ours, there).forgets(&ours));
    // Nothing of it is to be seen: somebody took it away, or it was asked for just now.
    let nothing = Map::new();
    assert!(!plan(&paused(spec.clone()), &ours, &nothing).forgets(&ours), "it is written again");
    assert!(plan(&wanted(spec), &ours, &nothing).forgets(&ours), "the pause");
    assert!(plan(&paused(json!({})), &ours, &nothing).forgets(&ours), "all others");
}
