//! The grammar of the words that follow `pam_oauth2.so` in a PAM service file.
//!
//! ```text
//! auth     sufficient  pam_oauth2.so  https://host/tokeninfo?access_token= uid realm=/employees
//! account  sufficient  pam_oauth2.so
//! ```
//!
//! In: the words. Out: an [`AuthLine`] or an [`AccountLine`] that needs no further check,
//! or an [`Error`] that names the word. Never: files, network, environment or FFI, so that
//! whoever *writes* such a line can refuse a broken one before a login ever sees it.
//!
//! Nothing is ignored. The C module of the same name dropped a check without `=`, which
//! opened the database to everybody; here it is an error, and so is an option that has no
//! effect beside the others. An error denies.

#![forbid(unsafe_code)]

mod duration;
mod endpoint;
mod error;
mod options;
mod rule;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use duration::{
    CACHE_TTL_RANGE, DurationError, LEEWAY_RANGE, STALE_RANGE, TIMEOUT_RANGE, duration_within,
};
pub use endpoint::{Endpoint, EndpointError, Issuer, ServiceUrl};
pub use error::Error;
use options::{Mode, Options, Word};
pub use rule::{
    Audit, Check, Introspection, JwtIssuer, KeySource, Limits, OnOutage, Rule, Typ, Verify,
};
pub use value::ValueError;

/// An `auth` line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthLine {
    /// What has to hold.
    pub rules: Rules,
    /// Where the reason of a refusal is told.
    pub notices: Notices,
}

/// Where it is written what has to hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rules {
    /// On the line.
    Here(Box<Rule>),
    /// In a configuration file.
    InFile(ConfigFile),
}

/// A configuration file and which part of it counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFile {
    /// The file. Absolute.
    pub path: PathBuf,
    /// Which section; that with the name of the PAM service where absent.
    pub section: Option<String>,
}

/// An `account` line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccountLine {
    /// `--always`: succeed for everybody, as the C module did. For stacks in which another
    /// module may have authenticated the user.
    pub always: bool,
    /// Where the reason of a refusal is told.
    pub notices: Notices,
}

/// Where the module may talk, from the bare words that PAM modules share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Notices {
    /// Through the conversation, which PostgreSQL writes to its log. `no_warn` forbids it.
    pub conversation: bool,
}

impl AuthLine {
    /// Reads the words of an `auth` line. The first is the URL, always, because whoever
    /// generates PAM files looks for it there; or the line names a configuration file.
    pub fn parse(words: &[&str]) -> Result<Self, Error> {
        match words.first() {
            None => Err(Error::Missing),
            Some(url) if url.contains("://") && !url.starts_with("--") => Self::with_url(words),
            Some(_) => Self::with_file(words),
        }
    }

    /// The total deadline of the line, where the line itself says it.
    pub fn timeout(&self) -> Option<Duration> {
        match &self.rules {
            Rules::Here(rule) => Some(rule.limits.timeout),
            Rules::InFile(_) => None,
        }
    }

    /// `--config=FILE`, with nothing beside it but `--section` and bare words.
    fn with_file(words: &[&str]) -> Result<Self, Error> {
        // Before a later word is blamed.
        if !words.iter().any(|word| word.starts_with("--config")) {
            return Err(Error::Endpoint(EndpointError::Scheme));
        }
        let mut options = Options::default();
        for word in words {
            match Word::read(word)? {
                Word::Option(option) => options.set(option)?,
                Word::Bare(bare) => options.note(bare),
                Word::Check(_) | Word::Other => {
                    return Err(Error::BesideConfig((*word).to_owned()));
                }
            }
        }
        if let Some(other) =
            options.given.iter().find(|o| !["--config", "--section"].contains(&o.as_str()))
        {
            return Err(Error::BesideConfig(other.clone()));
        }
        let notices = options.notices();
        let path = options.config.ok_or(Error::Missing)?;
        let file = ConfigFile { path, section: options.section };
        Ok(Self { rules: Rules::InFile(file), notices })
    }

    fn with_url(words: &[&str]) -> Result<Self, Error> {
        let (url, rest) = words.split_first().ok_or(Error::Missing)?;
        let mut options = Options::default();
        let mut login_field = None;
        let mut checks = Vec::new();
        for word in rest {
            match Word::read(word)? {
                Word::Option(option) => options.set(option)?,
                // A login field may have the name of a bare word, as with the C module.
                _ if login_field.is_none() => {
                    if word.contains('=') {
                        return Err(Error::NotALoginField((*word).to_owned()));
                    }
                    if word.is_empty() {
                        return Err(Error::NoLoginField);
                    }
                    login_field = Some((*word).to_owned());
                }
                Word::Bare(bare) => options.note(bare),
                Word::Check(check) => checks.push(check),
                Word::Other => return Err(Error::NotACheck((*word).to_owned())),
            }
        }
        if options.always {
            return Err(Error::AlwaysOnAuth);
        }
        if options.config.is_some() {
            return Err(Error::BesideConfig("a URL".to_owned()));
        }
        let verify = verify(url, &options)?;
        let notices = options.notices();
        let login_field = login_field.ok_or(Error::NoLoginField)?;
        let limits = limits(options)?;
        let rule = Rule { verify, login_field, checks, limits };
        Ok(Self { rules: Rules::Here(Box::new(rule)), notices })
    }
}

