//! What is held for long enough lets itself through: the ids of held plans go in, the one to be
//! released comes out. Pure.
//!
//! Only what was seen counts. A pass that failed saw nothing, so it neither adds to the time nor
//! ends it; and what nobody saw for the whole time, at several passes, is never released.

use std::time::{Duration, Instant};

use crate::approve::PlanId;

/// A plan has to be seen that often, however short the time is.
const PASSES: u32 = 3;

/// Of one server.
#[derive(Debug, Default)]
pub(super) struct Confirm(Option<Held>);

#[derive(Debug)]
struct Held {
    id: PlanId,
    first: Instant,
    latest: Instant,
    passes: u32,
}

impl Confirm {
    /// What a pass that came to its end still holds.
    pub(super) fn observe(&mut self, held: Option<&PlanId>, now: Instant) {
        self.0 = match (self.0.take(), held) {
            (_, None) => None,
            (Some(known), Some(id)) if known.id == *id => {
                Some(Held { latest: now, passes: known.passes.saturating_add(1), ..known })
            }
            (_, Some(id)) => Some(Held { id: id.clone(), first: now, latest: now, passes: 1 }),
        };
    }

    /// What the next pass may do, if it was the same for `time`; `None` is never.
    pub(super) fn due(&self, time: Option<Duration>) -> Option<&PlanId> {
        let (held, time) = (self.0.as_ref()?, time?);
        let stayed = held.latest.saturating_duration_since(held.first);
        (stayed >= time && held.passes >= PASSES).then_some(&held.id)
    }
}
