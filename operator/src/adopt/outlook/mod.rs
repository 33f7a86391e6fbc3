//! What a takeover changes, as data and as text. Pure: writes that were not sent, differences of
//! templates and plans of roles go in.

use std::collections::BTreeSet;

use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use super::held::{HELD, Held};
use super::rehearsal::Write;
use crate::apply::compare::{self, Field};
use crate::leader::NAME;
use crate::restart::{Difference, Kind};

#[cfg(test)]
mod tests;

/// Everything about one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outlook {
    /// `NAMESPACE/NAME`.
    pub cluster: String,
    /// Whether pods, or PostgreSQL in them, would be restarted, at once or once something that it
    /// waits for is there.
    pub restarts: bool,
    pub changes: Vec<Change>,
    /// Roles that can log in and are named by no team.
    pub leavers: Vec<String>,
    pub notes: Vec<String>,
    /// What could not be looked at, or not be done.
    pub errors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// Parameters of PostgreSQL that change: whether it is restarted for them, it says itself.
    #[serde(skip)]
    pub parameters: BTreeSet<String>,
}

/// One field of one object.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// `StatefulSet default/acid-minimal-cluster`, `role alice`.
    pub object: String,
    pub field: String,
    /// As it is, `(none)` or `(hidden)`.
    pub from: String,
    /// As it would be, likewise.
    pub to: String,
    pub why: String,
}

const NONE: &str = "(none)";
const HIDDEN: &str = "(hidden)";
/// What an API server fills in where nobody says anything: not theirs to lose.
const DEFAULTS: [&str; 13] = [
    "spec.allocateLoadBalancerNodePorts",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalTrafficPolicy",
    "spec.internalTrafficPolicy",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
    "spec.minReadySeconds",
    "spec.persistentVolumeClaimRetentionPolicy",
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.sessionAffinity",
    "spec.type",
];

/// The same, wherever they are.
const FILLED_IN: [&str; 13] = [
    ".apiVersion",
    ".dnsPolicy",
    ".imagePullPolicy",
    ".nodePort",
    ".progressDeadlineSeconds",
    ".protocol",
    ".restartPolicy",
    ".schedulerName",
    ".securityContext",
    ".serviceAccount",
    ".strategy",
    ".terminationMessagePath",
    ".terminationMessagePolicy",
];

/// The same with these values. With others they are somebody's.
const FILLED_IN_WITH: [(&str, i64); 5] = [
    (".failureThreshold", 3),
    (".periodSeconds", 10),
    (".secret.defaultMode", 0o644),
    (".successThreshold", 1),
    (".timeoutSeconds", 1),
];

/// Whether an apply changes nothing of a field, since an API server has the one for the other.
fn is_filled_in(field: &Field) -> bool {
    if !field.to.is_null() {
        // What Go leaves out of its JSON.
        return field.from.is_null() && field.to == "" && field.path.ends_with(".value");
    }
    let with = |(suffix, value): &(&str, i64)| {
        field.path.ends_with(suffix) && field.from.as_i64() == Some(*value)
    };
    let runs = field.path == "spec.suspend" && field.from == false;
    runs || DEFAULTS.contains(&field.path.as_str())
        || FILLED_IN.iter().any(|suffix| field.path.ends_with(suffix))
        || FILLED_IN_WITH.iter().any(with)
}

/// Whether a value is a container, or has one somewhere.
fn has_variables(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("env") || fields.values().any(has_variables),
        Value::Array(items) => items.iter().any(has_variables),
        _ => false,
    }
}

impl Outlook {
    /// Of a cluster of which nothing is known yet.
    pub fn of(cluster: impl ToString) -> Self {
        Self { cluster: cluster.to_string(), ..Self::default() }
    }

    /// Takes what is different in a template, and what of it is held.
    pub fn template(&mut self, object: &str, all: &[Difference], held: Option<&Held>, ours: bool) {
        for one in all {
            let rolls = one.kind == Kind::RollsPods;
            self.restarts |= rolls;
            let why = match (rolls, held.is_some(), ours) {
                (_, true, _) => {
                    "restarts pods: waits until somebody accepts it (operator adopt --accept-restarts)"
                }
                (true, false, true) => {
                    "restarts pods: a change of the manifest or the configuration"
                }
                (true, false, false) => "restarts pods: somebody has accepted it",
                (false, false, _) => "comes with the next restart of a pod, and restarts none",
            };
            let field = format!("spec.template.{}", one.field);
            self.change(object, field, &one.from, &one.to, why);
        }
    }

    /// Takes writes that were not sent.
    pub fn writes(&mut self, writes: &[Write]) {
        for write in writes {
            let object = object(write);
            match write.method {
                Method::POST => self.change(&object, "", NONE, "created", "it is not there"),
                Method::DELETE if write.body["propagationPolicy"] == "Orphan" => {
                    let why = "some of its fields cannot be changed; its pods stay as they are";
                    self.change(&object, "", "as it is", "replaced", why);
                }
                Method::DELETE if is_pooler(write) => {
                    self.restarts = true;
                    let why = "its pods end with it, and all connections through them; where a pooler is asked for, another one takes its place";
                    self.change(&object, "", "as it is", "deleted", why);
                }
                Method::DELETE => {
                    let why = "nobody asks for it, or not as it is";
                    self.change(&object, "", "as it is", "deleted", why);
                }
                _ => self.patched(&object, write),
            }
        }
    }

