//! What the first look would do to pods and servers that run, and that no write to the API server
//! shows: a primary leaves its node, Patroni gets other settings, PostgreSQL is restarted for them
//! or gets another major version.
//!
//! In: what nodes, pods and Patroni say, by questions that change nothing. Out: what the planners
//! of those stages would do with it. Where nobody answers, that is an error of the outlook.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Map, Value};

use super::outlook::Outlook;
use crate::api::postgresql::Postgresql;
use crate::api::status::PostgresStatus;
use crate::build::statefulset::is_standby;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::nodes::{self, Found};
use crate::patroni::dynamic::{Plan, Wanted, plan};
use crate::patroni::{Members, is_paused};
use crate::rolling::{self, Idle, Situation, Step, Waiting, is_ready};
use crate::stages::pods::is_primary;
use crate::stages::rolling::leave;
use crate::switchover::patroni;
use crate::upgrade::note::{FAILURE, NOTE, Note};
use crate::upgrade::{ask, plan as version, version as number};
use crate::windows::Windows;

#[cfg(test)]
mod tests;

/// Asks all of them. Whose cluster has no pods and is to have none is asked nothing.
pub(super) async fn look(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    outlook: &mut Outlook,
) {
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let replicas = set.and_then(|set| set.spec.as_ref()?.replicas).unwrap_or(0);
    let mut pods = context.caches.pods.of(&cluster.id);
    if pods.is_empty() && replicas == 0 || cluster.spec.number_of_instances == 0 {
        return;
    }
    // Whoever knows most is asked first.
    pods.sort_by_key(|pod| (!is_primary(pod, config), !is_ready(pod)));
    let said = settings(context, config, &pods).await;
    let pauses = said.as_ref().is_ok_and(|(_, members)| members.pause);
    node(context, config, manifest, cluster, (&pods, pauses), outlook).await;
    match said {
        Ok((settings, members)) => {
            let ours = PostgresStatus::read(manifest.status.value()).patroni;
            let wanted = Wanted::of(cluster, config, is_paused(manifest));
            planned(&cluster.id, &plan(&wanted, &ours, &settings), &members, outlook);
        }
        Err(error) => outlook.errors.push(format!(
            "Patroni could not be asked about settings and pending restarts: {error}"
        )),
    }
    let expected = usize::try_from(replicas).unwrap_or(0);
    if let Some(now) = situation(context, config, manifest, cluster, expected).await {
        upgraded(&cluster.id, &now, outlook);
    }
}

