use serde_json::{Value, json};

use super::{ours, planned};
use crate::api::status::PatroniStatus;

fn spec(slots: &Value) -> Value {
    json!({ "patroni": { "slots": slots } })
}

#[test]
fn a_slot_is_added_and_changed_and_one_that_is_right_is_left_alone() {
    let wanted = json!({
        "first": { "type": "physical" },
        "second": { "type": "logical", "database": "foo", "plugin": "pgoutput" },
        "third": { "type": "logical", "database": "bar", "plugin": "pgoutput" },
    });
    let there = json!({ "slots": {
        "second": { "type": "logical", "database": "foo", "plugin": "pgoutput" },
        "third": { "type": "logical", "database": "foo", "plugin": "pgoutput" },
    } });
    let plan = planned(spec(&wanted), &PatroniStatus::default(), there);
    let patch = json!({ "slots": {
        "first": { "type": "physical" },
        "third": { "type": "logical", "database": "bar", "plugin": "pgoutput" },
    } });
    assert_eq!(plan.patch, Some(patch));
    assert_eq!(plan.changes, ["slot first: added", "slot third: changed"]);
}

#[test]
fn what_a_slot_has_too_much_is_taken_away_by_name() {
    let wanted = json!({ "one": { "type": "physical" } });
    let there = json!({ "slots": { "one": { "type": "logical", "database": "foo" } } });
    let plan = planned(spec(&wanted), &PatroniStatus::default(), there);
    let patch = json!({ "slots": { "one": { "type": "physical", "database": null } } });
    assert_eq!(plan.patch, Some(patch));
}

#[test]
fn only_a_slot_that_the_manifest_had_is_removed() {
    let before = ours(spec(&json!({ "own": { "type": "physical" } })));
    let there = json!({ "slots": {
        "own": { "type": "physical" }, "foreign": { "type": "physical" },
    } });
    let plan = planned(json!({}), &before, there.clone());
    assert_eq!(plan.patch, Some(json!({ "slots": { "own": null } })));
    assert_eq!(plan.changes, ["slot own: removed"]);
    assert_eq!(planned(json!({}), &PatroniStatus::default(), there).patch, None);
}

#[test]
fn a_slot_that_was_there_already_belongs_to_the_manifest_that_names_it() {
    let wanted = json!({ "one": { "type": "physical" } });
    let plan = planned(spec(&wanted), &PatroniStatus::default(), json!({ "slots": wanted }));
    assert_eq!(plan.patch, None);
    assert!(plan.after.slots.contains("one"));
}

#[test]
fn a_slot_that_is_gone_already_is_forgotten_without_a_patch() {
    let before = ours(spec(&json!({ "own": { "type": "physical" } })));
    let plan = planned(json!({}), &before, json!({}));
    assert_eq!((plan.patch, plan.after), (None, PatroniStatus::default()));
}
