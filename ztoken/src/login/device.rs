//! A login on another device, such as a phone (RFC 8628).

use super::Fault;
use crate::clock::spoken;
use crate::config::endpoint;
use crate::foreign::shown;
use crate::output::say;
use crate::provider::{Granted, Provider};

/// Characters of a link that somebody could want to follow.
const LONGEST_LINK: usize = 2000;

pub(super) fn log_in(provider: &Provider<'_>) -> Result<Granted, Fault> {
    let granted = provider.device(|devices| {
        let code = shown(devices.user_code().secret());
        let place = shown(devices.verification_uri().as_str());
        let complete = devices.verification_uri_complete();
        let complete = complete.and_then(|url| link(url.secret())).unwrap_or_default();
        let time = spoken(devices.expires_in().min(provider.profile.login_timeout));
        say(&format!(
            "open {place} on any device and enter {code} there{complete}; there are {time} for it"
        ));
    })?;
    Ok(granted)
}

/// As a whole or not at all: half a link is none. A URL is escaped by itself.
fn link(text: &str) -> Option<String> {
    let url = endpoint("verification_uri_complete", text).ok()?;
    Some(format!(", or open {url}")).filter(|it| it.len() <= LONGEST_LINK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_whole_or_not_there() {
        let long = format!("https://idp.example.com/device?user_code={}", "A".repeat(300));
        assert_eq!(link(&long).unwrap(), format!(", or open {long}"));
        assert!(!link("https://a/\u{1b}[2J").unwrap().contains('\u{1b}'));
        for none in ["", "http://a.example/", "https://a/\n".repeat(500).as_str()] {
            assert_eq!(link(none), None);
        }
    }
}