fn of_pod(pod: &Pod) -> String {
    format!("Pod {}/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

/// Whether the primary has to leave its node. Replicas have to only with it. `pauses`: somebody
/// has paused Patroni.
async fn node(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    (pods, pauses): (&[Arc<Pod>], bool),
    outlook: &mut Outlook,
) {
    let Some(primary) = pods.iter().find(|pod| is_primary(pod, config)) else { return };
    let Some(name) = primary.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) else { return };
    if matches!(context.nodes.find(name), Found::Unknown) {
        return outlook.errors.push(format!(
            "the node {name} is not known: whether {} has to leave it cannot be said (rights: list nodes)",
            primary.name_any()
        ));
    }
    let Some(leaving) = nodes::leaving(context, config, primary) else { return };
    let role = &config.labels.pod_role_label;
    let leaving_nodes = leave(context, config, &cluster.id, pods).await;
    let mut seen = rolling::pods(pods, role, i32::MAX, &leaving_nodes);
    // Of marks it is told elsewhere.
    seen.iter_mut().for_each(|pod| pod.marked = false);
    let step = rolling::next(&Situation {
        paused: is_paused(manifest),
        rolls: false,
        wanted: seen.len(),
        held: false,
        pauses: Some(pauses),
        pods: seen,
        leader: Some(primary.name_any()),
        view: None,
        switches: false,
        restarts: None,
        opens: Windows::of(&cluster.spec, config).next(Timestamp::now()),
        overdue: false,
        drained: false,
    });
    let why = format!("its node {name} {}", leaving.why);
    moved(&of_pod(primary), &step, &why, outlook);
}

fn moved(object: &str, step: &Step, why: &str, outlook: &mut Outlook) {
    let (to, why) = match step {
        Step::Ask | Step::SwitchOver { .. } => ("hands over to a replica", why.to_owned()),
        Step::Delete { .. } => ("made anew on another node", why.to_owned()),
        Step::Wait(Waiting::Window(at)) => {
            ("made anew on another node", format!("{why}; a maintenance window opens at {at}"))
        }
        Step::Wait(waiting) => return outlook.notes.push(format!("{object}: {why}; {waiting}")),
        Step::Nothing(Idle::Paused) => {
            return outlook.notes.push(format!("{object}: {why}; the cluster is paused"));
        }
        Step::Nothing(Idle::UpToDate) | Step::Withdraw { .. } => return,
    };
    outlook.restarts = true;
    outlook.change(object, "", "is the primary", to, &why);
}

/// What the first that answers says.
async fn settings(
    context: &Context,
    config: &Config,
    pods: &[Arc<Pod>],
) -> Result<(Map<String, Value>, Members), String> {
    let mut errors = Vec::new();
    for member in pods.iter().filter_map(|pod| patroni(context, config, pod)) {
        match (member.config().await, member.members().await) {
            (Ok(settings), Ok(members)) => return Ok((settings, members)),
            (Err(error), _) | (_, Err(error)) => errors.push(error.to_string()),
        }
    }
    if errors.is_empty() {
        errors.push("no pod has an address".to_owned());
    }
    Err(errors.join("; "))
}

fn planned(id: &ClusterId, plan: &Plan, members: &Members, outlook: &mut Outlook) {
    let object = format!("Patroni {id}");
    for line in &plan.changes {
        outlook.change(&object, "", "as it is", line, "the manifest and the configuration say so");
    }
    outlook.notes.extend(plan.stays.iter().map(|text| format!("Patroni: {text}")));
    let parameters =
        plan.patch.as_ref().and_then(|patch| patch["postgresql"]["parameters"].as_object());
    outlook.parameters.extend(parameters.into_iter().flat_map(|all| all.keys().cloned()));
    for member in members.members.iter().filter(|member| member.pending_restart) {
        outlook.restarts = true;
        let why = match plan.is_paused {
            true => "a restart of PostgreSQL is pending, until the pause of Patroni is over",
            false => "a restart of PostgreSQL is pending",
        };
        let object = format!("Pod {}/{}", id.namespace, member.name);
        outlook.change(&object, "", "as it is", "PostgreSQL restarted", why);
    }
}

/// `None`: nobody can say which version the cluster is to have.
async fn situation(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    expected: usize,
) -> Option<version::Situation> {
    let wanted = number::number(&cluster.spec.postgresql.version)?;
    let id = &cluster.id;
    let primary = ask::primary(context, config, id).await;
    let running = primary.as_ref().and_then(|primary| primary.major());
    let (mut pods, mut members) = (Vec::new(), None);
    if let Some(primary) = primary.filter(|_| running.is_some_and(|running| running < wanted)) {
        pods = ask::pods(context, config, id).await;
        members = ask::members(context, config, id, &primary).await;
    }
    let (members, is_paused_by_hand) = members.unzip();
    Some(version::Situation {
        wanted,
        running,
        is_allowed: number::is_allowed(&cluster.spec.team_id, config),
        is_standby: is_standby(&cluster.spec),
        runs_here: false,
        note: manifest.annotations().get(NOTE).and_then(|text| Note::parse(text)),
        script: None,
        is_lost_for_long: false,
        problem: None,
        has_failed: manifest.annotations().contains_key(FAILURE),
        is_disturbed: false,
        is_paused: is_paused(manifest) || is_paused_by_hand == Some(true),
        opens: Windows::of(&cluster.spec, config).next(Timestamp::now()),
        expected,
        pods,
        members,
    })
}

fn upgraded(id: &ClusterId, now: &version::Situation, outlook: &mut Outlook) {
    let why = match version::next(now) {
        version::Step::Run(pod) => format!("a major upgrade by the script of the image, on {pod}"),
        version::Step::Wait(_, text) if now.running.is_some() => text,
        version::Step::Wait(_, text) => {
            let text = format!("whether there is a major upgrade to do could not be seen: {text}");
            return outlook.errors.push(text);
        }
        version::Step::Stop(_, text) => return outlook.notes.push(text),
        version::Step::UpToDate { .. } => return,
        version::Step::Succeeded | version::Step::CutOff | version::Step::Runs => {
            let text = "the script of a major upgrade was started, and its end is not noted";
            return outlook.notes.push(text.to_owned());
        }
    };
    outlook.restarts = true;
    let (from, to) = (now.running.unwrap_or_default().to_string(), now.wanted.to_string());
    outlook.change(&format!("PostgreSQL {id}"), "version", &from, &to, &why);
}
