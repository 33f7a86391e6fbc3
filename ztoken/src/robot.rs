//! Tokens for programs: what a service account of Kubernetes has, and what it becomes (RFC 7523).

use std::path::Path;

use crate::clock::{Moment, spoken};
use crate::config::{Exchange, Flow, Robot};
use crate::error::Error;
use crate::files;
use crate::foreign::shown;
use crate::jwt::UnverifiedClaims;
use crate::kept::Token;
use crate::provider::{Granted, Provider};
use crate::secret::Secret;

/// The token in a file, which the kubelet writes anew long before it is over. So it is read each time,
/// and never kept.
pub(crate) fn service_account(file: &Path, now: Moment) -> Result<Token, Error> {
    let fault = |what| Error::ServiceAccount { path: shown(&file.to_string_lossy()), what };
    let text = files::small(file).map_err(fault)?;
    let access = Secret::access_token(text.trim_end_matches(['\r', '\n']))
        .map_err(|what| fault(format!("holds no token: {what}")))?;
    let expires = UnverifiedClaims::of(&access).and_then(|claims| claims.expires());
    if let Some(expires) = expires.filter(|expires| *expires <= now) {
        return Err(fault(format!(
            "ended {} ago by the clock of this machine: is the clock right, and does the kubelet still \
             renew the file?",
            spoken(expires.until(now))
        )));
    }
    Ok(Token { access, left: expires.map(|expires| now.until(expires)), warning: None })
}

pub(crate) fn granted(provider: &Provider<'_>, robot: &Robot) -> Result<Granted, Error> {
    let assertion = |file| service_account(file, Moment::now()).map(|token| token.access);
    Ok(match robot {
        Robot::ClientCredentials => provider.client_credentials(None)?,
        Robot::Exchange(file, Exchange::ClientAssertion) => {
            provider.client_credentials(Some(&assertion(file)?))?
        }
        Robot::Exchange(file, Exchange::JwtBearer) => provider.jwt_bearer(&assertion(file)?)?,
    })
}

/// As in the configuration.
pub(crate) fn name(flow: &Flow) -> &'static str {
    match flow {
        Flow::Person(..) => "auto",
        Flow::Robot(Robot::ClientCredentials) => "client_credentials",
        Flow::Robot(Robot::Exchange(..)) | Flow::File(_) => "kubernetes",
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

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
        assert_eq!((token.access.expose(), token.left), ("opaque", None));
    }

    #[test]
    fn a_service_account_token_that_is_over_is_no_token() {
        let jwt = |end| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{end}}}")));
        assert_eq!(read("good", &jwt(1001)).unwrap().left, Some(Duration::from_secs(1)));
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
