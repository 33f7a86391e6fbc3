use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use super::*;
use crate::report::{Finding, Outcome};

fn size(text: &str) -> Quantity {
    Quantity::parse(text).expect("an amount")
}

/// Bound, as large as it asks for, provisioned, and used.
fn object(asked: &str) -> Value {
    json!({
        "metadata": { "name": "pgdata-acid-0", "managedFields": [by("kube-controller-manager")] },
        "spec": { "storageClassName": "fast", "resources": { "requests": { "storage": asked } } },
        "status": { "phase": "Bound", "capacity": { "storage": asked } },
    })
}

fn by(manager: &str) -> Value {
    let storage = json!({ "f:requests": { "f:storage": {} } });
    json!({ "manager": manager, "operation": "Update", "fieldsV1": { "f:spec": { "f:resources": storage } } })
}

fn read(object: &Value) -> Option<Claim> {
    let pods = BTreeSet::from(["acid-0".to_owned()]);
    let claim: PersistentVolumeClaim = serde_json::from_value(object.clone()).expect("a claim");
    Claim::of(&claim, "acid", &pods)
}

fn claim(object: &Value) -> Claim {
    read(object).expect("a data volume")
}

/// With another value somewhere.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').expect("a path");
    object.pointer_mut(parent).expect("it is there")[field] = value;
    object
}

fn found(objects: &[Value], wanted: &str) -> Finding {
    told(objects, wanted, Mode::Claims, &Obstacles::new())
}

fn told(objects: &[Value], wanted: &str, mode: Mode, obstacles: &Obstacles) -> Finding {
    let claims: Vec<Claim> = objects.iter().map(claim).collect();
    super::told(&claims, size(wanted), mode, obstacles).finding
}

fn is_behind(object: &Value, wanted: &str) -> bool {
    behind(&[claim(object)], size(wanted)).next().is_some()
}

fn grown_to(object: &Value, wanted: &str) -> String {
    of_new(&[claim(object)], size(wanted)).to_string()
}

#[test]
fn sizes_are_compared_exactly() {
    assert!(is_behind(&object("1Gi"), "1500Mi"));
    assert!(is_behind(&object("1Gi"), "1073741825"));
    assert!(!is_behind(&object("1Gi"), "1024Mi"));
    assert!(!is_behind(&object("1.5Gi"), "1536Mi"));
    assert!(!is_behind(&object("1500Mi"), "1Gi"));
    // A gigabyte is no gibibyte.
    assert!(is_behind(&object("10G"), "10Gi"));
    assert!(!is_behind(&object("10Gi"), "10G"));
}

#[test]
fn only_claims_of_the_pods_of_this_very_cluster_are_its_data_volumes() {
    let named = |name: &str| read(&with(object("1Gi"), "/metadata/name", json!(name))).is_some();
    assert!(named("pgdata-acid-0"));
    assert!(named("pgdata-acid-12"));
    for other in [
        "pgdata-acid",
        "pgdata-acid-",
        "pgdata-acid-x",
        "pgdata-acid-1-0",
        "pgdata-acidic-0",
        "pgdata-other-0",
        "backup-acid-0",
        "pgdata-acid-0-clone",
        "acid-0",
    ] {
        assert!(!named(other), "{other}");
    }
}

#[test]
fn volumes_of_pods_that_are_gone_grow_as_well() {
    let left = with(object("1Gi"), "/metadata/name", json!("pgdata-acid-3"));
    assert!(!claim(&left).is_used);
    assert!(is_behind(&left, "2Gi"));
}

