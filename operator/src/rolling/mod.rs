//! Which pod of a cluster is disturbed next, if any? The only place that says so: a scale-down, a
//! node that is emptied and a new template all ask here.
//!
//! In: a [`Situation`], which is what the API server and Patroni say now. Out: the one [`Step`] to
//! do. Nothing is remembered from one step to the next, so that whoever comes after us goes on.
//!
//! What holds: a pod that is ready goes only while all others are ready, so never two pods are
//! down because of us. A pod that leads goes only if it hands over first, unless nobody could take
//! over, and never while one that is about to go for good could take over behind our back. A pod
//! whose PostgreSQL does not run may be made anew at once. Nobody is disturbed while Patroni is
//! paused, or in an operation that must not be interrupted.

mod marks;
mod seen;
mod waiting;

use jiff::Timestamp;

use crate::build::names::Role;
use crate::patroni::{Scheduled, View};

pub use marks::{MARK, Marking, REASON, is_marked, marking};
pub use seen::{Life, is_ready, life, not_running, ordinal, pods};
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
    /// Pods that are too many stay until the primary has handed over.
    pub held: bool,
    /// Whether Patroni is paused, whoever did it. `None`: that is noted where we do not look.
    pub pauses: Option<bool>,
    pub pods: Vec<Pod>,
    /// Who leads by Patroni's own record; the label of a pod may be late.
    pub leader: Option<String>,
    /// What a member says of all, if one was asked since the last step.
    pub view: Option<Result<View, String>>,
    /// Whether a switchover was asked for and has not ended.
    pub switches: bool,
    /// The pod whose PostgreSQL is being restarted for other settings.
    pub restarts: Option<String>,
    /// When a maintenance window opens, if none is open: a primary leaves its node only then.
    pub opens: Option<Timestamp>,
    /// The primary should have left its node long ago.
    pub overdue: bool,
    /// The last that people were told is that the primary leaves its node.
    pub drained: bool,
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
    /// What it does must not be interrupted: so says its label, or Patroni makes the cluster there.
    pub critical: bool,
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
    /// The switchover that Patroni was given a time for is not needed any more.
    Withdraw {
        at: String,
    },
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
    let step = plan(now);
    let (Step::Delete { pod, .. } | Step::SwitchOver { from: pod, .. }) = &step else {
        return step;
    };
    keeps(now, pod).unwrap_or(step)
}

/// Why a pod that is next has to stay all the same.
fn keeps(now: &Situation, name: &str) -> Option<Step> {
    let runs = |pod: &&Pod| pod.life != Life::Dead;
    let pod = now.pods.iter().find(|pod| pod.name == name)?;
    if pod.critical && runs(&pod) {
        return Some(Step::Wait(Waiting::Critical(pod.name.clone())));
    }
    // Where nobody runs, nobody could be asked to end a pause.
    now.pods.iter().find(runs)?;
    let is_told = matches!(&now.view, Some(Ok(view)) if view.members.pause);
    match now.pauses {
        Some(true) => Some(Step::Wait(Waiting::Pauses)),
        _ if is_told => Some(Step::Wait(Waiting::Pauses)),
        None if now.view.is_none() => Some(Step::Ask),
        _ => None,
    }
}

fn plan(now: &Situation) -> Step {
    let leader = now.pods.iter().find(|pod| Some(&pod.name) == now.leader.as_ref());
    let disturbs = |pod: &Pod| !pod.deleting && (pod.goes || pod.leaves_node);
    let any_marked = staying(now).any(|pod| pod.marked);
    if !any_marked && !leader.is_some_and(disturbs) {
        return idle(now);
    }
    if now.paused {
        return Step::Nothing(Idle::Paused);
    }
    if now.switches {
        return Step::Wait(Waiting::Switches);
    }
    // Whoever may take over has to be well first.
    if let Some(broken) = broken(now) {
        return remake(broken, Why::IsDown);
    }
    if let Some(pod) = &now.restarts {
        return Step::Wait(Waiting::Restarts(pod.clone()));
    }
    // A rolling update waits for no window, and so not for a primary that does.
    let rolls_first =
        now.opens.is_some() && any_marked || leader.is_some_and(|leader| is_first(now, leader));
    match leader {
        Some(leader) if leader.goes && !leader.deleting => hand_over(now, leader, Why::ScalesDown),
        Some(leader) if leader.leaves_node && !leader.deleting && !rolls_first => {
            leave(now, leader)
        }
        _ => roll(now, leader),
    }
}

