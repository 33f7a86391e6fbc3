//! What a deletion needs, and what it leaves behind.

use harness::{ControlPlane, Operator, Platform, eventually};
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

#[test]
fn another_controller_has_no_part_in_a_deletion() {
    let mut platform = Platform::new();
    platform.set("CONTROLLER_ID", "first");
    platform.configure(&[
        ("enable_secrets_deletion", "false"),
        ("enable_persistent_volume_claim_deletion", "false"),
    ]);
    let _operator = platform.start();
    // It looks at the same namespace, and would delete Secrets and volumes of its own clusters.
    let mut others = Platform::new();
    others.set("CONTROLLER_ID", "second");
    others.set("WATCHED_NAMESPACE", &platform.namespace);
    others.may_work_everywhere();
    let other = others.start();
    let mark = ControlPlane::shared().mark();
    annotated(&platform, CLUSTER, &json!({}), &json!({ "acid.zalan.do/controller": "first" }));
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
    platform.wait_for("PersistentVolumeClaim", &format!("pgdata-{CLUSTER}-0"));
    // A pod that does not stop keeps the deletion from its end.
    let pod = format!("{CLUSTER}-0");
    platform.wait_for("Pod", &pod);
    let hold = |finalizers: &Value| {
        let hold = json!({ "metadata": { "finalizers": finalizers } });
        platform.kube.patch_merge("Pod", &platform.namespace, &pod, &hold);
    };
    hold(&json!(["example.com/hold"]));
    delete(&platform);
    eventually("it has begun", || match left(&platform, "StatefulSet") {
        0 => Ok(()),
        found => Err(found),
    });
    other.wait_until_idle();
    hold(&json!([]));
    eventually("the rest is gone", || match left(&platform, "Service") {
        0 => Ok(()),
        found => Err(found),
    });
    let found = (left(&platform, "Secret"), left(&platform, "PersistentVolumeClaim"));
    assert_eq!(found, (2, 1));
    // Nothing there but its Lease, which is in its own namespace.
    let mut written = ControlPlane::shared().writes_since(mark, &others.user());
    written.retain(|request| request.namespace == platform.namespace);
    assert_eq!(written, Vec::new());
}

#[test]
fn what_somebody_else_made_under_a_name_of_patroni_stays() {
    let platform = Platform::new();
    let _operator = platform.start();
    let own = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": format!("{CLUSTER}-config"), "namespace": platform.namespace },
        "data": { "orders.toml": "currency = 'EUR'" },
    });
    let made = platform.kube.create(&own);
    // Of Patroni, by its labels.
    let mut leader = own.clone();
    leader["metadata"]["name"] = json!(format!("{CLUSTER}-leader"));
    leader["metadata"]["labels"] = json!({ "application": "spilo", "cluster-name": CLUSTER });
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 0 }));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    platform.kube.create(&leader);
    delete(&platform);
    eventually("the rest is gone", || {
        let kinds = ["StatefulSet", "Service", "Secret", "Endpoints", "ConfigMap"];
        let left = kinds.map(|kind| left(&platform, kind));
        if left == [0; 5] { Ok(()) } else { Err(left) }
    });
    let now = platform.wait_for("ConfigMap", &format!("{CLUSTER}-config"));
    assert_eq!(now["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(now["data"], made["data"]);
}
