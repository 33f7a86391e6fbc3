//! The only outputs of the module: one line per decision, to syslog and, for refusals,
//! through the conversation (which PostgreSQL writes to its log and never to the client).

use pam::constants::{PAM_SILENT, PamFlag};
use pam_oauth2_arguments::{AuthLine, Notices};

use crate::error::Refusal;
use crate::pam::{Failure, Handle, Priority};
use crate::redact::Redactor;
use crate::role::Role;
use crate::token::AccessToken;

/// One attempt to log in, once everything that the host tells is known and well formed.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) line: AuthLine,
    pub(crate) role: Role,
    pub(crate) remote_host: Option<Vec<u8>>,
    pub(crate) token: AccessToken,
}

/// Who gets to hear something.
#[derive(Debug)]
pub(crate) struct Audience {
    conversation: bool,
}

impl Audience {
    /// Before the PAM line is read: everybody whom the application's flags allow.
    pub(crate) fn of_flags(flags: PamFlag) -> Self {
        Self { conversation: flags & PAM_SILENT == 0 }
    }

    /// Adds what the PAM line says.
    pub(crate) fn heed(&mut self, notices: Notices) {
        self.conversation &= notices.conversation;
    }
}

/// Says why, and returns the code that goes with it. Without a `login` neither user nor
/// remote host are named: they come from a stranger, and there is no token yet against which
/// they could be checked.
pub(crate) fn report_failure(
    handle: &Handle<'_>,
    audience: &Audience,
    login: Option<&Login>,
    refusal: &Refusal,
) -> Failure {
    let code = refusal.code();
    let redactor = login.map(|login| Redactor::new(&login.token));
    let who = match (login, &redactor) {
        (Some(login), Some(redactor)) => format!("{} refused: ", subject(login, redactor)),
        _ => String::new(),
    };
    let line = format!("{who}{}", refusal.sentence(redactor.as_ref()));
    handle.syslog(priority(code), &line);
    if audience.conversation {
        handle.error_message(&format!("pam_oauth2: {line}"));
    }
    code
}

/// Leaves one line in syslog; PostgreSQL writes its own (`log_connections`).
pub(crate) fn report_success(handle: &Handle<'_>, login: &Login) {
    let redactor = Redactor::new(&login.token);
    handle.syslog(Priority::Info, &format!("{} accepted", subject(login, &redactor)));
}

fn subject(login: &Login, redactor: &Redactor<'_>) -> String {
    let role = redactor.quote(login.role.as_str());
    match &login.remote_host {
        Some(host) => {
            let host = redactor.plain(&String::from_utf8_lossy(host));
            format!("login of {role} from {host}")
        }
        None => format!("login of {role}"),
    }
}

/// Misconfiguration and bugs want an administrator, an outage a look, a refusal nothing.
fn priority(code: Failure) -> Priority {
    match code {
        Failure::SERVICE_ERR | Failure::ABORT => Priority::Error,
        Failure::AUTHINFO_UNAVAIL => Priority::Warning,
        _ => Priority::Notice,
    }
}
