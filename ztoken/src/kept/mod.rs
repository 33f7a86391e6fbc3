//! The tokens of a login, as they are kept: what they are good for, and until when.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::clock::Moment;
use crate::config::{Flow, Origin, Profile};
use crate::jwt::UnverifiedClaims;
use crate::provider::Granted;
use crate::secret::Secret;

/// Of the form below.
const VERSION: u32 = 1;
/// A token that was obtained further in the future than this tells that the clock was set back.
const TOLERANCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    version: u32,
    /// What the tokens depend on; those of a profile that was changed since are not used.
    about: Value,
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    /// Seconds since 1970, by our clock.
    obtained: i64,
    expires: Option<i64>,
}

impl Kept {
    /// What was granted just now.
    pub(crate) fn of(granted: Granted, profile: &Profile, now: Moment) -> Self {
        let lasts = lasts(&granted, now).or(profile.lifetime);
        Self {
            version: VERSION,
            about: about(profile),
            access_token: granted.access,
            refresh_token: granted.refresh,
            obtained: now.0,
            expires: lasts.map(|lasts| now.plus(lasts).0),
        }
    }

    /// `None` where it is of another form or of another profile.
    pub(crate) fn parse(json: &[u8], profile: &Profile) -> Option<Self> {
        let this: Self = serde_json::from_slice(json).ok()?;
        (this.version == VERSION && this.about == about(profile)).then_some(this)
    }

    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // It consists of what JSON can express.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// How long it still lasts. Nothing where nobody knows, or where the clock was set back so that
    /// nobody can know.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        let is_from_the_future = now.plus(TOLERANCE) < Moment(self.obtained);
        let expires = self.expires.filter(|_| !is_from_the_future);
        expires.map(|expires| now.until(Moment(expires))).unwrap_or_default()
    }

    /// Whether it may be used without another look.
    pub(crate) fn is_good(&self, profile: &Profile, now: Moment) -> bool {
        let left = self.left(now);
        !left.is_zero() && left >= profile.min_left
    }

    pub(crate) fn has_end(&self) -> bool {
        self.expires.is_some()
    }

    /// With the refresh token of before, where a renewal brought none: then that one stays good (RFC
    /// 6749 section 6).
    pub(crate) fn after(mut self, before: Option<&Self>) -> Self {
        if self.refresh_token.is_none() {
            self.refresh_token = before.and_then(|before| before.refresh_token.clone());
        }
        self
    }
}

/// By the shorter of what the provider and the token itself say. Neither needs clocks that agree,
/// unless the token leaves out when it was issued.
fn lasts(granted: &Granted, now: Moment) -> Option<Duration> {
    let own = UnverifiedClaims::of(&granted.access).and_then(|claims| {
        let expires = claims.expires()?;
        Some(claims.issued().unwrap_or(now).until(expires))
    });
    match (granted.lasts, own) {
        (Some(said), Some(own)) => Some(said.min(own)),
        (said, own) => said.or(own),
    }
}

fn about(profile: &Profile) -> Value {
    let origin = match &profile.origin {
        Origin::Issuer(issuer) => Some(issuer.as_str()),
        Origin::Endpoints(urls) => Some(urls.token.as_str()),
        Origin::Nowhere => None,
    };
    let flow = match &profile.flow {
        Flow::Person(..) => "person".to_owned(),
        Flow::ClientCredentials => "client".to_owned(),
        Flow::Kubernetes(file, exchange) => format!("{exchange:?} of {}", file.display()),
    };
    json!({
        "client_id": profile.client_id,
        "flow": flow,
        "origin": origin,
        "parameters": profile.ask.parameters,
        "resource": profile.ask.resource,
        "scopes": profile.ask.scopes,
    })
}

#[cfg(test)]
mod tests;
