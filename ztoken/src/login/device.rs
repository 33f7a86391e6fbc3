//! A login on another device, such as a phone (RFC 8628).

use super::Fault;
use crate::clock::spoken;
use crate::foreign::shown;
use crate::output::say;
use crate::provider::{Granted, Provider};

pub(super) fn log_in(provider: &Provider<'_>) -> Result<Granted, Fault> {
    let granted = provider.device(|devices| {
        let code = shown(devices.user_code().secret());
        let place = shown(devices.verification_uri().as_str());
        let complete = devices
            .verification_uri_complete()
            .map(|url| format!(", or open {}", shown(url.secret())))
            .unwrap_or_default();
        let time = spoken(devices.expires_in().min(provider.profile.login_timeout));
        say(&format!(
            "open {place} on any device and enter {code} there{complete}; there are {time} for it"
        ));
    })?;
    Ok(granted)
}
