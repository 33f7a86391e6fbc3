//! One section of the file: its tables in, a policy out.

use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use pam_oauth2_arguments::{
    Audit, CACHE_TTL_RANGE, LEEWAY_RANGE, Limits, OnOutage, TIMEOUT_RANGE, duration_within,
};
use toml::Spanned;

use super::rules;
use super::source::Source;
use super::tables::{Optional, Section};
use super::trust::{self, in_words_of_the_file};
use super::user::{self, SectionLogin};
use super::values::Time;
use crate::policy::fingerprint::Fingerprint;
use crate::policy::{ConfigFault, Login, Policy};

/// The policy that the section `name` describes.
pub(super) fn policy(
    source: &Source<'_>,
    name: &str,
    own: &Spanned<Section>,
    defaults: Option<&Section>,
) -> Result<Policy, ConfigFault> {
    let options = Options { source, header: own.span(), own: own.get_ref(), defaults };
    let own = own.get_ref();
    let mut fingerprint = Fingerprint::of(b"file");
    fingerprint.add(name.as_bytes());
    fingerprint.add(source.text.as_bytes());
    let limits = options.limits()?;
    let online = trust::online(source, own, limits.allow_http)?;
    let login = SectionLogin {
        claim: options
            .value(|section| &section.login_field)
            .map(|written| user::claim(source, written))
            .transpose()?,
        mapping: user::mapping(source, own.user.as_ref(), &mut fingerprint)?.unwrap_or_default(),
    };
    let issuers = trust::issuers(source, &own.issuer, &login, limits.allow_http, &mut fingerprint)?;
    if issuers.is_empty() && online.is_none() {
        return Err(options.misses(
            "nothing here verifies a token; add [[SECTION.issuer]], [SECTION.tokeninfo] or \
             [SECTION.introspection]",
        ));
    }
    let login = match (login.claim, issuers.first().and_then(|issuer| issuer.login.clone())) {
        (Some(claim), _) => Login { claim, mapping: login.mapping },
        // Every issuer has one of its own, and nobody else is asked: this one is never used.
        (None, Some(login)) if online.is_none() => login,
        _ => return Err(options.misses(user::NO_LOGIN_FIELD)),
    };
    Ok(Policy {
        requirements: rules::requirements(source, &own.require)?,
        roles: rules::roles(source, &own.role, online.is_some())?,
        revoked: options.path(|section| &section.revoked_file)?,
        issuers,
        online,
        login,
        limits,
        fingerprint: fingerprint.finish(),
    })
}

/// The options of a section, each of which may stand in `[defaults]` instead.
struct Options<'a> {
    source: &'a Source<'a>,
    header: Range<usize>,
    own: &'a Section,
    defaults: Option<&'a Section>,
}

impl<'a> Options<'a> {
    /// Something is not there, so that the section itself is the place.
    fn misses(&self, what: impl Display) -> ConfigFault {
        self.source.wrong(&self.header, what)
    }

    fn value<T>(&self, option: impl Fn(&'a Section) -> &'a Optional<T>) -> Option<&'a Spanned<T>> {
        option(self.own).as_ref().or_else(|| option(self.defaults?).as_ref())
    }

    fn path(
        &self,
        option: impl Fn(&'a Section) -> &'a Optional<String>,
    ) -> Result<Option<PathBuf>, ConfigFault> {
        self.value(option).map(|path| self.source.absolute(path)).transpose()
    }

    fn duration(
        &self,
        option: impl Fn(&'a Section) -> &'a Optional<Time>,
        range: [Duration; 2],
    ) -> Result<Option<Duration>, ConfigFault> {
        let read = |time| self.source.parsed(time, |Time(text)| duration_within(text, range));
        self.value(option).map(read).transpose()
    }

    /// As on the PAM line.
    fn limits(&self) -> Result<Limits, ConfigFault> {
        let timeout = self.duration(|section| &section.timeout, TIMEOUT_RANGE)?;
        let leeway = self.duration(|section| &section.leeway, LEEWAY_RANGE)?;
        let cache_ttl = self.duration(|section| &section.cache_ttl, CACHE_TTL_RANGE)?;
        let on_outage = self.value(|section| &section.on_outage);
        let on_outage =
            on_outage.map(|text| self.source.text(text, OnOutage::parse)).transpose()?;
        let audit = self.value(|section| &section.audit);
        let audit = audit.map(|text| self.source.text(text, audience)).transpose()?;
        let allow_http = self.value(|section| &section.allow_http);
        let default = Limits::default();
        let limits = Limits {
            timeout: timeout.unwrap_or(default.timeout),
            leeway: leeway.unwrap_or(default.leeway),
            ca_file: self.path(|section| &section.ca_file)?,
            cache_dir: self.path(|section| &section.cache_dir)?,
            cache_ttl: cache_ttl.unwrap_or(default.cache_ttl),
            on_outage: on_outage.unwrap_or(default.on_outage),
            audit: audit.unwrap_or(default.audit),
            allow_http: allow_http.map_or(default.allow_http, |allowed| *allowed.get_ref()),
        };
        limits.checked().map_err(|error| self.misses(in_words_of_the_file(error)))
    }
}

fn audience(text: &str) -> Result<Audit, String> {
    match text {
        "log" => Ok(Audit::Log),
        "syslog" => Ok(Audit::Syslog),
        _ => Err(format!("{text:?} is not known; there is: log, syslog")),
    }
}
