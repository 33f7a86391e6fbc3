//! Getting a key set from its issuer: where it lies (RFC 8414, OpenID Connect Discovery), and
//! the set itself.
//!
//! The document of an issuer counts only where it names that very issuer, byte for byte; what it
//! says about the place of its keys has to be https. Nothing that a *token* says leads anywhere.

use std::time::Duration;

use pam_oauth2_arguments::{Issuer, JwtIssuer, KeySource, ServiceUrl};

use crate::cache::{Answered, Asked};
use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::error::{Refusal, Unusable};
use crate::http::{Answer, Carrier, Deadline, HttpFault, Request};
use crate::journal::Journal;
use crate::redact::Foreign;
use crate::verify::jwt::KeySet;

/// A larger set is not that of an issuer, and does not fit into a file of the cache.
const LARGEST_SET: usize = 192 * 1024;
/// How long the place of a set is believed before the issuer is asked for it again.
const PLACE_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A usable set as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) set: KeySet,
    pub(super) body: Vec<u8>,
    pub(super) place: Place,
    pub(super) tag: Option<String>,
    pub(super) max_age: Option<Duration>,
}

/// Where the set of an issuer lies, and since when we know.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) url: ServiceUrl,
    pub(super) found_at: Timestamp,
}

/// What is known from before.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) place: &'a Place,
    /// The set and its entity tag, where it need not come again if it has not changed.
    pub(super) unchanged: Option<(&'a KeySet, &'a [u8], &'a str)>,
}

/// How to reach the issuers of this login.
pub(super) struct Fetcher<'a> {
    pub(super) carrier: &'a dyn Carrier,
    pub(super) allow_http: bool,
    pub(super) journal: &'a Journal,
}

impl Fetcher<'_> {
    /// One attempt: at most two questions for the place and one for the set, and, where the set
    /// is no longer at a place known from before, once more.
    pub(super) fn fetch(
        &self,
        issuer: &JwtIssuer,
        known: Option<Known<'_>>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Fetched, Refusal> {
        if let KeySource::Url(url) = &issuer.keys {
            return self.set(Place { url: url.clone(), found_at: now }, known, deadline);
        }
        let lifetime = PLACE_LIFETIME.as_secs_f64();
        if let Some(known) = known
            && (0.0..lifetime).contains(&now.since(known.place.found_at))
            // What was allowed when it was found may not be any more.
            && ServiceUrl::parse(known.place.url.as_str(), self.allow_http).is_ok()
        {
            let place = known.place.clone();
            match self.set(place, Some(known), deadline) {
                // The set may have moved, and its old host with it.
                Err(
                    Refusal::NoKeys { fault: Unusable::Status(_), .. }
                    | Refusal::Http { fault: HttpFault::Failed { .. }, .. },
                ) => {}
                done => return done,
            }
        }
        let place = Place { url: self.place(&issuer.issuer, deadline)?, found_at: now };
        self.set(place, None, deadline)
    }

    /// Asks the issuer where its keys lie.
    fn place(&self, issuer: &Issuer, deadline: Deadline) -> Result<ServiceUrl, Refusal> {
        let service = issuer.to_string();
        let refuse = |fault| Refusal::NoKeys { service: service.clone(), fault };
        let mut status = 0;
        for url in issuer.discovery() {
            let answer = self.get(&url, None, Asked::Discovery, deadline)?;
            status = answer.status;
            if status != 200 {
                continue;
            }
            let document = Claims::parse(&answer.body)
                .map_err(|fault| refuse(Unusable::Document(Foreign::new(fault.to_string()))))?;
            if document.text("issuer") != Some(issuer.name()) {
                return Err(refuse(Unusable::OtherIssuer));
            }
            let place = document.text("jwks_uri").ok_or_else(|| refuse(Unusable::NoPlace))?;
            let place = ServiceUrl::parse(place, self.allow_http);
            return place.map_err(|fault| refuse(Unusable::Place(fault)));
        }
        Err(refuse(Unusable::Status(status)))
    }

    fn set(
        &self,
        place: Place,
        known: Option<Known<'_>>,
        deadline: Deadline,
    ) -> Result<Fetched, Refusal> {
        let service = place.url.to_string();
        let refuse = |fault| Refusal::NoKeys { service: service.clone(), fault };
        let unchanged = known.filter(|known| known.place.url == place.url);
        let unchanged = unchanged.and_then(|known| known.unchanged);
        let tag = unchanged.map(|(_, _, tag)| tag.to_owned());
        let answer = self.get(&place.url, tag, Asked::Jwks, deadline)?;
        let max_age = answer.max_age;
        match (answer.status, unchanged) {
            (304, Some((set, body, tag))) => Ok(Fetched {
                set: set.clone(),
                body: body.to_vec(),
                place,
                tag: Some(answer.tag.unwrap_or_else(|| tag.to_owned())),
                max_age,
            }),
            (200, _) if answer.body.len() > LARGEST_SET => Err(refuse(Unusable::TooLarge)),
            (200, _) => {
                let set = KeySet::parse(&answer.body)
                    .map_err(|fault| refuse(Unusable::Document(Foreign::new(fault.to_string()))))?;
                let Answer { body, tag, .. } = answer;
                Ok(Fetched { set, body: body.to_vec(), place, tag, max_age })
            }
            (status, _) => Err(refuse(Unusable::Status(status))),
        }
    }

    fn get(
        &self,
        url: &ServiceUrl,
        known: Option<String>,
        asked: Asked,
        deadline: Deadline,
    ) -> Result<Answer, Refusal> {
        let name = url.to_string();
        let Some(url) = url.url() else {
            return Err(Refusal::NoKeys { service: name, fault: Unusable::NoPlace });
        };
        let answer = self.carrier.send(&Request { known, ..Request::get(&url) }, deadline);
        let result = if answer.is_ok() { Answered::Answered } else { Answered::Failed };
        self.journal.asked(asked, result, &name);
        answer.map_err(|fault| Refusal::Http { service: name, fault })
    }
}
