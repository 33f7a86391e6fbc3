//! The tables of the file, as they are written. What is not listed here is an error; what the
//! values mean is for [`super::section`].

use serde::Deserialize;
use toml::Spanned;

use super::values::{OneOrMore, Text, Time};

/// A value that may be absent and knows where it stands.
pub(super) type Optional<T> = Option<Spanned<T>>;
/// One text, or several any of which will do.
pub(super) type Texts = OneOrMore<String>;

/// `[postgresql]`. `[defaults]` is one, too, with options alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table, [SECTION]")]
pub(super) struct Section {
    pub(super) allow_http: Optional<bool>,
    pub(super) audit: Optional<String>,
    pub(super) ca_file: Optional<String>,
    pub(super) cache_dir: Optional<String>,
    pub(super) cache_ttl: Optional<Time>,
    pub(super) leeway: Optional<Time>,
    pub(super) login_field: Optional<String>,
    pub(super) on_outage: Optional<String>,
    pub(super) revoked_file: Optional<String>,
    pub(super) timeout: Optional<Time>,
    #[serde(default)]
    pub(super) issuer: Vec<Spanned<Issuer>>,
    pub(super) introspection: Optional<Introspection>,
    pub(super) tokeninfo: Optional<Tokeninfo>,
    #[serde(default)]
    pub(super) require: Vec<Spanned<Require>>,
    #[serde(default)]
    pub(super) role: Vec<Spanned<Role>>,
    pub(super) user: Optional<User>,
}

/// `[[postgresql.issuer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table, [[SECTION.issuer]]")]
pub(super) struct Issuer {
    pub(super) audience: Spanned<Texts>,
    pub(super) jwks: Optional<String>,
    pub(super) login_field: Optional<String>,
    #[serde(default)]
    pub(super) require: Vec<Spanned<Require>>,
    pub(super) typ: Optional<String>,
    pub(super) url: Spanned<String>,
    pub(super) user: Optional<User>,
}

/// `[postgresql.introspection]`.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table, [SECTION.introspection]"
)]
pub(super) struct Introspection {
    pub(super) audience: Optional<Texts>,
    pub(super) client_id: Spanned<String>,
    pub(super) client_secret_file: Spanned<String>,
    pub(super) issuer: Optional<String>,
    pub(super) url: Spanned<String>,
}

/// `[postgresql.tokeninfo]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, [SECTION.tokeninfo]")]
pub(super) struct Tokeninfo {
    pub(super) url: Spanned<String>,
}

/// `[[postgresql.require]]`, and the same below an issuer or a role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, [[... .require]]")]
pub(super) struct Require {
    pub(super) claim: Spanned<String>,
    pub(super) contains: Optional<OneOrMore<Text>>,
    pub(super) equals: Optional<OneOrMore<Text>>,
    pub(super) matches: Optional<String>,
}

/// `[[postgresql.role]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, [[SECTION.role]]")]
pub(super) struct Role {
    pub(super) names: Spanned<Texts>,
    #[serde(default)]
    pub(super) online: bool,
    #[serde(default)]
    pub(super) require: Vec<Spanned<Require>>,
}

/// `[postgresql.user]`, and the same below an issuer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table, [... .user]")]
pub(super) struct User {
    pub(super) capture: Optional<String>,
    #[serde(default)]
    pub(super) lower_case: bool,
    pub(super) map: Optional<String>,
    pub(super) map_file: Optional<String>,
    pub(super) reserved: Optional<Texts>,
    pub(super) strip_domain: Optional<Texts>,
}
