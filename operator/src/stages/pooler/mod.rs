//! Connection poolers of a cluster: for each that is asked for a list of users, a Service and a
//! Deployment; what nobody asks for any more goes. No database waits for any of it.
//!
//! The role and what it asks in the databases are made elsewhere, with the other roles; here it is
//! told how that went.

mod objects;
mod takeover;
mod unwanted;
mod users;

use crate::adopt::held::Held;
use crate::api::postgresql::Postgresql;
use crate::build::pooler::{self, Pooler};
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::identity;
use crate::report::{Finding, Outcome, Stage, condition_of};
use crate::roles;
use crate::validate::Accepted;
use objects::Standing;
use takeover::is_labelled;
pub use unwanted::roles_in_use;

/// The reason where pods that serve wait for the databases before they are replaced.
pub const LOOKUP_FIRST: &str = "LookupFirst";

/// What came of it.
#[derive(Debug)]
pub struct Poolers {
    /// `None`: there is nothing to tell, or not yet.
    pub finding: Option<Finding>,
    /// What somebody has to accept first; not known where nobody could look.
    pub held: Option<Vec<Held>>,
}

impl Poolers {
    fn told(finding: Option<Finding>) -> Self {
        Self { finding, held: Some(Vec::new()) }
    }
}

/// Brings them all in line.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    has_primary: bool,
) -> Poolers {
    let cluster = &accepted.cluster;
    let wanted = pooler::of(&cluster.spec, config);
    let mut errors = unwanted::objects(context, &cluster.id, wanted.as_ref()).await;
    let Some(wanted) = wanted else {
        errors.extend(unwanted::secrets(context, config, &cluster.id, &accepted.roles).await);
        return Poolers::told(switched_off(manifest, &errors));
    };
    if let Some(finding) = obstacle(context, config, accepted, &wanted) {
        let held = (finding.outcome == Outcome::Failed).then(Vec::new);
        return Poolers { finding: Some(finding), held };
    }
    let unanswered = unanswered(context, config, manifest, accepted);
    let all = all(context, config, manifest, cluster, &wanted, unanswered.as_deref()).await;
    errors.extend(all.errors.iter().cloned());
    if all.are_ready() {
        // Pods that still run as a former role would not start again without its Secret.
        errors.extend(unwanted::secrets(context, config, &cluster.id, &accepted.roles).await);
    }
    let finding = match errors.is_empty() {
        false => Some(Finding::failed("ApplyFailed", lines(&errors))),
        true => {
            let asks = lookup(context, config, manifest, accepted, has_primary);
            all.finding(asks)
        }
    };
    Poolers { finding, held: all.is_known.then_some(all.held) }
}

