//! The section for Kubernetes, where Patroni keeps who leads.

use serde_json::{Value, json};

use super::{Variables, map_at};

/// Sections of other stores are not made: without this one Patroni ends and says so.
pub(super) fn add(patroni: &mut Value, variables: &Variables<'_>) {
    if !variables.set("DCS_ENABLE_KUBERNETES_API") {
        return;
    }
    let namespace = variables.or("POD_NAMESPACE", "default");
    if namespace != "default" {
        map_at(patroni, &[]).insert("namespace".to_owned(), json!(namespace));
    }
    let section = map_at(patroni, &["kubernetes"]);
    let defaults = [
        ("scope_label", "version"),
        ("role_label", "spilo-role"),
        ("leader_label_value", "master"),
        ("standby_leader_label_value", "master"),
        ("bypass_api_service", "true"),
    ];
    for (key, default) in defaults {
        section.insert(key.to_owned(), json!(default));
    }
    // Every variable of the family is a key, known or not.
    for (name, value) in variables.0 {
        if let Some(key) = name.strip_prefix("KUBERNETES_") {
            section.insert(key.to_lowercase(), json!(value));
        }
    }
    for (key, default) in
        [("labels", json!({ "application": "spilo" })), ("bootstrap_labels", json!({}))]
    {
        let written = section.get(key).and_then(Value::as_str).unwrap_or_default();
        // Text that is no JSON is passed over in silence.
        let labels = serde_json::from_str::<Value>(written).ok().filter(Value::is_object);
        section.insert(key.to_owned(), labels.unwrap_or(default));
    }
    // Not as text, which Patroni would take for true whatever it says.
    let bypass = section.get("bypass_api_service").and_then(Value::as_str) == Some("true");
    section.insert("bypass_api_service".to_owned(), json!(bypass));
    let configmaps = section.remove("use_configmaps");
    if configmaps.as_ref().and_then(Value::as_str).is_none_or(str::is_empty) {
        section.insert("use_endpoints".to_owned(), json!(true));
        section.insert("pod_ip".to_owned(), json!(variables.or("POD_IP", "")));
        section.insert("ports".to_owned(), json!([{ "port": 5432, "name": "postgresql" }]));
    }
}
