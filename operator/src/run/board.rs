//! What the HTTP API is told of the configuration and its surroundings.

use std::collections::BTreeSet;

use kube::ResourceExt;
use teams_sync::infrastructure::Infrastructure;
use teams_sync::role::Flag;

use super::Place;
use crate::admin::{Board, ControllerFacts, InfrastructureRole, Orphan};
use crate::cluster::ClusterId;
use crate::config::{self, Config};
use crate::context::Context;

/// The configuration in use, without secrets.
pub(super) fn configured(board: &Board, place: &Place, config: &Config) {
    let ignored: Vec<String> = config.labels.ignored_annotations.iter().cloned().collect();
    let nanoseconds =
        |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let facts = ControllerFacts {
        no_database_access: !config.identity.enable_database_access,
        no_teams_api: !config.identity.enable_teams_api,
        crd_ready_wait_interval: nanoseconds(config.operation.ready_wait_interval),
        crd_ready_wait_timeout: nanoseconds(config.operation.ready_wait_timeout),
        config_map_name: place.source.name(),
        namespace: place.namespace.clone(),
        ignored_annotations: Some(ignored).filter(|all| !all.is_empty()),
        ..ControllerFacts::default()
    };
    board.configured(facts, config::redacted(config));
}

/// Robots, without their passwords.
pub(super) fn infrastructure_roles(board: &Board, robots: &Infrastructure) {
    let some = |all: Vec<String>| Some(all).filter(|all| !all.is_empty());
    let roles = robots.roles.iter().map(|robot| {
        let flags = Flag::ALL.into_iter().filter(|flag| robot.attributes.get(*flag));
        // What everybody has who logs in is no flag of the reference.
        let flags = flags.filter(|flag| !matches!(flag, Flag::Inherit | Flag::Login));
        InfrastructureRole {
            name: robot.name.to_string(),
            flags: some(flags.map(|flag| flag.keyword(true).to_owned()).collect()),
            member_of: some(robot.member_of.iter().map(ToString::to_string).collect()),
            admin_role: robot.admins.first().map(ToString::to_string).unwrap_or_default(),
            ..InfrastructureRole::default()
        }
    });
    board.infrastructure_roles(roles.collect());
}

/// Objects of clusters whose manifest is not there.
pub(super) fn orphans(context: &Context, clusters: &BTreeSet<ClusterId>) {
    let mut all = Vec::new();
    for id in clusters {
        let orphan = |kind: &'static str, name: String| Orphan {
            kind,
            namespace: id.namespace.clone(),
            name,
        };
        let sets = context.caches.stateful_sets.of(id);
        all.extend(sets.iter().map(|own| orphan("StatefulSet", own.name_any())));
        let services = context.caches.services.of(id);
        all.extend(services.iter().map(|own| orphan("Service", own.name_any())));
        let secrets = context.caches.secrets.of(id);
        all.extend(secrets.iter().map(|own| Orphan {
            kind: "Secret",
            namespace: own.namespace().unwrap_or_default(),
            name: own.name_any(),
        }));
    }
    context.board.orphans(all);
}
