//! Who is restarted next.
//!
//! A standby does not start with less of some parameters than its primary has, so replicas are
//! restarted first, and after the primary where it gets less. Where both happens at once, a
//! replica is restarted twice: for what grows before its primary, for what shrinks behind it.

use std::cmp::Ordering;

use serde_json::Value;

use super::same::{text, turn};
use crate::patroni::{Instance, Turn};

/// A standby refuses to start if it has less of these than its primary has.
const AT_LEAST_AS_PRIMARY: [&str; 5] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/// One instance, with the name of its pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub leads: bool,
    pub instance: Instance,
}

/// Whoever is next, of those that `may`.
pub fn next(all: &[Member], may: impl Fn(&Member) -> bool) -> Option<&Member> {
    let mut pending: Vec<&Member> =
        all.iter().filter(|member| member.instance.pending_restart).collect();
    pending.sort_by(|one, other| one.name.cmp(&other.name));
    let leader = pending.iter().find(|member| member.leads);
    let only_shrinks = |member: &Member| {
        let reasons = &member.instance.pending_restart_reason;
        !reasons.is_empty() && reasons.iter().all(|(name, change)| is_less(name, change))
    };
    let replicas = || pending.iter().copied().filter(|member| !member.leads);
    let first = replicas().filter(|member| leader.is_none() || !only_shrinks(member));
    first.chain(leader.copied()).chain(replicas()).find(|member| may(member))
}

/// Whether a restart makes less of what a standby may not have less of than its primary.
pub fn shrinks(instance: &Instance) -> bool {
    instance.pending_restart_reason.iter().any(|(name, change)| is_less(name, change))
}

fn is_less(parameter: &str, change: &Turn) -> bool {
    let number = |value: &Value| text(value)?.trim().parse::<f64>().ok();
    let order = match (number(&change.old_value), number(&change.new_value)) {
        (Some(old), Some(new)) => old.partial_cmp(&new),
        _ => None,
    };
    AT_LEAST_AS_PRIMARY.contains(&parameter) && order == Some(Ordering::Greater)
}

/// What a restart is for, in words. Empty where Patroni does not say.
pub fn reason(instance: &Instance) -> String {
    let all = instance.pending_restart_reason.iter();
    let all = all.map(|(name, change)| turn(name, &change.old_value, &change.new_value));
    all.collect::<Vec<_>>().join(", ")
}
