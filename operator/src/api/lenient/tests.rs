use serde_json::json;

use super::*;

#[test]
fn numbers_and_booleans_are_text_where_text_is_asked_for() {
    for (written, meant) in [
        (json!("10Gi"), "10Gi"),
        (json!(1), "1"),
        (json!(-1), "-1"),
        (json!(0.5), "0.5"),
        (json!(true), "true"),
    ] {
        assert_eq!(text(&written).unwrap(), meant);
    }
}

#[test]
fn lists_are_no_text() {
    let error = text(&json!(["10Gi"])).unwrap_err();
    assert!(error.to_string().contains("expected text or a number"), "{error}");
    assert!(optional_text(&json!({})).is_err());
}

#[test]
fn null_says_nothing() {
    assert_eq!(optional_text(&json!(null)).unwrap(), None);
    assert_eq!(texts(&json!(null)).unwrap(), BTreeMap::new());
    let slots = maps_of_texts(&json!({"a": null, "b": {"type": "physical", "x": null}})).unwrap();
    assert_eq!(slots["a"], BTreeMap::new());
    assert_eq!(slots["b"], BTreeMap::from([("type".to_owned(), "physical".to_owned())]));
}
