//! docs/reference against the tables, schemas and words of this crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ::reference::{Document, markdown, same, words};
use regex_lite::Regex;
use serde_json::Value;

use crate::config::keys::{CrdDefault, Key, Mark, all};
use crate::report::Stage;

/// Words in CamelCase of the sources that are no reason of a condition or an event: kinds, fields and
/// values of Kubernetes and of the HTTP API. Whoever writes a new word puts it here or into
/// docs/reference/conditions.md.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "Absent", "AlreadyExists", "Apply", "Backup", "Bearer", "Bound", "Cache", "CloneFrom",
    "Cluster", "ClusterFacts", "ClusterIP", "ClusterRole", "ConfigMap", "Context",
    "ControllerResizeError", "CreateFailed", "Creating", "Credentials", "CronJob",
    "DefaultRoleValue", "DefaultUserValue", "Deployment", "Details", "Disabled", "DoesNotExist",
    "Ei", "Endpoints", "Equal", "Established", "Events", "Exists", "ExitCode",
    "FabricEventStream", "Failed", "Failure", "False", "Filesystem", "Forbid", "Generated",
    "Gi", "Given", "Gone", "Gt", "Honor", "IfNotPresent", "Ignore", "In", "Infeasible",
    "Invalid", "Kept", "Keys", "Ki", "KubeQPS", "Lasting", "LoadBalancer", "Local", "Lost",
    "Lt", "Memory", "Mi", "Name", "Never", "NoExecute", "NoSchedule", "NoTeamsAPI", "Node",
    "NodePort", "NodeResizeError", "NodeResizePending", "Nodes", "Normal", "NotFound", "NotIn",
    "Objects", "OnDelete", "Opaque", "OperatorConfiguration", "OrderedReady", "Orphan",
    "Parallel", "Parts", "PascalCase", "PasswordKey", "Pending", "PersistentVolumeClaim", "Pi",
    "Pod", "PodDisruptionBudget", "PostgresClusterStatus", "PostgresTeam", "PreferNoSchedule",
    "Progressing", "ReadWriteOnce", "ReplicaFailure", "Retain", "RoleBinding", "RoleKey",
    "Running", "Secret", "SecretName", "Service", "ServiceAccount", "Shown", "Status",
    "Subject", "Succeeded", "Success", "Template", "Ti", "ToBeDeletedByClusterAutoscaler",
    "True", "Unknown", "UpdateFailed", "Updating", "UserKey", "Warning", "WorkerID", "Workers",
];

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// What a key does, and what else is known of it.
fn told(key: &Key) -> String {
    let notes = [
        (key.mark == Mark::Ours, "*Ours.*".to_owned()),
        (key.needs_restart(), "A change waits for the operator to start again.".to_owned()),
        (key.is_secret(), "Never shown.".to_owned()),
        (!key.is_used() || key.is_not_yet(), "Without an effect.".to_owned()),
        (!key.aliases().is_empty(), format!("Also `{}`, as in 2018.", key.aliases().join("`, `"))),
    ];
    let notes = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text);
    [key.doc.to_owned()].into_iter().chain(notes).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_table_of_keys_is_that_of_the_code() {
    let mut groups: Vec<Option<&str>> = Vec::new();
    for key in all() {
        if !groups.contains(&key.group) {
            groups.push(key.group);
        }
    }
    let mut text = String::new();
    for group in groups {
        let heading = match group {
            None => "## In a ConfigMap alone".to_owned(),
            Some("") => "## `configuration`".to_owned(),
            Some(group) => format!("## `configuration.{group}`"),
        };
        let rows = all().filter(|key| key.group == group).map(|key| {
            let other = match key.crd_default {
                CrdDefault::Same => String::new(),
                CrdDefault::Nothing if key.default.is_empty() => String::new(),
                CrdDefault::Nothing => "none".to_owned(),
                CrdDefault::Other(other) => code(other),
            };
            vec![code(key.name), key.slot.kind().to_owned(), code(key.default), other, told(key)]
        });
        let head = ["key", "type", "default", "in an `OperatorConfiguration`", "what it does"];
        text.push_str(&format!("{heading}\n\n{}\n", markdown(&head, rows)));
    }
    Document::read("operator-config.md").generated("keys", &text);
}

/// Every field below one of a schema: its name from the top, its type, and whether it has to be there.
fn fields(path: &str, schema: &Value, found: &mut BTreeSet<(String, String, bool)>) {
    let required = |name: &str| {
        let mut all = schema["required"].as_array().into_iter().flatten();
        all.any(|one| one == name)
    };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let kind = match field["type"].as_str() {
            None => "number or text",
            Some("array") if field["items"]["type"] == "string" => "list of texts",
            Some("array") => "list of objects",
            Some("boolean") => "bool",
            Some("integer") => "number",
            Some("string") => "text",
            Some(_) if field["additionalProperties"].is_object() => "map",
            Some(_) => "object",
        };
        found.insert((path.clone(), kind.to_owned(), required(name)));
        fields(&path, field, found);
        fields(&format!("{path}[]"), &field["items"], found);
        fields(&format!("{path}.NAME"), &field["additionalProperties"], found);
    }
}

#[test]
fn every_field_of_a_manifest_is_in_the_table() {
    let schema: Value = serde_saphyr::from_str(include_str!("api/crds/postgresql.yaml")).unwrap();
    let version = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut known = BTreeSet::new();
    fields("", &version["properties"]["spec"], &mut known);
    let rows = Document::read("manifest.md").table("Manifest of a cluster");
    let documented = rows.into_iter().map(|row| {
        assert!(!row[3].is_empty(), "{} is not explained", row[0]);
        (words(&row[0])[0].to_owned(), row[1].clone(), row[2] == "*required*")
    });
    same("fields", documented, known);
}

fn documented(heading: &str) -> BTreeSet<String> {
    let rows = Document::read("conditions.md").table(heading);
    let all: Vec<String> = rows.iter().map(|row| words(&row[0])[0].to_owned()).collect();
    same(heading, all.clone(), all.clone());
    assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.is_empty())), "{heading}");
    all.into_iter().collect()
}

/// The text of every file that ships.
fn sources() -> Vec<String> {
    let not_shipped = ["reference.rs", "testing.rs", "tests.rs", "vectors.rs"];
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && !not_shipped.contains(&name.as_str()) {
                let text = fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn every_condition_reason_and_event_is_in_its_table() {
    let [conditions, reasons, events] = ["Conditions", "Reasons", "Events"].map(documented);
    let stages = Stage::ALL.map(Stage::condition).into_iter().chain(["ManifestAccepted"]);
    same("conditions", conditions.iter().map(String::as_str), stages);

    let word = Regex::new(r#""([A-Z][a-z]+(?:[A-Z][a-z]*)*)""#).unwrap();
    let event = Regex::new(r#"const REASON: &str = "([A-Z][A-Za-z ]+)""#).unwrap();
    let mut known = BTreeSet::new();
    for text in sources() {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        for found in word.captures_iter(&text).chain(event.captures_iter(&text)) {
            known.insert(found[1].replace(' ', ""));
        }
    }
    let others = OTHERS.iter().map(|word| (*word).to_owned()).collect();
    let all: BTreeSet<String> =
        [conditions, reasons, events, others].into_iter().flatten().collect();
    same("words", all, known);
}