/// Nobody is to be disturbed.
fn idle(now: &Situation) -> Step {
    if now.paused {
        return Step::Nothing(Idle::UpToDate);
    }
    // The last one has to be there again before it is over.
    if let Some(last) = is_down(now).filter(|_| now.rolls) {
        return Step::Wait(last);
    }
    // Its node stays, and a time for the primary to leave it may be set still.
    match &now.view {
        _ if !now.drained || now.opens.is_none() => Step::Nothing(Idle::UpToDate),
        _ if now.switches => Step::Wait(Waiting::Switches),
        None => Step::Ask,
        Some(Err(problem)) => Step::Wait(Waiting::Silent(problem.clone())),
        Some(Ok(view)) => match view.members.scheduled_switchover.as_ref() {
            Some(scheduled) if is_ours(now, scheduled) => {
                Step::Withdraw { at: scheduled.at.clone() }
            }
            _ => Step::Nothing(Idle::UpToDate),
        },
    }
}

/// We let a primary leave its node when a window opens, and at no other time.
fn is_ours(now: &Situation, scheduled: &Scheduled) -> bool {
    let at = scheduled.at.parse::<Timestamp>().ok();
    at.zip(now.opens).is_some_and(|(at, opens)| at.as_second() == opens.as_second())
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

/// What a member says, or what there is to do until one has said something and no switchover is to
/// come. A node that goes while a window is open does not wait for a switchover at another time.
fn view(now: &Situation, why: Why) -> Result<&View, Step> {
    let view = match &now.view {
        None => return Err(Step::Ask),
        Some(Err(problem)) => return Err(Step::Wait(Waiting::Silent(problem.clone()))),
        Some(Ok(view)) => view,
    };
    if let Some(other) = view.leader().filter(|own| Some(*own) != now.leader.as_deref()) {
        let problem = format!("one says that {} leads", other.escape_debug());
        return Err(Step::Wait(Waiting::Silent(problem)));
    }
    match &view.members.scheduled_switchover {
        Some(scheduled) if why != Why::LeavesNode && is_ours(now, scheduled) => {
            Err(Step::Withdraw { at: scheduled.at.clone() })
        }
        Some(scheduled) if why != Why::LeavesNode || now.opens.is_some() => {
            Err(Step::Wait(Waiting::Scheduled(scheduled.at.clone())))
        }
        _ => Ok(view),
    }
}

fn hand_over(now: &Situation, leader: &Pod, why: Why) -> Step {
    let view = match view(now, why) {
        Ok(view) => view,
        Err(step) => return step,
    };
    let candidates: Vec<String> =
        candidates(now, leader, view).into_iter().map(str::to_owned).collect();
    let best = now.pods.iter().find(|pod| Some(&pod.name) == candidates.first());
    let from = leader.name.clone();
    match (best, down(now, Some(leader))) {
        (Some(best), _) => {
            let at = now.opens.filter(|_| why == Why::LeavesNode);
            let switch = Step::SwitchOver { from, why, candidates, at };
            prepared(now, leader, best, why).unwrap_or(switch)
        }
        (None, Some(down)) => remake(down, Why::IsDown),
        (None, None) => Step::Wait(Waiting::NoCandidate(from)),
    }
}

/// Whoever takes over is not to hand over again: if it is to be made anew or to move as well, that
/// comes before. None: there is no need, or no time as the leader is down or overdue.
fn prepared(now: &Situation, leader: &Pod, best: &Pod, why: Why) -> Option<Step> {
    let needs = match (best.marked, best.leaves_node) {
        (true, false) => !now.overdue,
        // Where it cannot move, only a primary that has to as well waits for that.
        (false, true) => best.stranded.is_none() || why == Why::LeavesNode,
        (both, _) => both,
    };
    if !leader.ready || !needs {
        return None;
    }
    if let Some(down) = down(now, Some(leader)) {
        return Some(remake(down, Why::IsDown));
    }
    Some(match is_down(now) {
        Some(waiting) => Step::Wait(waiting),
        None if best.marked => remake(best, Why::Rolls),
        None => move_away(best),
    })
}

/// The leader's node is about to go.
fn leave(now: &Situation, leader: &Pod) -> Step {
    let is_alone = staying(now).all(|pod| pod.name == leader.name);
    match now.opens {
        _ if !is_alone || now.wanted > 1 => hand_over(now, leader, Why::LeavesNode),
        Some(at) => Step::Wait(Waiting::Window(at)),
        None => too_many(now, leader).map_or_else(|| move_away(leader), Step::Wait),
    }
}

/// It is made anew, and its node takes no pods any more.
fn move_away(pod: &Pod) -> Step {
    match pod.stranded {
        None => remake(pod, Why::LeavesNode),
        Some(Stranded::Landed) => Step::Wait(Waiting::Landed(pod.name.clone())),
        Some(Stranded::NoNode) => Step::Wait(Waiting::NoNode(pod.name.clone())),
    }
}

/// A pod whose PostgreSQL does not run, and is to be made anew.
fn broken(now: &Situation) -> Option<&Pod> {
    staying(now).filter(is_due).find(|pod| pod.life == Life::Dead)
}

/// A pod that is not ready, and is to be made anew; one at a time. Its PostgreSQL may stream all
/// the same: where somebody leads, those before it come back first.
fn down<'a>(now: &'a Situation, leader: Option<&Pod>) -> Option<&'a Pod> {
    let due = staying(now).filter(is_due).filter(|pod| !pod.ready && !leads(pod, leader));
    let first = due.min_by_key(|pod| pod.ordinal)?;
    let is_there = |ordinal: i32| staying(now).any(|pod| pod.ordinal == ordinal);
    // The StatefulSet may make those behind it only when it is ready.
    let is_missing = (0..first.ordinal).any(|ordinal| !is_there(ordinal));
    let is_back = |pod: &Pod| pod.ready || pod.marked || leads(pod, leader);
    let are_back = !is_missing && staying(now).all(is_back);
    let has_leader = leader.is_some_and(|leader| leader.ready);
    let any_goes = staying(now).any(|pod| pod.deleting);
    (!any_goes && (are_back || !has_leader)).then_some(first)
}

