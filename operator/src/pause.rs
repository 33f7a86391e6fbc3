//! Pauses between things that fail in a row: each is twice as long as the one before.

use std::time::Duration;

use tokio::time::Instant;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(2);

/// How long to wait behind so many failures that went before this one.
pub fn after(failures: u32, at_most: Duration) -> Duration {
    FIRST.saturating_mul(1 << failures.min(16)).min(at_most)
}

/// How it goes with something that may have failed.
#[derive(Debug, Default)]
pub struct Pause {
    failures: u32,
    until: Option<Instant>,
}

impl Pause {
    /// It failed once more.
    pub fn lengthen(&mut self, now: Instant, at_most: Duration) {
        self.until = Some(now + after(self.failures, at_most));
        self.failures = self.failures.saturating_add(1);
    }

    /// It did not fail, and there is no reason to ask again before.
    pub fn rest(&mut self, now: Instant, pause: Duration) {
        *self = Self { failures: 0, until: Some(now + pause) };
    }

    /// How long it is not to be tried again.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        self.until.filter(|until| *until > now).map(|until| until.duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pause;

    #[test]
    fn a_pause_doubles_up_to_a_limit_and_ends() {
        let (now, limit) = (Instant::now(), Duration::from_secs(10));
        let mut pause = Pause::default();
        assert_eq!(pause.left(now), None);
        for seconds in [2, 4, 8, 10, 10] {
            pause.lengthen(now, limit);
            assert_eq!(pause.left(now), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(pause.left(now + limit), None);
    }
}
