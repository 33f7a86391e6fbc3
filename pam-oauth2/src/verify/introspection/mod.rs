//! Token introspection (RFC 7662): the token is posted, and `"active": true` means genuine.
//!
//! We log in there with a name and a password of our own (RFC 6749 section 2.3.1). That these
//! are refused says nothing about the token.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pam_oauth2_arguments::{EndpointError, Error, Introspection};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::{Inquiry, Verified, alive, described, jwt};
use crate::claims::{Claim, Claims};
use crate::error::Refusal;
use crate::files;
use crate::http::Request;

/// `application/x-www-form-urlencoded`, with `%20` for a blank, which every server reads.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
/// A secret is a line, not a document.
const LONGEST_SECRET: usize = 4096;

/// Asks `service`.
pub(super) fn verify(
    service: &Introspection,
    inquiry: &Inquiry<'_>,
) -> Result<Verified<Claims>, Refusal> {
    let form = Zeroizing::new(format!(
        "token={}&token_type_hint=access_token",
        *encoded(inquiry.token.expose())
    ));
    let name = service.url.to_string();
    let unreadable = || Refusal::from(Error::Endpoint(EndpointError::Scheme));
    let url = service.url.url().ok_or_else(unreadable)?;
    let request = Request {
        form: Some(form),
        authorization: Some(credentials(service)?),
        ..Request::get(&url)
    };
    let answer = inquiry.send(&request, &name)?;
    if matches!(answer.status, 401 | 403) {
        return Err(Refusal::Credentials { service: name, status: answer.status });
    }
    let claims = described(&answer, name)?;
    if !matches!(claims.find("active"), Some(Claim::Flag(true))) {
        return Err(Refusal::Inactive);
    }
    alive::check(&claims, inquiry.leeway, inquiry.now)?;
    check_others(&claims, service, inquiry)?;
    Ok(Verified(claims))
}

/// What the rules for JWTs say beside the end: the start, where it is told, and whom the token is
/// from and for, where the configuration asks for that.
fn check_others(
    claims: &Claims,
    service: &Introspection,
    inquiry: &Inquiry<'_>,
) -> Result<(), Refusal> {
    let broken = |fault| Refusal::Jwt { by: format!("introspection at {}", service.url), fault };
    jwt::check_starts(claims, inquiry.leeway, inquiry.now).map_err(broken)?;
    if let Some(issuer) = &service.issuer
        && claims.text("iss") != Some(issuer)
    {
        return Err(broken(jwt::JwtFault::Stranger));
    }
    if !service.audience.is_empty() {
        jwt::check_audience(claims, &service.audience).map_err(broken)?;
    }
    Ok(())
}

/// The header `Authorization` of RFC 6749 section 2.3.1: both parts are encoded first.
fn credentials(service: &Introspection) -> Result<Zeroizing<String>, Refusal> {
    let secret = read_secret(&service.client_secret_file)?;
    let pair =
        Zeroizing::new(format!("{}:{}", *encoded(service.client_id.as_bytes()), *encoded(&secret)));
    let pair = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
    Ok(Zeroizing::new(format!("Basic {}", *pair)))
}

/// The content of the file without one final line break.
fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let refuse = |fault| Refusal::SecretFile { path: path.to_owned(), fault };
    let mut secret = files::read_secret(path, LONGEST_SECRET)
        .map(Zeroizing::new)
        .map_err(|fault| refuse(fault.to_string()))?;
    if secret.last() == Some(&b'\n') {
        secret.pop();
    }
    if secret.is_empty() {
        return Err(refuse("is empty: it has to hold the client secret".to_owned()));
    }
    Ok(secret)
}

fn encoded(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(percent_encode(bytes, FORM).to_string())
}

#[cfg(test)]
mod tests;
