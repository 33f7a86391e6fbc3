//! Account management: may the user whom this handle authenticated come in?

use std::ffi::CStr;

use pam_oauth2_arguments::AccountLine;

use crate::authenticate::utf8;
use crate::error::Refusal;
use crate::pam::{Failure, Handle};
use crate::report::{Audience, report_failure};

/// `pam_sm_acct_mgmt(3)`.
///
/// Nothing is asked again: libpam has wiped the token by now, and the verdict is as old as
/// the call before. What is checked is that it is *our* verdict, about *this* user, from the
/// latest authentication on this handle; somebody who came in through another module does
/// not get our word, unless the line says `--always`.
pub(crate) fn account(
    handle: &mut Handle<'_>,
    words: &[&CStr],
    mut audience: Audience,
) -> Result<(), Failure> {
    decide(handle, words, &mut audience)
        .map_err(|refusal| report_failure(handle, &audience, None, &refusal))
}

fn decide(
    handle: &mut Handle<'_>,
    words: &[&CStr],
    audience: &mut Audience,
) -> Result<(), Refusal> {
    let line = AccountLine::parse(&utf8(words)?)?;
    audience.heed(line.notices);
    if line.always {
        return Ok(());
    }
    let user = handle.user().map_err(|code| Refusal::libpam("give the user name", code))?;
    match (handle.remembered(), user) {
        (Some(authenticated), Some(user)) if authenticated == user => Ok(()),
        _ => Err(Refusal::NoVerdict),
    }
}
