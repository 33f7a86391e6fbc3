//! The URLs of a line: where to ask about a token, where key sets lie, who issues tokens.

use std::fmt;

use url::Url;

/// A URL that can be asked: https (or http, where that is allowed), a host, no credentials and
/// no fragment.
///
/// It is kept as text: whoever needs no network needs no parser of URLs either, and the parser
/// with its tables for international names is what costs most in reading a line.
#[derive(Clone, Eq, PartialEq)]
pub struct ServiceUrl(String);

/// A URL prefix. Whatever is appended can only lengthen its path or query: it can change
/// neither the scheme nor the host, nor what the prefix already says.
#[derive(Clone, Eq, PartialEq)]
pub struct Endpoint(ServiceUrl);

/// Who issues JWTs: a URL that is compared byte for byte as it is written (RFC 8414 section
/// 3.3), and from which the discovery documents are derived.
#[derive(Clone, Eq, PartialEq)]
pub struct Issuer {
    name: String,
    url: ServiceUrl,
}

/// Why a URL is refused. Reads on from "the URL of the token service" and the like.
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
    /// An issuer with a query (RFC 8414 section 2).
    #[error("holds a '?', which the name of an issuer cannot have")]
    Query,
    /// Neither http nor https.
    #[error("does not begin with https://")]
    Scheme,
    /// Not a URL.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl ServiceUrl {
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
        // A parser of URLs passes over further slashes and takes what comes next.
        if rest.starts_with(['/', '?']) {
            return Err(unreadable(&"it names no host"));
        }
        // The parser has no tables of Unicode here, and would only say that it cannot, or panic
        // where debug assertions are on. Encoded bytes of a host may be anything, too.
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if !host.is_ascii() || host.contains('%') {
            return Err(unreadable(&"a host is written in ASCII, beginning with xn-- if need be"));
        }
        if is_plain(rest) {
            return Ok(Self(text.to_owned()));
        }
        let url = Url::parse(text).map_err(|error| unreadable(&error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        Ok(Self(url.into()))
    }

    /// The URL to ask. `None` is for a text that the parser does not take, which
    /// [`ServiceUrl::parse`] has ruled out.
    pub fn url(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether what stands behind `https://` is read by every parser in the same way, and so needs
/// none: a host of small ASCII letters whose last label is no number, perhaps a port, and a path
/// or query of unreserved characters and a few others. (A property test holds this against the
/// parser.)
fn is_plain(rest: &str) -> bool {
    let (authority, behind) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with("xn--")
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let named = host.len() <= 253
        && host.split('.').all(label)
        && last.starts_with(|c: char| c.is_ascii_lowercase());
    // The default port is left out by the parser, and so is a leading zero.
    let port = port.is_none_or(|port| {
        let digits = port.len() <= 4 && port.bytes().all(|b| b.is_ascii_digit());
        digits && !port.starts_with('0') && !["", "80", "443"].contains(&port)
    });
    // A dot may be part of `..`, and `%` of its encoding; both are for the parser.
    let dots = behind.contains("/.") || behind.contains('%');
    let kept = |b: u8| b.is_ascii_alphanumeric() || b"-._~/?=&:@+,;!".contains(&b);
    named && port && !dots && behind.bytes().all(kept)
}

impl Endpoint {
    /// Reads a URL; `http://` only where `allow_http` says so.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, EndpointError> {
        let url = ServiceUrl::parse(text, allow_http)?;
        let (_, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        if !rest.contains(['/', '?']) {
            return Err(EndpointError::HostOnly);
        }
        Ok(Self(url))
    }

    /// The URL with `suffix` behind it, or `None` where reading the two together gives
    /// anything but the prefix followed by exactly that suffix (`..` as a path segment, a
    /// character that a URL cannot carry).
    pub fn with(&self, suffix: &str) -> Option<Url> {
        let prefix = self.0.url()?;
        let wanted = format!("{prefix}{suffix}");
        let url = Url::parse(&wanted).ok()?;
        (url.as_str() == wanted).then_some(url)
    }
}

impl Issuer {
    /// Reads the name of an issuer; `http://` only where `allow_http` says so.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, EndpointError> {
        let url = ServiceUrl::parse(text, allow_http)?;
        if text.contains('?') {
            return Err(EndpointError::Query);
        }
        Ok(Self { name: text.to_owned(), url })
    }

    /// The name, byte for byte as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its discovery document may lie: OpenID Connect Discovery 1.0 section 4, which
    /// appends to the path, then RFC 8414 section 3.1, which goes before it.
    pub fn discovery(&self) -> Vec<ServiceUrl> {
        let Some(own) = self.url.url() else { return Vec::new() };
        let path = own.path().trim_end_matches('/');
        let at = |path: &str| {
            let mut url = own.clone();
            url.set_path(path);
            ServiceUrl(url.into())
        };
        vec![
            at(&format!("{path}/.well-known/openid-configuration")),
            at(&format!("/.well-known/oauth-authorization-server{path}")),
        ]
    }
}

/// Host and port, which is what a message needs; a query may hold more than is good in a log.
impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        f.write_str(rest.split(['/', '?']).next().unwrap_or_default())
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceUrl({self})")
    }
}

/// As [`ServiceUrl`].
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// As [`ServiceUrl`].
impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?})", self.name)
    }
}
