//! The six symbols that libpam looks for, and the barrier behind each of them.
#![allow(unsafe_code, reason = "the exported symbols are `#[unsafe(no_mangle)]`")]

use std::cell::RefCell;
use std::ffi::CStr;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use pam::constants::{PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

use crate::authorize::Authorized;
use crate::pam::{Failure, Handle};
use crate::report::{Audience, Call, report_failure};
use crate::{account, authenticate, error::Refusal};

struct OAuth2;

::pam::pam_hooks!(OAuth2);

impl PamHooks for OAuth2 {
    fn sm_authenticate(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Auth, flags), |handle, audience| {
            authenticate::authenticate(handle, &words, audience).map(|_: Authorized| ())
        })
    }

    fn acct_mgmt(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Account, flags), |handle, audience| {
            account::account(handle, &words, audience)
        })
    }

    // A token gives nothing that a process could carry, and there is nothing to open or to
    // close: succeed, or `login`, `su` and `sshd` break on us.
    fn sm_setcred(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Session, flags), |_, _| Ok(()))
    }

    fn sm_open_session(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Session, flags), |_, _| Ok(()))
    }

    fn sm_close_session(
        handle: &mut PamHandle,
        words: Vec<&CStr>,
        flags: PamFlag,
    ) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Session, flags), |_, _| Ok(()))
    }

    fn sm_chauthtok(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guarded(handle, &words, Audience::of(Call::Password, flags), |handle, audience| {
            Err(report_failure(handle, &audience, None, &Refusal::ChangeOfToken))
        })
    }
}

thread_local! {
    /// Where the panic happened that is being caught.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a hook so that no panic gets out: one that did would abort the backend, and
/// PostgreSQL then restarts every other backend too.
fn guarded(
    handle: &mut PamHandle,
    words: &[&CStr],
    audience: Audience,
    hook: impl FnOnce(&mut Handle<'_>, Audience) -> Result<(), Failure>,
) -> PamResultCode {
    keep_panics_quiet();
    let mut handle = Handle::new(handle);
    match panic::catch_unwind(AssertUnwindSafe(|| {
        inject_panic(words);
        hook(&mut handle, audience)
    })) {
        Ok(Ok(())) => PamResultCode::PAM_SUCCESS,
        Ok(Err(failure)) => failure.into(),
        Err(payload) => {
            // Dropping a payload runs code that may panic again.
            mem::forget(payload);
            let place = PANICKED_AT.with_borrow_mut(Option::take).unwrap_or_default();
            // The report is the last thing that could panic, so it gets a barrier too.
            let reported = panic::catch_unwind(AssertUnwindSafe(|| {
                let refusal = Refusal::Panic { place };
                report_failure(&handle, &audience, None, &refusal)
            }));
            reported.map_err(mem::forget).unwrap_or(Failure::ABORT).into()
        }
    }
}

/// Replaces the panic hook of the standard library, which writes the message to standard
/// error, and so to the server's log. A message may quote data; a place in our source cannot.
/// The hook belongs to this object's own copy of the library: nobody else's changes.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(|at| format!("{}:{}", short(at.file()), at.line()));
            let _unavailable = PANICKED_AT.try_with(|slot| slot.replace(place));
        }));
    });
}

/// The last parts of a path: those before them tell of the machine that built this.
fn short(path: &str) -> &str {
    let start = path.rmatch_indices('/').nth(2).map_or(0, |(slash, _)| slash.saturating_add(1));
    path.get(start..).unwrap_or(path)
}

#[cfg(not(feature = "panic-injection"))]
fn inject_panic(_words: &[&CStr]) {}

#[cfg(feature = "panic-injection")]
#[allow(clippy::panic, reason = "this is what the feature is for")]
fn inject_panic(words: &[&CStr]) {
    if words.contains(&c"--inject-panic") {
        panic!("injected panic, which must not be shown");
    }
}
