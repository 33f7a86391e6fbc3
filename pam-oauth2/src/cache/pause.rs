//! For how long nobody asks again who did not answer.

use std::time::Duration;

/// The longest pause.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause after a failure: a second at first, and twice as long for each of the `earlier` ones
/// in a row.
pub(crate) fn pause_after(earlier: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(2u32.saturating_pow(earlier)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_begins_with_a_second_and_doubles_up_to_thirty() {
        let seconds = [0, 1, 2, 3, 4, 5, 6, 31, 32, 33, u32::MAX].map(|n| pause_after(n).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]);
    }
}
