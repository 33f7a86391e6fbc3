//! What an administrator reads: what happened, to what, and what to do.

use std::time::Duration;

use super::{Refusal, Unusable, is_trouble};
use crate::claims::Found;
use crate::http::{BODY_LIMIT, HttpFault, Stage};
use crate::policy::Test;
use crate::redact::{Redactor, escape, visible};

/// Characters of a demanded text that are shown.
const DEMAND_SHOWN: usize = 64;
/// How many demanded texts are shown.
const DEMANDS_SHOWN: usize = 3;

impl Refusal {
    /// One sentence in visible ASCII. Without a `redactor` it holds nothing foreign.
    pub(crate) fn sentence(&self, redactor: Option<&Redactor<'_>>) -> String {
        let words = |found: &Found| in_words(found, redactor);
        match self {
            Self::Absent(requirement) => format!(
                "the token has no \"{}\", and the rules demand {}",
                escape(requirement.claim.written()),
                demand(&requirement.test)
            ),
            Self::Again { ago } => format!(
                "the same token was refused for this role {}; the line of then says why",
                past(*ago)
            ),
            Self::ArgumentEncoding => "PAM line: an argument is not valid UTF-8".to_owned(),
            Self::Arguments(error) => format!("PAM line: {}", visible(&error.to_string())),
            Self::Body { service, fault } => format!(
                "the answer of the token service {service} cannot be used: {}; \
                 check the URL of the PAM line",
                fault.plain(redactor)
            ),
            Self::BreakerOpen { service, left } => format!(
                "the token service {service} could not be reached several times in a row and is \
                 left alone for {left:.0} s more; check the network and the service"
            ),
            Self::Busy { service } => format!(
                "other logins were asking the token service {service} about the same token until \
                 the time of this one was over; check the service"
            ),
            Self::ChangeOfToken => {
                "an access token is not changed here; get a new one from its issuer".to_owned()
            }
            Self::Config(fault) => visible(&fault.to_string()),
            Self::Credentials { service, status } => format!(
                "the introspection endpoint {service} does not accept our own credentials \
                 (status {status}); check --client-id and --client-secret-file"
            ),
            Self::Differs { requirement, found } => format!(
                "\"{}\" of the token is {}, and the rules demand {}",
                escape(requirement.claim.written()),
                words(found),
                demand(&requirement.test)
            ),
            Self::Expired { ago } => format!(
                "the token expired {}, says the token service; get a new one (and check the clock)",
                past(*ago)
            ),
            Self::Http { service, fault } => http_sentence(service, fault, redactor),
            Self::Inactive => {
                "the token service says that the token is not active; get a new one".to_owned()
            }
            Self::Jwt { by, fault } => format!("{by}: the token {}", fault.sentence(redactor)),
            Self::KeyFile { path, fault } => {
                let path = visible(&path.display().to_string());
                format!("the key set {path} {}", fault.plain(redactor))
            }
            Self::Libpam { wanted, code } => format!("libpam could not {wanted}: {code}"),
            Self::Misfit { field, found, misfit } => {
                format!("\"{}\" of the token is {}, and {misfit}", escape(field), words(found))
            }
            Self::NoKeys { service, fault } => no_keys(service, fault, redactor),
            Self::NoLoginField { field } => format!(
                "the token has no \"{}\", which the rules name as the login field",
                escape(field)
            ),
            Self::NoServiceForRole => "a role is to be asked about online, and there is no \
                 tokeninfo or introspection endpoint in its section"
                .to_owned(),
            Self::NoToken { code } => format!(
                "no token was sent: {code} (psql connects once without, then asks for the password)"
            ),
            Self::NoUser => "no user name: the application has to name one".to_owned(),
            Self::NoVerdict => "account: this module has not authenticated this user; \
                 where another module may have, put --always on the account line"
                .to_owned(),
            Self::NotANumber { name, found } => {
                format!(
                    "\"{name}\" of the token is {}, which is no number of seconds",
                    words(found)
                )
            }
            Self::NotAUser { field, found } => format!(
                "\"{}\" of the token is {}, and a login field has to be a string",
                escape(field),
                words(found)
            ),
            Self::Panic { place } => {
                format!("internal error at {}; please report it", visible(place))
            }
            Self::Revoked(by) => visible(&by.to_string()),
            Self::Role(fault) => fault.to_string(),
            Self::SecretFile { path, fault } => {
                let path = visible(&path.display().to_string());
                format!("the secret file {path} {}", visible(fault))
            }
            Self::SharedFailure { reason } => format!(
                "another login asked about the same token and got no answer: {}",
                reason.plain(redactor)
            ),
            Self::SomebodyElse { field, found } => {
                let field = escape(field);
                format!("the token is somebody else's: its \"{field}\" is {}", words(found))
            }
            Self::Status { service, status } if is_trouble(*status) => format!(
                "the token service {service} answered with status {status}: \
                 it is in trouble or limits us; try again later"
            ),
            Self::Status { service, status } => format!(
                "the token service {service} answered with status {status}: it does not know the \
                 token (expired, revoked or mistyped: get a new one) or the URL is wrong"
            ),
            Self::Token(fault) => fault.to_string(),
            Self::UnverifiedEmail { field, verified } => {
                let verified = verified.as_ref().map_or_else(|| "absent".to_owned(), words);
                format!(
                    "\"{}\" of the token counts with \"email_verified\": true beside it alone, \
                     and that is {verified}; have the address confirmed",
                    escape(field)
                )
            }
        }
    }
}

