//! What has to hold for a login, wherever it is written: on the PAM line ([`line`]) or in a
//! section of a TOML file ([`file`]). Data only; [`crate::verify`] and [`crate::authorize`]
//! act on it.

mod expression;
mod fault;
pub(crate) mod file;
mod fingerprint;
mod line;
mod map_file;

use std::path::PathBuf;

pub(crate) use expression::Expression;
pub(crate) use fault::{ConfigFault, Place};
use pam_oauth2_arguments::Rules;
pub(crate) use pam_oauth2_arguments::{Endpoint, Introspection, JwtIssuer, Limits, OnOutage};

use crate::cache::Asked;
use crate::claims::{Claim, Claims};

/// Everything that is demanded of one login.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Whose JWTs are believed, in the order in which they are written. No two with one name.
    pub(crate) issuers: Vec<TrustedIssuer>,
    /// Who is asked about all other tokens.
    pub(crate) online: Option<Online>,
    /// Whose the token has to be, unless its issuer says otherwise.
    pub(crate) login: Login,
    /// All of these have to hold.
    pub(crate) requirements: Vec<Requirement>,
    /// More for some roles; the first that names the role counts.
    pub(crate) roles: Vec<RolePolicy>,
    /// Which tokens are out before their time.
    pub(crate) revoked: Option<PathBuf>,
    pub(crate) limits: Limits,
    /// SHA-256 of everything that is written in this policy and in the files that it reads
    /// itself, such as a map. What was decided under one fingerprint says nothing under another.
    pub(crate) fingerprint: [u8; 32],
}

/// An issuer whose JWTs are verified locally.
#[derive(Clone, Debug)]
pub(crate) struct TrustedIssuer {
    pub(crate) jwt: JwtIssuer,
    /// In place of [`Policy::login`].
    pub(crate) login: Option<Login>,
    /// Beside [`Policy::requirements`].
    pub(crate) requirements: Vec<Requirement>,
}

/// A service that is asked about a token.
#[derive(Clone, Debug)]
pub(crate) enum Online {
    Introspection(Introspection),
    Tokeninfo(Endpoint),
}

/// More for some roles.
#[derive(Clone, Debug)]
pub(crate) struct RolePolicy {
    /// Names of roles, byte for byte.
    pub(crate) names: Vec<String>,
    /// The service is asked at every login: a JWT is verified locally and then asked about;
    /// no verdict is taken from the cache, and no outage is bridged.
    pub(crate) online: bool,
    /// Beside all others.
    pub(crate) requirements: Vec<Requirement>,
}

/// Which claim names the user, and how it becomes the name of a role.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) claim: ClaimPath,
    pub(crate) mapping: Mapping,
}

/// How the value of the login claim becomes a role: each step in this order, none of them by
/// default. The result has to equal the role that is asked for, byte for byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    /// `alice@example.org` becomes `alice`, for these domains alone; any other is refused.
    pub(crate) strip_domain: Vec<String>,
    /// ASCII letters become small.
    pub(crate) lower_case: bool,
    /// Its only group is what goes on.
    pub(crate) capture: Option<Expression>,
    /// Lines of a map file: the role has to be one that a matching line gives.
    pub(crate) map: Option<Vec<MapLine>>,
    /// Roles that no mapping reaches, beside all that begin with `pg_`; no name is reserved
    /// where nothing is mapped.
    pub(crate) reserved: Vec<String>,
}

/// One line of a map file, in the style of pg_ident.conf.
#[derive(Clone, Debug)]
pub(crate) struct MapLine {
    pub(crate) identity: MapIdentity,
    /// May hold one `\1`, where the identity is an expression with a group.
    pub(crate) role: String,
}

/// The second column.
#[derive(Clone, Debug)]
pub(crate) enum MapIdentity {
    Exactly(String),
    /// Written with a leading `/`.
    Matching(Expression),
}

/// One thing that a claim has to be.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub(crate) claim: ClaimPath,
    pub(crate) test: Test,
}

/// Where a claim is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ClaimPath {
    /// A top-level member with exactly this name.
    Member(String),
    /// RFC 6901; unescaped reference tokens, and the text as written.
    Pointer { tokens: Vec<String>, written: String },
}

/// What a claim has to be. Texts compare as in [`crate::claims::Claim::matches`].
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// An array with one of these elements, or a string that holds one of these between blanks.
    Contains(Vec<String>),
    /// One of these texts.
    Is(Vec<String>),
    /// A string that the expression matches.
    Matches(Expression),
}

impl Policy {
    /// From the line itself, `words`, or from a section of the file that it names: the one that it
    /// names, too, or that with the name of the PAM `service`.
    pub(crate) fn read(rules: &Rules, words: &[&str], service: &str) -> Result<Self, ConfigFault> {
        match rules {
            Rules::Here(rule) => Ok(Self::of_line(rule, words)),
            Rules::InFile(config) => {
                file::read(&config.path, config.section.as_deref().unwrap_or(service))
            }
        }
    }

    /// Whose the token has to be, where its claims were verified for `issuer`.
    pub(crate) fn login_of<'a>(&'a self, issuer: Option<&'a TrustedIssuer>) -> &'a Login {
        issuer.and_then(|issuer| issuer.login.as_ref()).unwrap_or(&self.login)
    }

    /// What is demanded beyond the ordinary of somebody who wants to be `role`.
    pub(crate) fn of_role(&self, role: &str) -> Option<&RolePolicy> {
        self.roles.iter().find(|special| special.names.iter().any(|name| name == role))
    }
}

impl MapLine {
    /// In a role: what the first group of the identity holds.
    pub(crate) const GROUP: &str = r"\1";
}

impl Mapping {
    /// Whether a role other than the claim itself can be reached.
    pub(crate) fn rewrites(&self) -> bool {
        let Self { strip_domain, lower_case, capture, map, reserved: _ } = self;
        !strip_domain.is_empty() || *lower_case || capture.is_some() || map.is_some()
    }
}

impl ClaimPath {
    /// The claim that is there.
    pub(crate) fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Claim> {
        match self {
            Self::Member(name) => claims.find(name),
            Self::Pointer { tokens, written: _ } => claims.at(tokens),
        }
    }

    /// For messages: as the administrator wrote it.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Member(name) => name,
            Self::Pointer { written, .. } => written,
        }
    }
}

impl Online {
    /// For messages: host and port.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Introspection(service) => service.url.to_string(),
            Self::Tokeninfo(endpoint) => endpoint.to_string(),
        }
    }

    /// For messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Introspection(_) => "introspection",
            Self::Tokeninfo(_) => "tokeninfo",
        }
    }

    /// For the metrics.
    pub(crate) fn counted(&self) -> Asked {
        match self {
            Self::Introspection(_) => Asked::Introspection,
            Self::Tokeninfo(_) => Asked::Tokeninfo,
        }
    }
}
