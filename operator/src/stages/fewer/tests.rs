use serde_json::json;

use super::{Step, before_fewer, step};
use crate::build::vectors;
use crate::testing::FakeApi;

#[test]
fn a_primary_that_stays_lets_the_others_go() {
    assert_eq!(step(1, 3, Some(0), true), Step::Go);
    assert_eq!(step(2, 3, Some(1), true), Step::Go);
}

#[test]
fn a_primary_that_goes_hands_over_first() {
    assert_eq!(step(1, 3, Some(1), true), Step::HandOver);
    assert_eq!(step(2, 3, Some(2), true), Step::HandOver);
}

#[test]
fn nobody_goes_while_the_primary_is_not_known() {
    assert_eq!(step(1, 3, None, true), Step::Wait);
}

#[test]
fn pods_that_never_had_a_role_go_without_a_primary() {
    assert_eq!(step(1, 3, None, false), Step::Go);
}

#[test]
fn whoever_wants_none_or_more_waits_for_nobody() {
    assert_eq!(step(0, 3, None, true), Step::Go);
    assert_eq!(step(0, 3, Some(2), true), Step::Go);
    assert_eq!(step(4, 3, Some(2), true), Step::Go);
    assert_eq!(step(3, 3, None, true), Step::Go);
}

#[tokio::test]
async fn no_pod_goes_with_the_last_one_before_volumes_are_kept_for_certain() {
    let (config, cluster) = (vectors::config(), vectors::cluster());
    let context = FakeApi::empty().context(config.clone(), None);
    let before = |wanted, replicas, policy, heard| {
        let set = json!({
            "metadata": { "name": "acid-minimal-cluster", "generation": 3 },
            "spec": {
                "replicas": replicas, "selector": {}, "template": {},
                "persistentVolumeClaimRetentionPolicy": { "whenScaled": policy },
            },
            "status": { "replicas": replicas, "observedGeneration": heard },
        });
        let set = serde_json::from_value(set).unwrap();
        let before = before_fewer(&context, &config, &cluster, wanted, Some(&set));
        before.map(|(number, finding)| (number, finding.reason))
    };
    assert_eq!(before(0, 2, "Delete", 3), Some((2, "KeepsVolumes")));
    assert_eq!(before(0, 2, "Retain", 2), Some((2, "KeepsVolumes")), "nobody has heard of it");
    assert_eq!(before(0, 2, "Retain", 3), None);
    assert_eq!(before(0, 0, "Delete", 3), None, "there is none that could go");
    assert_eq!(before(1, 2, "Delete", 3), None, "of replicas they go");
}
