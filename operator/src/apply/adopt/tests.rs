use super::*;
use crate::apply::compare::needs_apply;

/// As a client makes it that knows nothing of applies: kube-apiserver 1.36.
fn live() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "c",
            "annotations": {"kept": "1", "old": "2"},
            "managedFields": [
                {
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {
                            "f:annotations": {".": {}, "f:kept": {}, "f:old": {}},
                            "f:finalizers": {".": {}, "v:\"x\"": {}},
                        },
                        "f:spec": {"f:type": {}, "f:sessionAffinity": {}},
                        "f:status": {"f:loadBalancer": {}},
                    },
                    "manager": "postgres-operator",
                    "operation": "Update",
                    "time": "2026-11-25T16:59:08Z",
                },
                {
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:metadata": {"f:annotations": {"f:theirs": {}}}},
                    "manager": "kubectl-annotate",
                    "operation": "Update",
                },
            ],
        },
        "spec": {"type": "ClusterIP", "sessionAffinity": "None"},
    })
}

fn wanted() -> Value {
    json!({"metadata": {"annotations": {"kept": "1"}}, "spec": {"type": "ClusterIP"}})
}

#[test]
fn what_the_predecessor_set_is_ours_and_goes_with_the_next_apply() {
    let mut live = live();
    live["metadata"]["managedFields"] =
        adopted(&live, "postgres-operator", "postgres-operator").unwrap();
    assert_eq!(
        needs_apply(&wanted(), &live, "postgres-operator"),
        ["metadata.annotations.old", "spec.sessionAffinity"]
    );
    assert_eq!(adopted(&live, "postgres-operator", "postgres-operator"), None, "once is enough");
}

#[test]
fn finalizers_status_and_fields_of_others_stay_where_they_are() {
    let fields = adopted(&live(), "postgres-operator", "postgres-operator").unwrap();
    let fields = fields.as_array().unwrap();
    assert_eq!(fields.len(), 3);
    assert_eq!(
        fields[0]["fieldsV1"],
        json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"x\"": {}}},
            "f:status": {"f:loadBalancer": {}},
        })
    );
    assert_eq!(fields[0]["operation"], "Update");
    assert_eq!(fields[1], live()["metadata"]["managedFields"][1]);
    assert_eq!(
        (&fields[2]["operation"], &fields[2]["apiVersion"]),
        (&json!("Apply"), &json!("v1"))
    );
}

#[test]
fn what_we_applied_before_stays_ours() {
    let mut live = live();
    live["metadata"]["managedFields"].as_array_mut().unwrap().push(json!({
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {"f:new": {}}}},
        "manager": "postgres-operator",
        "operation": "Apply",
    }));
    let fields = adopted(&live, "postgres-operator", "postgres-operator").unwrap();
    let annotations = &fields[2]["fieldsV1"]["f:metadata"]["f:annotations"];
    assert_eq!(annotations, &json!({".": {}, "f:kept": {}, "f:new": {}, "f:old": {}}));
}

#[test]
fn the_lock_of_a_cluster_is_never_adopted() {
    for kind in ["Endpoints", "ConfigMap"] {
        let mut live = live();
        live["kind"] = json!(kind);
        assert_eq!(adopted(&live, "postgres-operator", "postgres-operator"), None);
    }
    let mut unknown = live();
    unknown.as_object_mut().unwrap().remove("kind");
    assert_eq!(adopted(&unknown, "postgres-operator", "postgres-operator"), None);
}

#[test]
fn where_the_predecessor_set_nothing_there_is_nothing_to_do() {
    assert_eq!(adopted(&live(), "postgres-operator", "somebody"), None);
    assert_eq!(adopted(&json!({"kind": "Service"}), "postgres-operator", "somebody"), None);
}
