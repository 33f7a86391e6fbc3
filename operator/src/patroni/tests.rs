use std::collections::BTreeMap;

use super::leader;

#[test]
fn the_leader_is_who_the_annotation_names() {
    let named = BTreeMap::from([("leader".to_owned(), "acid-0".to_owned())]);
    assert_eq!(leader(&named), Some("acid-0"));
    assert_eq!(leader(&BTreeMap::from([("leader".to_owned(), String::new())])), None);
    assert_eq!(leader(&BTreeMap::new()), None);
}
