//! The only outputs of the module: one line per decision, to syslog and, for refusals,
//! through the conversation (which PostgreSQL writes to its log and never to the client).

use pam::constants::{PAM_SILENT, PamFlag};
use pam_oauth2_arguments::{AuthLine, Notices};

use crate::error::Refusal;
use crate::pam::{Failure, Handle};
use crate::redact::{Redactor, escape, name};
use crate::role::Role;
use crate::syslog::{self, Severity};
use crate::token::AccessToken;

/// One attempt to log in, once everything that the host tells is known and well formed.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) line: AuthLine,
    pub(crate) role: Role,
    pub(crate) remote_host: Option<Vec<u8>>,
    pub(crate) token: AccessToken,
}

/// The kinds of PAM call that report something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Account,
    Auth,
    Password,
    Session,
}

/// Who gets to hear something, and what it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audience {
    call: Call,
    conversation: bool,
}

impl Audience {
    /// Before the PAM line is read: everybody whom the application's flags allow.
    pub(crate) fn of(call: Call, flags: PamFlag) -> Self {
        Self { call, conversation: flags & PAM_SILENT == 0 }
    }

    /// Adds what the PAM line says.
    pub(crate) fn heed(&mut self, notices: Notices) {
        self.conversation &= notices.conversation;
    }

    fn syslog(&self, handle: &Handle<'_>, severity: Severity, line: &str) {
        let call = match self.call {
            Call::Account => "account",
            Call::Auth => "auth",
            Call::Password => "password",
            Call::Session => "session",
        };
        let service = handle.service().unwrap_or_default();
        let service = escape(&String::from_utf8_lossy(&service));
        syslog::send(severity, &format!("{service}:{call}"), line);
    }
}

/// Says why, and returns the code that goes with it. Without a `login` neither user nor
/// remote host are named: they come from a stranger, and there is no token yet against which
/// they could be checked.
///
/// That no token came is told to syslog alone: psql without a password connects once, hangs up
/// and asks the person. PostgreSQL does not log that either.
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
    audience.syslog(handle, severity(refusal), &line);
    if audience.conversation && !matches!(refusal, Refusal::NoToken { .. }) {
        handle.error_message(&format!("pam_oauth2: {line}"));
    }
    code
}

/// Leaves one line in syslog; PostgreSQL writes its own (`log_connections`).
pub(crate) fn report_success(handle: &Handle<'_>, audience: &Audience, login: &Login) {
    let redactor = Redactor::new(&login.token);
    audience.syslog(handle, Severity::Info, &format!("{} accepted", subject(login, &redactor)));
}

fn subject(login: &Login, redactor: &Redactor<'_>) -> String {
    let role = redactor.role(&login.role);
    match &login.remote_host {
        Some(host) => format!("login of {role} from {}", name(&String::from_utf8_lossy(host))),
        None => format!("login of {role}"),
    }
}

/// Misconfiguration and bugs want an administrator, an outage a look, a refusal nothing.
fn severity(refusal: &Refusal) -> Severity {
    match (refusal, refusal.code()) {
        (Refusal::NoToken { .. }, _) => Severity::Info,
        (_, Failure::SERVICE_ERR | Failure::ABORT) => Severity::Error,
        (_, Failure::AUTHINFO_UNAVAIL) => Severity::Warning,
        _ => Severity::Notice,
    }
}
