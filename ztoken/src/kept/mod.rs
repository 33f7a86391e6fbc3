//! The tokens of a login, as they are kept: what they are good for, and until when.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::clock::Moment;
use crate::config::{Flow, Origin, Profile, Robot};
use crate::jwt::UnverifiedClaims;
use crate::provider::Granted;
use crate::secret::Secret;

/// Of the form below.
const VERSION: u32 = 1;
/// A token that was obtained further in the future than this tells that the clock was set back.
const TOLERANCE: Duration = Duration::from_secs(60);
/// Whatever a provider says, somebody looks at a login once a year.
const LONGEST: Duration = Duration::from_secs(366 * 86400);
/// What a token has to last where no better one is to be had.
const ONE_CONNECTION: Duration = Duration::from_secs(10);

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

/// A token, and how long it still lasts, as far as anybody knows.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    pub(crate) left: Option<Duration>,
    /// Why it is not a fresh one.
    pub(crate) warning: Option<String>,
}

impl From<Kept> for Token {
    fn from(kept: Kept) -> Self {
        Self { left: kept.left(Moment::now()), access: kept.access_token, warning: None }
    }
}

impl Kept {
    /// What was granted just now; `theirs` is the time by the provider's clock, if it said so.
    pub(crate) fn of(
        granted: Granted,
        profile: &Profile,
        now: Moment,
        theirs: Option<Moment>,
    ) -> Self {
        let lasts = lasts(&granted, now, theirs).or(profile.lifetime);
        Self {
            version: VERSION,
            about: about(profile),
            access_token: granted.access,
            refresh_token: granted.refresh,
            obtained: now.0,
            expires: lasts.map(|lasts| now.plus(lasts.min(LONGEST)).0),
        }
    }

    /// `None` where it is of another form, or not whole.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|this: &Self| this.version == VERSION)
    }

    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // It consists of what JSON can express.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether it is what this profile asks for, so that it may be used.
    pub(crate) fn is_of(&self, profile: &Profile) -> bool {
        self.about == about(profile)
    }

    /// Whether the provider of this profile gave it to the same client, so that it may be sent there.
    pub(crate) fn is_from_provider_of(&self, profile: &Profile) -> bool {
        let about = about(profile);
        ["client_id", "origin"].iter().all(|name| self.about.get(name) == about.get(name))
    }

    /// How long it still lasts; `None` where nobody knows.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        // Where the clock was set back nobody can know, and what may be over is over.
        let is_from_the_future = now.plus(TOLERANCE) < Moment(self.obtained);
        let left = |expires| if is_from_the_future { Duration::ZERO } else { now.until(expires) };
        self.expires.map(Moment).map(left)
    }

    /// Whether it may be used without another look: as long as there is left of it what the profile
    /// wants, or half of its whole life where that is less. So a short token is shared as well.
    pub(crate) fn is_good(&self, profile: &Profile, now: Moment) -> bool {
        let (Some(left), Some(expires)) = (self.left(now), self.expires) else { return false };
        let life = Moment(self.obtained).until(Moment(expires));
        !left.is_zero() && left >= profile.min_left.min(life / 2)
    }

    /// Whether it does for one connection.
    pub(crate) fn is_some_use(&self, now: Moment) -> bool {
        self.left(now).is_none_or(|left| left >= ONE_CONNECTION)
    }

    /// With the refresh token of before, where a refresh brought none: then that one stays good (RFC
    /// 6749 section 6). Not for a new login: whose it was nobody knows.
    pub(crate) fn after(mut self, before: Option<&Self>) -> Self {
        if self.refresh_token.is_none() {
            self.refresh_token = before.and_then(|before| before.refresh_token.clone());
        }
        self
    }
}

/// By the shorter of what the provider and the token itself say. Neither needs clocks that agree,
/// unless the token leaves out when it was issued.
fn lasts(granted: &Granted, now: Moment, theirs: Option<Moment>) -> Option<Duration> {
    let own = UnverifiedClaims::of(&granted.access).and_then(|claims| {
        let expires = claims.expires()?;
        // A provider may hand out again what it issued some time ago.
        Some(claims.issued().max(theirs).unwrap_or(now).until(expires))
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
        Flow::Robot(Robot::ClientCredentials) => "client".to_owned(),
        Flow::Robot(Robot::Exchange(file, exchange)) => {
            format!("{exchange:?} of {}", file.display())
        }
        Flow::File(file) => file.display().to_string(),
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
