use serde_json::Value;

use super::super::exec::Ended;
use super::{command, outcome_of, said};

#[test]
fn the_command_is_that_of_the_reference_as_the_right_user() {
    let line = "set -o pipefail && /usr/bin/python3 /scripts/inplace_upgrade.py 3 2>&1 | tee last_upgrade.log";
    assert_eq!(command("0\n", 3), ["/bin/su", "postgres", "-c", line]);
    assert_eq!(command("101\n", 3), ["/bin/bash", "-c", line]);
}

#[test]
fn what_is_told_of_a_failure_is_one_line_without_a_secret() {
    let ended = |text: &str| Ended {
        is_well: false,
        text: text.to_owned(),
        reason: "command terminated with exit code 1".to_owned(),
    };
    assert_eq!(said(&ended("a\nb\n")), "b");
    assert_eq!(said(&ended("")), "command terminated with exit code 1");
    let told = said(&ended("host=a password=hunter2 \u{1b}[31m"));
    assert!(!told.contains("hunter2") && !told.contains('\u{1b}'), "{told}");
    assert_eq!(said(&ended(&"ä".repeat(1000))).chars().count(), 300);
}

#[test]
fn how_it_ended_is_noted_as_the_reference_does_and_for_which_version() {
    let annotations = |is_well| outcome_of(16, is_well)["metadata"]["annotations"].clone();
    let is_time = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.len() == 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T')
    };
    let well = annotations(true);
    assert!(is_time(&well["last-major-upgrade-success"]), "{well}");
    assert!(well.as_object().unwrap().contains_key("last-major-upgrade-failure"));
    assert_eq!(well["last-major-upgrade-failure"], Value::Null, "it is taken off");
    assert_eq!(well["acid.zalan.do/major-upgrade"], "16 ended");
    let not = annotations(false);
    assert!(is_time(&not["last-major-upgrade-failure"]), "{not}");
    assert_eq!(not["acid.zalan.do/major-upgrade"], "16 failed");
    assert!(!not.as_object().unwrap().contains_key("last-major-upgrade-success"));
}
