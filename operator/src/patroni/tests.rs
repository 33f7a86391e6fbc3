use std::collections::BTreeMap;

use super::{leader, pauses};

#[test]
fn the_leader_is_who_the_annotation_names() {
    let named = BTreeMap::from([("leader".to_owned(), "acid-0".to_owned())]);
    assert_eq!(leader(&named), Some("acid-0"));
    assert_eq!(leader(&BTreeMap::from([("leader".to_owned(), String::new())])), None);
    assert_eq!(leader(&BTreeMap::new()), None);
}

#[test]
fn whether_patroni_is_paused_stands_in_its_settings() {
    let of = |config: &str| pauses(&BTreeMap::from([("config".to_owned(), config.to_owned())]));
    assert!(of(r#"{"pause":true,"ttl":30}"#));
    for config in [r#"{"pause":false}"#, r#"{"ttl":30}"#, "", "{"] {
        assert!(!of(config), "{config}");
    }
    assert!(!pauses(&BTreeMap::new()));
}
