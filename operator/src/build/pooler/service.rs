//! The Service of a pooler: what applications connect to.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::{LABEL, base_labels, name};
use crate::build::meta;
use crate::build::names::Role;
use crate::build::service::{Kind, annotations_with, name_of, spec};
use crate::cluster::Cluster;
use crate::config::Config;

/// The one of this role.
pub fn service(role: Role, cluster: &Cluster, config: &Config) -> Service {
    let kind = kind(role, cluster, config);
    let own_name = name(&cluster.id.name, role);
    // The format of a replica's name has the suffix itself.
    let dns = || {
        let of_both = name(&cluster.id.name, Role::Master);
        name_of(role, &of_both, cluster, &config.services)
    };
    let annotations = annotations_with(role, kind, dns, cluster, config);
    let labels = base_labels(&cluster.id.name, role, &config.labels);
    let port = ServicePort {
        name: Some(own_name.clone()),
        node_port: match role {
            Role::Master => cluster.spec.master_pooler_node_port,
            Role::Replica => cluster.spec.replica_pooler_node_port,
        },
        ..ServicePort::default()
    };
    let selector = [(LABEL.to_owned(), own_name.clone())].into();
    Service {
        metadata: meta::meta(&own_name, cluster, config, labels, annotations),
        spec: Some(spec(kind, port, selector, cluster, config)),
        status: None,
    }
}

fn kind(role: Role, cluster: &Cluster, config: &Config) -> Kind {
    let (said, usual) = (&cluster.spec, &config.services);
    match role {
        Role::Master => Kind::chosen(
            said.enable_master_pooler_node_port.unwrap_or(usual.enable_master_pooler_node_port),
            said.enable_master_pooler_load_balancer
                .unwrap_or(usual.enable_master_pooler_load_balancer),
        ),
        Role::Replica => Kind::chosen(
            said.enable_replica_pooler_node_port.unwrap_or(usual.enable_replica_pooler_node_port),
            said.enable_replica_pooler_load_balancer
                .unwrap_or(usual.enable_replica_pooler_load_balancer),
        ),
    }
}
