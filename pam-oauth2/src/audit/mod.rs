//! The audit line: one for every login, in one format.
//!
//! ```text
//! audit: login=accepted role="alice" sub="alice" client="ztoken" iss="https://idp.example.com"
//!        jti=sha256:8f434346648f6b96 exp=2026-11-25T10:00:00Z rhost=10.2.1.111 via=jwt keys=cache
//! audit: login=refused role="alice" code=7 rhost=10.2.1.111
//! audit: login=refused role=- code=3 rhost=10.2.1.111
//! ```
//!
//! (On one line each.) What is not known is `-`; so is the role where a login ends before there is
//! a token with which its name could be compared. Foreign text stands in quotes, escaped, and is
//! withheld (`[withheld]`) where it repeats the token; an id is shown as the beginning of its SHA-256, as
//! `printf %s ID | sha256sum` gives it. Pure.

use ring::digest::{SHA256, digest};

use crate::admit::{Admission, Login, Way};
use crate::cache::hex;
use crate::clock::Timestamp;
use crate::keys::Origin;
use crate::pam::Failure;
use crate::redact::{Redactor, name};

/// Bytes of the hash of a `jti` that are shown: enough to find it again among millions.
const ID_SHOWN: usize = 8;

/// Of a login that was accepted.
pub(crate) fn accepted(login: &Login, admission: &Admission, redactor: &Redactor<'_>) -> String {
    let Admission { facts, way, authorized: _ } = admission;
    let quoted = |text: &Option<String>| {
        text.as_ref().map_or_else(|| "-".to_owned(), |text| word(redactor.identify(text)))
    };
    let id = facts.id.as_ref().map_or_else(|| "-".to_owned(), |id| id_shown(id));
    let end = facts.expires.and_then(|end| Timestamp::from_seconds(end).date());
    format!(
        "audit: login=accepted role={} sub={} client={} iss={} jti={id} exp={} rhost={} via={}{}",
        word(redactor.role(&login.role)),
        quoted(&facts.subject),
        quoted(&facts.client),
        quoted(&facts.issuer),
        end.unwrap_or_else(|| "-".to_owned()),
        host(login.remote_host.as_deref()),
        way.word(),
        way.keys().map(|keys| format!(" keys={keys}")).unwrap_or_default(),
    )
}

/// Of a login that was refused; the line before it says why.
pub(crate) fn refused(login: &Login, code: Failure, redactor: &Redactor<'_>) -> String {
    format!(
        "audit: login=refused role={} code={} rhost={}",
        word(redactor.role(&login.role)),
        code.number(),
        host(login.remote_host.as_deref())
    )
}

/// Of a login that was refused before there was a user with a token.
pub(crate) fn refused_early(remote_host: Option<&[u8]>, code: Failure) -> String {
    format!("audit: login=refused role=- code={} rhost={}", code.number(), host(remote_host))
}

/// One word, whatever it says: readers of the line look for blanks.
fn word(quoted: String) -> String {
    if quoted.starts_with('"') { quoted } else { "[withheld]".to_owned() }
}

fn host(host: Option<&[u8]>) -> String {
    host.map_or_else(|| "-".to_owned(), |host| name(&String::from_utf8_lossy(host)))
}

fn id_shown(id: &str) -> String {
    let hash = digest(&SHA256, id.as_bytes());
    format!("sha256:{}", hex(hash.as_ref().get(..ID_SHOWN).unwrap_or_default()))
}

impl Way {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::Jwt { confirmed: false, .. } => "jwt",
            Self::Jwt { confirmed: true, .. } => "jwt+service",
            Self::Tokeninfo => "tokeninfo",
            Self::Verdict { stale: false, .. } => "verdict",
            Self::Verdict { stale: true, .. } => "stale-verdict",
        }
    }

    fn keys(self) -> Option<&'static str> {
        let Self::Jwt { keys, .. } = self else { return None };
        Some(match keys {
            Origin::Cache => "cache",
            Origin::Fetched => "issuer",
            Origin::File => "file",
            Origin::Stale(_) => "stale",
        })
    }
}

#[cfg(test)]
mod tests;
