//! The Services of a cluster: `C` for the primary, `C-repl` for the replicas.
//!
//! In: a cluster and a configuration. Out: Services for a server-side apply. What a type of
//! Service must not have is written as empty, not left out: it is then taken from Services
//! that somebody else made, too.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta;
use super::names::{self, Role};
use crate::cluster::Cluster;
use crate::config::Config;

mod check;
mod dns;
#[cfg(test)]
mod tests;

pub use check::check_services;
pub(in crate::build) use dns::name_of;

/// Where PostgreSQL listens.
pub(in crate::build) const PORT: i32 = 5432;
/// Who may come in through a load balancer where nobody was named: nobody.
const NOBODY: &str = "127.0.0.1/32";
/// Read by external-dns.
const HOSTNAME: &str = "external-dns.alpha.kubernetes.io/hostname";

/// How a Service is reached.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in crate::build) enum Kind {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

impl Kind {
    /// The manifest before the configuration, and a node port before a load balancer.
    fn of(role: Role, cluster: &Cluster, config: &Config) -> Self {
        let (spec, config) = (&cluster.spec, &config.services);
        let (node_port, load_balancer) = match role {
            Role::Master => (
                spec.enable_master_node_port.unwrap_or(config.enable_master_node_port),
                spec.enable_master_load_balancer.unwrap_or(config.enable_master_load_balancer),
            ),
            Role::Replica => (
                spec.enable_replica_node_port.unwrap_or(config.enable_replica_node_port),
                spec.enable_replica_load_balancer.unwrap_or(config.enable_replica_load_balancer),
            ),
        };
        Self::chosen(node_port, load_balancer)
    }

    /// A node port before a load balancer.
    pub(in crate::build) fn chosen(node_port: bool, load_balancer: bool) -> Self {
        match (node_port, load_balancer) {
            (true, _) => Self::NodePort,
            (false, true) => Self::LoadBalancer,
            (false, false) => Self::ClusterIp,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// The Service of a role.
pub fn service(role: Role, cluster: &Cluster, config: &Config) -> Service {
    let kind = Kind::of(role, cluster, config);
    let labels = names::with_role(names::labels(cluster, &config.labels), role, &config.labels);
    let annotations = annotations(role, kind, cluster, config);
    let name = names::service(&cluster.id.name, role);
    let port = ServicePort {
        name: Some("postgresql".to_owned()),
        node_port: node_port(role, cluster),
        ..ServicePort::default()
    };
    Service {
        metadata: meta::meta(&name, cluster, config, labels, annotations),
        spec: Some(spec(kind, port, selector(role, cluster, config), cluster, config)),
        status: None,
    }
}

/// The spec of one. `port`: its name, and the node port that somebody asked for.
pub(in crate::build) fn spec(
    kind: Kind,
    port: ServicePort,
    selector: BTreeMap<String, String>,
    cluster: &Cluster,
    config: &Config,
) -> ServiceSpec {
    let policy = &config.services.external_traffic_policy;
    ServiceSpec {
        type_: Some(kind.name().to_owned()),
        selector: Some(selector),
        ports: Some(vec![ServicePort {
            port: PORT,
            protocol: Some("TCP".to_owned()),
            target_port: Some(IntOrString::Int(PORT)),
            // Kubernetes picks one otherwise.
            node_port: port.node_port.filter(|port| *port != 0 && kind == Kind::NodePort),
            ..port
        }]),
        external_traffic_policy: Some(policy.clone())
            .filter(|policy| kind != Kind::ClusterIp && !policy.is_empty()),
        load_balancer_source_ranges: Some(source_ranges(kind, cluster)),
        ..ServiceSpec::default()
    }
}

/// Which pods it leads to; none where the Endpoints are Patroni's.
fn selector(role: Role, cluster: &Cluster, config: &Config) -> BTreeMap<String, String> {
    match role {
        Role::Master if super::endpoints::are_patronis(config) => BTreeMap::new(),
        Role::Master | Role::Replica => {
            let base = names::base_labels(&cluster.id.name, &config.labels);
            names::with_role(base, role, &config.labels)
        }
    }
}

/// A port that somebody asked for.
fn node_port(role: Role, cluster: &Cluster) -> Option<i32> {
    match role {
        Role::Master => cluster.spec.master_node_port,
        Role::Replica => cluster.spec.replica_node_port,
    }
}

fn source_ranges(kind: Kind, cluster: &Cluster) -> Vec<String> {
    let ranges = &cluster.spec.allowed_source_ranges;
    match kind {
        Kind::ClusterIp | Kind::NodePort => Vec::new(),
        Kind::LoadBalancer if ranges.is_empty() => vec![NOBODY.to_owned()],
        Kind::LoadBalancer => ranges.clone(),
    }
}

/// The DNS name of a load balancer is the operator's to give.
fn annotations(
    role: Role,
    kind: Kind,
    cluster: &Cluster,
    config: &Config,
) -> BTreeMap<String, String> {
    let names = || dns::names(role, cluster, &config.services);
    annotations_with(role, kind, names, cluster, config)
}

/// Of the configuration, then of the manifest for both, then for this role; and what a load
/// balancer is called.
pub(in crate::build) fn annotations_with(
    role: Role,
    kind: Kind,
    names: impl FnOnce() -> String,
    cluster: &Cluster,
    config: &Config,
) -> BTreeMap<String, String> {
    let own = match role {
        Role::Master => &cluster.spec.master_service_annotations,
        Role::Replica => &cluster.spec.replica_service_annotations,
    };
    let mut all = config.services.custom_service_annotations.clone();
    all.extend(cluster.spec.service_annotations.clone());
    all.extend(own.clone());
    if kind == Kind::LoadBalancer {
        all.insert(HOSTNAME.to_owned(), names());
    }
    all
}
