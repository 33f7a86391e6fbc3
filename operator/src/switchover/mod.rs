//! The one place that asks Patroni for a switchover.
//!
//! In: who leads, who may take over in which order, and what for. Out: the question, asked beside
//! everything else, and what was wrong the last time. Pods' labels tell how it went. Never: two
//! questions about one cluster at a time, or one behind another without a pause.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::disturbance::{Reserved, What};
use crate::patroni::{Meant, Patroni};
use crate::pause::Pause;
use crate::report::News;

/// How it goes with the switchovers of a cluster.
#[derive(Debug, Default)]
pub struct Switchover {
    pause: Pause,
    problem: Option<String>,
    /// Who led the last time, and who could not take over since.
    leader: String,
    refused: BTreeSet<String>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The pod that leads.
    pub leader: Arc<Pod>,
    /// Who takes over, by the answer of a member to a question just now.
    pub candidate: String,
    /// Not at once.
    pub scheduled_at: Option<Timestamp>,
}

/// A question is about what was so long ago at most. Whoever has led when this began still leads
/// when the answer is used.
const LONGEST_QUESTION: Duration = Duration::from_secs(3);

impl Switchover {
    /// What was wrong the last time.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether Patroni may be asked now.
    fn is_due(&self, now: Instant) -> bool {
        self.pause.left(now).is_none()
    }

    /// Who is to take over: the first that was not refused yet. Where all were, they are tried again.
    pub fn next(&mut self, leader: &str, candidates: &[String]) -> Option<String> {
        if self.leader != leader || candidates.iter().all(|own| self.refused.contains(own)) {
            leader.clone_into(&mut self.leader);
            self.refused.clear();
        }
        candidates.iter().find(|own| !self.refused.contains(*own)).cloned()
    }

    /// `candidate`: who was to take over.
    fn ended(
        &mut self,
        now: Instant,
        candidate: &str,
        result: Result<(), String>,
        at_most: Duration,
    ) {
        match result {
            Ok(()) => *self = Self::default(),
            Err(problem) => {
                self.pause.lengthen(now, at_most);
                self.refused.insert(candidate.to_owned());
                self.problem = Some(problem);
            }
        }
    }
}

/// One member that can be asked, with the patience of the configuration.
pub fn patroni(context: &Context, config: &Config, pod: &Pod) -> Option<Patroni> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref())?;
    let address = address.parse::<IpAddr>().ok()?;
    let patience = config.operation.patroni_api_check_timeout.min(LONGEST_QUESTION);
    let id = context.caches.pods.owner(pod)?;
    let system = context.memory.read(&id, |known| known.system.clone()).flatten();
    let meant = Meant::new(&pod.name_any(), system);
    Some(Patroni::new(context.http.clone(), address, patience, meant))
}

/// `None`: Patroni has just refused, or something is being done to the cluster.
fn reserve(context: &Context, id: &ClusterId) -> Option<Reserved> {
    context.memory.with(id, |known| {
        let is_due = known.switchover.is_due(Instant::now());
        is_due.then(|| known.disturbance.reserve(What::Switchover).ok()).flatten()
    })
}

/// Asks Patroni, unless something is being done to the cluster or Patroni has just refused; whether it is asked now.
pub fn ask(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    request: &Request,
) -> bool {
    let Some(id) = ClusterId::of(manifest) else { return false };
    let Some(reserved) = reserve(context, &id) else { return false };
    let leader = request.leader.name_any();
    let told = format!("from \"{leader}\" to \"{}/{}\"", id.namespace, request.candidate);
    if request.scheduled_at.is_none() {
        let text = format!("Switching over {told}");
        context.tell(manifest, &News::normal("Switchover", text));
    }
    let patroni = patroni(context, config, &request.leader);
    let at_most = config.operation.repair_period;
    let (context, manifest, request) = (Arc::clone(context), manifest.clone(), request.clone());
    tokio::spawn(async move {
        let reserved = reserved;
        let result = match patroni {
            None => Err(format!("{leader} has no address")),
            Some(patroni) => switch(&patroni, &leader, &request).await,
        };
        let news = match (&result, request.scheduled_at) {
            (Err(problem), _) => {
                News::warning("Switchover", format!("Switchover {told} FAILED: {problem}"))
            }
            (Ok(()), Some(at)) => {
                News::normal("Switchover", format!("Switchover {told} is to be at {at}"))
            }
            (Ok(()), None) => {
                News::normal("Switchover", format!("Successfully switched over {told}"))
            }
        };
        context.tell(&manifest, &news);
        let candidate = &request.candidate;
        let end = |own: &mut Switchover| own.ended(Instant::now(), candidate, result, at_most);
        context.memory.with(&id, |known| end(&mut known.switchover));
        drop(reserved);
        context.objects.add(&id, Why::Repair);
    });
    true
}

/// Has a switchover forgotten that is to be at another time, unless something is being asked.
pub fn withdraw(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    pod: &Pod,
    at: &str,
) {
    let (Some(id), Some(patroni)) = (ClusterId::of(manifest), patroni(context, config, pod)) else {
        return;
    };
    let Some(reserved) = reserve(context, &id) else { return };
    let at_most = config.operation.repair_period;
    let told = format!("The switchover that was to be at {}", at.escape_debug());
    let (context, manifest) = (Arc::clone(context), manifest.clone());
    tokio::spawn(async move {
        let reserved = reserved;
        let result = patroni.withdraw_switchover().await.map_err(|error| error.to_string());
        let news = match &result {
            Ok(()) => News::normal("Switchover", format!("{told} is withdrawn")),
            Err(problem) => {
                News::warning("Switchover", format!("{told} could not be withdrawn: {problem}"))
            }
        };
        context.tell(&manifest, &news);
        let end = |own: &mut Switchover| own.ended(Instant::now(), "", result, at_most);
        context.memory.with(&id, |known| end(&mut known.switchover));
        drop(reserved);
        context.objects.add(&id, Why::Repair);
    });
}

async fn switch(patroni: &Patroni, leader: &str, request: &Request) -> Result<(), String> {
    let asked = patroni.switchover(leader, &request.candidate, request.scheduled_at).await;
    let Err(error) = asked else { return Ok(()) };
    // Its answer may be late or lost, where it has done what it was asked for.
    let members = match request.scheduled_at {
        None => patroni.view().await.ok(),
        Some(_) => None,
    };
    match members.as_ref().and_then(|view| view.leader()) {
        Some(now) if now == request.candidate => Ok(()),
        _ => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
