//! The one place that asks Patroni for a switchover.
//!
//! In: who leads, who may take over in which order, and what for. Out: the question, asked beside
//! everything else, and what was wrong the last time. Pods' labels tell how it went. Never: two
//! questions about one cluster at a time, or one behind another without a pause.

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
use crate::disturbance::What;
use crate::patroni::{Meant, Patroni};
use crate::report::News;

/// How it goes with the switchovers of a cluster.
#[derive(Debug, Default)]
pub struct Switchover {
    failures: u32,
    not_before: Option<Instant>,
    problem: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The pod that leads.
    pub leader: Arc<Pod>,
    /// The first of these takes over, by the answer of a member to a question just now.
    pub candidate: String,
    /// Not at once.
    pub scheduled_at: Option<Timestamp>,
}

/// After the first failure; it doubles from there on.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
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
        self.not_before.is_none_or(|at| at <= now)
    }

    fn ended(&mut self, now: Instant, result: Result<(), String>, at_most: Duration) {
        match result {
            Ok(()) => *self = Self::default(),
            Err(problem) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(at_most);
                self.not_before = Some(now + pause);
                self.failures += 1;
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

/// Asks Patroni, unless something is being done to the cluster or Patroni has just refused; whether it is asked now.
pub fn ask(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    request: &Request,
) -> bool {
    let Some(id) = ClusterId::of(manifest) else { return false };
    let reserved = context.memory.with(&id, |known| {
        let is_due = known.switchover.is_due(Instant::now());
        is_due.then(|| known.disturbance.reserve(What::Switchover).ok()).flatten()
    });
    let Some(reserved) = reserved else { return false };
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
        let end = |switchover: &mut Switchover| switchover.ended(Instant::now(), result, at_most);
        context.memory.with(&id, |known| end(&mut known.switchover));
        drop(reserved);
        context.objects.add(&id, Why::Repair);
    });
    true
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
