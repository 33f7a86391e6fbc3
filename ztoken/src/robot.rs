//! Tokens for programs: what a service account of Kubernetes has, and what it becomes (RFC 7523).

use std::path::Path;
use std::time::Duration;

use crate::clock::{Moment, spoken};
use crate::config::{Exchange, Flow};
use crate::error::Error;
use crate::foreign::shown;
use crate::jwt::UnverifiedClaims;
use crate::provider::{Granted, Provider, small_file};
use crate::secret::Secret;
use crate::token::Token;

/// The token in a file, which the kubelet writes anew long before it is over. So it is read each time,
/// and never kept.
pub(crate) fn service_account(file: &Path, now: Moment) -> Result<Token, Error> {
    let fault = |what| Error::ServiceAccount { path: shown(&file.to_string_lossy()), what };
    let text = small_file(file).map_err(fault)?;
    let access = Secret::access_token(text.trim_end_matches(['\r', '\n']))
        .map_err(|what| fault(format!("holds no token: {what}")))?;
    let expires = UnverifiedClaims::of(&access).and_then(|claims| claims.expires());
    match expires {
        Some(expires) if expires <= now => Err(fault(format!(
            "ended {} ago by the clock of this machine: is the clock right, and does the kubelet still \
             renew the file?",
            spoken(expires.until(now))
        ))),
        Some(expires) => Ok(Token { access, left: now.until(expires), warning: None }),
        None => Ok(Token { access, left: Duration::ZERO, warning: None }),
    }
}

pub(crate) fn exchanged(
    provider: &Provider<'_>,
    file: &Path,
    exchange: Option<Exchange>,
) -> Result<Granted, Error> {
    let assertion = service_account(file, Moment::now())?.access;
    let granted = match exchange {
        Some(Exchange::JwtBearer) => provider.jwt_bearer(&assertion),
        Some(Exchange::ClientAssertion) | None => provider.client_credentials(Some(&assertion)),
    };
    Ok(granted?)
}

/// As in the configuration.
pub(crate) fn name(flow: &Flow) -> &'static str {
    match flow {
        Flow::Person(..) => "auto",
        Flow::ClientCredentials => "client_credentials",
        Flow::Kubernetes(..) => "kubernetes",
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn read(name: &str, content: &str) -> Result<Token, Error> {
        let path = std::env::temp_dir().join(format!("ztoken-robot-{name}-{}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        let token = service_account(&path, Moment(1000));
        std::fs::remove_file(path).unwrap();
        token
    }

    #[test]
    fn the_file_is_the_token_without_the_end_of_its_line() {
        let token = read("plain", "opaque\n").unwrap();
        assert_eq!((token.access.expose(), token.left.as_secs()), ("opaque", 0));
    }

    #[test]
    fn a_service_account_token_that_is_over_is_no_token() {
        let jwt = |end| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{end}}}")));
        assert_eq!(read("good", &jwt(1001)).unwrap().left.as_secs(), 1);
        for end in [1000, 400] {
            let told = read("over", &jwt(end)).unwrap_err().to_string();
            assert!(told.contains("is the clock right"), "{told}");
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_not_repeated() {
        for bad in ["", "\n", "two words", "two\nlines"] {
            let told = read("bad", bad).unwrap_err().to_string();
            assert!(told.contains("holds no token") && !told.contains("two"), "{told}");
        }
    }
}
