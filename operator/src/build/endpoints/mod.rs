//! The Endpoints through which Patroni leads clients to the primary, and which are its lock.
//!
//! In: a cluster and a configuration. Out: the object without addresses. Those and all the
//! annotations of the lock are Patroni's: never in what we apply.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Endpoints;

use super::meta;
use super::names::{self, Role};
use crate::cluster::Cluster;
use crate::config::Config;

#[cfg(test)]
mod tests;

/// Are the addresses of the primary written by Patroni or Spilo, not found by labels?
pub fn are_patronis(config: &Config) -> bool {
    !(config.patroni.etcd_host.is_empty() && config.patroni.kubernetes_use_configmaps)
}

/// The Endpoints of the primary, if there are to be any. They have to be there before the
/// Service: Patroni finds a name taken otherwise.
pub fn endpoints(cluster: &Cluster, config: &Config) -> Option<Endpoints> {
    are_patronis(config).then(|| {
        let all = names::labels(cluster, &config.labels);
        let labels = names::with_role(all, Role::Master, &config.labels);
        let name = names::service(&cluster.id.name, Role::Master);
        Endpoints {
            metadata: meta::meta(&name, cluster, config, labels, BTreeMap::new()),
            subsets: None,
        }
    })
}
