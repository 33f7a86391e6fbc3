use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::service;
use crate::build::tests::config;
use crate::testing::FakeApi;

fn of(version: u64, port: u16) -> Service {
    let object: Value = json!({
        "metadata": {
            "name": "acid-main", "namespace": "a", "uid": "service",
            "resourceVersion": version.to_string(),
            "labels": { "application": "spilo", "cluster-name": "acid-main" },
        },
        "spec": { "ports": [{ "port": port }] },
    });
    serde_json::from_value(object).expect("a Service")
}

#[tokio::test]
async fn a_service_that_somebody_changed_is_looked_at_and_one_that_was_only_reported_on_is_not() {
    let context = Arc::new(FakeApi::empty().context(config(), None));
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-main", "namespace": "a", "uid": "uid-1" }, "spec": {},
    });
    let manifest = serde_json::from_value(manifest).expect("a manifest");
    context.caches.manifests.take(Event::Apply(manifest));
    context.caches.services.take(Event::Apply(of(1, 5432)));
    let happens = |object: Service| {
        let changes = context.caches.services.take(Event::Apply(object));
        changes.into_iter().for_each(|change| service(&context, change));
        context.objects.waiting().len()
    };
    assert_eq!(happens(of(2, 5432)), 0);
    assert_eq!(happens(of(3, 1234)), 1);
}
