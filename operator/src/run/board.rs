//! What the HTTP API is told of the configuration and its surroundings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;
use teams_sync::infrastructure::Infrastructure;
use teams_sync::role::Flag;

use super::Place;
use crate::admin::{Board, ControllerFacts, InfrastructureRole, Orphan};
use crate::apply::{Kind, counted};
use crate::cluster::ClusterId;
use crate::config::{self, Config};
use crate::context::Context;
use crate::controller::cache::Cache;

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

/// Objects of clusters whose manifest is not there; their kinds and names.
pub(super) fn orphans(
    context: &Context,
    clusters: &BTreeSet<ClusterId>,
) -> BTreeMap<ClusterId, Vec<String>> {
    let caches = &context.caches;
    let mut told = BTreeMap::new();
    let mut all = Vec::new();
    for id in clusters {
        let mut own = of(&caches.stateful_sets, id);
        own.extend(of(&caches.services, id));
        own.extend(of(&caches.secrets, id));
        own.extend(of(&caches.budgets, id));
        own.extend(of(&caches.pods, id));
        own.extend(of(&caches.deployments, id));
        let words = own.iter().map(|one| match one.namespace == id.namespace {
            true => format!("{} {}", one.kind, one.name),
            false => format!("{} {}/{}", one.kind, one.namespace, one.name),
        });
        told.insert(id.clone(), words.collect());
        all.extend(own);
    }
    context.board.orphans(all);
    told
}

fn of<K: Kind>(cache: &Cache<K>, id: &ClusterId) -> Vec<Orphan> {
    let orphan = |object: &Arc<K>| Orphan {
        kind: counted::<K>(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    };
    cache.of(id).iter().map(orphan).collect()
}
