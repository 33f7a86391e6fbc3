use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::json;

use super::{Held, for_pods, is_allowed, of_pod, of_pods, wanted};
use crate::config::Config;

fn config(mode: &str) -> Config {
    let mut config = Config::default();
    config.upgrade.major_version_upgrade_mode = mode.to_owned();
    config.upgrade.minimal_major_version = "14".to_owned();
    config.upgrade.target_major_version = "18".to_owned();
    config
}

#[test]
fn only_mode_full_makes_more_of_a_manifest_than_it_says() {
    for (mode, own, expected) in [
        ("full", "13", "18"),
        ("full", "14", "14"),
        ("full", "16", "16"),
        ("manual", "13", "13"),
        ("off", "13", "13"),
        ("full", "latest", "latest"),
    ] {
        assert_eq!(wanted(own, &config(mode)), expected, "{mode} {own}");
    }
}

#[test]
fn a_team_of_the_list_is_upgraded_where_others_are_not() {
    let mut off = config("off");
    off.upgrade.major_version_upgrade_team_allow_list.insert("acid".to_owned());
    assert!(is_allowed("acid", &off));
    assert!(!is_allowed("other", &off));
    assert!(is_allowed("other", &config("manual")) && is_allowed("other", &config("")));
}

#[test]
fn a_pod_says_in_two_ways_what_it_was_made_for() {
    let container = |name: &str, env| -> Container {
        serde_json::from_value(json!({ "name": name, "env": env })).unwrap()
    };
    let folder = r#"{"postgresql":{"bin_dir":"/usr/lib/postgresql/15/bin"},"bootstrap":{}}"#;
    let by_variable = json!([{ "name": "PGVERSION", "value": "16" }]);
    let by_folder = json!([{ "name": "SPILO_CONFIGURATION", "value": folder }]);
    for (env, expected) in [
        (by_variable.clone(), Some(16)),
        (by_folder, Some(15)),
        (json!([]), None),
        (json!([{ "name": "SPILO_CONFIGURATION", "value": "{}" }]), None),
    ] {
        assert_eq!(of_pod(&[container("postgres", env.clone())]), expected, "{env}");
    }
    assert_eq!(of_pod(&[container("sidecar", by_variable)]), None);
}

#[test]
fn pods_that_are_left_alone_say_which_version_they_were_made_for() {
    let pod = |version: &str| -> Arc<Pod> {
        let env = json!([{ "name": "PGVERSION", "value": version }]);
        let spec = json!({ "containers": [{ "name": "postgres", "env": env }] });
        Arc::new(serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap())
    };
    let pods = [pod("15"), pod("16")];
    assert_eq!(of_pods(&pods, Some(&pods[0])), Some(15), "the primary's");
    assert_eq!(of_pods(&pods, None), Some(16), "the highest");
    assert_eq!(of_pods(&[], None), None);
}

#[test]
fn pods_are_made_for_another_version_in_a_window_and_for_no_older_one_than_the_server_has() {
    for (wanted, live, running, is_open, expected) in [
        (16, None, None, false, Ok(16)),
        (16, Some(16), None, false, Ok(16)),
        (16, Some(15), None, true, Ok(16)),
        (16, Some(15), Some(15), false, Err((15, Held::Window))),
        // Somebody takes back what was not done yet.
        (15, Some(16), Some(15), true, Ok(15)),
        (15, Some(16), Some(15), false, Err((16, Held::Window))),
        (15, Some(16), Some(16), true, Err((16, Held::Downgrade(16)))),
        (15, Some(16), None, true, Err((16, Held::Unknown))),
    ] {
        let found = for_pods(wanted, live, running, (is_open, true));
        assert_eq!(found, expected, "{wanted} {live:?} {running:?} {is_open}");
    }
}

#[test]
fn where_no_upgrade_follows_pods_stay_made_for_the_version_that_there_is() {
    for (wanted, live, running, expected) in [
        (16, Some(15), Some(15), Err((15, Held::NoUpgrade))),
        (16, Some(15), None, Err((15, Held::NoUpgrade))),
        // Somebody has run the script by hand.
        (16, Some(15), Some(16), Ok(16)),
        // What is taken back is no upgrade.
        (15, Some(16), Some(15), Ok(15)),
        (16, None, None, Ok(16)),
    ] {
        let found = for_pods(wanted, live, running, (true, false));
        assert_eq!(found, expected, "{wanted} {live:?} {running:?}");
    }
}
