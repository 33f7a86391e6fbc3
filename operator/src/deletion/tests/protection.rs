use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::super::protection::{Protection, check, check_at};
use crate::api::postgresql::Postgresql;
use crate::config::Config;

const DATE: &str = "delete-date";
const NAME: &str = "delete-clustername";

fn config() -> Config {
    let mut config = Config::default();
    config.deletion.delete_annotation_date_key = Some(DATE.to_owned());
    config.deletion.delete_annotation_name_key = Some(NAME.to_owned());
    config
}

fn manifest(annotations: &[(&str, &str)]) -> Postgresql {
    let all = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Postgresql {
        metadata: ObjectMeta {
            name: Some("acid-db".to_owned()),
            annotations: Some(all.collect::<BTreeMap<_, _>>()),
            ..ObjectMeta::default()
        },
        ..Postgresql::default()
    }
}

fn at_noon() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().expect("a time")
}

#[test]
fn a_deletion_that_was_meant_says_today_and_the_name() {
    let meant = manifest(&[(DATE, "2026-11-25"), (NAME, "acid-db")]);
    assert_eq!(check_at(&meant, &config(), at_noon()), Protection::None);
}

#[test]
fn a_deletion_without_what_it_has_to_say_is_refused_and_told_why() {
    for (annotations, missing) in [
        (vec![], DATE),
        (vec![(DATE, "2026-11-25")], NAME),
        (vec![(NAME, "acid-db")], DATE),
        // Yesterday's is not today's.
        (vec![(DATE, "2026-11-24"), (NAME, "acid-db")], DATE),
        (vec![(DATE, "2026-11-25"), (NAME, "other")], NAME),
    ] {
        match check_at(&manifest(&annotations), &config(), at_noon()) {
            Protection::Refused(reason) => assert!(reason.contains(missing), "{reason}"),
            Protection::None => panic!("{annotations:?} were enough"),
        }
    }
}

#[test]
fn a_deletion_that_was_meant_on_its_day_is_meant_when_that_is_over() {
    let deleted = |annotation: &str| {
        let mut manifest = manifest(&[(DATE, annotation), (NAME, "acid-db")]);
        let time = "2026-11-23T23:59:59Z".parse().expect("a time");
        manifest.metadata.deletion_timestamp = Some(Time(time));
        check_at(&manifest, &config(), at_noon())
    };
    assert_eq!(deleted("2026-11-23"), Protection::None);
    // Somebody comes to mean it.
    assert_eq!(deleted("2026-11-25"), Protection::None);
    for other in ["2026-11-22", "2026-11-24", "2026-11-26"] {
        assert!(matches!(deleted(other), Protection::Refused(_)), "{other}");
    }
}

#[test]
fn nothing_protects_where_nothing_is_configured_or_kubernetes_deletes_by_itself() {
    let bare = manifest(&[]);
    assert_eq!(check(&bare, &Config::default()), Protection::None);
    let mut owned = config();
    owned.operation.enable_owner_references = true;
    assert_eq!(check(&bare, &owned), Protection::None);
}
