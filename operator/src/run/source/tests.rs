use futures_util::StreamExt;
use serde_json::json;

use super::{Followed, Source};
use crate::config::{Environment, NamespacedName};
use crate::testing::{FakeApi, refusal};

async fn first(answer: fn() -> (u16, serde_json::Value)) -> Followed {
    let api = FakeApi::new(move |_| answer());
    let source = Source::ConfigMap(NamespacedName::parse("a/postgres-operator", "a"));
    let mut readings = source.follow(&api.client(), &Environment::default());
    readings.next().await.expect("it never ends")
}

#[tokio::test]
async fn an_api_server_that_is_down_is_no_mistake_in_the_configuration() {
    let broken = first(|| refusal(503)).await;
    assert!(matches!(broken, Followed::Broken(_)), "{broken:?}");
    let list = || {
        let map = json!({ "metadata": { "name": "postgres-operator", "namespace": "a" },
            "data": { "workers": "none" } });
        (
            200,
            json!({ "kind": "ConfigMapList", "apiVersion": "v1",
            "metadata": { "resourceVersion": "1" }, "items": [map] }),
        )
    };
    let refused = first(list).await;
    assert!(matches!(&refused, Followed::Refused(why) if why.contains("workers")), "{refused:?}");
}
