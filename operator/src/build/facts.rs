//! What the pods of a cluster need to know that neither its manifest nor the configuration
//! says: it stands in other objects of the namespace, and whoever reads those fills it in.

use std::collections::BTreeMap;

/// Facts from other objects; none where the configuration names no such object.
#[derive(Clone, Debug, Default)]
pub struct PodFacts {
    /// Keys of the Secret `pod_environment_secret`; what they hold stays there.
    pub environment_secret_keys: Vec<String>,
    /// Data of the ConfigMap `pod_environment_configmap`.
    pub environment_config_map: BTreeMap<String, String>,
}
