//! The vectors are what a kube-apiserver 1.36 made of an apply, and of an annotation that
//! somebody else put in afterwards.

use serde_json::json;

use super::*;

const MANAGER: &str = "postgres-operator";

fn statefulset() -> (Value, Value) {
    (
        serde_json::from_str(include_str!("vectors/statefulset.wanted.json")).unwrap(),
        serde_json::from_str(include_str!("vectors/statefulset.live.json")).unwrap(),
    )
}

fn service() -> (Value, Value) {
    (
        serde_json::from_str(include_str!("vectors/service.wanted.json")).unwrap(),
        serde_json::from_str(include_str!("vectors/service.live.json")).unwrap(),
    )
}

/// A StatefulSet with everything that a manifest can put into one.
fn everything() -> (Value, Value) {
    (
        serde_json::from_str(include_str!("vectors/everything.wanted.json")).unwrap(),
        serde_json::from_str(include_str!("vectors/everything.live.json")).unwrap(),
    )
}

/// What differs once `change` was made to what is wanted.
fn changed((mut wanted, live): (Value, Value), change: impl FnOnce(&mut Value)) -> Vec<String> {
    change(&mut wanted);
    needs_apply(&wanted, &live, MANAGER)
}

/// What differs once `change` was made to what is there.
fn drifted((wanted, mut live): (Value, Value), change: impl FnOnce(&mut Value)) -> Vec<String> {
    change(&mut live);
    needs_apply(&wanted, &live, MANAGER)
}

fn container(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]["containers"][0]
}

fn remove(object: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
}

#[test]
fn an_object_that_was_applied_needs_nothing() {
    assert_eq!(changed(statefulset(), |_| {}), [""; 0]);
    assert_eq!(changed(service(), |_| {}), [""; 0]);
    assert_eq!(changed(everything(), |_| {}), [""; 0]);
}

/// Every value in an object, by its JSON pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            leaves(value, &format!("{at}/{}", name.replace('/', "~1")), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            leaves(value, &format!("{at}/{index}"), found);
        }),
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn every_single_value_counts() {
    let (wanted, live) = everything();
    let mut all = Vec::new();
    leaves(&wanted, "", &mut all);
    assert!(all.len() > 100);
    for pointer in all {
        if pointer == "/apiVersion" || pointer == "/kind" {
            continue;
        }
        let mut wanted = wanted.clone();
        let value = wanted.pointer_mut(&pointer).unwrap();
        *value = match value {
            Value::Bool(on) => json!(!*on),
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            _ => json!("7"),
        };
        assert!(!needs_apply(&wanted, &live, MANAGER).is_empty(), "{pointer}");
    }
}

#[test]
fn every_single_field_that_is_ours_counts() {
    let (wanted, live) = everything();
    let mut all = Vec::new();
    leaves(&wanted, "", &mut all);
    for pointer in all {
        let mut wanted = wanted.clone();
        let value = wanted.pointer(&pointer).unwrap().clone();
        if !is_filled_in(&pointer, &value) && take(&mut wanted, &pointer) {
            assert!(!needs_apply(&wanted, &live, MANAGER).is_empty(), "{pointer}");
        }
    }
}

/// Takes a field away, and the maps that have nothing else; items of lists stay.
fn take(object: &mut Value, pointer: &str) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let Some(fields) = object.pointer_mut(parent).unwrap().as_object_mut() else { return false };
    if fields.len() == 1 {
        return take(object, parent);
    }
    fields.remove(&name.replace("~1", "/")).is_some()
}

/// Does the server say the same where nothing is said?
fn is_filled_in(pointer: &str, value: &Value) -> bool {
    let types = ["/apiVersion", "/kind"].iter().any(|end| pointer.ends_with(end));
    let empty_in_a_whole =
        *value == "" && ["tolerations", "httpHeaders"].iter().any(|list| pointer.contains(list));
    types || empty_in_a_whole || pointer.starts_with("/metadata/name")
}

#[test]
fn an_object_of_somebody_else_needs_it() {
    let (wanted, live) = service();
    assert_eq!(needs_apply(&wanted, &live, "other"), ["metadata.managedFields"]);
    let found = drifted(service(), |live| {
        live["metadata"]["managedFields"][0]["operation"] = json!("Update");
    });
    assert_eq!(found, ["metadata.managedFields"]);
    let found = drifted(service(), |live| {
        live["metadata"]["managedFields"][0]["subresource"] = json!("status");
    });
    assert_eq!(found, ["metadata.managedFields"]);
}

