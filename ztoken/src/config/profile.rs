//! A profile that was understood: what is wrong with it was said before anybody is asked anything.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::{Host, Url};

use super::file::{ClientAuthentication, Endpoints, ExchangeName, FlowName, StoreName, Table};
use crate::clock;
use crate::foreign::shown;

const MIN_LEFT: Duration = Duration::from_secs(300);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Parameters that are ours (RFC 6749, 7636, 8628, 7523, 8707), so nobody else may set them.
const OWN_PARAMETERS: [&str; 20] = [
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "username",
];

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) name: Name,
    pub(crate) origin: Origin,
    /// Empty only where no provider is asked.
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<ClientSecret>,
    /// Whether id and secret go into the body instead of a header.
    pub(crate) secret_in_body: bool,
    pub(crate) flow: Flow,
    pub(crate) ask: Ask,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) keep: Keep,
    /// A cached token with less than this is renewed.
    pub(crate) min_left: Duration,
    /// How long a token lasts that does not say so.
    pub(crate) lifetime: Option<Duration>,
    /// How long a person is waited for.
    pub(crate) login_timeout: Duration,
    /// How long one answer of the provider is waited for.
    pub(crate) timeout: Duration,
}

/// The name of a profile, and of its files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Name(String);

/// Where the endpoints of the provider come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Discovery. Kept as it is written, because issuers are compared byte for byte.
    Issuer(String),
    Endpoints(Box<Urls>),
    /// Nobody is asked.
    Nowhere,
}

/// Endpoints; each is https, or plain http to this machine.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) authorization: Option<Url>,
    pub(crate) device_authorization: Option<Url>,
    pub(crate) revocation: Option<Url>,
    pub(crate) token: Url,
    pub(crate) userinfo: Option<Url>,
}

#[derive(Clone, Debug)]
pub(crate) enum ClientSecret {
    Environment(String),
    File(PathBuf),
}

#[derive(Clone, Debug)]
pub(crate) enum Flow {
    Person(Way, Redirect),
    Robot(Robot),
    /// The token of a service account, as it is.
    File(PathBuf),
}

/// Who gets a token without a person.
#[derive(Clone, Debug)]
pub(crate) enum Robot {
    ClientCredentials,
    /// By the token of a service account in this file.
    Exchange(PathBuf, Exchange),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Auto,
    Browser,
    Device,
}

/// How a service account's token becomes one of the provider (RFC 7523).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exchange {
    /// It is how the client authenticates itself (section 2.2).
    ClientAssertion,
    /// It is the grant (section 2.1).
    JwtBearer,
}

/// Where the browser comes back to: a loopback address (RFC 8252 section 7.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Redirect {
    pub(crate) host: String,
    /// 0 is any that is free.
    pub(crate) port: u16,
    /// As it is written, since providers compare characters: empty is not the same as a slash.
    pub(crate) path: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Where tokens are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    File,
    Keyring,
}

