//! Where an object does not say what its type says, and why.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// One field that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldError {
    /// From the root of the object: `spec.volume.size`.
    pub field: String,
    pub reason: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// The value of the field `root` of an object, typed.
pub(super) fn decode<T: DeserializeOwned>(root: &str, value: &Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { root.to_owned() } else { format!("{root}.{path}") };
        FieldError::new(field, error.inner().to_string().escape_debug().to_string())
    })
}
