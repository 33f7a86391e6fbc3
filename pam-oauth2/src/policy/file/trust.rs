//! `[[issuer]]`, `[tokeninfo]` and `[introspection]`: who is believed, and who is asked.

use std::collections::BTreeSet;
use std::fmt::Display;

use pam_oauth2_arguments::{
    Endpoint, EndpointError, Introspection, Issuer, JwtIssuer, KeySource, ServiceUrl, Typ,
};
use toml::Spanned;

use super::rules;
use super::source::Source;
use super::tables::{self, Section, Texts};
use super::user::{self, SectionLogin};
use crate::policy::fingerprint::Fingerprint;
use crate::policy::{ConfigFault, Login, Online, TrustedIssuer};

/// The service that is asked about tokens, where there is one.
pub(super) fn online(
    source: &Source<'_>,
    section: &Section,
    allow_http: bool,
) -> Result<Option<Online>, ConfigFault> {
    match (&section.tokeninfo, &section.introspection) {
        (None, None) => Ok(None),
        (Some(_), Some(second)) => {
            let what = "tokeninfo stands here as well; ask one service and take the other out";
            Err(source.wrong(&second.span(), what))
        }
        (Some(service), None) => {
            let url = url(source, &service.get_ref().url, allow_http, Endpoint::parse)?;
            Ok(Some(Online::Tokeninfo(url)))
        }
        (None, Some(service)) => introspection(source, service.get_ref(), allow_http)
            .map(Online::Introspection)
            .map(Some),
    }
}

fn introspection(
    source: &Source<'_>,
    table: &tables::Introspection,
    allow_http: bool,
) -> Result<Introspection, ConfigFault> {
    let tables::Introspection { audience, client_id, client_secret_file, issuer, url: at } = table;
    let audience = audience.as_ref().map(|texts| source.parsed(texts, distinct)).transpose()?;
    Ok(Introspection {
        url: url(source, at, allow_http, ServiceUrl::parse)?,
        client_id: source.not_empty(client_id)?,
        client_secret_file: source.absolute(client_secret_file)?,
        audience: audience.unwrap_or_default(),
        issuer: issuer.as_ref().map(|issuer| source.not_empty(issuer)).transpose()?,
    })
}

/// The issuers whose JWTs are believed, no two with one name.
pub(super) fn issuers(
    source: &Source<'_>,
    tables: &[Spanned<tables::Issuer>],
    section: &SectionLogin,
    allow_http: bool,
    fingerprint: &mut Fingerprint,
) -> Result<Vec<TrustedIssuer>, ConfigFault> {
    let mut issuers: Vec<TrustedIssuer> = Vec::new();
    for table in tables {
        let tables::Issuer { require, url, .. } = table.get_ref();
        let jwt = jwt(source, table.get_ref(), allow_http)?;
        if issuers.iter().any(|other| other.jwt.issuer.name() == jwt.issuer.name()) {
            let what = "this issuer has a table already; make one of the two";
            return Err(source.wrong(&url.span(), what));
        }
        issuers.push(TrustedIssuer {
            jwt,
            login: login(source, table, section, fingerprint)?,
            requirements: rules::requirements(source, require)?,
        });
    }
    Ok(issuers)
}

fn jwt(
    source: &Source<'_>,
    table: &tables::Issuer,
    allow_http: bool,
) -> Result<JwtIssuer, ConfigFault> {
    let tables::Issuer { audience, jwks, typ, url: name, login_field: _, require: _, user: _ } =
        table;
    let keys = |text: &str| KeySource::parse(text, allow_http).map_err(in_words_of_the_file);
    let keys = jwks.as_ref().map(|place| source.text(place, keys)).transpose()?;
    let typ = typ.as_ref().map(|text| source.text(text, Typ::parse)).transpose()?;
    Ok(JwtIssuer {
        issuer: url(source, name, allow_http, Issuer::parse)?,
        keys: keys.unwrap_or(KeySource::Discovery),
        audience: source.parsed(audience, distinct)?,
        typ: typ.unwrap_or_default(),
    })
}

/// What counts for this issuer in place of what the section says.
fn login(
    source: &Source<'_>,
    table: &Spanned<tables::Issuer>,
    section: &SectionLogin,
    fingerprint: &mut Fingerprint,
) -> Result<Option<Login>, ConfigFault> {
    let tables::Issuer { login_field, user, .. } = table.get_ref();
    let claim = login_field.as_ref().map(|written| user::claim(source, written)).transpose()?;
    let mapping = user::mapping(source, user.as_ref(), fingerprint)?;
    if claim.is_none() && section.claim.is_none() {
        return Err(source.wrong(&table.span(), user::NO_LOGIN_FIELD));
    }
    if claim.is_none() && mapping.is_none() {
        return Ok(None);
    }
    let claim = claim.or_else(|| section.claim.clone());
    let mapping = mapping.unwrap_or_else(|| section.mapping.clone());
    Ok(claim.map(|claim| Login { claim, mapping }))
}

fn url<U>(
    source: &Source<'_>,
    written: &Spanned<String>,
    allow_http: bool,
    parse: fn(&str, bool) -> Result<U, EndpointError>,
) -> Result<U, ConfigFault> {
    source.text(written, |text| {
        let url = parse(text, allow_http);
        url.map_err(|error| format!("the URL {}", in_words_of_the_file(error)))
    })
}

/// One or more, each once.
fn distinct(texts: &Texts) -> Result<Vec<String>, String> {
    if texts.0.is_empty() || texts.0.iter().any(String::is_empty) {
        return Err("a value is missing or empty".to_owned());
    }
    let mut seen = BTreeSet::new();
    match texts.0.iter().find(|text| !seen.insert(*text)) {
        Some(twice) => Err(format!("{twice:?} stands here twice")),
        None => Ok(texts.0.clone()),
    }
}

/// The options of a PAM line are keys of the file.
pub(super) fn in_words_of_the_file(error: impl Display) -> String {
    error.to_string().replace("--", "")
}