#[test]
fn what_a_list_leaves_out_is_no_difference() {
    let found = drifted(service(), |live| {
        remove(live, "/apiVersion");
        remove(live, "/kind");
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_changed_value_is_seen_wherever_it_is() {
    let found = changed(statefulset(), |wanted| {
        wanted["metadata"]["annotations"]["a"] = json!("2");
        wanted["spec"]["replicas"] = json!(3);
        container(wanted)["image"] = json!("other");
        container(wanted)["env"][0]["value"] = json!("other");
        container(wanted)["volumeMounts"][1]["name"] = json!("other");
        container(wanted)["securityContext"]["privileged"] = json!(true);
    });
    let postgres = "spec.template.spec.containers[name=postgres]";
    let mut wanted = vec![
        "metadata.annotations.a".to_owned(),
        "spec.replicas".to_owned(),
        format!("{postgres}.env[name=SCOPE].value"),
        format!("{postgres}.image"),
        format!("{postgres}.securityContext.privileged"),
        format!("{postgres}.volumeMounts[mountPath=/dev/shm].name"),
    ];
    wanted.sort();
    let mut found = found;
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn what_others_changed_about_our_fields_is_seen() {
    let found = drifted(service(), |live| live["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(found, ["spec.type"]);
    let found = drifted(service(), |live| remove(live, "/metadata/annotations/a"));
    assert_eq!(found, ["metadata.annotations.a"]);
    let found = drifted(service(), |live| remove(live, "/metadata/annotations"));
    assert_eq!(found, ["metadata.annotations"]);
}

#[test]
fn a_new_annotation_variable_or_container_is_seen() {
    let found = changed(statefulset(), |wanted| {
        wanted["metadata"]["annotations"]["c"] = json!("3");
        let env = container(wanted)["env"].as_array_mut().unwrap();
        env.push(json!({"name": "NEW", "value": "x"}));
        let pod = &mut wanted["spec"]["template"]["spec"];
        pod["containers"].as_array_mut().unwrap().push(json!({"name": "sidecar"}));
    });
    assert_eq!(
        found,
        [
            "metadata.annotations.c",
            "spec.template.spec.containers[name=postgres].env[name=NEW]",
            "spec.template.spec.containers[name=sidecar]",
        ]
    );
}

#[test]
fn what_is_ours_and_no_longer_wanted_is_seen() {
    let found = changed(statefulset(), |wanted| {
        remove(wanted, "/metadata/annotations/a");
        remove(wanted, "/spec/template/spec/serviceAccountName");
        container(wanted)["env"].as_array_mut().unwrap().remove(0);
        container(wanted)["ports"].as_array_mut().unwrap().remove(0);
        remove(container(wanted), "/resources/limits");
    });
    let postgres = "spec.template.spec.containers[name=postgres]";
    let mut wanted = vec![
        "metadata.annotations.a".to_owned(),
        "spec.template.spec.serviceAccountName".to_owned(),
        format!("{postgres}.env[name=SCOPE]"),
        format!("{postgres}.ports[containerPort=8008,protocol=TCP]"),
        format!("{postgres}.resources.limits"),
    ];
    wanted.sort();
    let mut found = found;
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn all_annotations_taken_away_are_seen_in_each_form() {
    for nothing in [json!(null), json!({})] {
        let found = changed(service(), |wanted| wanted["metadata"]["annotations"] = nothing);
        assert!(!found.is_empty());
    }
}

#[test]
fn the_order_of_named_items_is_no_difference() {
    let found = changed(statefulset(), |wanted| {
        for list in ["env", "ports", "volumeMounts"] {
            container(wanted)[list].as_array_mut().unwrap().reverse();
        }
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_selector_is_one_value() {
    let found = drifted(service(), |live| live["spec"]["selector"]["c"] = json!("d"));
    assert_eq!(found, ["spec.selector.c"]);
    let found = changed(service(), |wanted| wanted["spec"]["selector"] = json!({}));
    assert_eq!(found, ["spec.selector.a"]);
}

#[test]
fn an_empty_selector_and_an_empty_list_are_none() {
    let (mut wanted, mut live) = service();
    wanted["spec"]["selector"] = json!({});
    wanted["spec"]["loadBalancerSourceRanges"] = json!([]);
    remove(&mut live, "/spec/selector");
    remove(&mut live, "/spec/loadBalancerSourceRanges");
    assert_eq!(needs_apply(&wanted, &live, MANAGER), [""; 0]);
}

#[test]
fn an_unnamed_list_is_one_value() {
    for ranges in [json!([]), json!(["10.0.0.0/8", "fd00::/8"]), json!(["10.0.0.0/9"])] {
        let found =
            changed(service(), |wanted| wanted["spec"]["loadBalancerSourceRanges"] = ranges);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("spec.loadBalancerSourceRanges"), "{found:?}");
    }
}

#[test]
fn a_field_less_inside_an_unnamed_list_is_seen() {
    let toleration = json!([{"key": "postgres", "operator": "Exists", "effect": "NoSchedule"}]);
    let (mut wanted, mut live) = statefulset();
    live["spec"]["template"]["spec"]["tolerations"] = toleration.clone();
    wanted["spec"]["template"]["spec"]["tolerations"] = toleration;
    assert_eq!(needs_apply(&wanted, &live, MANAGER), [""; 0]);
    remove(&mut wanted, "/spec/template/spec/tolerations/0/effect");
    let found = needs_apply(&wanted, &live, MANAGER);
    assert_eq!(found, ["spec.template.spec.tolerations[0].effect"]);
}

#[test]
fn the_same_amount_in_other_words_is_no_difference() {
    for (cpu, memory) in [("100m", "1Gi"), ("0.1", "1073741824"), ("1e-1", "1048576Ki")] {
        let found = changed(statefulset(), |wanted| {
            container(wanted)["resources"]["requests"] = json!({"cpu": cpu, "memory": memory});
        });
        assert_eq!(found, [""; 0]);
    }
    let found = changed(statefulset(), |wanted| {
        container(wanted)["resources"]["requests"]["cpu"] = json!("101m");
    });
    assert_eq!(found, ["spec.template.spec.containers[name=postgres].resources.requests.cpu"]);
}

#[test]
fn a_number_with_a_point_is_the_same_number() {
    let found = drifted(statefulset(), |live| live["spec"]["replicas"] = json!(2.0));
    assert_eq!(found, [""; 0]);
    let found = drifted(statefulset(), |live| live["spec"]["replicas"] = json!(2.5));
    assert_eq!(found, ["spec.replicas"]);
}

#[test]
fn amounts_elsewhere_are_text() {
    let found = drifted(statefulset(), |live| {
        live["metadata"]["annotations"]["a"] = json!("1000m");
    });
    assert_eq!(found, ["metadata.annotations.a"]);
}

#[test]
fn a_variable_that_is_empty_is_not_written_again_and_again() {
    let (wanted, live) = statefulset();
    let postgres = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(postgres["env"][1], json!({"name": "EMPTY"}));
    assert_eq!(needs_apply(&wanted, &live, MANAGER), [""; 0]);
}

#[test]
fn a_false_that_is_not_ours_yet_is_seen() {
    let found = changed(statefulset(), |wanted| {
        container(wanted)["securityContext"]["allowPrivilegeEscalation"] = json!(false);
    });
    let name = "spec.template.spec.containers[name=postgres].securityContext";
    assert_eq!(found, [format!("{name}.allowPrivilegeEscalation")]);
}

#[test]
fn finalizers_are_a_set() {
    let (mut wanted, mut live) = service();
    wanted["metadata"]["finalizers"] = json!(["ours"]);
    live["metadata"]["finalizers"] = json!(["theirs", "ours"]);
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:finalizers"] =
        json!({"v:\"ours\"": {}});
    assert_eq!(needs_apply(&wanted, &live, MANAGER), [""; 0]);
    wanted["metadata"]["finalizers"] = json!([]);
    assert_eq!(needs_apply(&wanted, &live, MANAGER), ["metadata.finalizers[]"]);
    wanted["metadata"]["finalizers"] = json!(["ours"]);
    live["metadata"]["finalizers"] = json!(["theirs"]);
    assert_eq!(needs_apply(&wanted, &live, MANAGER), ["metadata.finalizers"]);
}

#[test]
fn an_owner_is_found_by_its_uid() {
    let owner = |uid: &str, name: &str| json!({"kind": "postgresql", "name": name, "uid": uid});
    let (mut wanted, mut live) = service();
    live["metadata"]["ownerReferences"] = json!([owner("1", "other"), owner("2", "c")]);
    wanted["metadata"]["ownerReferences"] = json!([owner("2", "c")]);
    assert_eq!(needs_apply(&wanted, &live, MANAGER), [""; 0]);
    wanted["metadata"]["ownerReferences"] = json!([owner("3", "c")]);
    assert_eq!(needs_apply(&wanted, &live, MANAGER), ["metadata.ownerReferences[uid=3]"]);
}

#[test]
fn no_value_is_in_a_path() {
    let found = changed(service(), |wanted| wanted["data"] = json!({"password": "aHVudGVyMg=="}));
    assert_eq!(found, ["data"]);
}

#[test]
fn quantities_are_the_same_by_amount() {
    let same = |one: Value, other: Value| quantity::same(&one, &other);
    for (one, other) in [
        (json!("1"), json!("1000m")),
        (json!("0.5"), json!("500m")),
        (json!(0.5), json!("500m")),
        (json!("1Ki"), json!(1024)),
        (json!("1.5Gi"), json!("1536Mi")),
        (json!("1e3"), json!("1k")),
        (json!("1E"), json!("1e18")),
        (json!("16Ei"), json!("18446744073709551616")),
        (json!("-1"), json!("-1000m")),
        (json!("1.0000000001"), json!("1000000001n")),
    ] {
        assert!(same(one.clone(), other.clone()), "{one} {other}");
    }
    for (one, other) in [
        (json!("1"), json!("1001m")),
        (json!("1M"), json!("1Mi")),
        (json!("1"), json!("-1")),
        (json!("x"), json!("x")),
        (json!(""), json!("0")),
        (json!("."), json!("0")),
        (json!("1e999999999"), json!("1")),
        (json!("1e-2147483648"), json!("0")),
        (json!("1i"), json!("1")),
    ] {
        assert!(!same(one.clone(), other.clone()), "{one} {other}");
    }
}
