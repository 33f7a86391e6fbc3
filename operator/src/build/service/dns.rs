//! Under which DNS names a load balancer of a cluster is found: one by namespace, and one by
//! team, as in the beginning, where the cluster is called after its team.

use super::Role;
use crate::cluster::Cluster;
use crate::config::Services;

/// A Service called `C-repl` fits into a DNS label.
const LONGEST_NAME: usize = 58;

/// The names, separated by a comma as external-dns wants them.
pub(super) fn names(role: Role, cluster: &Cluster, config: &Services) -> String {
    let legacy = match role {
        Role::Master => &config.master_legacy_dns_name_format,
        Role::Replica => &config.replica_legacy_dns_name_format,
    };
    let name = name_of(role, &cluster.id.name, cluster, config);
    match without_team(&cluster.id.name, &cluster.spec.team_id) {
        Some(rest) => format!("{name},{}", filled(legacy, rest, cluster, config)),
        None => name,
    }
}

/// The name by namespace of a load balancer that is called `name`.
pub(in crate::build) fn name_of(
    role: Role,
    name: &str,
    cluster: &Cluster,
    config: &Services,
) -> String {
    let format = match role {
        Role::Master => &config.master_dns_name_format,
        Role::Replica => &config.replica_dns_name_format,
    };
    filled(format, name, cluster, config)
}

fn filled(format: &str, name: &str, cluster: &Cluster, config: &Services) -> String {
    format
        .replace("{cluster}", name)
        .replace("{namespace}", &cluster.id.namespace)
        .replace("{team}", &cluster.spec.team_id)
        .replace("{hostedzone}", &config.db_hosted_zone)
        .to_lowercase()
}

/// `minimal-cluster` of `acid-minimal-cluster` and team `ACID`.
fn without_team<'a>(cluster: &'a str, team: &str) -> Option<&'a str> {
    let (prefix, rest) = cluster.split_at_checked(team.len())?;
    let rest = rest.strip_prefix('-')?;
    let fits = !team.is_empty()
        && !rest.is_empty()
        && prefix.eq_ignore_ascii_case(team)
        && cluster.len() <= LONGEST_NAME
        && is_dns_1035(cluster);
    fits.then_some(rest)
}

fn is_dns_1035(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
