use serde_json::json;

use super::*;

fn patch(path: &str, body: Value, live: Value) -> Write {
    Write { method: Method::PATCH, path: path.to_owned(), body, live: Some(live) }
}

const SERVICE: &str = "/api/v1/namespaces/default/services/c";

#[test]
fn what_an_api_server_fills_in_again_is_no_change_and_what_is_lost_is_one() {
    let live = json!({
        "kind": "Service",
        "metadata": {"name": "c", "annotations": {"old": "x"}, "managedFields": [{
            "manager": "postgres-operator", "operation": "Apply", "fieldsV1": {
                "f:metadata": {"f:annotations": {"f:old": {}}},
                "f:spec": {"f:sessionAffinity": {}, "f:type": {}},
            },
        }]},
        "spec": {"sessionAffinity": "None", "type": "ClusterIP"},
    });
    let body = json!({"kind": "Service", "metadata": {"name": "c"}, "spec": {"type": "NodePort"}});
    let mut outlook = Outlook::of("default/c");
    outlook.writes(&[patch(SERVICE, body, live)]);
    let fields: Vec<_> = outlook.changes.iter().map(|own| own.field.as_str()).collect();
    assert_eq!(fields, ["spec.type", "metadata.annotations.old"]);
    assert_eq!(outlook.changes[0].object, "Service default/c");
    assert_eq!(
        (outlook.changes[0].from.as_str(), outlook.changes[0].to.as_str()),
        ("ClusterIP", "NodePort")
    );
    assert_eq!((outlook.changes[1].from.as_str(), outlook.changes[1].to.as_str()), ("x", NONE));
    assert!(!outlook.restarts);
    assert_eq!(outlook.code(), 2);
}

#[test]
fn nothing_of_a_secret_is_shown_and_bookkeeping_is_no_change() {
    let live = json!({"kind": "Secret", "metadata": {"name": "s", "labels": {"team": "a"}},
        "data": {"password": "b2xk"}});
    let body = json!({"metadata": {"resourceVersion": "1", "labels": {"team": "b"},
        "annotations": {HELD: "1"}}, "data": {"password": "bmV3"}});
    let mut outlook = Outlook::of("default/c");
    outlook.writes(&[
        patch("/api/v1/namespaces/other/secrets/s", body, live.clone()),
        patch(SERVICE, json!({"metadata": {"managedFields": [], "resourceVersion": "1"}}), live),
    ]);
    let said = outlook.json() + &outlook.text();
    assert!(!said.contains("b2xk") && !said.contains("bmV3"), "{said}");
    assert!(said.contains("Secret other/s data.password: (hidden) -> (hidden)"), "{said}");
    assert_eq!(outlook.changes.len(), 2, "{said}");
}

#[test]
fn a_variable_may_hold_a_key_and_is_never_shown() {
    const JOB: &str = "/apis/batch/v1/namespaces/default/cronjobs/logical-backup-c";
    let job = |env: Value| {
        json!({"kind": "CronJob", "metadata": {"name": "logical-backup-c"},
        "spec": {"suspend": false, "containers": [{"name": "logical-backup", "env": env}]}})
    };
    let mut live = job(json!([{"name": "KEY", "value": "hunter2"}, {"name": "EMPTY"}]));
    live["metadata"]["managedFields"] = json!([{
        "manager": "postgres-operator", "operation": "Apply", "fieldsV1": {"f:spec": {
            "f:suspend": {}, "f:containers": {"k:{\"name\":\"logical-backup\"}": {
                "f:env": {"k:{\"name\":\"KEY\"}": {"f:value": {}}}}}}}}]);
    let from = json!({"secretKeyRef": {"name": "c", "key": "KEY"}});
    let wanted = job(json!([{"name": "KEY", "valueFrom": from}, {"name": "EMPTY", "value": ""}]));
    let mut wanted = wanted;
    wanted["spec"].as_object_mut().unwrap().remove("suspend");
    let mut outlook = Outlook::of("default/c");
    outlook.writes(&[patch(JOB, wanted, live)]);
    let said = outlook.json() + &outlook.text();
    assert!(!said.contains("hunter2"), "{said}");
    // Nor where its whole container goes, or comes.
    let of = |name: &str| json!({"containers": [{"name": name, "env": [{"name": "KEY", "value": "hunter2"}]}]});
    let mut live =
        json!({"kind": "CronJob", "metadata": {"name": "logical-backup-c"}, "spec": of("a")});
    live["metadata"]["managedFields"] = json!([{
        "manager": "postgres-operator", "operation": "Apply", "fieldsV1": {"f:spec": {
            "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:env": {}}}}}}]);
    let mut whole = Outlook::of("default/c");
    let wanted =
        json!({"kind": "CronJob", "metadata": {"name": "logical-backup-c"}, "spec": of("b")});
    whole.writes(&[patch(JOB, wanted, live)]);
    assert!(!whole.changes.is_empty());
    let said = whole.json() + &whole.text();
    assert!(!said.contains("hunter2"), "{said}");
    let fields: Vec<_> = outlook.changes.iter().map(|own| own.field.as_str()).collect();
    let of = "spec.containers[name=logical-backup].env[name=KEY]";
    assert_eq!(fields, [format!("{of}.valueFrom"), format!("{of}.value")], "and nothing else");
}

