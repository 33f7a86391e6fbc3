//! The file as it is written. Unknown keys are errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;

use crate::infrastructure::KeyedSecret;
use crate::names::Case;
use crate::role::RoleName;
use crate::teams::file::FileConfig;
use crate::teams::scim::ScimConfig;
use crate::teams::teams_api::TeamsApiConfig;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) source: SourceTable,
    #[serde(default)]
    pub(super) names: NamesTable,
    #[serde(default)]
    pub(super) humans: Humans,
    #[serde(default)]
    pub(super) levels: BTreeMap<String, Vec<RoleName>>,
    #[serde(default)]
    pub(super) teams: BTreeMap<String, TeamTable>,
    #[serde(default)]
    pub(super) infrastructure: Infrastructure,
    #[serde(default)]
    pub(super) role: Vec<RoleTable>,
    #[serde(default)]
    pub(super) guard: Guard,
    #[serde(default)]
    pub(super) apply: Apply,
    #[serde(default)]
    pub(super) service: Service,
    #[serde(default)]
    pub(super) server: Vec<ServerTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) teams_api: Option<Spanned<TeamsApiConfig>>,
    pub(super) file: Option<Spanned<FileConfig>>,
    pub(super) scim: Option<Spanned<ScimConfig>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NamesTable {
    pub(super) case: Case,
    pub(super) strip_domains: BTreeSet<String>,
    pub(super) pattern: Option<Spanned<String>>,
    pub(super) map: BTreeMap<String, RoleName>,
    pub(super) protected: BTreeSet<RoleName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Humans {
    pub(super) pam_role: Option<Spanned<RoleName>>,
    pub(super) admin_role: Option<Spanned<RoleName>>,
    pub(super) superuser_teams: BTreeSet<String>,
    pub(super) parameters: BTreeMap<String, Spanned<Scalar>>,
    pub(super) level: Option<Spanned<String>>,
    pub(super) role_deletion_suffix: Option<Spanned<String>>,
    pub(super) other_memberships: OtherMemberships,
}

/// What becomes of memberships that somebody granted to people by hand.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum OtherMemberships {
    #[default]
    Keep,
    Revoke,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TeamTable {
    pub(super) level: Option<Spanned<String>>,
    pub(super) additional_teams: BTreeSet<String>,
    pub(super) additional_superuser_teams: BTreeSet<String>,
    pub(super) additional_members: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Infrastructure {
    pub(super) roles_dir: Option<PathBuf>,
    pub(super) definitions: Option<Spanned<PathBuf>>,
    pub(super) secret: Vec<KeyedSecret>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleTable {
    pub(super) name: Spanned<RoleName>,
    #[serde(default)]
    pub(super) user_flags: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) inrole: Vec<RoleName>,
    #[serde(default)]
    pub(super) db_parameters: BTreeMap<String, Spanned<Scalar>>,
    #[serde(default)]
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Guard {
    pub(super) max_removals: Option<usize>,
    pub(super) max_removals_share: Option<Spanned<f64>>,
    pub(super) max_additions: Option<usize>,
    pub(super) confirm_for: Option<Confirm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Apply {
    pub(super) database: Option<Spanned<String>>,
    pub(super) parallel: Option<Spanned<usize>>,
    pub(super) connect_timeout: Option<Span>,
    pub(super) lock_timeout: Option<Span>,
    pub(super) timeout: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    pub(super) period: Option<Spanned<Span>>,
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) team: Option<String>,
    #[serde(default)]
    pub(super) additional_teams: BTreeSet<String>,
    pub(super) dsn: Spanned<String>,
    #[serde(default)]
    pub(super) standbys: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) system_identifier: Option<String>,
    /// What the level `owner` grants here.
    #[serde(default)]
    pub(super) owner_roles: Option<Vec<RoleName>>,
}

/// A time, as in `"30s"`, `"30m"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span(pub(super) Duration);

/// The same, or `"never"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Confirm(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        span(&text).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Confirm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self(None));
        }
        span(&text).map(|time| Self(Some(time))).map_err(de::Error::custom)
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>().ok();
    let time = time.and_then(|time| Duration::try_from(time).ok());
    // A year: beyond it clocks and timers begin to overflow.
    let time = time.filter(|time| !time.is_zero() && *time <= Duration::from_secs(31_536_000));
    time.ok_or_else(|| format!("{text:?} is no time such as \"30s\", \"30m\" or \"1h 30m\""))
}

/// What PostgreSQL takes as text, however TOML writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(if value { "on" } else { "off" }.to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
