//! The story of a login: user, token, verify, authorize.

use std::ffi::CStr;

use pam_oauth2_arguments::AuthLine;

use crate::admit::{Admission, Login, Surroundings, admit, counted};
use crate::authorize::Authorized;
use crate::cache::{Access, Directory};
use crate::clock::Clock;
use crate::error::Refusal;
use crate::http::{Deadline, Network};
use crate::journal::{Journal, Text};
use crate::pam::{Failure, Handle};
use crate::policy::Policy;
use crate::report::{Audience, report_failure, report_success, report_warnings};
use crate::role::Role;
use crate::token::AccessToken;

/// Authentication management: `pam_sm_authenticate(3)`.
///
/// Guarantees: success only with an [`Authorized`], which exists only for claims that a verifier
/// vouched for; the verdict of an earlier call on this handle is gone, whatever happens here.
pub(crate) fn authenticate(
    handle: &mut Handle<'_>,
    words: &[&CStr],
    mut audience: Audience,
) -> Result<Authorized, Failure> {
    let login = match receive(handle, words, &mut audience) {
        Ok(login) => login,
        Err(refusal) => return Err(report_failure(handle, &audience, None, &refusal)),
    };
    // The clock starts here, behind the conversation: a person may take longer to type than a
    // service may take to answer.
    let journal = Journal::new(Clock::start(), false);
    let (decided, cache) = decide(&login, &journal, Access::ReadWrite);
    if let Some(directory) = cache {
        warn_of_damage(&directory, &journal);
        journal.leave(&directory, counted(&decided));
    }
    // Nothing is held any more: whoever is told something below may end this process.
    report_warnings(handle, &audience, &login, &journal);
    match decided.and_then(|admission| remember(handle, admission)) {
        Ok(admission) => {
            report_success(handle, &audience, &login, &admission);
            Ok(admission.authorized)
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
    let service = handle.service().unwrap_or_default();
    let policy = Policy::read(&line.rules, &words, &String::from_utf8_lossy(&service))?;
    audience.heed_audit(policy.limits.audit);
    let user = handle.user().map_err(|code| Refusal::libpam("give the user name", code))?;
    let role = Role::parse(user.ok_or(Refusal::NoUser)?)?;
    let token = handle.authtok().map_err(Refusal::no_token)?;
    Ok(Login { token: AccessToken::parse(token)?, role, remote_host: handle.remote_host(), policy })
}

/// Whether the token may log in as the role, on the real network and with the real cache; which is
/// given back, for those who leave something there.
pub(crate) fn decide(
    login: &Login,
    journal: &Journal,
    access: Access,
) -> (Result<Admission, Refusal>, Option<Directory>) {
    let limits = &login.policy.limits;
    let deadline = Deadline::after(limits.timeout);
    let cache = open_cache(login, journal, access);
    let around = Surroundings {
        carrier: &Network { ca_file: limits.ca_file.clone() },
        cache: cache.as_ref(),
        clock: journal.clock(),
        deadline,
        journal,
    };
    (admit(login, &around), cache)
}

/// Without a cache everything works as well, only with more calls; so a directory that is not
/// safe is worth a line and not a login.
fn open_cache(login: &Login, journal: &Journal, access: Access) -> Option<Directory> {
    let path = login.policy.limits.cache_dir.as_deref()?;
    match Directory::open(path, access) {
        Ok(directory) => Some(directory),
        Err(fault) => {
            journal.warn(Text::ours(fault.to_string()));
            None
        }
    }
}

/// What is wrong with files of the cache costs calls and no login, so it would go unnoticed.
fn warn_of_damage(directory: &Directory, journal: &Journal) {
    if directory.unwritten() {
        journal.warn(Text::ours(
            "the cache directory cannot be written to; check its disk and its permissions",
        ));
    } else if directory.unusable() > 0 {
        journal.warn(Text::ours(
            "files of the cache directory are damaged or not safe, and are made anew",
        ));
    }
}

/// For the account phase.
fn remember(handle: &mut Handle<'_>, admission: Admission) -> Result<Admission, Refusal> {
    match handle.remember(admission.authorized.role().as_str().as_bytes()) {
        Ok(()) => Ok(admission),
        Err(code) => Err(Refusal::libpam("keep the verdict", code)),
    }
}

/// The words of a PAM line as text.
pub(crate) fn utf8<'a>(words: &[&'a CStr]) -> Result<Vec<&'a str>, Refusal> {
    words.iter().map(|word| word.to_str().map_err(|_| Refusal::ArgumentEncoding)).collect()
}
