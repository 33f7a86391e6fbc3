use serde_json::{Value, json};

use crate::patroni::dynamic::same::{parameter, setting, shown, turn};

#[test]
fn values_that_mean_the_same_are_the_same_however_they_are_written() {
    for (there, wanted) in [
        (json!("100"), "100"),
        (json!(100), "100"),
        (json!(100), " 100"),
        (json!(0.9), "0.90"),
        (json!(true), "on"),
        (json!("on"), "true"),
        (json!("off"), "no"),
        (json!("1"), "on"),
        (json!("64MB"), "65536kB"),
        (json!("1800s"), "30min"),
        (json!("1h"), "3600 s"),
        (json!("logical"), "logical"),
        (json!(""), ""),
    ] {
        assert!(parameter(&there, wanted), "{there} and {wanted:?}");
    }
}

#[test]
fn what_may_mean_something_else_is_not_the_same() {
    for (there, wanted) in [
        (json!("100"), "120"),
        (json!(1), "2"),
        (json!("on"), "off"),
        (json!(null), "on"),
        (json!(null), ""),
        // The unit of a plain number is the parameter's own.
        (json!("64"), "64MB"),
        (json!("64MB"), "64GB"),
        (json!("60s"), "60MB"),
        (json!("replica"), "logical"),
        (json!("Logical"), "logical"),
        (json!(["a"]), "a"),
        (json!({}), ""),
    ] {
        assert!(!parameter(&there, wanted), "{there} and {wanted:?}");
    }
}

#[test]
fn settings_are_compared_as_numbers_and_flags_and_what_is_not_there_is_off() {
    for (there, wanted, is_same) in [
        (Some(json!(30)), json!(30), true),
        (Some(json!("30")), json!(30), true),
        (Some(json!(30)), json!(20), false),
        (None, json!(30), false),
        (Some(Value::Null), json!(30), false),
        (None, json!(false), true),
        (Some(Value::Null), json!(false), true),
        (None, json!(true), false),
        (Some(json!("on")), json!(true), true),
        (Some(json!("off")), json!(true), false),
        (Some(json!("nonsense")), json!(true), false),
        // A way to be synchronous that a manifest cannot name.
        (Some(json!("quorum")), json!(true), true),
        (Some(json!("quorum")), json!(false), false),
        // Single precision, from the bootstrap.
        (Some(json!(1_073_741_800)), json!(1_073_741_824), true),
        (Some(json!(33_554_432)), json!(1_073_741_824), false),
    ] {
        assert_eq!(setting(there.as_ref(), &wanted), is_same, "{there:?} and {wanted}");
    }
}

#[test]
fn only_plain_values_are_shown() {
    assert_eq!(turn("ttl", &json!(30), &json!(20)), "ttl: 30 -> 20");
    assert_eq!(turn("work_mem", &Value::Null, &json!("64MB")), "work_mem: (none) -> 64MB");
    let secret = json!("host=a password=b");
    assert_eq!(shown(&secret), None);
    assert_eq!(turn("primary_conninfo", &Value::Null, &secret), "primary_conninfo");
    assert_eq!(turn("a\u{1b}b", &json!(1), &json!(2)), "a\\u{1b}b: 1 -> 2");
}