impl Profile {
    /// Relative paths begin at `folder`, where the configuration lies.
    pub(super) fn parse(name: &str, table: &Table, folder: &Path) -> Result<Self, String> {
        let flow = flow(table, folder)?;
        without_meaning(table, &flow)?;
        let is_alone = matches!(flow, Flow::File(_));
        let is_person = matches!(flow, Flow::Person(..));
        let client_id = table.client_id.clone().unwrap_or_default();
        let may_lack_id =
            matches!(flow, Flow::File(_) | Flow::Robot(Robot::Exchange(_, Exchange::JwtBearer)));
        if client_id.is_empty() && !may_lack_id {
            return Err("`client_id` is missing: the name under which ztoken is registered".into());
        }
        let profile = Self {
            name: Name::parse(name)?,
            origin: origin(table, is_alone)?,
            client_id,
            client_secret: client_secret(table, folder)?,
            secret_in_body: matches!(table.client_authentication, Some(ClientAuthentication::Post)),
            ask: Ask {
                scopes: scopes(table, is_person)?,
                resource: table.resource.clone(),
                parameters: parameters(table)?,
            },
            ca_file: table.ca_file.as_ref().map(|file| folder.join(file)),
            keep: match table.store {
                Some(StoreName::Keyring) => Keep::Keyring,
                Some(StoreName::File) | None => Keep::File,
            },
            min_left: duration("min_left", &table.min_left)?.unwrap_or(MIN_LEFT),
            lifetime: duration("lifetime", &table.lifetime)?,
            login_timeout: duration("login_timeout", &table.login_timeout)?
                .unwrap_or(LOGIN_TIMEOUT),
            timeout: duration("timeout", &table.timeout)?.unwrap_or(TIMEOUT),
            flow,
        };
        if profile.timeout.is_zero() || profile.login_timeout.is_zero() {
            return Err("`timeout` and `login_timeout` of 0 s leave time for nothing".to_owned());
        }
        if matches!(profile.flow, Flow::Robot(Robot::ClientCredentials))
            && profile.client_secret.is_none()
        {
            return Err("flow = \"client_credentials\" needs `client_secret_file` or \
                        `client_secret_env`"
                .to_owned());
        }
        Ok(profile)
    }
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_good = (1..=64).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text.bytes().all(is_plain);
        if !is_good {
            return Err("a name has 1 to 64 letters, digits, -, _ or ., and begins with none of \
                        - and ."
                .to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn flow(table: &Table, folder: &Path) -> Result<Flow, String> {
    let is_kubernetes = table.flow == FlowName::Kubernetes;
    if !is_kubernetes && (table.token_file.is_some() || table.exchange.is_some()) {
        return Err("`token_file` and `exchange` need flow = \"kubernetes\"".to_owned());
    }
    let person = |way| redirect(table).map(|redirect| Flow::Person(way, redirect));
    match table.flow {
        FlowName::Auto => person(Way::Auto),
        FlowName::Browser => person(Way::Browser),
        FlowName::Device => person(Way::Device),
        FlowName::ClientCredentials => Ok(Flow::Robot(Robot::ClientCredentials)),
        FlowName::Kubernetes => {
            // The token that every pod has opens the API server; nobody should send it elsewhere.
            let file = table.token_file.as_ref().ok_or(
                "flow = \"kubernetes\" needs `token_file`: a projected service account token with \
                 an audience of its own",
            )?;
            let file = folder.join(file);
            let exchanged = |exchange| Flow::Robot(Robot::Exchange(file.clone(), exchange));
            Ok(match table.exchange {
                None => Flow::File(file),
                Some(ExchangeName::ClientAssertion) => exchanged(Exchange::ClientAssertion),
                Some(ExchangeName::JwtBearer) => exchanged(Exchange::JwtBearer),
            })
        }
    }
}

/// A key that would be ignored is an error.
fn without_meaning(table: &Table, flow: &Flow) -> Result<(), String> {
    let of_persons = [
        ("redirect_uri", table.redirect_uri.is_some()),
        ("login_timeout", table.login_timeout.is_some()),
    ];
    let of_what_is_asked_for = [
        ("lifetime", table.lifetime.is_some()),
        ("min_left", table.min_left.is_some()),
        ("parameters", !table.parameters.is_empty()),
        ("resource", table.resource.is_some()),
        ("scopes", table.scopes.is_some()),
        ("store", table.store.is_some()),
    ];
    let has_secret = table.client_secret_file.is_some() || table.client_secret_env.is_some();
    let of_secrets = [("client_authentication", table.client_authentication.is_some())];
    let ignored = [
        (!matches!(flow, Flow::Person(..)), of_persons.as_slice(), "where no person logs in"),
        (matches!(flow, Flow::File(_)), &of_what_is_asked_for, "where a file is the token"),
        (!has_secret, &of_secrets, "without a client secret"),
    ];
    for (is_without, keys, where_to) in ignored {
        if let Some((name, _)) = keys.iter().find(|(_, is_set)| is_without && *is_set) {
            return Err(format!("`{name}` means nothing {where_to}"));
        }
    }
    Ok(())
}

fn origin(table: &Table, is_alone: bool) -> Result<Origin, String> {
    match (&table.issuer, &table.endpoints) {
        (Some(_), Some(_)) => Err("`issuer` and `endpoints` exclude each other".to_owned()),
        (Some(issuer), None) => {
            let url = endpoint("issuer", issuer)?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(
                    "`issuer` has a query or a fragment (? or #), which no issuer has".into()
                );
            }
            Ok(Origin::Issuer(issuer.clone()))
        }
        (None, Some(endpoints)) => {
            Urls::parse(endpoints).map(|urls| Origin::Endpoints(Box::new(urls)))
        }
        (None, None) if is_alone => Ok(Origin::Nowhere),
        (None, None) => Err("`issuer` is missing: the address of the identity provider".to_owned()),
    }
}

impl Urls {
    fn parse(table: &Endpoints) -> Result<Self, String> {
        let optional = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| endpoint(&format!("endpoints.{name}"), text)).transpose()
        };
        Ok(Self {
            authorization: optional("authorization", &table.authorization)?,
            device_authorization: optional("device_authorization", &table.device_authorization)?,
            revocation: optional("revocation", &table.revocation)?,
            token: endpoint("endpoints.token", &table.token)?,
            userinfo: optional("userinfo", &table.userinfo)?,
        })
    }
}

