use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde_json::json;

use super::Lasting;
use crate::api::postgresql::Postgresql;
use crate::build::tests::config;
use crate::cluster::ClusterId;
use crate::controller::listen;
use crate::testing::FakeApi;

fn manifest(uid: &str) -> Postgresql {
    serde_json::from_value(json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-main", "namespace": "a", "uid": uid, "resourceVersion": "1" },
        "spec": {},
    }))
    .expect("a manifest")
}

fn happens(lasting: &Lasting, event: Event<Postgresql>) {
    lasting.manifests.take(event).into_iter().for_each(|change| lasting.changed(change));
}

fn id() -> ClusterId {
    ClusterId { namespace: "a".to_owned(), name: "acid-main".to_owned() }
}

#[tokio::test]
async fn a_deletion_between_two_beginnings_is_known_to_the_second() {
    let api = FakeApi::empty();
    let lasting = Arc::new(Lasting::default());
    let first = Arc::new(api.context_with(config(), None, Arc::clone(&lasting)));
    listen(&lasting, &first);
    happens(&lasting, Event::Apply(manifest("uid-1")));
    lasting.stop_listening();
    happens(&lasting, Event::Delete(manifest("uid-1")));
    let second = Arc::new(api.context_with(config(), None, Arc::clone(&lasting)));
    listen(&lasting, &second);
    assert!(second.deletions.get(&id()).is_some());
    let waiting: Vec<_> = second.objects.waiting().into_iter().map(|one| one.cluster).collect();
    assert_eq!(waiting, [id()]);
}

#[tokio::test]
async fn each_beginning_looks_at_every_manifest_that_is_known() {
    let api = FakeApi::empty();
    let lasting = Arc::new(Lasting::default());
    happens(&lasting, Event::Apply(manifest("uid-1")));
    let context = Arc::new(api.context_with(config(), None, Arc::clone(&lasting)));
    listen(&lasting, &context);
    assert_eq!(context.objects.waiting().len(), 1);
    assert_eq!(context.databases.waiting().len(), 1);
}
