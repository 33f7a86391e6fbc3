//! Poolers go with their cluster.

use serde_json::{Value, json};

use super::super::{Deletion, proceed};
use super::{fill, id, object, of};
use crate::build::tests::config;
use crate::testing::Store;

#[tokio::test]
async fn poolers_and_their_lists_of_users_go_with_a_cluster_and_passwords_where_that_is_said() {
    let labels = json!({ "labels": { "application": "db-connection-pooler",
        "connection-pooler": "acid-main-pooler", "cluster-name": "acid-main" } });
    let credentials = "pooler.acid-main.credentials.postgresql.acid.zalan.do";
    let deployment = |name: &str| {
        let (path, mut object) = object("deployments", name, &labels);
        object["spec"] = json!({ "selector": {}, "template": {} });
        (path, object)
    };
    let of_pooler = [
        deployment("acid-main-pooler"),
        deployment("acid-main-pooler-repl"),
        object("services", "acid-main-pooler", &labels),
        object("secrets", "acid-main-pooler-u", &labels),
    ];
    let others = [deployment("my-own"), object("services", "my-own", &labels)];
    for takes_secrets in [false, true] {
        let secret = object("secrets", credentials, &labels);
        let all: Vec<(String, Value)> =
            of_pooler.iter().chain(&others).chain([&secret]).cloned().collect();
        let store = Store::new(all.clone());
        let (api, mut config) = (store.api(), config());
        config.deletion.enable_secrets_deletion = takes_secrets;
        let context = api.context(config.clone(), None);
        let of_kind = |plural: &str| -> Vec<Value> {
            let own = all.iter().filter(|(path, _)| path.split('/').rev().nth(1) == Some(plural));
            own.map(|(_, object)| object.clone()).collect()
        };
        fill(&context.caches.deployments, of_kind("deployments").into_iter().map(of).collect());
        fill(&context.caches.services, of_kind("services").into_iter().map(of).collect());
        fill(&context.caches.secrets, of_kind("secrets").into_iter().map(of).collect());
        proceed(&context, &config, &id(), &Deletion::Begun("uid-1".to_owned())).await;
        let now = store.paths();
        assert!(of_pooler.iter().all(|(path, _)| !now.contains(path)), "{now:?}");
        assert!(others.iter().all(|(path, _)| now.contains(path)), "{now:?}");
        assert_eq!(now.contains(&secret.0), !takes_secrets, "{now:?}");
    }
}
