//! `OperatorConfiguration`: the operator's own configuration as an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resource::resource;

/// The object, with its groups of keys as they came.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct OperatorConfiguration {
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub configuration: Value,
}

resource!(OperatorConfiguration, "OperatorConfiguration", "operatorconfigurations");
