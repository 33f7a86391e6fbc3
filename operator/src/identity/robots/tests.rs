//! What is known of infrastructure roles while their objects come and go.

use super::*;
use crate::roles::vectors;

fn name() -> NamespacedName {
    NamespacedName::parse("pg/roles", "pg")
}

fn settings() -> Settings {
    let mut settings = vectors::config().identity;
    settings.infrastructure_roles_secret_name = Some(name());
    settings
}

fn keys(all: &[(&str, &str)]) -> Found {
    let all = all.iter();
    Found::Keys(all.map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec().into())).collect())
}

fn names(all: &Infrastructure) -> Vec<&str> {
    all.roles.iter().map(|robot| robot.name.as_str()).collect()
}

const SECRET: [(&str, &str); 3] = [("user1", "etl"), ("password1", "x"), ("web", "y")];

#[test]
fn definitions_that_were_there_and_are_gone_take_nothing_from_anybody() {
    let robots = Robots::default();
    robots.found(Place::Secret(name()), keys(&SECRET));
    assert!(robots.found(Place::ConfigMap(name()), keys(&[("web", "{}")])));
    let all = robots.now(&settings());
    assert_eq!((names(&all), &all.frozen), (vec!["etl", "web"], &None));
    assert!(robots.found(Place::ConfigMap(name()), Found::Absent));
    for _ in 0..2 {
        let all = robots.now(&settings());
        assert_eq!(names(&all), ["etl"]);
        assert!(all.frozen.is_some_and(|reason| reason.contains("pg/roles with infrastructure roles is gone")));
        assert!(!robots.found(Place::ConfigMap(name()), Found::Absent));
    }
    robots.found(Place::ConfigMap(name()), keys(&[]));
    assert_eq!(robots.now(&settings()).frozen, None);
}

#[test]
fn after_a_restart_a_password_without_a_definition_says_that_some_are_missing() {
    let robots = Robots::default();
    robots.found(Place::Secret(name()), keys(&SECRET));
    robots.found(Place::ConfigMap(name()), Found::Absent);
    let frozen = robots.now(&settings()).frozen;
    assert!(frozen.is_some_and(|reason| reason.contains("the key web of a role")));
    robots.found(Place::Secret(name()), keys(&SECRET[..2]));
    assert_eq!(robots.now(&settings()).frozen, None);
}