/// Whether others may be made only when the leader is ready, which has to be made anew for that.
fn is_first(now: &Situation, leader: &Pod) -> bool {
    is_due(&leader) && !leader.ready && staying(now).count() < now.wanted
}

/// Pods that are too many and run still. Patroni could make one of them the primary while whoever
/// leads is made anew; it would take writes, and then go.
fn too_many(now: &Situation, leader: &Pod) -> Option<Waiting> {
    let runs = |pod: &&Pod| pod.goes && pod.life != Life::Dead && pod.name != leader.name;
    let pods: Vec<String> = now.pods.iter().filter(runs).map(|pod| pod.name.clone()).collect();
    (!now.held && !pods.is_empty()).then_some(Waiting::TooMany(pods))
}

fn is_due(pod: &&Pod) -> bool {
    pod.marked && !pod.deleting
}

fn leads(pod: &Pod, leader: Option<&Pod>) -> bool {
    leader.is_some_and(|leader| leader.name == pod.name)
}

fn remake(pod: &Pod, why: Why) -> Step {
    Step::Delete { pod: pod.name.clone(), why }
}

fn staying(now: &Situation) -> impl Iterator<Item = &Pod> {
    now.pods.iter().filter(|pod| !pod.goes)
}

fn roll(now: &Situation, leader: Option<&Pod>) -> Step {
    if let Some(deleting) = staying(now).chain(leader).find(|pod| pod.deleting) {
        return Step::Wait(Waiting::Deleting(deleting.name.clone()));
    }
    // The label of whoever leads now comes before anybody else is disturbed.
    let late = |pod: &&Pod| pod.ready && pod.role != Some(Role::Master);
    if let Some(leader) = leader.filter(late) {
        return Step::Wait(Waiting::Label(leader.name.clone()));
    }
    if let Some(down) = down(now, leader) {
        return remake(down, Why::IsDown);
    }
    if let Some(waiting) = leader.and_then(|leader| too_many(now, leader)) {
        return Step::Wait(waiting);
    }
    match is_down(now) {
        Some(Waiting::Missing { .. }) if leader.is_some_and(|leader| is_first(now, leader)) => {}
        Some(waiting) => return Step::Wait(waiting),
        None => {}
    }
    let others: Vec<&Pod> = staying(now).filter(|pod| !leads(pod, leader)).collect();
    match (leader, others.as_slice()) {
        (Some(alone), []) => remake(alone, Why::Rolls),
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
    let view = match view(now, Why::Rolls) {
        Ok(view) => view,
        Err(step) => return step,
    };
    if !leader.ready {
        return match candidates(now, leader, view).is_empty() {
            // It is down, and nobody could take over.
            true => remake(leader, Why::IsDown),
            false => hand_over(now, leader, Why::Rolls),
        };
    }
    let behind: Vec<String> = others
        .iter()
        .filter(|pod| !pod.marked && !view.streams(&pod.name))
        .map(|pod| pod.name.clone())
        .collect();
    if !behind.is_empty() {
        return Step::Wait(Waiting::Streams(behind));
    }
    let any_streams = others.iter().any(|pod| view.streams(&pod.name));
    if view.is_synchronous && any_streams && !view.has_synchronous_standby() {
        return Step::Wait(Waiting::NoSynchronousStandby);
    }
    // Whoever holds up no write goes first: one that is of no use, and then no synchronous one.
    let order = |pod: &&&Pod| {
        (view.streams(&pod.name), view.is_synchronous_standby(&pod.name), pod.ordinal)
    };
    match others.iter().filter(|pod| pod.marked).min_by_key(order) {
        Some(replica) => remake(replica, Why::Rolls),
        None => hand_over(now, leader, Why::Rolls),
    }
}

#[cfg(test)]
mod tests;
