use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::{Value, json};

use super::*;
use crate::build::vectors;
use crate::testing::{FakeApi, refusal};

const SET: &str = "/apis/apps/v1/namespaces/default/statefulsets/acid-minimal-cluster";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

fn set(when_deleted: &str, heard: i64) -> StatefulSet {
    let set = json!({
        "metadata": {
            "name": "acid-minimal-cluster", "namespace": "default", "uid": "set-1",
            "resourceVersion": "9", "generation": 2,
        },
        "spec": {
            "selector": {}, "template": {},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": when_deleted, "whenScaled": "Retain",
            },
        },
        "status": { "replicas": 1, "observedGeneration": heard },
    });
    serde_json::from_value(set).expect("a StatefulSet")
}

fn owner(kind: &str, uid: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "name": "acid-minimal-cluster-0", "uid": uid })
}

fn claim(name: &str, owners: &[Value]) -> Value {
    json!({ "metadata": {
        "name": name, "namespace": "default", "uid": format!("of-{name}"), "resourceVersion": "7",
        "ownerReferences": owners,
    } })
}

/// What it asks an API server for that has these claims and refuses `refused`.
async fn asked(
    live: &StatefulSet,
    claims: Vec<Value>,
    refused: Option<&'static str>,
) -> (Result<(), ApplyError>, Vec<(String, Value)>) {
    let api = FakeApi::new(move |asked| match asked.method.as_str() {
        method if Some(method) == refused => refusal(500),
        "GET" => (200, json!({ "metadata": {}, "items": claims })),
        "POST" => (201, asked.body.clone()),
        _ if asked.path == SET => (200, json!({ "metadata": { "name": "acid" } })),
        _ => (200, claims.first().cloned().unwrap_or_default()),
    });
    let (config, cluster) = (vectors::config(), vectors::cluster());
    let context = api.context(config.clone(), None);
    let manifest = serde_json::from_value(json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {}, "spec": {},
    }));
    let manifest = manifest.expect("a manifest");
    let fixed = ["spec.serviceName".to_owned()];
    let wanted = set("Delete", 2);
    let other = (&wanted, &fixed[..]);
    let done = around_its_pods(&context, &config, &manifest, &cluster.id, live, other).await;
    let asked = api.asked().into_iter().filter(|one| !one.path.contains("events"));
    let asked = asked.filter(|one| one.method != "POST" || one.query.contains("dryRun=All"));
    (done, asked.map(|one| (one.line(), one.body)).collect())
}

fn lines(asked: &[(String, Value)]) -> Vec<&str> {
    asked.iter().map(|(line, _)| line.as_str()).collect()
}

#[tokio::test]
async fn one_that_takes_its_claims_along_is_told_to_keep_them_first() {
    let owned = claim("pgdata-0", &[owner("StatefulSet", "set-1")]);
    let (done, asked) = asked(&set("Delete", 2), vec![owned], None).await;
    assert_eq!(done, Ok(()));
    let patch = json!({
        "metadata": { "uid": "set-1", "resourceVersion": "9" },
        "spec": { "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain" } },
    });
    assert_eq!(lines(&asked), [format!("POST {SETS}"), format!("PATCH {SET}")]);
    assert_eq!(asked[1].1, patch);
}

#[tokio::test]
async fn nothing_is_done_before_its_controller_has_heard_of_that() {
    let (done, asked) = asked(&set("Retain", 1), Vec::new(), None).await;
    assert_eq!((done, lines(&asked)), (Ok(()), Vec::new()));
}

#[tokio::test]
async fn one_that_goes_already_is_left_alone() {
    let mut going = set("Delete", 2);
    let at = serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    going.metadata.deletion_timestamp = Some(at);
    let (done, asked) = asked(&going, Vec::new(), None).await;
    assert_eq!((done, lines(&asked)), (Ok(()), Vec::new()));
}

#[tokio::test]
async fn claims_that_it_owns_are_set_free_before_it_is_deleted_and_keep_other_owners() {
    let pod = owner("Pod", "pod-1");
    let claims = vec![
        claim("pgdata-0", &[owner("StatefulSet", "set-1"), pod.clone()]),
        claim("pgdata-1", &[owner("StatefulSet", "set-0")]),
    ];
    let (done, asked) = asked(&set("Retain", 2), claims, None).await;
    assert_eq!(done, Ok(()));
    let patch = json!({ "metadata": {
        "uid": "of-pgdata-0", "resourceVersion": "7", "ownerReferences": [pod],
    } });
    let wanted = [
        format!("POST {SETS}"),
        format!("GET {CLAIMS}"),
        format!("PATCH {CLAIMS}/pgdata-0"),
        format!("DELETE {SET}"),
    ];
    assert_eq!(lines(&asked), wanted);
    assert_eq!(asked[2].1, patch);
    let deletion = &asked[3].1;
    assert_eq!(deletion["propagationPolicy"], "Orphan");
    assert_eq!(deletion["preconditions"]["uid"], "set-1");
}

#[tokio::test]
async fn it_stays_where_claims_cannot_be_seen_or_set_free() {
    for refused in ["GET", "PATCH"] {
        let owned = claim("pgdata-0", &[owner("StatefulSet", "set-1")]);
        let (done, asked) = asked(&set("Retain", 2), vec![owned], Some(refused)).await;
        assert!(done.is_err(), "{refused}");
        assert!(lines(&asked).iter().all(|line| !line.starts_with("DELETE")), "{refused}");
    }
}

#[tokio::test]
async fn one_stays_as_it_is_where_the_api_server_would_not_take_the_other_one() {
    for when_deleted in ["Delete", "Retain"] {
        let owned = claim("pgdata-0", &[owner("StatefulSet", "set-1")]);
        let (done, asked) = asked(&set(when_deleted, 2), vec![owned], Some("POST")).await;
        assert!(done.is_err_and(|error| error.to_string().contains("refused")));
        assert_eq!(lines(&asked), [format!("POST {SETS}")]);
        let metadata = &asked[0].1["metadata"];
        assert!(metadata["name"].is_null(), "the name is taken: {metadata}");
        assert_eq!(metadata["generateName"], "acid-minimal-cluster-");
    }
}

#[test]
fn a_refusal_that_is_about_the_question_stops_nobody() {
    let says = |message: &str| {
        let (_, mut status) = refusal(403);
        status["message"] = json!(message);
        let status = serde_json::from_value(status).expect("a status");
        says_nothing(&kube::Error::Api(Box::new(status)))
    };
    assert!(says("admission webhook \"x\" does not support dry run"));
    assert!(says("statefulsets.apps \"a-x\" is forbidden: exceeded quota: sets, requested: 1"));
    assert!(!says("spec.template.spec.volumes[1].name: Duplicate value"));
}
