//! How long a service asks us to wait.
//!
//! In: the headers of an answer. Out: a duration of at most [`LONGEST`]. Never: a look at our own
//! clock; a date is compared with the `Date` that the same server wrote (RFC 9110
//! section 6.6.1), so that a wrong clock on either side does not matter.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::text_of;

/// Whoever asks for more gets the next period.
const LONGEST: Duration = Duration::from_secs(30);

/// The header `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = text_of(headers, &RETRY_AFTER)?.trim();
    let wait = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if text.is_empty() {
            return None;
        }
        // More digits than fit are a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let now = moment(text_of(headers, &DATE)?)?;
        let then = moment(text)?;
        // A date in the past means now.
        Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST))
}

fn moment(text: &str) -> Option<Timestamp> {
    // RFC 9110 section 5.6.7: what everybody sends is a subset of RFC 5322 dates.
    DateTimeParser::new().parse_timestamp(text).ok()
}