/// What a claim should be.
fn demand(test: &Test) -> String {
    match test {
        Test::Contains(texts) => format!("{} in it", any_of(texts)),
        Test::Is(texts) => any_of(texts),
        Test::Matches(expression) => {
            format!("a match of {}", any_of(&[expression.written().to_owned()]))
        }
    }
}

/// The first few, each cut: an administrator knows the rest.
fn any_of(texts: &[String]) -> String {
    let quoted = |text: &String| {
        let end = text.char_indices().nth(DEMAND_SHOWN).map_or(text.len(), |(index, _)| index);
        let cut = if end < text.len() { " ..." } else { "" };
        format!("\"{}{cut}\"", escape(text.get(..end).unwrap_or_default()))
    };
    let shown: Vec<_> = texts.iter().take(DEMANDS_SHOWN).map(quoted).collect();
    let more = if texts.len() > DEMANDS_SHOWN { " or another" } else { "" };
    format!("{}{more}", shown.join(" or "))
}

fn http_sentence(service: &str, fault: &HttpFault, redactor: Option<&Redactor<'_>>) -> String {
    match fault {
        HttpFault::Failed { stage, cause } => {
            let (what, advice) = match stage {
                Stage::Resolving => (
                    "looking up its address failed",
                    "check the URL, /etc/hosts and /etc/resolv.conf",
                ),
                Stage::Connecting => (
                    "connecting failed",
                    "check the network, and --ca-file where a certificate is to blame",
                ),
                Stage::Waiting => ("it gave no HTTP answer", "check the URL and the service"),
                Stage::Reading => ("its answer broke off", "check the URL and the service"),
            };
            let cause = cause.plain(redactor);
            format!("the token service {service} cannot be asked: {what}: {cause}; {advice}")
        }
        HttpFault::Late { stage, limit, earlier } => {
            let state = match stage {
                Stage::Resolving => "its address was still being looked up",
                Stage::Connecting => "the connection did not stand",
                Stage::Waiting => "it had not begun to answer",
                Stage::Reading => "its answer was not complete",
            };
            let limit = seconds(*limit);
            let earlier = earlier.as_ref().map(|cause| format!(" ({})", cause.plain(redactor)));
            let earlier = earlier.unwrap_or_default();
            format!(
                "the token service {service} was too slow: {state} when the {limit} of --timeout \
                 that it has had passed{earlier}; check the network and the service"
            )
        }
        HttpFault::Starved { cause } => format!(
            "no connection to the token service {service} can be made: {}; \
             raise the limits of the server",
            visible(cause)
        ),
        HttpFault::TooLarge => format!(
            "the answer of the token service {service} is longer than {BODY_LIMIT} bytes; \
             check the URL of the PAM line"
        ),
        HttpFault::Trust(fault) => visible(&fault.to_string()),
    }
}

fn no_keys(service: &str, fault: &Unusable, redactor: Option<&Redactor<'_>>) -> String {
    let what = match fault {
        Unusable::Busy => "other logins were fetching them until the time of this one was over; \
             check the issuer"
            .to_owned(),
        Unusable::Document(fault) => format!(
            "the document there cannot be used: {}; check --jwks or the URL of the issuer",
            fault.plain(redactor)
        ),
        Unusable::NoPlace => {
            "its discovery document has no \"jwks_uri\"; give the place as --jwks".to_owned()
        }
        Unusable::OtherIssuer => "its discovery document names another issuer; the name has to \
             be the same byte for byte, a slash at its end included"
            .to_owned(),
        Unusable::Paused { left, reason } => format!(
            "the next attempt is made in {left:.0} s, because the last one failed: {}",
            reason.plain(redactor)
        ),
        Unusable::Place(fault) => {
            format!("the \"jwks_uri\" of its discovery document {}", visible(&fault.to_string()))
        }
        Unusable::Status(status) => {
            format!("it answered with status {status}; check --jwks or the URL of the issuer")
        }
        Unusable::TooLarge => "the set is larger than any set of an issuer is".to_owned(),
    };
    format!("no keys of {service}: {what}")
}

fn in_words(found: &Found, redactor: Option<&Redactor<'_>>) -> String {
    match found {
        Found::Kind(kind) => (*kind).to_owned(),
        Found::Number(number) => format!("the number {}", number.quoted(redactor)),
        Found::Text(text) => text.quoted(redactor),
    }
}

/// Exact where that helps, and without digits that a service could choose at will.
pub(crate) fn past(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    if seconds < DAY { format!("{seconds:.0} s ago") } else { "more than a day ago".to_owned() }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
