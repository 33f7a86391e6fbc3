use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::{Value, json};

use super::{misfit, refusal};
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