#[test]
fn whoever_left_is_listed_and_changes_nothing() {
    let mut outlook = Outlook::of("default/c");
    outlook.leavers.push("ghost".to_owned());
    assert_eq!(outlook.code(), 0);
    let said = outlook.text();
    assert!(said.starts_with("default/c: nothing to change\n"), "{said}");
    assert!(said.contains("(--lock-leavers locks them): ghost\n"), "{said}");
    outlook.change("role ghost", "switch_off", "on", "off", "no team names it");
    assert_eq!(outlook.code(), 2);
}

#[test]
fn restarts_are_told_and_what_could_not_be_looked_at_is_an_error() {
    let mut outlook = Outlook::of("default/c");
    assert_eq!((outlook.code(), outlook.text().as_str()), (0, "default/c: nothing to change\n"));
    let different = |kind| Difference {
        field: "containers[postgres].image".to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        kind,
    };
    outlook.template("StatefulSet default/c", &[different(Kind::Template)], None, true);
    assert!(!outlook.restarts);
    outlook.template("StatefulSet default/c", &[different(Kind::RollsPods)], None, true);
    assert!(outlook.restarts);
    assert_eq!(outlook.code(), 2);
    outlook.errors.push("the database could not be looked at: no\nroute".to_owned());
    assert_eq!(outlook.code(), 1);
    assert!(outlook.text().contains("no\\nroute"), "{}", outlook.text());
    let read: Value = serde_json::from_str(&outlook.json()).unwrap();
    assert_eq!(read["cluster"], "default/c");
    assert_eq!(read["restarts"], true);
    assert_eq!(read["changes"][1]["field"], "spec.template.containers[postgres].image");
    assert_eq!(outlook.json().lines().count(), 1, "one cluster, one line");
}

#[test]
fn a_pooler_whose_pods_would_be_replaced_is_a_restart_and_more_of_them_are_none() {
    const POOLER: &str = "/apis/apps/v1/namespaces/default/deployments/c-pooler";
    let live = json!({"kind": "Deployment", "metadata": {"name": "c-pooler"}, "spec": {
        "replicas": 2, "template": {"spec": {"serviceAccountName": "old"}}}});
    let mut outlook = Outlook::of("default/c");
    let more = json!({"kind": "Deployment", "spec": {"replicas": 3}});
    outlook.writes(&[patch(POOLER, more, live.clone())]);
    assert!(!outlook.restarts);
    let other = json!({"kind": "Deployment", "spec": {
        "template": {"spec": {"serviceAccountName": "new"}}}});
    outlook.writes(&[patch(POOLER, other, live.clone())]);
    assert!(outlook.restarts);
    assert!(outlook.changes[1].why.starts_with("restarts pods"), "{:?}", outlook.changes);
    let delete = |policy: &str| Write {
        method: Method::DELETE,
        path: POOLER.to_owned(),
        body: json!({"propagationPolicy": policy}),
        live: Some(live.clone()),
    };
    let mut outlook = Outlook::of("default/c");
    outlook.writes(&[delete("Orphan")]);
    assert!(!outlook.restarts);
    outlook.writes(&[delete("Background")]);
    assert!(outlook.restarts);
    assert!(outlook.changes[1].why.starts_with("its pods end with it"), "{:?}", outlook.changes);
}
