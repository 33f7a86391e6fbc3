use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::{Cache, Change, is_news};
use crate::cluster::ClusterId;

fn cluster(name: &str) -> ClusterId {
    ClusterId { namespace: "default".to_owned(), name: name.to_owned() }
}

fn service(name: &str, of: &str, version: u64) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("default".to_owned()),
            labels: Some(BTreeMap::from([("cluster-name".to_owned(), of.to_owned())])),
            resource_version: Some(version.to_string()),
            uid: Some(format!("uid-{name}")),
            ..ObjectMeta::default()
        },
        ..Service::default()
    }
}

fn cache() -> Cache<Service> {
    Cache::new(|service: &Service| {
        let name = service.labels().get("cluster-name")?.clone();
        Some(ClusterId { namespace: service.namespace()?, name })
    })
}

fn list(cache: &Cache<Service>, services: &[Service]) -> Vec<String> {
    cache.take(Event::Init);
    for service in services {
        assert!(cache.take(Event::InitApply(service.clone())).is_empty(), "not complete yet");
    }
    words(cache.take(Event::InitDone))
}

fn words(changes: Vec<Change<Service>>) -> Vec<String> {
    let mut words: Vec<_> = changes
        .into_iter()
        .map(|change| match change {
            Change::Seen { before: None, now } => format!("new {}", now.name_any()),
            Change::Seen { before: Some(_), now } => format!("changed {}", now.name_any()),
            Change::Deleted(gone) => format!("deleted {}", gone.name_any()),
            Change::Missing(gone) => format!("missing {}", gone.name_any()),
        })
        .collect();
    words.sort();
    words
}

#[test]
fn objects_are_found_by_their_cluster() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1), service("a-repl", "a", 2), service("b", "b", 3)]);
    let names: Vec<_> = cache.of(&cluster("a")).iter().map(|own| own.name_any()).collect();
    assert_eq!(names, ["a", "a-repl"]);
    assert!(cache.get(&cluster("a"), "a-repl").is_some());
    assert!(cache.get(&cluster("b"), "a-repl").is_none());
}

#[test]
fn it_is_filled_only_when_a_list_is_complete() {
    let cache = cache();
    cache.take(Event::Init);
    cache.take(Event::InitApply(service("a", "a", 1)));
    assert!(!cache.is_filled());
    assert!(cache.of(&cluster("a")).is_empty());
    cache.take(Event::InitDone);
    assert!(cache.is_filled());
}

#[test]
fn a_second_list_tells_what_changed_and_what_is_missing_and_nothing_else() {
    let cache = cache();
    let first = list(&cache, &[service("a", "a", 1), service("b", "b", 2), service("c", "c", 3)]);
    assert_eq!(first, ["new a", "new b", "new c"]);
    let second = list(&cache, &[service("a", "a", 1), service("b", "b", 9), service("d", "d", 5)]);
    assert_eq!(second, ["changed b", "missing c", "new d"]);
    assert!(cache.of(&cluster("c")).is_empty());
}

#[test]
fn an_object_that_is_gone_from_a_list_was_not_deleted_by_anybody() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1), service("b", "b", 2)]);
    assert_eq!(list(&cache, &[service("b", "b", 2)]), ["missing a"]);
    assert_eq!(words(cache.take(Event::Delete(service("b", "b", 3)))), ["deleted b"]);
}

#[test]
fn an_object_whose_label_changes_moves_to_its_new_cluster() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1)]);
    assert_eq!(words(cache.take(Event::Apply(service("a", "b", 2)))), ["changed a"]);
    assert!(cache.of(&cluster("a")).is_empty());
    assert_eq!(cache.of(&cluster("b")).len(), 1);
    assert_eq!(cache.clusters(), [cluster("b")]);
}

#[test]
fn an_object_that_loses_its_label_is_missing() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1)]);
    let mut other = service("a", "a", 2);
    other.metadata.labels = None;
    assert_eq!(words(cache.take(Event::Apply(other))), ["missing a"]);
    assert!(cache.all().is_empty());
}

#[test]
fn what_we_wrote_is_known_at_once_and_is_no_news_when_the_watch_tells() {
    let cache = cache();
    list(&cache, &[]);
    cache.wrote(service("a", "a", 7));
    assert!(cache.get(&cluster("a"), "a").is_some());
    assert!(cache.take(Event::Apply(service("a", "a", 7))).is_empty());
}

#[test]
fn what_we_wrote_does_not_replace_what_is_newer() {
    let cache = cache();
    list(&cache, &[service("a", "a", 9)]);
    cache.wrote(service("a", "a", 7));
    let known = cache.get(&cluster("a"), "a").expect("it is there");
    assert_eq!(known.resource_version().as_deref(), Some("9"));
}

#[test]
fn a_report_of_a_controller_is_no_news_and_a_label_is() {
    let (before, after) = (service("a", "a", 1), service("a", "a", 2));
    assert!(!is_news(&before, &after));
    assert!(is_news(&before, &service("a", "b", 2)));
}

#[test]
fn a_late_answer_does_not_bring_back_what_was_seen_to_be_deleted() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1), service("b", "b", 2), service("c", "c", 3)]);
    cache.take(Event::Delete(service("a", "a", 9)));
    cache.wrote(service("a", "a", 8));
    list(&cache, &[service("c", "c", 3)]);
    cache.wrote(service("b", "b", 8));
    cache.forget(&service("c", "c", 3));
    cache.wrote(service("c", "c", 8));
    assert!(cache.all().is_empty(), "{:?}", cache.clusters());
    // Nor does an event of before.
    assert!(cache.take(Event::Apply(service("a", "a", 8))).is_empty());
    assert!(cache.all().is_empty());
}

