//! What of a StatefulSet cannot be changed in place? It has to be deleted without its pods and
//! created again, and the new one takes the pods over if its selector finds them.
//!
//! In: the StatefulSet that we want and the one that is there. Out: the fields that need that,
//! or why it must not be done. Pods are never touched by it.

use serde_json::{Map, Value};

use super::compare::differences;

#[cfg(test)]
mod tests;

/// Fields of `spec` that an API server refuses to change.
const FIELDS: [&str; 4] =
    ["podManagementPolicy", "selector", "serviceName", "volumeClaimTemplates"];

/// Pods that run would be lost to the StatefulSet, and others would be started beside them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the selector of the StatefulSet would not find the pods that run: label {label} is not \
     theirs; change the labels back"
)]
pub struct SelectorError {
    pub label: String,
}

/// The paths for which a StatefulSet has to be created again; none if a patch will do.
///
/// # Errors
/// The wanted selector has a label that the present one has not, or another value of one.
pub fn needs_recreation(wanted: &Value, live: &Value) -> Result<Vec<String>, SelectorError> {
    let part = |object: &Value| {
        let spec = &object["spec"];
        let fields = FIELDS.iter().filter(|field| !spec[**field].is_null());
        let fields = fields.map(|field| ((*field).to_owned(), spec[*field].clone()));
        Value::Object(Map::from_iter([("spec".to_owned(), Value::Object(fields.collect()))]))
    };
    let found = differences(&part(wanted), &part(live), None);
    let labels = |object: &Value| object["spec"]["selector"]["matchLabels"].clone();
    let present = labels(live);
    for (label, value) in labels(wanted).as_object().into_iter().flatten() {
        if present.get(label) != Some(value) {
            return Err(SelectorError { label: label.escape_debug().to_string() });
        }
    }
    Ok(found.into_iter().map(|field| field.path).collect())
}
