//! The primary leaves its node before anybody evicts it, and moves once: to a pod that need not be
//! disturbed behind it.

use super::{Pod, Situation, Step, Stranded, Waiting, Why, hand_over, is_down, staying};

/// The leader's node is about to go.
pub(super) fn leave(now: &Situation, leader: &Pod) -> Step {
    let is_alone = !staying(now).any(|pod| pod.name != leader.name);
    if !is_alone || now.wanted > 1 {
        return hand_over(now, leader, Why::LeavesNode);
    }
    match now.opens {
        Some(at) => Step::Wait(Waiting::Window(at)),
        None => move_away(leader),
    }
}

/// What has to be done to the best candidate before it leads.
pub(super) fn before(now: &Situation, leader: &Pod, best: &Pod, why: Why) -> Option<Step> {
    let is_urgent = why == Why::ScalesDown || (why == Why::Rolls && !leader.ready);
    if is_urgent {
        return None;
    }
    let again = match (best.leaves_node, best.marked) {
        // That it has to move later is no reason to stop a rolling update.
        (true, _) if why == Why::Rolls && best.stranded.is_some() => return None,
        (true, _) => move_away(best),
        (false, true) if !now.overdue => Step::Delete { pod: best.name.clone(), why: Why::Rolls },
        (false, _) => return None,
    };
    Some(is_down(now).map_or(again, Step::Wait))
}

/// It is made anew, and its node takes no pods any more.
fn move_away(pod: &Pod) -> Step {
    match pod.stranded {
        None => Step::Delete { pod: pod.name.clone(), why: Why::LeavesNode },
        Some(Stranded::Landed) => Step::Wait(Waiting::Landed(pod.name.clone())),
        Some(Stranded::NoNode) => Step::Wait(Waiting::NoNode(pod.name.clone())),
    }
}
