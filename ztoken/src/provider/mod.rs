//! The identity provider: where its endpoints are, and what can be asked there.
//!
//! In: a profile. Out: a [`Provider`] whose issuer is the one that the profile names, byte for byte.
//! Never: an endpoint that is not https (or on this machine), a redirect, an answer without a limit.

mod fault;
mod grants;
mod http;
mod tls;

use oauth2::http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use self::fault::Refusal;
pub(crate) use self::fault::{Fault, Remedy};
pub(crate) use self::grants::Granted;
use self::http::Http;
use crate::clock::Moment;
use crate::config::{ClientSecret, Origin, Profile, endpoint};
use crate::files;
use crate::foreign::shown;
use crate::secret::Secret;

#[derive(Debug)]
pub(crate) struct Provider<'a> {
    pub(crate) profile: &'a Profile,
    /// Where it has one.
    pub(crate) issuer: Option<&'a str>,
    pub(crate) endpoints: Endpoints,
    client_secret: Option<Secret>,
    http: Http,
}

#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Option<Url>,
    pub(crate) device_authorization: Option<Url>,
    pub(crate) revocation: Option<Url>,
    token: Option<Url>,
    userinfo: Option<Url>,
    /// Whether what the browser brings names the issuer (RFC 9207).
    pub(crate) names_itself: bool,
}

impl<'a> Provider<'a> {
    /// Reads what the profile points at, and asks the provider for its endpoints.
    pub(crate) fn find(profile: &'a Profile) -> Result<Self, Fault> {
        let http = Http::new(profile.ca_file.as_deref(), profile.timeout)?;
        let client_secret = profile.client_secret.as_ref().map(read_secret).transpose()?;
        if let Some(secret) = &client_secret {
            http.hide(secret);
            http.hide(&Secret::new(grants::basic(&profile.client_id, secret)));
        }
        let (issuer, endpoints) = match &profile.origin {
            Origin::Issuer(issuer) => (Some(issuer.as_str()), discover(&http, issuer)?),
            Origin::Endpoints(urls) => {
                let urls = urls.as_ref().clone();
                let endpoints = Endpoints {
                    authorization: urls.authorization,
                    device_authorization: urls.device_authorization,
                    revocation: urls.revocation,
                    token: Some(urls.token),
                    userinfo: urls.userinfo,
                    names_itself: false,
                };
                (None, endpoints)
            }
            Origin::Nowhere => (None, Endpoints::default()),
        };
        Ok(Self { profile, issuer, endpoints, client_secret, http })
    }

    /// What is said about it in messages.
    pub(crate) fn place(&self) -> String {
        let url = self.issuer.or(self.endpoints.token.as_ref().map(Url::as_str));
        shown(url.unwrap_or("the identity provider"))
    }

    /// Foreign text for a message, withheld where it repeats a secret that was sent.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.http.shown(text)
    }

    /// What it told the browser instead of a code.
    pub(crate) fn refused(&self, code: &str, said: Option<&str>) -> Fault {
        Fault::Refused { place: self.place(), refusal: Refusal::new(code, said, &self.http) }
    }

    /// What its clock said at its last answer, and what ours did.
    pub(crate) fn clocks(&self) -> Option<(Moment, Moment)> {
        self.http.clocks()
    }

    /// What it tells about the owner of a token, where it has an endpoint for that (OpenID Connect
    /// Core 1.0 section 5.3).
    pub(crate) fn userinfo(&self, token: &Secret) -> Result<Option<Map<String, Value>>, Fault> {
        let Some(url) = &self.endpoints.userinfo else { return Ok(None) };
        let (status, body) = self.http.get(url, Some(token))?;
        match status {
            StatusCode::OK => self.http.object(url, &body).map(Some),
            StatusCode::UNAUTHORIZED => Err(self.refused("invalid_token", None)),
            _ => Err(Fault::refused(url, status)),
        }
    }

    fn lacks(&self, what: &'static str) -> Fault {
        Fault::Lacks { place: self.place(), what }
    }
}

/// OpenID Connect Discovery 1.0 section 4, else RFC 8414 section 3.
fn discover(http: &Http, issuer: &str) -> Result<Endpoints, Fault> {
    let base = endpoint("issuer", issuer).map_err(Fault::Profile)?;
    let path = base.path().trim_end_matches('/');
    let openid = well_known(&base, &format!("{path}/.well-known/openid-configuration"));
    let (status, body) = http.get(&openid, None)?;
    let (url, status, body) = if status.is_client_error() {
        let server = well_known(&base, &format!("/.well-known/oauth-authorization-server{path}"));
        let (status, body) = http.get(&server, None)?;
        (server, status, body)
    } else {
        (openid, status, body)
    };
    if status != StatusCode::OK {
        return Err(Fault::Undiscovered { place: shown(issuer), status });
    }
    let document = http.object(&url, &body)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let theirs = text("issuer").unwrap_or_default();
    if theirs != issuer {
        return Err(Fault::Issuer { ours: shown(issuer), theirs: http.shown(theirs) });
    }
    let url_of = |name: &str| {
        let parsed = text(name).map(|text| endpoint(name, text)).transpose();
        // What is plain http to this machine is another machine's plain http elsewhere.
        let checked = parsed.and_then(|found| match found {
            Some(found) if found.scheme() == "http" && base.scheme() == "https" => {
                Err(format!("`{name}` is not https"))
            }
            found => Ok(found),
        });
        checked.map_err(|what| Fault::nonsense(&url, &what))
    };
    Ok(Endpoints {
        authorization: url_of("authorization_endpoint")?,
        device_authorization: url_of("device_authorization_endpoint")?,
        revocation: url_of("revocation_endpoint")?,
        token: url_of("token_endpoint")?,
        userinfo: url_of("userinfo_endpoint")?,
        names_itself: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
    })
}

fn well_known(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

fn read_secret(source: &ClientSecret) -> Result<Secret, Fault> {
    let text = match source {
        ClientSecret::Environment(variable) => std::env::var(variable).map_err(|_| {
            Fault::Secret(format!("the environment variable {} is not set", shown(variable)))
        })?,
        ClientSecret::File(path) => files::small(path)
            .map_err(|what| Fault::Secret(format!("{} {what}", shown(&path.to_string_lossy()))))?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Fault::Secret("it is empty".to_owned()));
    }
    Ok(Secret::new(text))
}