#[test]
fn what_comes_back_under_the_same_name_or_gets_its_label_back_is_there_again() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1), service("b", "b", 2)]);
    cache.take(Event::Delete(service("a", "a", 9)));
    let mut another = service("a", "a", 10);
    another.metadata.uid = Some("another".to_owned());
    cache.wrote(another);
    assert!(cache.get(&cluster("a"), "a").is_some());
    // To a watch by labels, one that loses its label is deleted.
    cache.take(Event::Delete(service("b", "b", 11)));
    assert_eq!(words(cache.take(Event::Apply(service("b", "b", 12)))), ["new b"]);
    cache.wrote(service("b", "b", 13));
    assert_eq!(words(cache.take(Event::Apply(service("b", "b", 14)))), ["changed b"]);
}

#[test]
fn the_end_of_one_is_not_the_end_of_its_successor() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1)]);
    let mut another = service("a", "a", 10);
    another.metadata.uid = Some("another".to_owned());
    cache.wrote(another);
    cache.forget(&service("a", "a", 1));
    assert!(cache.take(Event::Delete(service("a", "a", 9))).is_empty());
    let known = cache.get(&cluster("a"), "a").expect("it is there");
    assert_eq!(known.uid().as_deref(), Some("another"));
}

#[test]
fn what_we_made_while_a_list_came_in_is_there_when_the_watch_tells() {
    let cache = cache();
    list(&cache, &[]);
    cache.take(Event::Init);
    cache.wrote(service("a", "a", 7));
    assert_eq!(words(cache.take(Event::InitDone)), ["missing a"]);
    assert_eq!(words(cache.take(Event::Apply(service("a", "a", 7)))), ["new a"]);
}

#[test]
fn a_list_undoes_nothing_that_we_did_since_it_began() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1), service("b", "b", 2)]);
    cache.take(Event::Init);
    cache.take(Event::InitApply(service("a", "a", 1)));
    cache.wrote(service("a", "a", 7));
    cache.forget(&service("b", "b", 2));
    cache.take(Event::InitApply(service("b", "b", 2)));
    assert_eq!(words(cache.take(Event::InitDone)), [""; 0]);
    let known: Vec<_> =
        cache.all().iter().map(|own| (own.name_any(), own.resource_version())).collect();
    assert_eq!(known, [("a".to_owned(), Some("7".to_owned()))]);
    // The next list is of after that.
    assert_eq!(list(&cache, &[service("a", "a", 5), service("b", "b", 2)]), ["changed a", "new b"]);
}

#[test]
fn an_event_of_what_had_the_name_before_does_not_replace_its_successor() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1)]);
    let mut another = service("a", "a", 10);
    another.metadata.uid = Some("another".to_owned());
    cache.wrote(another);
    assert!(cache.take(Event::Apply(service("a", "a", 9))).is_empty());
    let known = cache.get(&cluster("a"), "a").and_then(|own| own.uid());
    assert_eq!(known.as_deref(), Some("another"));
}

#[test]
fn a_change_is_told_where_versions_are_no_numbers() {
    let cache = cache();
    let at = |version: &str| {
        let mut object = service("a", "a", 0);
        object.metadata.resource_version = Some(version.to_owned());
        object
    };
    list(&cache, &[at("x1")]);
    assert_eq!(words(cache.take(Event::Apply(at("x2")))), ["changed a"]);
    assert!(cache.take(Event::Apply(at("x2"))).is_empty());
}

#[test]
fn an_event_of_before_our_write_does_not_replace_it() {
    let cache = cache();
    list(&cache, &[service("a", "a", 1)]);
    cache.wrote(service("a", "a", 9));
    assert!(cache.take(Event::Apply(service("a", "a", 5))).is_empty());
    let known = cache.get(&cluster("a"), "a").expect("it is there");
    assert_eq!(known.resource_version().as_deref(), Some("9"));
    // A list counts whatever it says: a backup may have been restored.
    assert_eq!(list(&cache, &[service("a", "a", 5)]), ["changed a"]);
}

#[test]
fn a_users_change_that_an_answer_of_ours_has_is_told_of_by_the_watch() {
    let cache: Cache<Service> = Cache::of_users(|service: &Service| ClusterId::of(service));
    list(&cache, &[service("a", "a", 1)]);
    let mut changed = service("a", "a", 3);
    changed.metadata.generation = Some(2);
    cache.wrote(changed.clone());
    let told = cache.take(Event::Apply(changed));
    assert!(
        matches!(told.first(), Some(Change::Seen { before: Some(before), now })
        if is_news(&**before, &**now)),
        "{told:?}"
    );
    // What is ours alone is known at once.
    let mut status = service("a", "a", 5);
    status.metadata.generation = Some(2);
    cache.wrote(status);
    let known = cache.get(&cluster("a"), "a").expect("it is there");
    assert_eq!(known.resource_version().as_deref(), Some("5"));
}

#[test]
fn an_answer_and_an_event_at_once_leave_the_newer_one() {
    let cache = cache();
    let many = || (0..200).map(|number| (number.to_string(), "some text".to_owned())).collect();
    let at = |version: u64| {
        let mut object = service("a", "a", version);
        object.metadata.annotations = Some(many());
        object
    };
    for round in 1..500 {
        let (older, newer) = (at(2 * round), at(2 * round + 1));
        std::thread::scope(|scope| {
            scope.spawn(|| cache.wrote(older));
            scope.spawn(|| cache.take(Event::Apply(newer)));
        });
        let known = cache.get(&cluster("a"), "a").and_then(|own| own.resource_version());
        assert_eq!(known, Some((2 * round + 1).to_string()));
    }
}
