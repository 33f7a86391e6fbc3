//! One look at the roles and databases of a cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use teams_sync::desired::desired;
use teams_sync::sync::{Mode, Server, sync as sync_roles};

use super::mode::{mode, off};
use super::primary::{Missing, primary};
use super::retire::{Retired, retire};
use super::{judge, owners, passwords, people};
use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Ended;
use crate::databases;
use crate::report::{Finding, Outcome};
use crate::tell;
use crate::validate::{Accepted, validate};

/// For everything about one cluster. Each part has a limit of its own; this one is for what nobody
/// thought of, because there are not many places.
const LONGEST: Duration = Duration::from_secs(1200);

/// A primary that is not there yet is told of when it comes; a lock of somebody else's is not.
const WAIT: Duration = Duration::from_secs(15);

/// Brings the roles and databases of one cluster in line with its manifest and its teams.
pub async fn sync(context: &Arc<Context>, id: &ClusterId) -> Ended {
    let config = context.config();
    let Some(manifest) = context.caches.manifests.get(id, &id.name) else { return Ended::Forget };
    if !context.is_ours(&manifest)
        || manifest.metadata.deletion_timestamp.is_some()
        || context.caches.tombstone(id).is_some()
    {
        return Ended::Forget;
    }
    // Leavers are out even while somebody has a mistake in the manifest.
    let last = context.memory.read(id, |known| known.accepted.clone()).flatten();
    let accepted = match (validate(&manifest, &config), last) {
        (Ok(accepted), _) => Arc::new(accepted),
        (Err(_), Some(last)) => last,
        (Err(_), None) => return Ended::Well { again: config.operation.resync_period },
    };
    context.memory.with(id, |known| known.accepted = Some(Arc::clone(&accepted)));
    let looked = tokio::time::timeout(LONGEST, look(context, &config, &manifest, &accepted)).await;
    let looked = looked.unwrap_or_else(|_elapsed| {
        judge::all(&Finding::failed("Timeout", format!("not done within {LONGEST:?}")))
    });
    let has = |outcome| looked.findings.iter().any(|(_, finding)| finding.outcome == outcome);
    let (has_failed, waits) = (has(Outcome::Failed), has(Outcome::Waiting));
    context.memory.with(id, |known| {
        let has_roles = looked.people.is_some();
        known.picture.found(accepted.cluster.generation, looked.findings);
        if has_roles {
            known.picture.people = looked.people;
            known.picture.role_plan = looked.role_plan;
        }
    });
    let written = tell::status(context, &manifest).await;
    if has_failed || written.is_err() {
        return Ended::Failed { at_most: config.operation.repair_period };
    }
    let resync = config.operation.resync_period;
    Ended::Well { again: if waits { WAIT.min(resync) } else { resync } }
}

/// What there is to say about roles, databases and people.
type Looked = judge::Judged;

async fn look(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
) -> Looked {
    let cluster = &accepted.cluster;
    if let Some((reason, text)) = off(config, cluster) {
        return judge::all(&Finding::off(reason, text));
    }
    let primary = match primary(context, config, cluster).await {
        Ok(primary) => primary,
        Err(Missing::Yet(text)) => return judge::all(&Finding::waiting("NoPrimary", text)),
        Err(Missing::Wrong(text)) => return judge::all(&Finding::failed("NoWayIn", text)),
    };
    let (robots, users) = passwords::robots(context, config, accepted).await;
    let Some(wanted) = people::wanted(context, config, accepted, &robots.roles).await else {
        return judge::all(&Finding::failed("SyncFailed", "a bug: names cannot be read"));
    };
    let mut desired =
        desired(&wanted.humans, &wanted.names, &wanted.rules, &wanted.answers, &robots);
    desired.frozen_people.clone_from(&wanted.unknown);
    context.memory.with(&cluster.id, |known| known.teams.clone_from(&desired.teams));
    let server = Server {
        name: cluster.id.to_string(),
        dsn: primary.dsn.clone(),
        standbys: primary.standbys,
        system_identifier: primary.system_identifier,
        rules: wanted.rules.clone(),
        style: wanted.style.clone(),
    };
    let engine = context.identity.engine();
    // Which database cluster this is, Patroni says; it may have been made anew.
    engine.identities.forget(&server.name);
    let (mode, complaint) = mode(manifest);
    let is_dry_run = matches!(mode, Mode::Look);
    let untangled =
        owners::untangle(&primary.dsn, &engine, config, &accepted.roles, is_dry_run).await;
    let roles = sync_roles(&server, &desired, &engine, &mode, Timestamp::now()).await;
    let databases = match &roles.error {
        None => {
            let mode = match &mode {
                Mode::Look => databases::Mode::Look,
                Mode::Apply(_) => databases::Mode::Apply,
            };
            let limits = databases::Limits::default();
            Some(databases::sync(&primary.dsn, &accepted.databases, limits, mode).await)
        }
        Some(_) => None,
    };
    let retired = match &roles.error {
        None => retire(&primary.dsn, &engine, config, &users, &desired, is_dry_run).await,
        Some(_) => Retired::default(),
    };
    let facts = judge::Facts {
        desired: &desired,
        known: &wanted.known,
        roles: &roles,
        databases: databases.as_ref(),
        retired: &retired,
        untangled: &untangled,
        is_dry_run,
        complaint,
    };
    judge::tell(context, manifest, &facts);
    judge::judge(&facts)
}
