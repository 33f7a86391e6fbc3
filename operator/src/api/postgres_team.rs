//! `PostgresTeam`: who, beside a team itself, has access to its clusters.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::{FieldError, decode};
use super::lenient::nulls_are_default;
use super::resource::resource;

/// The object, with its spec still as it came.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PostgresTeam {
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Value,
}

resource!(PostgresTeam, "PostgresTeam", "postgresteams");

/// Its spec: names are as they were written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresTeamSpec {
    /// Team of a cluster -> teams that are superusers there.
    #[serde(default, deserialize_with = "nulls_are_default")]
    pub additional_superuser_teams: BTreeMap<String, Vec<String>>,
    /// Team of a cluster -> teams that have access to it.
    #[serde(default, deserialize_with = "nulls_are_default")]
    pub additional_teams: BTreeMap<String, Vec<String>>,
    /// Team -> people that count as its members.
    #[serde(default, deserialize_with = "nulls_are_default")]
    pub additional_members: BTreeMap<String, Vec<String>>,
}

impl PostgresTeam {
    /// The spec, typed.
    ///
    /// # Errors
    /// The first field that is not what its type says.
    pub fn parsed(&self) -> Result<PostgresTeamSpec, FieldError> {
        if self.spec.is_null() {
            return Ok(PostgresTeamSpec::default());
        }
        decode("spec", &self.spec)
    }
}
