//! Is this token genuine? Each verifier answers with claims that it vouches for.
//!
//! One file per way to find out. All of them end in a [`Verified`], which nothing outside
//! this folder can make.

mod alive;
mod introspection;
pub(crate) mod jwt;
pub(crate) mod remembered;
mod tokeninfo;

use std::ops::Deref;
use std::time::Duration;

use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::http::{Answer, Carrier, Deadline, Request};
use crate::policy::{Online, Policy, TrustedIssuer};
use crate::redact::Foreign;
use crate::token::AccessToken;
use jwt::UnverifiedJwt;

/// Something that a verifier vouches for. No `From`, no `Default`: the field is private, so
/// every place of birth lies in this folder.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Who has to say whether a token is genuine.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// The keys of this issuer, and nobody else if they say no.
    Local(&'a TrustedIssuer, UnverifiedJwt<'a>),
    /// This service.
    Online(&'a Online),
    /// Nobody whom the policy trusts.
    Nobody,
}

impl<'a> Route<'a> {
    /// A token in the form of a JWT whose unverified `iss` is that of an issuer of the policy goes
    /// to that issuer's keys. Any other goes to the service, if there is one.
    pub(crate) fn of(token: &'a AccessToken, policy: &'a Policy) -> Self {
        if !policy.issuers.is_empty()
            && let Some(unverified) = UnverifiedJwt::read(token)
            && let Some(name) = unverified.unverified_issuer()
            && let Some(issuer) =
                policy.issuers.iter().find(|known| known.jwt.issuer.name() == name)
        {
            return Self::Local(issuer, unverified);
        }
        policy.online.as_ref().map_or(Self::Nobody, Self::Online)
    }
}

/// A question about a token: how it travels, and by which time its answer is judged.
pub(crate) struct Inquiry<'a> {
    pub(crate) token: &'a AccessToken,
    pub(crate) carrier: &'a dyn Carrier,
    pub(crate) deadline: Deadline,
    pub(crate) now: Timestamp,
    /// By how much clocks may disagree.
    pub(crate) leeway: Duration,
}

impl Inquiry<'_> {
    /// `service` is for messages.
    fn send(&self, request: &Request<'_>, service: &str) -> Result<Answer, Refusal> {
        let failed = |fault| Refusal::Http { service: service.to_owned(), fault };
        self.carrier.send(request, self.deadline).map_err(failed)
    }
}

/// Asks a service about a token.
pub(crate) fn ask(service: &Online, inquiry: &Inquiry<'_>) -> Result<Verified<Claims>, Refusal> {
    match service {
        Online::Introspection(service) => introspection::verify(service, inquiry),
        Online::Tokeninfo(endpoint) => tokeninfo::verify(endpoint, inquiry),
    }
}

/// The description of a token in an answer.
fn described(answer: &Answer, service: String) -> Result<Claims, Refusal> {
    if answer.status != 200 {
        return Err(Refusal::Status { service, status: answer.status });
    }
    Claims::parse(&answer.body)
        .map_err(|fault| Refusal::Body { service, fault: Foreign::new(fault.to_string()) })
}

#[cfg(any(test, fuzzing))]
impl<T> Verified<T> {
    /// For the tests of those who read claims.
    pub(crate) fn for_test(claims: T) -> Self {
        Self(claims)
    }
}
