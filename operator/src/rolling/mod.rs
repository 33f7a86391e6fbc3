//! Which pod of a cluster is disturbed next, if any? The only place that says so: a scale-down, a
//! node that is emptied and a new template all ask here.
//!
//! In: a [`Situation`], which is what the API server and Patroni say now. Out: the one [`Step`] to
//! do. Nothing is remembered from one step to the next, so that whoever comes after us goes on.
//!
//! What holds: a pod that is ready goes only while all others are ready, so never two pods are
//! down because of us. A pod that leads goes only if it hands over first, unless nobody could take
//! over. A pod that is down anyway may be made anew at once. A primary hands over once: who would
//! have to be disturbed as well is disturbed before it leads.

mod leave;
mod marks;
mod seen;
mod waiting;

use jiff::Timestamp;

use crate::build::names::Role;
use crate::patroni::View;

pub use marks::{MARK, Marking, REASON, is_marked, marking};
pub use seen::{Life, life, not_running, ordinal, pods};
pub use waiting::{Limit, Waiting};

/// Everything that is looked at.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Somebody said that nothing is to be disturbed.
    pub paused: bool,
    /// Pods are being made anew, as far as anybody has been told.
    pub rolls: bool,
    /// How many pods there are to be.
    pub wanted: usize,
    pub pods: Vec<Pod>,
    /// Who leads by Patroni's own record; the label of a pod may be late.
    pub leader: Option<String>,
    /// What a member says of all, if one was asked since the last step.
    pub view: Option<Result<View, String>>,
    /// Whether a switchover was asked for and has not ended.
    pub switches: bool,
    /// When a maintenance window opens, if none is open: a primary leaves its node only then.
    pub opens: Option<Timestamp>,
    /// The primary should have left its node long ago.
    pub overdue: bool,
}

/// One pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pod {
    pub name: String,
    /// The number at the end of its name.
    pub ordinal: i32,
    /// By its label.
    pub role: Option<Role>,
    pub ready: bool,
    pub life: Life,
    /// It is to be made anew.
    pub marked: bool,
    /// It is on its way out.
    pub deleting: bool,
    /// There are to be fewer pods, and it is one too many.
    pub goes: bool,
    /// Its node is about to go.
    pub leaves_node: bool,
    /// And made anew it would come nowhere better.
    pub stranded: Option<Stranded>,
}

/// Why it would be of no use to make a pod anew that has to leave its node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stranded {
    /// It came there when the node was about to go already, and would come again.
    Landed,
    /// No other node would take it.
    NoNode,
}

/// The next thing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    Nothing(Idle),
    Wait(Waiting),
    /// A member has to say how all of them are.
    Ask,
    /// Whoever comes first and is able takes over.
    SwitchOver {
        from: String,
        why: Why,
        candidates: Vec<String>,
        /// Not at once, but then.
        at: Option<Timestamp>,
    },
    /// It is made anew by its StatefulSet.
    Delete {
        pod: String,
        why: Why,
    },
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idle {
    UpToDate,
    Paused,
}

/// What a pod is disturbed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// There are to be fewer.
    ScalesDown,
    /// Its node is about to go.
    LeavesNode,
    /// It is marked.
    Rolls,
    /// It is marked, and down anyway.
    IsDown,
}

/// What to do now.
pub fn next(now: &Situation) -> Step {
    let leader = now.pods.iter().find(|pod| Some(&pod.name) == now.leader.as_ref());
    let is_due = |pod: &Pod| pod.marked && !pod.goes;
    let disturbs = |pod: &Pod| pod.goes || pod.leaves_node;
    if !now.pods.iter().any(is_due) && !leader.is_some_and(disturbs) {
        // The last one has to be there again before it is over.
        let last = is_down(now).filter(|_| now.rolls && !now.paused);
        return last.map_or(Step::Nothing(Idle::UpToDate), Step::Wait);
    }
    if now.paused {
        return Step::Nothing(Idle::Paused);
    }
    if now.switches {
        return Step::Wait(Waiting::Switches);
    }
    match leader {
        Some(leader) if leader.goes => hand_over(now, leader, Why::ScalesDown),
        Some(leader) if leader.leaves_node && !leader.deleting => leave::leave(now, leader),
        _ => roll(now, leader),
    }
}

/// Whoever stays and is well may take over; rather not who is about to be disturbed as well.
fn candidates<'a>(now: &Situation, leader: &Pod, view: &'a View) -> Vec<&'a str> {
    let rank = |name: &str| {
        let pod = now.pods.iter().find(|pod| pod.name == name)?;
        let may = pod.ready && !pod.deleting && !pod.goes && pod.name != leader.name;
        may.then(|| u8::from(pod.leaves_node) * 2 + u8::from(pod.marked))
    };
    view.candidates(rank)
}

/// What a member says, or what there is to do until one has said something.
fn view(now: &Situation) -> Result<&View, Step> {
    match &now.view {
        None => Err(Step::Ask),
        Some(Err(problem)) => Err(Step::Wait(Waiting::Silent(problem.clone()))),
        Some(Ok(view)) => match &view.members.scheduled_switchover {
            Some(scheduled) => Err(Step::Wait(Waiting::Scheduled(scheduled.at.clone()))),
            None => Ok(view),
        },
    }
}

