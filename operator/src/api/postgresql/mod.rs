//! `postgresql`: one PostgreSQL cluster, as its team wrote it.

pub use super::field::FieldError;
use super::field::decode;
use super::resource::resource;
use super::spec::PostgresSpec;
use crate::packed::{self, Packed};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

mod dropped;
#[cfg(test)]
mod tests;

/// The object, with its spec and status still as they came.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Postgresql {
    #[serde(default, deserialize_with = "packed::metadata")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Packed,
    #[serde(default, skip_serializing_if = "Packed::is_null")]
    pub status: Packed,
}

resource!(Postgresql, "postgresql", "postgresqls");

impl Postgresql {
    /// The spec, typed, with the names that `kubectl apply` left out.
    ///
    /// # Errors
    /// The first field that is not what its type says.
    pub fn parsed(&self) -> Result<PostgresSpec, FieldError> {
        let too_deep = |_| FieldError::new("spec", "it is nested too deep: 127 levels at most");
        let spec = self.spec.tree().map_err(too_deep)?;
        let applied = self.metadata.annotations.as_ref().and_then(|all| all.get(dropped::APPLIED));
        match applied {
            Some(applied) => decode("spec", &dropped::restored(spec, applied)),
            None => decode("spec", &spec),
        }
    }
}