fn lines(errors: &[ApplyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Told once there was one.
fn switched_off(manifest: &Postgresql, errors: &[ApplyError]) -> Option<Finding> {
    if !errors.is_empty() {
        return Some(Finding::failed("DeleteFailed", lines(errors)));
    }
    condition_of(manifest, Stage::Pooler)?;
    let text = "nobody asks for a pooler; what it asked in the databases stays there";
    Some(Finding::off("NotWanted", text))
}

/// Why there is no pooler, whatever is done.
fn obstacle(
    context: &Context,
    config: &Config,
    accepted: &Accepted,
    wanted: &Pooler,
) -> Option<Finding> {
    let cluster = &accepted.cluster;
    let reason = pooler::confusion(&config.labels)
        .or_else(|| pooler::is_too_long(&cluster.id.name, wanted))
        .or_else(|| namesake(context, &cluster.id, wanted));
    if let Some(reason) = reason {
        return Some(Finding::failed("Refused", reason));
    }
    let role = match roles::pooler_role(&wanted.user, &accepted.roles, config) {
        Ok(role) => role,
        Err(reason) => return Some(Finding::failed("Refused", reason)),
    };
    let robots = context.identity.robot_names(config);
    if accepted.roles.roles.get(&role).is_some_and(|own| robots.have(&role, own)) {
        let reason = format!(
            "{role} cannot be the role of a pooler: it is an infrastructure role; set connectionPooler.user to another name"
        );
        return Some(Finding::failed("Refused", reason));
    }
    (!context.caches.deployments.is_filled()).then(|| {
        let text =
            "Deployments could not be listed yet; see packaging/kustomize/rbac.yaml for the rights";
        Finding::waiting("NotListed", text)
    })
}

/// Whether another cluster has a Service that a pooler would have. Where the pooler has it, it is
/// the other one that cannot be.
fn namesake(context: &Context, id: &ClusterId, wanted: &Pooler) -> Option<String> {
    let names = wanted.roles.iter().flat_map(|role| {
        let name = pooler::name(&id.name, *role);
        let own = context.caches.services.get(id, &name);
        let is_new = own.is_none_or(|own| !is_labelled(&*own, &name));
        // Its own, or that of its replicas.
        let of_replicas = name.strip_suffix("-repl").map(str::to_owned);
        [Some(name), of_replicas].into_iter().flatten().filter(move |_| is_new)
    });
    let is_there = |name: &String| {
        let other = ClusterId { namespace: id.namespace.clone(), name: name.clone() };
        context.caches.manifests.get(&other, name).is_some()
    };
    let other = names.into_iter().find(is_there)?;
    Some(format!(
        "the cluster {other} has the name that a pooler of {} would have, and so its Services",
        id.name
    ))
}

/// How far all of them are.
#[derive(Default)]
struct Standings {
    errors: Vec<ApplyError>,
    waits: Vec<String>,
    held: Vec<Held>,
    stays: Vec<String>,
    /// Whether all of them could be looked at.
    is_known: bool,
}

impl Standings {
    fn are_ready(&self) -> bool {
        let is_quiet = self.errors.is_empty() && self.waits.is_empty();
        is_quiet && self.held.is_empty() && self.stays.is_empty()
    }

    /// Where nothing failed. `asks`: how it goes with what they ask in the databases.
    fn finding(&self, asks: Option<Finding>) -> Option<Finding> {
        if let Some(finding) = asks.as_ref().filter(|own| own.outcome == Outcome::Failed) {
            return Some(finding.clone());
        }
        if !self.held.is_empty() {
            let all: Vec<&str> = self.held.iter().map(|held| held.object.as_str()).collect();
            let text = format!(
                "the pods of another operator stay in {} until somebody accepts that they are replaced; see {}",
                all.join(", "),
                Stage::Takeover.condition()
            );
            return Some(Finding::partly("RestartsHeld", text));
        }
        if !self.stays.is_empty() {
            return Some(Finding::waiting(LOOKUP_FIRST, self.stays.join("; ")));
        }
        match self.waits.is_empty() {
            false => Some(Finding::waiting("Rollout", self.waits.join("; "))),
            true => asks,
        }
    }
}

async fn all(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: &Pooler,
    unanswered: Option<&str>,
) -> Standings {
    let mut all = Standings::default();
    let credentials = match users::credentials(context, config, cluster, &wanted.user).await {
        Ok(Some(credentials)) => credentials,
        Ok(None) => {
            // The stage of Secrets tells why.
            all.waits.push(format!("the Secret of {} is not there yet", wanted.user));
            return all;
        }
        Err(error) => {
            all.errors.push(error);
            return all;
        }
    };
    for role in &wanted.roles {
        let place = objects::Place { context, config, manifest, cluster, role: *role, unanswered };
        match place.pooler(wanted, &credentials).await {
            Ok(Standing::Ready) => {}
            Ok(Standing::Waits(why)) => all.waits.push(why),
            Ok(Standing::Held(held)) => all.held.push(held),
            Ok(Standing::Stays(why)) => all.stays.push(why),
            Err(failed) => all.errors.extend(failed),
        }
    }
    all.is_known = all.errors.is_empty();
    all
}

/// Whether applications are known to it. `None`: nobody has looked yet.
fn lookup(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    has_primary: bool,
) -> Option<Finding> {
    let cluster = &accepted.cluster;
    if let Some(reason) = identity::why_databases_stay(config, manifest, cluster) {
        let text = format!("what it asks in the databases is as it was: {reason}");
        return Some(Finding::done("Ready", text));
    }
    let wanted = identity::lookup(accepted, config);
    let known = context.memory.read(&cluster.id, |known| known.lookup.clone()).flatten();
    match known {
        Some(asked) if Some(&asked.lookup) == wanted.as_ref() => Some(asked.finding),
        _ if has_primary => None,
        _ => {
            let text = "there is no primary whose databases it could ask";
            Some(Finding::waiting("NoPrimary", text))
        }
    }
}

/// Why pods that ask as they should would get no answer yet, if so. Nobody waits for databases that
/// are not ours.
fn unanswered(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
) -> Option<String> {
    let cluster = &accepted.cluster;
    if identity::are_databases_off(config, cluster) {
        return None;
    }
    if let Some(reason) = identity::why_databases_stay(config, manifest, cluster) {
        return Some(reason);
    }
    let wanted = identity::lookup(accepted, config);
    let known = context.memory.read(&cluster.id, |known| known.lookup.clone()).flatten();
    match known {
        Some(asked) if Some(&asked.lookup) == wanted.as_ref() => {
            (!asked.answers).then_some(asked.finding.message)
        }
        _ => Some("nobody has looked at them since".to_owned()),
    }
}

#[cfg(test)]
mod tests;
