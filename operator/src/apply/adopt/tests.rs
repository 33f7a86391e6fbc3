use super::*;
use crate::apply::compare::needs_apply;

const NAME: &str = "postgres-operator";

fn by(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

fn adopted_from(live: &Value, maker: &str) -> Option<Value> {
    adopted(live, NAME, &by(maker), Extent::All)
}

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
    live["metadata"]["managedFields"] = adopted_from(&live, "postgres-operator").unwrap();
    assert_eq!(
        needs_apply(&wanted(), &live, "postgres-operator"),
        ["metadata.annotations.old", "spec.sessionAffinity"]
    );
    assert_eq!(adopted_from(&live, "postgres-operator"), None, "once is enough");
}

#[test]
fn finalizers_status_and_fields_of_others_stay_where_they_are() {
    let fields = adopted_from(&live(), "postgres-operator").unwrap();
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
    let fields = adopted_from(&live, "postgres-operator").unwrap();
    let annotations = &fields[2]["fieldsV1"]["f:metadata"]["f:annotations"];
    assert_eq!(annotations, &json!({".": {}, "f:kept": {}, "f:new": {}, "f:old": {}}));
}

#[test]
fn the_lock_of_a_cluster_is_never_adopted() {
    for kind in ["Endpoints", "ConfigMap"] {
        let mut live = live();
        live["kind"] = json!(kind);
        assert_eq!(adopted_from(&live, "postgres-operator"), None);
    }
    let mut unknown = live();
    unknown.as_object_mut().unwrap().remove("kind");
    assert_eq!(adopted_from(&unknown, "postgres-operator"), None);
}

#[test]
fn where_the_predecessor_set_nothing_there_is_nothing_to_do() {
    assert_eq!(adopted_from(&live(), "somebody"), None);
    assert_eq!(adopted_from(&json!({"kind": "Service"}), "somebody"), None);
}

#[test]
fn who_made_an_object_is_known_by_the_label_of_its_cluster_whatever_the_program_is_called() {
    let entry = |manager: &str, operation: &str, labels: Value| {
        let fields = json!({"f:metadata": {"f:labels": labels}, "f:spec": {"f:template": {}}});
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    };
    let named = json!({"f:cluster-name": {}});
    let live = json!({"kind": "StatefulSet", "metadata": {"managedFields": [
        entry("pgop", "Update", named.clone()),
        entry("kubectl-label", "Update", json!({"f:color": {}})),
        entry("kubectl", "Apply", named.clone()),
        entry("Patroni", "Update", named.clone()),
        entry("kube-controller-manager", "Update", named),
    ]}});
    let made = makers(&live, "cluster-name", NAME);
    assert_eq!(made, BTreeSet::from(["pgop".to_owned(), NAME.to_owned()]));
    assert!(has_template(&live, &made));
    assert!(!has_template(&live, &by(NAME)), "somebody else's template is not the maker's");
}

#[test]
fn a_template_that_is_held_stays_whose_it_is() {
    let live = json!({"kind": "StatefulSet", "metadata": {"managedFields": [{
        "manager": "postgres-operator", "operation": "Update", "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:volumes": {}}}}},
    }]}});
    let held = adopted(&live, NAME, &by(NAME), Extent::ButTemplate).unwrap();
    let template = json!({"f:spec": {"f:template": {"f:spec": {"f:volumes": {}}}}});
    assert_eq!(held[0]["fieldsV1"], template);
    assert_eq!(held[1]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    let mut live = live;
    live["metadata"]["managedFields"] = held;
    assert_eq!(adopted(&live, NAME, &by(NAME), Extent::ButTemplate), None, "once is enough");
    let all = adopted(&live, NAME, &by(NAME), Extent::All).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "it comes with the others when it may");
    assert_eq!(all[0]["fieldsV1"]["f:spec"]["f:template"], template["f:spec"]["f:template"]);
}