/// A URL that secrets may be sent to.
pub(crate) fn endpoint(name: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{name}` is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{name}` has a user name or a password in it"));
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(format!(
            "`{name}` begins with {}:, and tokens travel over https alone (http only to this \
             machine itself)",
            shown(url.scheme())
        ));
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn redirect(table: &Table) -> Result<Redirect, String> {
    let Some(text) = &table.redirect_uri else {
        return Ok(Redirect { host: "127.0.0.1".to_owned(), port: 0, path: String::new() });
    };
    let url = Url::parse(text).map_err(|error| format!("`redirect_uri` is no URL: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if url.scheme() != "http" || !["127.0.0.1", "localhost", "[::1]"].contains(&host) || !is_plain {
        return Err(
            "`redirect_uri` is not http://127.0.0.1, http://localhost or http://[::1], with \
                    or without a port and a path"
                .to_owned(),
        );
    }
    let has_path = text.trim_start_matches("http://").contains('/');
    Ok(Redirect {
        host: host.to_owned(),
        port: url.port().unwrap_or(0),
        path: if has_path { url.path().to_owned() } else { String::new() },
    })
}

fn client_secret(table: &Table, folder: &Path) -> Result<Option<ClientSecret>, String> {
    match (&table.client_secret_file, &table.client_secret_env) {
        (Some(_), Some(_)) => {
            Err("`client_secret_file` and `client_secret_env` exclude each other".to_owned())
        }
        (Some(file), None) => Ok(Some(ClientSecret::File(folder.join(file)))),
        (None, Some(variable)) => Ok(Some(ClientSecret::Environment(variable.clone()))),
        (None, None) => Ok(None),
    }
}

fn scopes(table: &Table, is_person: bool) -> Result<Vec<String>, String> {
    let default = if is_person { vec!["openid".to_owned()] } else { Vec::new() };
    let scopes = table.scopes.clone().unwrap_or(default);
    let is_scope = |text: &String| !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic());
    match scopes.iter().find(|scope| !is_scope(scope)) {
        Some(scope) => Err(format!("`scopes`: \"{}\" is not one scope", shown(scope))),
        None => Ok(scopes),
    }
}

fn parameters(table: &Table) -> Result<BTreeMap<String, String>, String> {
    match table.parameters.keys().find(|name| OWN_PARAMETERS.contains(&name.as_str())) {
        Some(name) => Err(format!("`parameters.{name}` is set by ztoken itself")),
        None => Ok(table.parameters.clone()),
    }
}

fn duration(name: &str, text: &Option<String>) -> Result<Option<Duration>, String> {
    let parsed = text.as_ref().map(|text| clock::parse(text)).transpose();
    parsed.map_err(|what| format!("`{name}` {what}"))
}
