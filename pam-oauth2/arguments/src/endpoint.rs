//! The URL of the token service, to which the token is appended.

use std::fmt;

use url::Url;

/// A URL prefix. Whatever is appended can only lengthen its path or query: it can change
/// neither the scheme nor the host, nor what the prefix already says.
#[derive(Clone, Eq, PartialEq)]
pub struct Endpoint(Url);

/// Why a URL is refused. Reads on from "the URL of the token service".
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EndpointError {
    /// A user name or password in the URL would go to the log.
    #[error("holds a user name or password; credentials do not belong there")]
    Credentials,
    /// Everything behind `#` would stay here, the token included.
    #[error("holds a '#', behind which nothing is sent")]
    Fragment,
    /// Without a path or query, the token would become part of the host name.
    #[error(
        "ends with the host; it needs a path or a query, such as /oauth2/tokeninfo?access_token="
    )]
    HostOnly,
    /// `http://` without `--allow-http`.
    #[error(
        "is plain http, which shows every token to the network; use https (--allow-http is for tests)"
    )]
    PlainHttp,
    /// Neither http nor https.
    #[error("does not begin with https://")]
    Scheme,
    /// Not a URL.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl Endpoint {
    /// Reads a URL; `http://` only where `allow_http` says so.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, EndpointError> {
        let unreadable = |why: &dyn fmt::Display| EndpointError::Unreadable(why.to_string());
        if let Some(c) = text.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '\\') {
            return Err(unreadable(&format_args!("it holds the character {c:?}")));
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" => {}
            "http" if allow_http => {}
            "http" => return Err(EndpointError::PlainHttp),
            _ => return Err(EndpointError::Scheme),
        }
        if rest.contains('#') {
            return Err(EndpointError::Fragment);
        }
        match rest.find(['/', '?']) {
            None => return Err(EndpointError::HostOnly),
            // A parser of URLs passes over further slashes and takes what comes next.
            Some(0) => return Err(unreadable(&"it names no host")),
            Some(_) => {}
        }
        let url = Url::parse(text).map_err(|error| unreadable(&error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        Ok(Self(url))
    }

    /// The URL with `suffix` behind it, or `None` where reading the two together gives
    /// anything but the prefix followed by exactly that suffix (`..` as a path segment, a
    /// character that a URL cannot carry).
    pub fn with(&self, suffix: &str) -> Option<Url> {
        let wanted = format!("{}{suffix}", self.0.as_str());
        let url = Url::parse(&wanted).ok()?;
        (url.as_str() == wanted).then_some(url)
    }
}

/// Host and port, which is what a message needs; a query may hold more than is good in a log.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or_default())?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.0)
    }
}