    fn patched(&mut self, object: &str, write: &Write) {
        let Some(live) = &write.live else {
            return self.change(object, "", NONE, "created", "it is not there");
        };
        let is_secret = write.path.contains("/secrets/");
        let fields = compare::fields(&write.body, live, NAME);
        for field in fields.into_iter().flat_map(by_key) {
            let is_elsewhere =
                write.path.contains("/statefulsets/") && field.path.starts_with("spec.template");
            let is_bookkeeping = field.path.starts_with("metadata.managedFields")
                || field.path == "metadata.resourceVersion"
                || field.path == format!("metadata.annotations.{HELD}");
            if is_filled_in(&field) || is_elsewhere || is_bookkeeping {
                continue;
            }
            // Another operator writes keys of a cloud into variables.
            let is_variable = field.path.contains(".env[") || field.path.ends_with(".env");
            let is_whole = has_variables(&field.from) || has_variables(&field.to);
            let hidden =
                is_variable || is_whole || is_secret && !field.path.starts_with("metadata.");
            let shown = |value: &Value| match value {
                Value::Null => NONE.to_owned(),
                _ if hidden => HIDDEN.to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let rolls = is_pooler(write) && field.path.starts_with("spec.template");
            self.restarts |= rolls;
            let why = match field.to {
                _ if rolls => {
                    "restarts pods: those of the pooler are replaced, and connections through them end"
                }
                Value::Null => "another operator has set it, and nothing asks for it",
                _ => "the manifest and the configuration say so",
            };
            self.change(object, field.path.clone(), &shown(&field.from), &shown(&field.to), why);
        }
    }

    /// Takes one change.
    pub fn change(
        &mut self,
        object: &str,
        field: impl Into<String>,
        from: &str,
        to: &str,
        why: &str,
    ) {
        let (object, field) = (object.to_owned(), field.into());
        let (from, to, why) = (from.to_owned(), to.to_owned(), why.to_owned());
        self.changes.push(Change { object, field, from, to, why });
    }

    /// 0 nothing to change, 1 an error, 2 changes. Leavers are told of, and nobody locks them unasked.
    pub fn code(&self) -> u8 {
        match (self.errors.is_empty(), self.changes.is_empty() && !self.restarts) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// For people. Text of others is escaped.
    pub fn text(&self) -> String {
        let escaped = |text: &str| text.escape_debug().to_string();
        let mut text = format!("{}:", self.cluster);
        let is_quiet = self.changes.is_empty() && self.errors.is_empty() && self.done.is_empty();
        text.push_str(match (self.restarts, is_quiet) {
            (true, _) => " pods would be restarted\n",
            (false, true) => " nothing to change\n",
            (false, false) => " no pod is restarted\n",
        });
        for own in &self.changes {
            let field =
                if own.field.is_empty() { String::new() } else { format!(" {}", own.field) };
            let line = format!("  {}{field}: {} -> {}", own.object, own.from, own.to);
            text.push_str(&format!("{}\n      {}\n", escaped(&line), escaped(&own.why)));
        }
        if !self.leavers.is_empty() {
            let leavers = escaped(&self.leavers.join(", "));
            text.push_str(&format!(
                "  can log in, and no team names them (--lock-leavers locks them): {leavers}\n"
            ));
        }
        for (what, lines) in [("done", &self.done), ("note", &self.notes), ("ERROR", &self.errors)]
        {
            for line in lines {
                text.push_str(&format!("  {what}: {}\n", escaped(line)));
            }
        }
        text
    }
}

/// Its controller makes pods anew by itself.
fn is_pooler(write: &Write) -> bool {
    write.path.contains("/deployments/")
}

/// Labels or annotations that come or go all together, one by one.
fn by_key(field: Field) -> Vec<Field> {
    let is_map = ["metadata.annotations", "metadata.labels"].contains(&field.path.as_str());
    let keys: Vec<String> = match (&field.from, &field.to) {
        (Value::Null, Value::Object(all)) | (Value::Object(all), Value::Null) if is_map => {
            all.keys().cloned().collect()
        }
        _ => return vec![field],
    };
    let one = |key: &String| {
        let value = |side: &Value| side.get(key).cloned().unwrap_or_default();
        Field {
            path: format!("{}.{key}", field.path),
            from: value(&field.from),
            to: value(&field.to),
        }
    };
    keys.iter().map(one).collect()
}

/// `Service default/c`, of a path of the API server.
fn object(write: &Write) -> String {
    let kind = write.body["kind"].as_str();
    let kind = kind.or(write.live.as_ref().and_then(|live| live["kind"].as_str()));
    let mut parts = write.path.split('/').skip_while(|part| *part != "namespaces").skip(1);
    let namespace = parts.next().unwrap_or_default();
    let plural = parts.next().unwrap_or_default();
    let name = parts.next().or(write.body["metadata"]["name"].as_str()).unwrap_or_default();
    format!("{} {namespace}/{name}", kind.unwrap_or(plural))
}
