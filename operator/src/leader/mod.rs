//! One of several operators works, the others are ready: leader election by a Lease.
//!
//! In: the Lease `postgres-operator` in the operator's namespace. Out: whether we may write now.
//! Whoever cannot renew in time says so itself before anybody else may take over. Time is told
//! by how long a Lease stays unchanged, never by comparing clocks of two machines.

mod decide;
mod term;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::sync::watch;
use tokio::time::Instant;

use decide::{Decision, Seen, decide, is_renewed_by_another};
pub use term::Term;

/// The Lease, and our name as a field manager.
pub const NAME: &str = "postgres-operator";
/// How long a Lease that nobody renews still counts.
pub const DURATION: Duration = Duration::from_secs(15);
/// From the last renewal on: later than this we do not lead any more. Well before [`DURATION`].
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(2);
/// For one request.
const PATIENCE: Duration = Duration::from_secs(4);

/// Our place in the election.
#[derive(Debug)]
pub struct Election {
    leases: Api<Lease>,
    identity: String,
    leading: watch::Sender<bool>,
    others: watch::Sender<()>,
    term: Arc<Term>,
}

impl Election {
    /// `identity` has to be different in every process, also after a restart.
    pub fn new(leases: Api<Lease>, identity: String, term: Arc<Term>) -> Self {
        let (leading, others) = (watch::Sender::new(false), watch::Sender::new(()));
        Self { leases, identity, leading, others, term }
    }

    /// Whether we lead, from now on.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    /// Changes each time that another one was seen to lead, from now on. A Lease that somebody left
    /// behind and does not renew is no sign of that.
    pub fn others(&self) -> watch::Receiver<()> {
        self.others.subscribe()
    }

    /// Takes part until `stop` says so; then gives the Lease back, so that a successor starts at
    /// once.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut seen = Seen::default();
        let mut renewed: Option<Instant> = None;
        while !*stop.borrow() {
            let attempt = Instant::now();
            // Whether we still lead is known in time, however long the API server takes.
            let patience =
                renewed.map_or(attempt + PATIENCE, |at| (at + DEADLINE).min(attempt + PATIENCE));
            let turn = tokio::time::timeout_at(patience, self.turn(&mut seen));
            let turn = tokio::select! {
                turn = turn => turn,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match turn {
                Ok(Ok(true)) => renewed = Some(attempt),
                Ok(Ok(false)) => renewed = None,
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "the Lease could not be read or renewed");
                }
                Err(_elapsed) => tracing::warn!("the API server is slow with the Lease"),
            }
            // Too late is never: without a pause, a server that is down would be asked endlessly.
            renewed = renewed.filter(|at| at.elapsed() < DEADLINE);
            self.tell(renewed);
            let pause = match renewed {
                // Never sleep beyond the moment when we stop leading.
                Some(at) => PAUSE.min((at + DEADLINE).duration_since(Instant::now())),
                None => PAUSE / 2,
            };
            let _either = tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await;
        }
    }

    /// Lets go, after everything has stopped.
    pub async fn release(&self) {
        let was_leading = *self.leading.borrow();
        self.tell(None);
        if !was_leading {
            return;
        }
        match tokio::time::timeout(PATIENCE, self.give_back()).await {
            Ok(Ok(())) => tracing::info!("the Lease is released"),
            Ok(Err(error)) => tracing::warn!(error = %error, "the Lease could not be released"),
            Err(_elapsed) => tracing::warn!("the Lease could not be released in time"),
        }
    }

    /// `renewed`: the Lease is ours since then.
    fn tell(&self, renewed: Option<Instant>) {
        self.term.until(renewed.map(|at| at + DEADLINE));
        let leads = renewed.is_some();
        let changed = self.leading.send_if_modified(|now| std::mem::replace(now, leads) != leads);
        if changed && leads {
            tracing::info!(identity = %self.identity, "this operator leads");
        } else if changed {
            tracing::warn!(identity = %self.identity, "this operator does not lead any more");
        }
    }

    /// One look and at most one write; whether the Lease is ours afterwards.
    async fn turn(&self, seen: &mut Seen) -> Result<bool, kube::Error> {
        let lease = self.leases.get_opt(NAME).await?;
        if let Some(lease) = &lease
            && is_renewed_by_another(lease, &self.identity, seen)
        {
            self.others.send_replace(());
        }
        let decision = decide(lease.as_ref(), &self.identity, seen, Instant::now());
        let written = match (decision, lease) {
            (Decision::Wait, _) => return Ok(false),
            (Decision::Create, _) | (_, None) => {
                self.leases.create(&PostParams::default(), &self.new_lease()).await
            }
            (decision, Some(mut lease)) => {
                self.take(&mut lease, decision == Decision::Take);
                self.leases.replace(NAME, &PostParams::default(), &lease).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody was quicker.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn new_lease(&self) -> Lease {
        let mut lease = Lease {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            spec: None,
        };
        self.take(&mut lease, true);
        lease
    }

    fn take(&self, lease: &mut Lease, from_another: bool) {
        let now = Some(MicroTime(Timestamp::now()));
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if from_another {
            spec.acquire_time.clone_from(&now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(-1).saturating_add(1));
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = now;
    }

    async fn give_back(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.leases.get_opt(NAME).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.leases.replace(NAME, &PostParams::default(), &lease).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
