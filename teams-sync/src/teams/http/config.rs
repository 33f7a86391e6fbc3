//! What every source over HTTP is told: where, as whom, and whom to trust.
//!
//! In: the keys of a configuration file. Out: an [`Http`] that can be asked, or which key is
//! wrong. Never: a credential inside a URL.

use std::path::{Path, PathBuf};

use url::Url;

use super::super::ConfigError;
use super::super::foreign::shown;
use super::super::token::TokenSource;
use super::{Http, client, tls};

/// The keys that sources over HTTP have in common.
#[derive(Debug)]
pub(in super::super) struct Connection {
    pub(in super::super) url: String,
    pub(in super::super) token_file: Option<PathBuf>,
    pub(in super::super) token_env: Option<String>,
    pub(in super::super) token_command: Option<Vec<String>>,
    pub(in super::super) anonymous: bool,
    pub(in super::super) ca_file: Option<PathBuf>,
}

impl Connection {
    /// Reads what to trust; asks nobody anything.
    pub(in super::super) fn build(self) -> Result<Http, ConfigError> {
        let token = TokenSource::configured(
            self.token_file,
            self.token_env,
            self.token_command,
            self.anonymous,
        )?;
        connect(&self.url, token, self.ca_file.as_deref())
    }
}

/// The service at a URL. Reads what to trust; asks nobody anything.
pub(in super::super) fn connect(
    url: &str,
    token: TokenSource,
    ca_file: Option<&Path>,
) -> Result<Http, ConfigError> {
    let url = parse(url)?;
    let encrypted = url.scheme() == "https";
    if let (false, Some(path)) = (encrypted, ca_file) {
        return Err(ConfigError(format!(
            "ca_file = \"{}\" has no effect on an http:// URL",
            shown(&path.to_string_lossy()),
        )));
    }
    let tls = tls::client_config(encrypted, ca_file).map_err(ConfigError)?;
    let client = client(tls).map_err(ConfigError)?;
    Ok(Http { base: url.as_str().trim_end_matches('/').to_owned(), client, token })
}

/// What is worth a warning at the start, one sentence each.
pub(in super::super) fn warnings(url: &str) -> Vec<String> {
    let unencrypted = parse(url).is_ok_and(|url| url.scheme() == "http");
    let warning = format!(
        "{}: http:// sends the token readable and lets anybody on the way change who is a \
         member; use https://",
        shown(url),
    );
    unencrypted.then_some(warning).into_iter().collect()
}

fn parse(text: &str) -> Result<Url, ConfigError> {
    // The text is not shown where it may have a password in it.
    let url = Url::parse(text).map_err(|error| ConfigError(format!("url is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError(
            "url has a user name or a password in it: credentials belong into token_file, \
             token_env or token_command"
                .to_owned(),
        ));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConfigError(format!("url begins with {}:, not with https:", url.scheme())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError(
            "url has a query or a fragment (? or #): only scheme, host, port and path belong there"
                .to_owned(),
        ));
    }
    Ok(url)
}