#[test]
fn a_claim_that_is_deleted_or_not_bound_asks_for_nothing() {
    let going = with(object("1Gi"), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert!(!is_behind(&going, "2Gi"));
    for phase in ["Pending", "Lost", ""] {
        assert!(!is_behind(&with(object("1Gi"), "/status/phase", json!(phase)), "2Gi"), "{phase}");
    }
}

#[test]
fn a_cluster_whose_volumes_are_as_large_as_the_manifest_says_is_ready() {
    assert_eq!(found(&[object("2Gi")], "2048Mi"), Finding::done("Ready", ""));
    assert_eq!(found(&[], "2Gi"), Finding::done("Ready", ""));
}

#[test]
fn one_that_grows_is_waited_for() {
    let grows = with(object("2Gi"), "/status/capacity/storage", json!("1Gi"));
    let wanted = Finding::waiting("Resizing", "pgdata-acid-0: grows from 1Gi to 2Gi");
    assert_eq!(found(std::slice::from_ref(&grows), "2Gi"), wanted);
    let at_it = json!([{ "type": "Resizing", "status": "True" }]);
    assert_eq!(found(&[with(grows, "/status/conditions", at_it)], "2Gi"), wanted);
}

#[test]
fn a_file_system_that_waits_for_its_pod_says_what_happens_and_what_to_do() {
    let grows = with(object("2Gi"), "/status/capacity/storage", json!("1Gi"));
    let condition = json!([{ "type": "FileSystemResizePending", "status": "True" }]);
    let word = json!({ "storage": "NodeResizePending" });
    for waits in [
        with(grows.clone(), "/status/conditions", condition.clone()),
        with(grows, "/status/allocatedResourceStatuses", word),
    ] {
        let finding = found(std::slice::from_ref(&waits), "2Gi");
        assert_eq!(finding.outcome, Outcome::Waiting);
        assert_eq!(finding.reason, "FileSystemResizePending");
        for part in ["pgdata-acid-0: the disk has 2Gi", "still 1Gi", "\"true\" on the pod acid-0"] {
            assert!(finding.message.contains(part), "{part}: {}", finding.message);
        }
        // Nobody waits for a pod that is not there.
        let left = with(waits, "/metadata/name", json!("pgdata-acid-1"));
        let finding = found(&[left], "2Gi");
        assert_eq!(finding.outcome, Outcome::Done);
        assert!(finding.message.contains("as soon as a pod uses it"), "{}", finding.message);
    }
}

#[test]
fn an_old_condition_of_a_volume_that_has_grown_means_nothing() {
    let condition = json!([{ "type": "FileSystemResizePending", "status": "True" }]);
    assert_eq!(
        found(&[with(object("2Gi"), "/status/conditions", condition)], "2Gi").reason,
        "Ready"
    );
}

#[test]
fn a_driver_that_cannot_is_a_failure_in_its_words() {
    let grows = with(object("2Gi"), "/status/capacity/storage", json!("1Gi"));
    for type_ in ["ControllerResizeError", "NodeResizeError"] {
        let error = json!([
            { "type": "Resizing", "status": "True" },
            { "type": type_, "status": "True", "message": "no space\nleft" },
        ]);
        let finding = found(&[with(grows.clone(), "/status/conditions", error)], "2Gi");
        let wanted = "pgdata-acid-0: cannot grow from 1Gi to 2Gi: no space\\nleft";
        assert_eq!(finding, Finding::failed("ResizeFailed", wanted));
    }
    for word in ["ControllerResizeInfeasible", "NodeResizeInfeasible", "NodeResizeFailed"] {
        let words = json!({ "storage": word });
        let stuck = with(grows.clone(), "/status/allocatedResourceStatuses", words);
        let finding = found(&[stuck], "2Gi");
        assert_eq!(finding.reason, "ResizeFailed");
        assert!(finding.message.ends_with(word), "{}", finding.message);
    }
}

#[test]
fn a_smaller_size_is_refused_and_new_replicas_hold_as_much_as_the_others() {
    let finding = found(&[object("10Gi")], "5Gi");
    assert_eq!(finding.outcome, Outcome::Partly);
    assert_eq!(finding.reason, "ShrinkRefused");
    for part in ["stays at 10Gi", "volume.size is 5Gi", "new replicas get 10Gi"] {
        assert!(finding.message.contains(part), "{part}: {}", finding.message);
    }
    assert!(!is_behind(&object("10Gi"), "5Gi"));
    assert_eq!(grown_to(&object("10Gi"), "5Gi"), "10Gi");
}

#[test]
fn a_volume_that_somebody_made_larger_by_hand_is_left_alone_and_told_of() {
    let by_hand =
        |manager: &str| with(object("20Gi"), "/metadata/managedFields", json!([by(manager)]));
    let finding = found(&[by_hand("kubectl-edit")], "10Gi");
    assert_eq!((finding.outcome, finding.reason), (Outcome::Done, "Ready"));
    for part in ["asks for 20Gi because somebody said so", "left alone", "new replicas get 20Gi"] {
        assert!(finding.message.contains(part), "{part}: {}", finding.message);
    }
    for manager in ["postgres-operator", "kube-controller-manager"] {
        assert_eq!(found(&[by_hand(manager)], "10Gi").reason, "ShrinkRefused", "{manager}");
    }
    let nobody = with(object("20Gi"), "/metadata/managedFields", json!([]));
    assert_eq!(found(&[nobody], "10Gi").reason, "ShrinkRefused");
}

#[test]
fn new_volumes_are_never_smaller_than_what_is_there_and_follow_no_rounding() {
    assert_eq!(grown_to(&object("1Gi"), "2Gi"), "2Gi");
    // A driver gives whole gibibytes.
    let rounded = with(object("1500Mi"), "/status/capacity/storage", json!("2Gi"));
    assert_eq!(grown_to(&rounded, "1500Mi"), "1500Mi");
    // What was asked for by mistake, and never came.
    let never = with(object("1000Gi"), "/status/capacity/storage", json!("10Gi"));
    assert_eq!(grown_to(&never, "10Gi"), "10Gi");
    let no_volume = with(object("20Gi"), "/status", json!({ "phase": "Pending" }));
    assert_eq!(grown_to(&no_volume, "10Gi"), "10Gi");
    let going = with(object("20Gi"), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert_eq!(grown_to(&going, "10Gi"), "20Gi", "its data is still there");
}

#[test]
fn a_class_that_cannot_grow_is_named_with_what_can_be_done() {
    for (obstacle, parts) in [
        (Obstacle::FixedClass("slow".to_owned()), ["StorageClass slow", "allowVolumeExpansion"]),
        (
            Obstacle::UnknownClass("lost".to_owned()),
            ["no StorageClass lost", "new replicas get 2Gi"],
        ),
        (Obstacle::NoClass, ["no StorageClass", "new replicas get 2Gi"]),
    ] {
        let obstacles = Obstacles::from([("pgdata-acid-0".to_owned(), obstacle)]);
        let finding = told(&[object("1Gi")], "2Gi", Mode::Claims, &obstacles);
        assert_eq!((finding.outcome, finding.reason), (Outcome::Partly, "ClassCannotGrow"));
        assert!(finding.message.starts_with("pgdata-acid-0: stays at 1Gi and not 2Gi: "));
        for part in parts {
            assert!(finding.message.contains(part), "{part}: {}", finding.message);
        }
    }
}

#[test]
fn the_worst_is_the_word_and_all_is_told() {
    let mut small = object("1Gi");
    small["metadata"]["name"] = json!("pgdata-acid-1");
    let grows = with(object("2Gi"), "/status/capacity/storage", json!("1Gi"));
    let refused = Obstacle::Refused("exceeded quota".to_owned());
    let obstacles = Obstacles::from([("pgdata-acid-1".to_owned(), refused)]);
    let finding = told(&[grows, small], "2Gi", Mode::Claims, &obstacles);
    assert_eq!((finding.outcome, finding.reason), (Outcome::Failed, "GrowthRefused"));
    assert_eq!(
        finding.message,
        "pgdata-acid-1: stays at 1Gi and not 2Gi: the API server refuses it: exceeded quota; pgdata-acid-0: grows from 1Gi to 2Gi"
    );
}

#[test]
fn claims_that_are_alike_are_told_of_together() {
    let mut other = object("5Gi");
    other["metadata"]["name"] = json!("pgdata-acid-1");
    let message = found(&[object("5Gi"), other], "1Gi").message;
    assert!(message.starts_with("pgdata-acid-0, pgdata-acid-1: stays at 5Gi"), "{message}");
}

#[test]
fn a_lost_volume_and_one_that_is_not_there_yet_are_told_of() {
    let lost = with(object("1Gi"), "/status/phase", json!("Lost"));
    assert_eq!(found(&[lost], "1Gi").reason, "VolumeLost");
    let pending = with(object("1Gi"), "/status", json!({ "phase": "Pending" }));
    let finding = found(std::slice::from_ref(&pending), "1Gi");
    assert_eq!((finding.outcome, finding.reason), (Outcome::Waiting, "NotBound"));
    let left = with(pending, "/metadata/name", json!("pgdata-acid-1"));
    assert_eq!(found(&[left], "1Gi"), Finding::done("Ready", ""));
}

#[test]
fn ebs_and_mixed_act_as_pvc_and_say_so() {
    assert_eq!(Mode::of("pvc"), Mode::Claims);
    for name in ["ebs", "mixed"] {
        let finding = told(&[object("1Gi")], "1Gi", Mode::of(name), &Obstacles::new());
        assert_eq!((finding.outcome, finding.reason), (Outcome::Done, "Ready"));
        let begin = format!("storage_resize_mode {name} is not supported, and acts as pvc");
        assert!(finding.message.starts_with(&begin), "{}", finding.message);
    }
}

#[test]
fn off_is_off_and_says_what_is_not_as_in_the_manifest() {
    let finding = told(&[object("1Gi")], "1Gi", Mode::of("off"), &Obstacles::new());
    let text = "storage_resize_mode is off: volumes are left as they are";
    assert_eq!(finding, Finding::off("Off", text));
    let finding = told(&[object("1Gi")], "2Gi", Mode::Off, &Obstacles::new());
    let more = "pgdata-acid-0 asks for 1Gi, and volume.size is 2Gi; new replicas get 2Gi";
    assert_eq!(finding, Finding::off("Off", format!("{text}; {more}")));
}

#[test]
fn the_class_is_known_from_its_field_and_from_the_annotation_before() {
    assert_eq!(claim(&object("1Gi")).class.as_deref(), Some("fast"));
    let old = json!({ "volume.beta.kubernetes.io/storage-class": "old" });
    let old = with(object("1Gi"), "/metadata/annotations", old);
    assert_eq!(claim(&old).class.as_deref(), Some("old"));
    let none = with(object("1Gi"), "/spec/storageClassName", json!(""));
    assert_eq!(claim(&none).class, None);
}