/// The options that make sense for one way to verify alone.
const SPECIAL: [(&str, &[Mode]); 7] = [
    ("--audience", &[Mode::Introspection, Mode::Jwt, Mode::JwtElseTokeninfo]),
    ("--client-id", &[Mode::Introspection]),
    ("--client-secret-file", &[Mode::Introspection]),
    ("--issuer", &[Mode::Introspection, Mode::JwtElseTokeninfo]),
    ("--jwks", &[Mode::Jwt, Mode::JwtElseTokeninfo]),
    ("--section", &[]),
    ("--typ", &[Mode::Jwt, Mode::JwtElseTokeninfo]),
];

fn verify(url: &str, options: &Options) -> Result<Verify, Error> {
    let mode = options.verify.unwrap_or_default();
    for (option, modes) in SPECIAL {
        if options.given.iter().any(|given| given == option) && !modes.contains(&mode) {
            return Err(Error::NoEffect(option));
        }
    }
    let endpoint = || Endpoint::parse(url, options.allow_http).map_err(Error::Endpoint);
    let needed = |option| Error::Needed { option, by: "--verify" };
    match mode {
        Mode::Tokeninfo => Ok(Verify::Tokeninfo(endpoint()?)),
        Mode::Jwt => Ok(Verify::Jwt(jwt_issuer(url, options)?)),
        Mode::JwtElseTokeninfo => {
            let issuer = options.issuer.as_deref().ok_or_else(|| needed("--issuer"))?;
            Ok(Verify::JwtElseTokeninfo(jwt_issuer(issuer, options)?, endpoint()?))
        }
        Mode::Introspection => Ok(Verify::Introspection(Introspection {
            url: ServiceUrl::parse(url, options.allow_http).map_err(Error::Endpoint)?,
            client_id: options.client_id.clone().ok_or_else(|| needed("--client-id"))?,
            client_secret_file: options
                .client_secret_file
                .clone()
                .ok_or_else(|| needed("--client-secret-file"))?,
            audience: options.audience.clone(),
            issuer: options.issuer.clone(),
        })),
    }
}

fn jwt_issuer(issuer: &str, options: &Options) -> Result<JwtIssuer, Error> {
    if options.audience.is_empty() {
        return Err(Error::Needed { option: "--audience", by: "--verify" });
    }
    let keys = options.jwks.as_deref();
    Ok(JwtIssuer {
        issuer: Issuer::parse(issuer, options.allow_http).map_err(Error::Issuer)?,
        keys: keys
            .map_or(Ok(KeySource::Discovery), |text| KeySource::parse(text, options.allow_http))?,
        audience: options.audience.clone(),
        typ: options.typ.unwrap_or_default(),
    })
}

impl KeySource {
    /// Reads the value of `--jwks`: an absolute path or a URL.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, Error> {
        if text.starts_with('/') {
            return Ok(Self::File(text.into()));
        }
        ServiceUrl::parse(text, allow_http).map(Self::Url).map_err(Error::KeySet)
    }
}

fn limits(options: Options) -> Result<Limits, Error> {
    let default = Limits::default();
    Limits {
        timeout: options.timeout.unwrap_or(default.timeout),
        leeway: options.leeway.unwrap_or(default.leeway),
        ca_file: options.ca_file,
        cache_dir: options.cache_dir,
        cache_ttl: options.cache_ttl.unwrap_or(default.cache_ttl),
        on_outage: options.on_outage.unwrap_or(default.on_outage),
        audit: options.audit.unwrap_or(default.audit),
        allow_http: options.allow_http,
    }
    .checked()
}

impl Limits {
    /// Refuses what has no effect: nothing can be kept without a place for it.
    pub fn checked(self) -> Result<Self, Error> {
        if self.cache_dir.is_none() {
            if !self.cache_ttl.is_zero() {
                return Err(Error::Needed { option: "--cache-dir", by: "--cache-ttl" });
            }
            if self.on_outage != OnOutage::Deny {
                return Err(Error::Needed { option: "--cache-dir", by: "--on-outage=stale" });
            }
        }
        Ok(self)
    }
}

impl AccountLine {
    /// Reads the words of an `account` line: none, `--always`, the bare words; or a whole
    /// auth line, because many people write the same words on both.
    pub fn parse(words: &[&str]) -> Result<Self, Error> {
        let mut own = Options::default();
        let mut others = Vec::new();
        for word in words {
            match Word::read(word)? {
                Word::Option(option) if option.name == "--always" => own.set(option)?,
                Word::Bare(bare) if others.is_empty() => own.note(bare),
                _ => others.push(*word),
            }
        }
        let mut notices = own.notices();
        if !others.is_empty() {
            let auth = AuthLine::parse(&others)?.notices;
            notices.conversation &= auth.conversation;
        }
        Ok(Self { always: own.always, notices })
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
