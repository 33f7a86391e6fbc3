//! What a deletion needs, and what it leaves behind.

use harness::{Operator, Platform, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";

fn secret(role: &str) -> String {
    format!("{role}.{CLUSTER}.credentials.postgresql.acid.zalan.do")
}

/// The manifest with annotations.
fn annotated(platform: &Platform, name: &str, spec: &Value, annotations: &Value) {
    let mut manifest = platform.manifest(name, spec);
    manifest["metadata"]["annotations"] = annotations.clone();
    platform.kube.try_apply(&manifest).expect("it is accepted");
}

fn delete(platform: &Platform) {
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
}

fn left(platform: &Platform, kind: &str) -> usize {
    platform.kube.names(kind, &platform.namespace, &format!("cluster-name={CLUSTER}")).len()
}

#[test]
fn a_deletion_needs_the_date_of_today_and_the_name() {
    let platform = Platform::new();
    platform.configure(&[
        ("delete_annotation_date_key", "delete-date"),
        ("delete_annotation_name_key", "delete-clustername"),
    ]);
    let operator = platform.start();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let yesterday = today.yesterday().expect("there was one").to_string();
    let today = today.to_string();
    annotated(&platform, CLUSTER, &json!({}), &json!({}));
    let set = platform.wait_for("StatefulSet", CLUSTER);
    for slip in [
        json!({ "delete-date": today }),
        json!({ "delete-clustername": CLUSTER }),
        json!({ "delete-date": yesterday, "delete-clustername": CLUSTER }),
        json!({ "delete-date": today, "delete-clustername": "acid-other" }),
    ] {
        annotated(&platform, CLUSTER, &json!({}), &slip);
        platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
        operator.wait_until_idle();
        let before = operator.log().matches("the deletion is refused").count();
        delete(&platform);
        eventually("it is refused", || {
            let refused = operator.log().matches("the deletion is refused").count();
            if refused > before { Ok(()) } else { Err(operator.log()) }
        });
        operator.wait_until_idle();
        let now = platform.wait_for("StatefulSet", CLUSTER);
        assert_eq!(now["metadata"]["uid"], set["metadata"]["uid"], "{slip}");
    }
    let meant = json!({ "delete-date": today, "delete-clustername": CLUSTER });
    annotated(&platform, CLUSTER, &json!({}), &meant);
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    delete(&platform);
    eventually("it goes", || {
        let kinds = ["StatefulSet", "Service", "Secret", "Pod", "PersistentVolumeClaim"];
        let left: Vec<_> = kinds.map(|kind| (kind, left(&platform, kind))).to_vec();
        if left.iter().all(|(_, number)| *number == 0) { Ok(()) } else { Err(left) }
    });
}

#[test]
fn secrets_and_volumes_stay_behind_a_deletion_where_the_configuration_says_so() {
    let platform = Platform::new();
    let keep = |secrets: &str, volumes: &str| {
        platform.configure(&[
            ("enable_secrets_deletion", secrets),
            ("enable_persistent_volume_claim_deletion", volumes),
        ]);
    };
    keep("false", "false");
    let operator = platform.start();
    let make = || {
        platform.apply(CLUSTER, &json!({ "users": { "app": [] } }));
        platform.wait_for("Pod", &format!("{CLUSTER}-0"));
        platform.wait_for("PersistentVolumeClaim", &format!("pgdata-{CLUSTER}-0"));
        platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
        platform.wait_for("Secret", &secret("app"))
    };
    let leaves = |secrets: usize, volumes: usize| {
        delete(&platform);
        eventually(&format!("{secrets} Secrets and {volumes} volumes are left"), || {
            let kinds = ["StatefulSet", "Service", "Pod", "PodDisruptionBudget", "Endpoints"];
            let rest: usize = kinds.iter().map(|kind| left(&platform, kind)).sum();
            let found = (left(&platform, "Secret"), left(&platform, "PersistentVolumeClaim"));
            if rest == 0 && found == (secrets, volumes) { Ok(()) } else { Err((rest, found)) }
        });
        operator.wait_until_idle();
        let found = (left(&platform, "Secret"), left(&platform, "PersistentVolumeClaim"));
        assert_eq!(found, (secrets, volumes));
    };
    let first = make();
    leaves(3, 1);
    let second = make();
    assert_eq!(first["data"], second["data"], "a Secret that is there is believed");
    keep("true", "false");
    configured(&operator, "EnableSecretsDeletion", true);
    leaves(0, 1);
    make();
    keep("false", "true");
    configured(&operator, "EnablePersistentVolumeClaimDeletion", true);
    leaves(3, 0);
}

/// Waits until the configuration in use says so.
#[track_caller]
fn configured(operator: &Operator, key: &str, value: bool) {
    eventually(&format!("{key} is {value}"), || {
        let found = operator.json("/config/")["operator"][key].clone();
        if found == value { Ok(()) } else { Err(found) }
    });
}
