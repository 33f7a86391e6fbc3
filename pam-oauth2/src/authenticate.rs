//! The story of a login: user, token, verify, authorize.

use std::ffi::CStr;
use std::time::SystemTime;

use pam_oauth2_arguments::AuthLine;

use crate::authorize::{Authorized, authorize};
use crate::error::Refusal;
use crate::http::Deadline;
use crate::pam::{Failure, Handle};
use crate::report::{Audience, Login, report_failure, report_success};
use crate::role::Role;
use crate::token::AccessToken;
use crate::verify;

/// Authentication management: `pam_sm_authenticate(3)`.
///
/// Guarantees: success only after [`authorize`] on claims that [`verify`] vouched for; the
/// verdict of an earlier call on this handle is gone, whatever happens here.
pub(crate) fn authenticate(
    handle: &mut Handle<'_>,
    words: &[&CStr],
    mut audience: Audience,
) -> Result<Authorized, Failure> {
    let login = match receive(handle, words, &mut audience) {
        Ok(login) => login,
        Err(refusal) => return Err(report_failure(handle, &audience, None, &refusal)),
    };
    match admit(&login).and_then(|authorized| remember(handle, authorized)) {
        Ok(authorized) => {
            report_success(handle, &audience, &login);
            Ok(authorized)
        }
        Err(refusal) => Err(report_failure(handle, &audience, Some(&login), &refusal)),
    }
}

/// Everything that the host tells: the line, the user, the token. The verdict of an earlier
/// call goes first, so that nothing below can leave it standing.
fn receive(
    handle: &mut Handle<'_>,
    words: &[&CStr],
    audience: &mut Audience,
) -> Result<Login, Refusal> {
    handle.forget().map_err(|code| Refusal::libpam("forget the last verdict", code))?;
    let words = utf8(words)?;
    let line = AuthLine::parse(&words)?;
    audience.heed(line.notices);
    let user = handle.user().map_err(|code| Refusal::libpam("give the user name", code))?;
    let role = Role::parse(user.ok_or(Refusal::NoUser)?)?;
    let token = handle.authtok().map_err(Refusal::no_token)?;
    Ok(Login { token: AccessToken::parse(token)?, role, remote_host: handle.remote_host(), line })
}

/// Whether the token may log in as the role. The deadline begins here, behind the
/// conversation: a person may take longer to type than a service may take to answer.
fn admit(login: &Login) -> Result<Authorized, Refusal> {
    let line = &login.line;
    let deadline = Deadline::after(line.timeout);
    let claims = verify::tokeninfo::verify(line, &login.token, deadline)?;
    authorize(&claims, &login.role, line, seconds_since_1970())
}

/// For the account phase.
fn remember(handle: &mut Handle<'_>, authorized: Authorized) -> Result<Authorized, Refusal> {
    match handle.remember(authorized.role().as_str().as_bytes()) {
        Ok(()) => Ok(authorized),
        Err(code) => Err(Refusal::libpam("keep the verdict", code)),
    }
}

/// The clock is read here and nowhere else.
#[allow(clippy::disallowed_methods, reason = "this is the edge")]
fn seconds_since_1970() -> f64 {
    // A clock before 1970 is wrong in the direction that keeps tokens alive; infinity ends
    // them all, and the message tells to check the clock.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(f64::INFINITY, |since| since.as_secs_f64())
}

/// The words of a PAM line as text.
pub(crate) fn utf8<'a>(words: &[&'a CStr]) -> Result<Vec<&'a str>, Refusal> {
    words.iter().map(|word| word.to_str().map_err(|_| Refusal::ArgumentEncoding)).collect()
}
