//! What is asked of `crate::switchover`: that another pod leads, and that a time for that is
//! forgotten.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Look, Rolled};
use crate::report::News;
use crate::rolling::{Limit, Waiting};
use crate::switchover;

impl Look<'_> {
    pub(super) fn switch_over(
        &self,
        from: &str,
        candidates: &[String],
        at: Option<Timestamp>,
    ) -> Rolled {
        let leader = self.pods.iter().find(|pod| pod.name_any() == from).cloned();
        let next = |known: &mut switchover::Switchover| known.next(from, candidates);
        let candidate =
            self.context.memory.with(&self.cluster.id, |known| next(&mut known.switchover));
        let (Some(leader), Some(candidate)) = (leader, candidate) else {
            return self.wait(&Waiting::NoLeader);
        };
        if let Some(drain) = &self.drain {
            self.context.tell(self.manifest, &News::normal("NodeDrain", drain.text()));
        }
        let request = switchover::Request { leader, candidate, scheduled_at: at };
        switchover::ask(self.context, self.config, self.manifest, &request);
        let problem = self
            .context
            .memory
            .with(&self.cluster.id, |known| known.switchover.problem().map(str::to_owned));
        let mut text = format!("{from} is the primary and hands over to {}", request.candidate);
        if let Some(at) = at {
            text = format!("{text} at {at}");
        }
        if let Some(problem) = problem {
            text = format!("{text}; the last try failed: {problem}");
        }
        let is_late = self.is_late(Limit::Switchover);
        let finding = self.finding(&text, Limit::Switchover, is_late);
        Rolled { finding, again: Some(self.soon()) }
    }

    /// It was for a node that stays after all, or something else is due before.
    pub(super) fn withdraw(&self, at: &str) -> Rolled {
        let Some(pod) = self.ready().into_iter().next() else {
            return self.wait(&Waiting::NoLeader);
        };
        switchover::withdraw(self.context, self.config, self.manifest, pod, at);
        let text = format!("the switchover at {} is withdrawn", at.escape_debug());
        Rolled { finding: self.finding(&text, Limit::Never, false), again: Some(self.soon()) }
    }

    fn soon(&self) -> Duration {
        match self.situation.overdue {
            true => self.config.operation.repair_period,
            false => self.config.operation.patroni_api_check_interval,
        }
    }
}
