mod leaves;
mod lost;
mod owners;
mod poolers;
mod protection;
mod secrets;
mod seen;
mod steps;
mod tombstone;

use k8s_openapi::api::core::v1::Service;
use kube::Resource;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::controller::cache::Cache;
use crate::controller::caches::DELETED;

fn id() -> ClusterId {
    ClusterId { namespace: "a".to_owned(), name: "acid-main".to_owned() }
}

fn of<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("an object")
}

fn service(annotations: &Value) -> Service {
    of(json!({ "metadata": {
        "name": "acid-main", "namespace": "a", "uid": "service", "resourceVersion": "5",
        "labels": { "application": "spilo", "cluster-name": "acid-main" },
        "annotations": annotations,
    } }))
}

fn tombstone(text: &str) -> Service {
    service(&json!({ DELETED: text }))
}

fn manifest(uid: &str, more: &Value) -> Postgresql {
    let mut metadata = json!({ "name": "acid-main", "namespace": "a", "uid": uid });
    let all = metadata.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    of(json!({ "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": metadata,
        "spec": {} }))
}

/// What the first list of a watch says.
fn fill<K>(cache: &Cache<K>, objects: Vec<K>)
where
    K: Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    cache.take(Event::Init);
    for object in objects {
        cache.take(Event::InitApply(object));
    }
    cache.take(Event::InitDone);
}

/// One object of a server, by kind in plural.
fn object(plural: &str, name: &str, more: &Value) -> (String, Value) {
    let group = match plural {
        "statefulsets" | "deployments" => "apis/apps/v1",
        "cronjobs" => "apis/batch/v1",
        "poddisruptionbudgets" => "apis/policy/v1",
        "fabriceventstreams" => "apis/zalando.org/v1",
        _ => "api/v1",
    };
    let mut metadata = json!({
        "name": name, "namespace": "a", "uid": format!("{plural}-{name}"), "resourceVersion": "5",
        "labels": { "application": "spilo", "cluster-name": "acid-main" },
        "annotations": {},
    });
    let all = metadata.as_object_mut().expect("an object");
    all.extend(more.as_object().expect("an object").clone());
    let mut object = json!({ "metadata": metadata });
    if plural == "statefulsets" {
        let labels = json!({ "application": "spilo", "cluster-name": "acid-main" });
        object["spec"] = json!({ "selector": { "matchLabels": labels }, "template": {} });
    }
    (format!("/{group}/namespaces/a/{plural}/{name}"), object)
}
