//! What an administrator reads: what happened, to what, and what to do.

use std::time::Duration;

use super::{Refusal, is_trouble};
use crate::claims::Found;
use crate::http::{BODY_LIMIT, HttpFault, Stage};
use crate::redact::{Redactor, escape, visible};

impl Refusal {
    /// One sentence in visible ASCII. Without a `redactor` it holds nothing foreign.
    pub(crate) fn sentence(&self, redactor: Option<&Redactor<'_>>) -> String {
        let words = |found: &Found| in_words(found, redactor);
        match self {
            Self::Absent { key, wanted } => {
                let (key, wanted) = (escape(key), escape(wanted));
                format!(
                    "the answer of the token service has no \"{key}\", \
                     and the PAM line demands {key}={wanted}"
                )
            }
            Self::ArgumentEncoding => "PAM line: an argument is not valid UTF-8".to_owned(),
            Self::Arguments(error) => format!("PAM line: {}", visible(&error.to_string())),
            Self::Body { service, fault } => format!(
                "the answer of the token service {service} cannot be used: {}; \
                 check the URL of the PAM line",
                fault.plain(redactor)
            ),
            Self::ChangeOfToken => {
                "an access token is not changed here; get a new one from its issuer".to_owned()
            }
            Self::Differs { key, found, wanted } => format!(
                "\"{}\" of the token is {}, and the PAM line demands \"{}\"",
                escape(key),
                words(found),
                escape(wanted)
            ),
            Self::Expired { ago } => format!(
                "the token expired {}, says the token service; get a new one (and check the clock)",
                past(*ago)
            ),
            Self::Http { service, fault } => http_sentence(service, fault, redactor),
            Self::Inactive => {
                "the token service says that the token is not active; get a new one".to_owned()
            }
            Self::Libpam { wanted, code } => format!("libpam could not {wanted}: {code}"),
            Self::NoLoginField { field } => format!(
                "the answer of the token service has no \"{}\", \
                 which the PAM line names as the login field",
                escape(field)
            ),
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
            Self::Role(fault) => fault.to_string(),
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
        }
    }
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
                 had passed{earlier}; check the network and the service"
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

fn in_words(found: &Found, redactor: Option<&Redactor<'_>>) -> String {
    match found {
        Found::Kind(kind) => (*kind).to_owned(),
        Found::Number(number) => format!("the number {}", number.quoted(redactor)),
        Found::Text(text) => text.quoted(redactor),
    }
}

/// Exact where that helps, and without digits that a service could choose at will.
fn past(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    if seconds < DAY { format!("{seconds:.0} s ago") } else { "more than a day ago".to_owned() }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
