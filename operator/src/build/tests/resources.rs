use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};

use crate::build::resources::{Quantity, check, requirements};
use crate::config::PodResources;

fn text(amount: &str) -> String {
    Quantity::parse(amount).unwrap().to_string()
}

#[test]
fn amounts_compare_by_value() {
    let amount = |text| Quantity::parse(text).unwrap();
    for (one, other) in [("1000m", "1"), ("1Gi", "1073741824"), ("0.5", "500m"), ("1e3", "1k")] {
        assert_eq!(amount(one), amount(other), "{one} {other}");
    }
    assert!(amount("1G") < amount("1Gi"));
    assert!(amount("999m") < amount("1"));
}

#[test]
fn amounts_print_as_the_api_server_writes_them() {
    for (said, written) in [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.1", "100m"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("512", "512"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("0.5Ki", "512"),
        ("2e6", "2e6"),
        ("100M", "100M"),
        ("0Gi", "0"),
        ("+1", "1"),
        ("8Ei", "8Ei"),
        ("0.0000000001", "1n"),
    ] {
        assert_eq!(text(said), written, "{said}");
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for bad in ["", "Gi", "1gi", "1 Gi", "1,5", "1.2.3", "abc", "1e", "--1", "1Kib", "1e99"] {
        assert!(Quantity::parse(bad).is_err(), "{bad}");
    }
}

fn of(said: Value, config: &PodResources, thresholds: bool) -> (ResourceRequirements, usize) {
    let said = serde_json::from_value(said).unwrap();
    let mut notices = Vec::new();
    let all = requirements("postgres", Some(&said), config, thresholds, &mut notices);
    assert!(notices.iter().all(|notice| notice.reason == "ResourceLimits"));
    (all, notices.len())
}

fn json_of(requirements: &ResourceRequirements) -> Value {
    serde_json::to_value(requirements).unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_default_fills_in_for_what_says_nothing() {
    let config = PodResources {
        default_cpu_request: some("100m"),
        default_memory_request: some("100Mi"),
        default_cpu_limit: some("1"),
        default_memory_limit: some("500Mi"),
        ..PodResources::default()
    };
    let said = json!({ "requests": { "cpu": "0", "memory": "" }, "limits": { "cpu": "null" } });
    let expected = json!({
        "requests": { "cpu": "100m", "memory": "100Mi" },
        "limits": { "cpu": "1", "memory": "500Mi" },
    });
    assert_eq!(json_of(&of(said, &config, true).0), expected);
}

#[test]
fn without_defaults_nothing_is_asked_for() {
    assert_eq!(json_of(&of(json!({}), &PodResources::default(), true).0), json!({}));
}

#[test]
fn limits_are_raised_to_the_minimum_and_to_the_request() {
    let config = PodResources {
        min_cpu_limit: some("250m"),
        min_memory_limit: some("250Mi"),
        ..PodResources::default()
    };
    let said = json!({
        "requests": { "cpu": "300m", "memory": "100Mi" },
        "limits": { "cpu": "200m", "memory": "100Mi" },
    });
    let (all, notices) = of(said.clone(), &config, true);
    let expected = json!({
        "requests": { "cpu": "300m", "memory": "100Mi" },
        "limits": { "cpu": "300m", "memory": "250Mi" },
    });
    assert_eq!(json_of(&all), expected);
    assert_eq!(notices, 3);
    let (all, _) = of(said, &config, false);
    assert_eq!(json_of(&all)["limits"], json!({ "cpu": "300m", "memory": "100Mi" }));
}

#[test]
fn no_limit_counts_as_too_low_a_limit() {
    let config = PodResources { min_cpu_limit: some("250m"), ..PodResources::default() };
    assert_eq!(json_of(&of(json!({}), &config, true).0), json!({ "limits": { "cpu": "250m" } }));
}

#[test]
fn requests_are_capped_after_memory_rose_to_its_limit() {
    let config = PodResources {
        max_cpu_request: some("500m"),
        max_memory_request: some("300Mi"),
        set_memory_request_to_limit: true,
        ..PodResources::default()
    };
    let said = json!({
        "requests": { "cpu": "1", "memory": "100Mi" },
        "limits": { "cpu": "2", "memory": "502Mi" },
    });
    let expected = json!({
        "requests": { "cpu": "500m", "memory": "300Mi" },
        "limits": { "cpu": "2", "memory": "502Mi" },
    });
    assert_eq!(json_of(&of(said.clone(), &config, true).0), expected);
    let (all, _) = of(said, &config, false);
    assert_eq!(json_of(&all)["requests"], json!({ "cpu": "1", "memory": "502Mi" }));
}

#[test]
fn huge_pages_are_taken_as_they_are() {
    let said = json!({ "limits": { "hugepages-2Mi": "128Mi", "hugepages-1Gi": "1Gi" } });
    let expected = json!({ "limits": { "hugepages-2Mi": "128Mi", "hugepages-1Gi": "1Gi" } });
    assert_eq!(json_of(&of(said, &PodResources::default(), true).0), expected);
}

#[test]
fn a_bad_amount_is_named_by_its_field() {
    for (said, field) in [
        (json!({ "requests": { "cpu": "many" } }), "spec.resources.requests.cpu"),
        (json!({ "limits": { "memory": "-1Gi" } }), "spec.resources.limits.memory"),
        (json!({ "limits": { "hugepages-2Mi": "x" } }), "spec.resources.limits.hugepages-2Mi"),
    ] {
        let said = serde_json::from_value(said).unwrap();
        assert_eq!(check(&said, "spec.resources").unwrap_err().field, field);
    }
    let fine = json!({ "requests": { "cpu": "", "memory": "null" }, "limits": { "cpu": "0" } });
    assert_eq!(check(&serde_json::from_value(fine).unwrap(), "spec.resources"), Ok(()));
}
