use k8s_openapi::api::apps::v1::StatefulSet;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::{misfit, refusal, taken};
use crate::build::names::Role;
use crate::build::tests::config;
use crate::cluster::ClusterId;
use crate::testing::Store;

fn set(selector: &Value) -> Value {
    json!({
        "metadata": { "name": "acid-main", "namespace": "a" },
        "spec": { "selector": { "matchLabels": selector }, "serviceName": "acid-main",
            "template": {} },
    })
}

fn ours() -> Value {
    json!({ "application": "spilo", "cluster-name": "acid-main" })
}

#[test]
fn labels_that_are_not_those_of_the_running_pods_do_not_fit() {
    let set: StatefulSet = serde_json::from_value(set(&ours())).expect("a StatefulSet");
    assert_eq!(misfit(&set, "acid-main", &config().labels), None);
    let mut labels = config().labels;
    labels.cluster_name_label = "cluster".to_owned();
    let reason = misfit(&set, "acid-main", &labels).expect("it does not fit");
    assert!(
        reason.contains("application=spilo,cluster-name=acid-main")
            && reason.contains("application=spilo,cluster=acid-main"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_stateful_set_of_that_name_is_looked_at_whatever_its_labels_are() {
    let id = ClusterId { namespace: "a".to_owned(), name: "acid-main".to_owned() };
    let path = "/apis/apps/v1/namespaces/a/statefulsets/acid-main".to_owned();
    for (selector, fits) in
        [(Some(json!({ "app": "orders" })), false), (Some(ours()), true), (None, true)]
    {
        let store = Store::new(selector.map(|selector| (path.clone(), set(&selector))));
        let context = store.api().context(config(), None);
        let refused = refusal(&context, &config(), &id).await;
        assert_eq!(refused.is_none(), fits, "{refused:?}");
    }
}

#[tokio::test]
async fn a_new_cluster_never_takes_the_service_of_a_pooler_of_another_one() {
    for (service, new) in [
        ("orders-pooler", "orders-pooler"),
        ("orders-pooler-repl", "orders-pooler-repl"),
        // That of its replicas.
        ("orders-pooler-repl", "orders-pooler"),
    ] {
        let context = Store::new([]).api().context(config(), None);
        let id = |name: &str| ClusterId { namespace: "a".to_owned(), name: name.to_owned() };
        assert_eq!(refusal(&context, &config(), &id(new)).await, None);
        let labels = json!({ "application": "db-connection-pooler", "cluster-name": "orders",
            "connection-pooler": service });
        let service = json!({ "metadata": { "name": service, "namespace": "a", "uid": "1",
            "labels": labels } });
        let service = serde_json::from_value(service).expect("a Service");
        context.caches.services.take(Event::Apply(service));
        let refused = refusal(&context, &config(), &id(new)).await.expect("a refusal");
        assert_eq!(refused.reason, "NameTaken");
        assert!(refused.message.contains("a pooler of the cluster orders:"), "{refused:?}");
        assert_eq!(taken(&context, &id("orders"), Role::Master), None);
    }
}
