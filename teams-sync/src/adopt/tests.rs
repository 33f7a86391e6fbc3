use super::*;

#[test]
fn a_name_that_postgresql_cut_is_known_for_what_it_was() {
    let renamed = |text: &str| is_renamed(&RoleName::from_catalog(text.to_owned()), DEFAULT_SUFFIX);
    assert!(renamed("alice_deleted"));
    assert!(renamed(&format!("{}_d", "a".repeat(61))));
    assert!(renamed(&format!("{}_", "a".repeat(62))));
    // Two bytes each, so that only 62 fitted.
    assert!(renamed(&format!("{}_d", "é".repeat(30))));
    assert!(!renamed("_deleted"), "nobody is left of it");
    assert!(!renamed("alice_d"), "short names are not cut");
    assert!(!renamed(&"a".repeat(63)));
}
