//! What the chart says of the operator's configuration, made from the operator's own table of keys.

use std::collections::BTreeMap;
use std::fmt::Write;

use operator::config::keys::{CrdDefault, Key, Rule, all};
use serde_json::{Value, json};

/// Behind this line of values.yaml everything is made from the code.
pub const MARK: &str = "configuration:";
/// What the chart says unless somebody says something else: nobody is asked at an address of an
/// example, no load balancer is made that nobody asked for, and manifests may be anywhere.
const SAID: [(&str, &str); 4] = [
    ("enable_master_load_balancer", "false"),
    ("enable_teams_api", "false"),
    ("pam_configuration", "\"\""),
    ("watched_namespace", "\"*\""),
];
/// Keys that take one of some words.
pub const WORDS: [(&str, &[&str]); 8] = [
    ("connect_to", &["service", "pod"]),
    ("connection_pooler_mode", &["session", "transaction"]),
    ("external_traffic_policy", &["Cluster", "Local"]),
    ("logical_backup_provider", &["az", "gcs", "s3"]),
    ("major_version_upgrade_mode", &["off", "manual", "full"]),
    ("node_readiness_label_merge", &["AND", "OR"]),
    ("pod_management_policy", &["ordered_ready", "parallel"]),
    ("storage_resize_mode", &["ebs", "mixed", "off", "pvc"]),
];
/// As Go writes it.
const DURATION: &str = r"^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$";

/// The keys of both forms by their group; the group "" comes first.
fn groups() -> BTreeMap<&'static str, Vec<&'static Key>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for key in all() {
        if let Some(group) = key.group {
            groups.entry(group).or_default().push(key);
        }
    }
    groups.values_mut().for_each(|keys| keys.sort_by_key(|key| key.name));
    groups
}

/// The last part of values.yaml.
pub fn yaml() -> String {
    let mut text = format!("{MARK}\n");
    for (group, keys) in groups() {
        let indent = if group.is_empty() { "  " } else { "    " };
        if !group.is_empty() {
            writeln!(text, "  {group}:").expect("a text grows");
        }
        for key in keys {
            for line in wrapped(&comment(key), 100 - indent.len() - 2) {
                writeln!(text, "{indent}# {line}").expect("a text grows");
            }
            let said = SAID.iter().find(|(name, _)| *name == key.name);
            writeln!(text, "{indent}{}: {}", key.name, said.map_or("null", |(_, value)| value))
                .expect("a text grows");
        }
    }
    text
}

/// `duration, 30m: how often ...`
fn comment(key: &Key) -> String {
    let shown =
        |default: &str| if default.is_empty() { "-".to_owned() } else { default.to_owned() };
    let default = match key.crd_default {
        CrdDefault::Same => shown(key.default),
        CrdDefault::Nothing if ["", "false"].contains(&key.default) => shown(key.default),
        // An empty number or word is the same as none there.
        CrdDefault::Nothing => format!("{} / -", shown(key.default)),
        CrdDefault::Other(other) => format!("{} / {other}", shown(key.default)),
    };
    let later = if key.is_not_yet() { " Without an effect so far." } else { "" };
    format!("[{}: {default}] {}{later}", key.slot.kind(), key.doc)
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.is_empty() {
            *last = word.to_owned();
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            write!(last, " {word}").expect("a text grows");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The schema of that part.
pub fn schema() -> Value {
    let mut all = serde_json::Map::new();
    for (group, keys) in groups() {
        let own = keys.into_iter().map(|key| (key.name.to_owned(), of(key)));
        if group.is_empty() {
            all.extend(own);
        } else {
            let own: serde_json::Map<_, _> = own.collect();
            let group_schema = json!({
                "type": ["object", "null"], "additionalProperties": false, "properties": own,
            });
            all.insert(group.to_owned(), group_schema);
        }
    }
    json!({ "type": "object", "additionalProperties": false, "properties": all })
}

fn of(key: &Key) -> Value {
    let mut schema = match key.slot.kind() {
        "bool" => json!({ "type": ["boolean", "null"] }),
        "number" => json!({ "type": ["integer", "null"] }),
        "share" => json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 }),
        "duration" => json!({ "type": ["string", "null"], "pattern": DURATION }),
        "list" => json!({ "type": ["array", "string", "null"],
                          "items": { "type": ["string", "number"] } }),
        "map" => json!({ "type": ["object", "string", "null"],
                         "additionalProperties": { "type": ["string", "number", "boolean"] } }),
        "containers" | "secrets" => json!({ "type": ["array", "string", "null"],
                                            "items": { "type": "object" } }),
        "object" | "probe" => json!({ "type": ["object", "string", "null"] }),
        "[namespace/]name" => json!({ "type": ["string", "null"] }),
        "text" => json!({ "type": ["string", "number", "null"] }),
        other => panic!("{}: no schema says what a {other} is", key.name),
    };
    for rule in key.rules {
        if let Rule::Within(least, most) = rule {
            schema["minimum"] = json!(least);
            schema["maximum"] = json!(most);
        }
    }
    if let Some((_, words)) = WORDS.iter().find(|(name, _)| *name == key.name) {
        let words: Vec<_> = words.iter().map(|word| json!(word)).chain([Value::Null]).collect();
        schema = json!({ "enum": words });
    }
    schema["description"] = json!(key.doc);
    schema
}