fn hand_over(now: &Situation, leader: &Pod, why: Why) -> Step {
    let view = match view(now) {
        Ok(view) => view,
        Err(step) => return step,
    };
    let candidates: Vec<String> =
        candidates(now, leader, view).into_iter().map(str::to_owned).collect();
    let best = now.pods.iter().find(|pod| Some(&pod.name) == candidates.first());
    let Some(best) = best else {
        return Step::Wait(Waiting::NoCandidate(leader.name.clone()));
    };
    if let Some(first) = leave::before(now, leader, best, why) {
        return first;
    }
    let at = now.opens.filter(|_| why == Why::LeavesNode);
    Step::SwitchOver { from: leader.name.clone(), why, candidates, at }
}

fn staying(now: &Situation) -> impl Iterator<Item = &Pod> {
    now.pods.iter().filter(|pod| !pod.goes)
}

fn roll(now: &Situation, leader: Option<&Pod>) -> Step {
    let leads = |pod: &Pod| leader.is_some_and(|leader| leader.name == pod.name);
    let due = |pod: &&Pod| pod.marked && !pod.deleting;
    let is_broken = |pod: &&Pod| match leads(pod) {
        true => pod.life == Life::Dead,
        false => pod.life != Life::Runs,
    };
    if let Some(broken) = staying(now).filter(due).find(is_broken) {
        return Step::Delete { pod: broken.name.clone(), why: Why::IsDown };
    }
    if let Some(deleting) = staying(now).find(|pod| pod.deleting) {
        return Step::Wait(Waiting::Deleting(deleting.name.clone()));
    }
    // The label of whoever leads now comes before anybody else is disturbed.
    let late = |pod: &&Pod| pod.ready && pod.role != Some(Role::Master);
    if let Some(leader) = leader.filter(late) {
        return Step::Wait(Waiting::Label(leader.name.clone()));
    }
    if let Some(down) = staying(now).filter(due).find(|pod| !pod.ready && !leads(pod)) {
        return Step::Delete { pod: down.name.clone(), why: Why::IsDown };
    }
    if let Some(waiting) = is_down(now) {
        return Step::Wait(waiting);
    }
    let others: Vec<&Pod> = staying(now).filter(|pod| !leads(pod)).collect();
    match (leader, others.as_slice()) {
        (Some(alone), []) => Step::Delete { pod: alone.name.clone(), why: Why::Rolls },
        // It has just started, and leads in a moment.
        (None, _) => Step::Wait(Waiting::NoLeader),
        (Some(leader), others) => roll_among(now, leader, others),
    }
}

/// Why a pod that is well has to stay for now. The leader itself may be down and marked.
fn is_down(now: &Situation) -> Option<Waiting> {
    if let Some(deleting) = staying(now).find(|pod| pod.deleting) {
        return Some(Waiting::Deleting(deleting.name.clone()));
    }
    let there = staying(now).count();
    if there < now.wanted {
        return Some(Waiting::Missing { there, wanted: now.wanted });
    }
    let down = staying(now).filter(|pod| !pod.ready && !pod.marked);
    let down: Vec<String> = down.map(|pod| pod.name.clone()).collect();
    (!down.is_empty()).then_some(Waiting::NotReady(down))
}

/// All others are ready.
fn roll_among(now: &Situation, leader: &Pod, others: &[&Pod]) -> Step {
    if let Some(late) = others.iter().find(|pod| pod.role != Some(Role::Replica)) {
        return Step::Wait(Waiting::Label(late.name.clone()));
    }
    let view = match view(now) {
        Ok(view) => view,
        Err(step) => return step,
    };
    if !leader.ready {
        return match candidates(now, leader, view).is_empty() {
            // It is down, and nobody could take over.
            true => Step::Delete { pod: leader.name.clone(), why: Why::IsDown },
            false => hand_over(now, leader, Why::Rolls),
        };
    }
    let streams = |pod: &&&Pod| view.streams(&pod.name);
    let behind: Vec<String> = others
        .iter()
        .filter(|pod| !pod.marked && !view.streams(&pod.name))
        .map(|pod| pod.name.clone())
        .collect();
    if !behind.is_empty() {
        return Step::Wait(Waiting::Streams(behind));
    }
    let any_streams = others.iter().any(|pod| streams(&pod));
    if view.is_synchronous && any_streams && !view.has_synchronous_standby() {
        return Step::Wait(Waiting::NoSynchronousStandby);
    }
    // Whoever holds up no write goes first: one that is of no use, and then no synchronous one.
    let order = |pod: &&&Pod| {
        (view.streams(&pod.name), view.is_synchronous_standby(&pod.name), pod.ordinal)
    };
    match others.iter().filter(|pod| pod.marked).min_by_key(order) {
        Some(replica) => Step::Delete { pod: replica.name.clone(), why: Why::Rolls },
        None => hand_over(now, leader, Why::Rolls),
    }
}

#[cfg(test)]
mod tests;
