use serde_json::json;

use super::*;

fn wanted() -> Value {
    serde_json::from_str(include_str!("../compare/vectors/statefulset.wanted.json")).unwrap()
}

fn live() -> Value {
    serde_json::from_str(include_str!("../compare/vectors/statefulset.live.json")).unwrap()
}

#[test]
fn what_the_server_filled_in_needs_nothing() {
    assert_eq!(needs_recreation(&wanted(), &live()), Ok(Vec::new()));
}

#[test]
fn what_can_be_patched_needs_nothing() {
    let mut wanted = wanted();
    wanted["spec"]["replicas"] = json!(3);
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
    wanted["metadata"]["annotations"] = json!({});
    assert_eq!(needs_recreation(&wanted, &live()), Ok(Vec::new()));
}

#[test]
fn every_field_that_cannot_be_patched_is_named() {
    for (path, value, found) in [
        ("/spec/serviceName", json!("other"), "spec.serviceName"),
        (
            "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
            json!("2Gi"),
            "spec.volumeClaimTemplates[0].spec.resources.requests.storage",
        ),
        (
            "/spec/volumeClaimTemplates/0/metadata/labels",
            json!({}),
            "spec.volumeClaimTemplates[0].metadata.labels.x",
        ),
    ] {
        let mut wanted = wanted();
        *wanted.pointer_mut(path).unwrap() = value;
        assert_eq!(needs_recreation(&wanted, &live()), Ok(vec![found.to_owned()]));
    }
    let mut wanted = wanted();
    wanted["spec"]["podManagementPolicy"] = json!("Parallel");
    let found = needs_recreation(&wanted, &live());
    assert_eq!(found, Ok(vec!["spec.podManagementPolicy".to_owned()]));
}

#[test]
fn another_size_of_the_same_amount_needs_nothing() {
    let mut wanted = wanted();
    wanted["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] =
        json!("1048576Ki");
    assert_eq!(needs_recreation(&wanted, &live()), Ok(Vec::new()));
}

#[test]
fn a_selector_with_fewer_labels_finds_the_pods() {
    let mut live = live();
    live["spec"]["selector"]["matchLabels"]["team"] = json!("acid");
    let found = needs_recreation(&wanted(), &live);
    assert_eq!(found, Ok(vec!["spec.selector.matchLabels.team".to_owned()]));
}

#[test]
fn a_selector_that_would_lose_the_pods_is_refused() {
    for labels in [json!({"a": "b", "team": "acid"}), json!({"a": "other"})] {
        let mut wanted = wanted();
        wanted["spec"]["selector"]["matchLabels"] = labels;
        let error = needs_recreation(&wanted, &live()).unwrap_err();
        assert!(["a", "team"].contains(&error.label.as_str()), "{error}");
    }
}
