//! One look at the roles and databases of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use teams_sync::desired::{Desired, desired};
use teams_sync::role::RoleName;
use teams_sync::sync::{Mode, Server, sync as sync_roles};

use super::directory::Known;
use super::mode::{mode, off};
use super::passwords::{Current, Defined};
use super::primary::{Missing, primary};
use super::retire::{Retired, retire, settled};
use super::{judge, lookup, passwords, people, refused};
use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Ended;
use crate::databases;
use crate::deletion;
use crate::report::{Finding, Outcome, Stage};
use crate::stages::upgrade;
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
    // Where a deletion is refused, leavers are out all the same.
    if !context.is_ours(&manifest) || deletion::of(context, id, Some(&manifest)).is_some() {
        return Ended::Forget;
    }
    // Leavers are out even while somebody has a mistake in the manifest.
    let last = context.memory.read(id, |known| known.accepted.clone()).flatten();
    let (accepted, has_roles) = match (validate(&manifest, &config), last) {
        (Ok(accepted), _) => (Some(Arc::new(accepted)), true),
        (Err(_), Some(last)) => (Some(last), true),
        (Err(_), None) => (refused::for_people(&manifest).map(Arc::new), false),
    };
    if has_roles {
        context.memory.with(id, |known| known.accepted.clone_from(&accepted));
    }
    let generation = accepted.as_ref().map(|accepted| accepted.cluster.generation);
    let generation = generation.or(manifest.metadata.generation).unwrap_or(0);
    let looked = match accepted {
        Some(accepted) => {
            let look = look(context, &config, &manifest, &accepted, has_roles);
            let looked = tokio::time::timeout(LONGEST, look).await;
            looked.unwrap_or_else(|_elapsed| {
                judge::all(&Finding::failed("Timeout", format!("not done within {LONGEST:?}")))
            })
        }
        None => judge::all(&Finding::failed(
            "ManifestRefused",
            "the manifest does not say which team owns the cluster: nobody leaves until it does",
        )),
    };
    let looked = match has_roles {
        true => looked,
        // The others are as they were left.
        false => looked.of(Stage::HumanAccess),
    };
    let has = |outcome| looked.findings.iter().any(|(_, finding)| finding.outcome == outcome);
    let (has_failed, waits) = (has(Outcome::Failed), has(Outcome::Waiting));
    // It may never come: later each time, as behind a failure.
    let lacks_secret = looked.findings.iter().any(|(_, finding)| finding.reason == "SecretsFirst");
    let has_looked = has_failed || has(Outcome::Done) || has(Outcome::Partly);
    let has_objects = context.memory.with(id, |known| {
        let has_people = looked.people.is_some();
        known.picture.found(generation, looked.findings);
        if has_people {
            known.picture.people = looked.people;
            known.picture.role_plan = looked.role_plan;
        }
        known.picture.generation.is_some()
    });
    // A new cluster is told of once, when its objects have been looked at: they are, just now.
    let written = match has_looked || has_objects {
        true => tell::status(context, &manifest).await,
        false => Ok(()),
    };
    if has_failed || lacks_secret || written.is_err() {
        return Ended::Failed { at_most: config.operation.repair_period };
    }
    let resync = config.operation.resync_period;
    Ended::Well { again: if waits { WAIT.min(resync) } else { resync } }
}

/// What there is to say about roles, databases and people.
type Looked = judge::Judged;

/// What a pass over the server of a cluster is made of.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) server: Server,
    pub(super) desired: Desired,
    /// Roles of the manifest whose Secrets can be used.
    pub(super) users: BTreeMap<RoleName, Current>,
    known: BTreeMap<String, Known>,
    defined: Defined,
}

/// Finds out where the primary is, and which roles it should have; or why there is no pass now.
pub(super) async fn prepare(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    has_roles: bool,
) -> Result<Prepared, Finding> {
    let cluster = &accepted.cluster;
    if let Some((reason, text)) = off(config, cluster) {
        return Err(Finding::off(reason, text));
    }
    if upgrade::runs(context, manifest, cluster) {
        let text = "the script of a major upgrade runs, and the server with it";
        return Err(Finding::waiting("UpgradeRuns", text));
    }
    if cluster.spec.standby.is_none() && manifest.status.value()["patroni"]["standby"] == true {
        let text = "the cluster does not follow another one any more, and is not promoted yet";
        return Err(Finding::waiting("Promoting", text));
    }
    let primary = match primary(context, config, cluster).await {
        Ok(primary) => primary,
        Err(Missing::Yet(text)) => return Err(Finding::waiting("NoPrimary", text)),
        Err(Missing::Wrong(text)) => return Err(Finding::failed("NoWayIn", text)),
    };
    let (mut robots, users, mut defined) = passwords::robots(context, config, accepted).await;
    let Some(mut wanted) = people::wanted(context, config, accepted, &robots.roles).await else {
        return Err(Finding::failed("SyncFailed", "a bug: names cannot be read"));
    };
    if !has_roles {
        robots = refused::robots();
        defined = Defined::default();
        wanted.rules.vocabulary.extend(refused::names(manifest));
    }
    let mut desired =
        desired(&wanted.humans, &wanted.names, &wanted.rules, &wanted.answers, &robots);
    desired.frozen_people.clone_from(&wanted.unknown);
    context.memory.with(&cluster.id, |known| known.teams.clone_from(&desired.teams));
    let server = Server {
        name: cluster.id.to_string(),
        dsn: primary.dsn,
        standbys: primary.standbys,
        system_identifier: primary.system_identifier,
        rules: wanted.rules,
        style: wanted.style,
    };
    // Which database cluster this is, Patroni says; it may have been made anew.
    context.identity.engine().identities.forget(&server.name);
    Ok(Prepared { server, desired, users, known: wanted.known, defined })
}

async fn look(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    has_roles: bool,
) -> Looked {
    let prepared = match prepare(context, config, manifest, accepted, has_roles).await {
        Ok(prepared) => prepared,
        Err(finding) => return judge::all(&finding),
    };
    let Prepared { server, desired, users, known, defined } = prepared;
    let engine = context.identity.engine();
    let (mode, complaint) = mode(manifest);
    let is_dry_run = matches!(mode, Mode::Look);
    let roles = sync_roles(&server, &desired, &engine, &mode, Timestamp::now()).await;
    let databases = match &roles.error {
        None => {
            let mode = match &mode {
                Mode::Look => databases::Mode::Look,
                Mode::Apply(_) => databases::Mode::Apply,
            };
            let limits = databases::Limits::default();
            Some(databases::sync(&server.dsn, &accepted.databases, limits, mode).await)
        }
        Some(_) => None,
    };
    let retired = match &roles.error {
        None => {
            let failed = roles.failures.iter().map(|failure| &failure.role);
            let users = settled(users, failed.chain(roles.held.iter().map(|held| &held.role)));
            retire(&server.dsn, &engine, config, &users, &desired, is_dry_run).await
        }
        Some(_) => Retired::default(),
    };
    let lookup = match &roles.error {
        None => lookup::run(context, config, accepted, &server.dsn, is_dry_run).await,
        Some(_) => None,
    };
    let facts = judge::Facts {
        desired: &desired,
        known: &known,
        defined: &defined,
        roles: &roles,
        databases: databases.as_ref(),
        lookup: lookup.as_ref(),
        retired: &retired,
        is_dry_run,
        complaint,
    };
    judge::tell(context, manifest, &facts);
    judge::judge(&facts)
}
