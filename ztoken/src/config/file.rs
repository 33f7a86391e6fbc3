//! The configuration as it is written. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) profile: BTreeMap<String, Table>,
}

/// One profile.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) issuer: Option<String>,
    pub(super) endpoints: Option<Endpoints>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) client_secret_env: Option<String>,
    pub(super) client_authentication: Option<ClientAuthentication>,
    #[serde(default)]
    pub(super) flow: FlowName,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) resource: Option<String>,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) redirect_uri: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) exchange: Option<ExchangeName>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) store: Option<StoreName>,
    pub(super) min_left: Option<String>,
    pub(super) lifetime: Option<String>,
    pub(super) login_timeout: Option<String>,
    pub(super) timeout: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    pub(super) authorization: Option<String>,
    pub(super) device_authorization: Option<String>,
    pub(super) revocation: Option<String>,
    pub(super) token: String,
    pub(super) userinfo: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientAuthentication {
    Basic,
    Post,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum FlowName {
    #[default]
    Auto,
    Browser,
    ClientCredentials,
    Device,
    Kubernetes,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExchangeName {
    ClientAssertion,
    JwtBearer,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoreName {
    File,
    Keyring,
}

impl File {
    /// The line is named but not shown: somebody may have written a secret there.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let message = error.message();
            let told = match message.split_once(", expected ") {
                // The name of a key is no secret; what stands behind it may be.
                Some((what, expected)) if !what.starts_with("unknown field") => {
                    format!("what stands here is not {expected}")
                }
                Some(_) | None => message.to_owned(),
            };
            format!("{place}{told}")
        })
    }
}
