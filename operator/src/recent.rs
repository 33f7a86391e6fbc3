//! What happened in the last while. What is older counts for nothing, and makes room in time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Up to so many, nobody looks for old ones.
const FEW: usize = 256;

/// By what it happened to.
#[derive(Debug)]
pub struct Recent<K, V> {
    known: HashMap<K, (Instant, V)>,
    /// How long something counts.
    counts: Duration,
    /// As many as there may be before old ones are looked for: each is looked at a few times, and
    /// not once for each that comes.
    room: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub fn new(counts: Duration) -> Self {
        Self { known: HashMap::new(), counts, room: FEW }
    }

    /// When it happened last and what it was, if that still counts.
    pub fn get(&self, key: &K, now: Instant) -> Option<&(Instant, V)> {
        self.known.get(key).filter(|(at, _)| now.duration_since(*at) < self.counts)
    }

    pub fn note(&mut self, key: K, now: Instant, what: V) {
        if self.known.len() >= self.room {
            let counts = self.counts;
            self.known.retain(|_, (at, _)| now.duration_since(*at) < counts);
            self.room = FEW.max(2 * self.known.len());
            self.known.shrink_to(self.room);
        }
        self.known.insert(key, (now, what));
    }

    pub fn forget(&mut self, key: &K) {
        self.known.remove(key);
    }

    pub fn forget_all(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{FEW, Recent};

    const LASTS: Duration = Duration::from_secs(600);

    #[test]
    fn what_happened_counts_for_a_while_or_until_it_is_forgotten() {
        let (mut recent, now) = (Recent::new(LASTS), Instant::now());
        assert_eq!(recent.get(&"one", now), None);
        recent.note("one", now, 1);
        assert_eq!(recent.get(&"one", now + LASTS / 2), Some(&(now, 1)));
        assert_eq!(recent.get(&"one", now + LASTS), None);
        recent.note("one", now + LASTS, 2);
        assert_eq!(recent.get(&"one", now + LASTS), Some(&(now + LASTS, 2)));
        recent.forget(&"one");
        assert_eq!(recent.get(&"one", now + LASTS), None);
    }

    #[test]
    fn what_is_old_takes_no_room_and_what_is_new_is_not_forgotten_for_want_of_it() {
        let (mut recent, now) = (Recent::new(LASTS), Instant::now());
        for number in 0..4 * FEW {
            recent.note(number, now, ());
        }
        assert!((0..4 * FEW).all(|number| recent.get(&number, now).is_some()));
        for number in 4 * FEW..12 * FEW + 1 {
            recent.note(number, now + LASTS, ());
        }
        assert_eq!(recent.known.len(), 8 * FEW + 1);
    }
}
