//! The only outputs of the module: why a login was refused, what an administrator should know,
//! and the audit line of every login; to syslog and through the conversation (which PostgreSQL
//! writes to its log and never to the client).

use pam::constants::{PAM_SILENT, PamFlag};
use pam_oauth2_arguments::{Audit, Notices};

use crate::admit::{Admission, Login};
use crate::audit;
use crate::error::Refusal;
use crate::journal::Journal;
use crate::pam::{Failure, Handle};
use crate::redact::{Redactor, escape, name};
use crate::syslog::{self, Severity};

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
    audit: Audit,
}

impl Audience {
    /// Before the PAM line is read: everybody whom the application's flags allow.
    pub(crate) fn of(call: Call, flags: PamFlag) -> Self {
        Self { call, conversation: flags & PAM_SILENT == 0, audit: Audit::Syslog }
    }

    /// Adds what the PAM line says.
    pub(crate) fn heed(&mut self, notices: Notices) {
        self.conversation &= notices.conversation;
    }

    /// Who hears about every login.
    pub(crate) fn heed_audit(&mut self, audit: Audit) {
        self.audit = audit;
    }

    /// The line of an attempt that is over.
    fn audit(&self, handle: &Handle<'_>, severity: Severity, line: &str) {
        self.syslog(handle, severity, line);
        if self.conversation && self.audit == Audit::Log {
            handle.error_message(&format!("pam_oauth2: {line}"));
        }
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
    let redactor = login.map(Login::redactor);
    let who = match (login, &redactor) {
        (Some(login), Some(redactor)) => format!("{} refused: ", subject(login, redactor)),
        _ => String::new(),
    };
    let line = format!("{who}{}", refusal.sentence(redactor.as_ref()));
    audience.syslog(handle, severity(refusal), &line);
    if audience.conversation && !matches!(refusal, Refusal::NoToken { .. }) {
        handle.error_message(&format!("pam_oauth2: {line}"));
    }
    let audit = match (login, &redactor, audience.call) {
        (Some(login), Some(redactor), _) => Some(audit::refused(login, code, redactor)),
        (_, _, Call::Auth) if !matches!(refusal, Refusal::NoToken { .. }) => {
            Some(audit::refused_early(handle.remote_host().as_deref(), code))
        }
        _ => None,
    };
    if let Some(line) = audit {
        audience.audit(handle, Severity::Notice, &line);
    }
    code
}

/// Leaves the audit line.
pub(crate) fn report_success(
    handle: &Handle<'_>,
    audience: &Audience,
    login: &Login,
    admission: &Admission,
) {
    let line = audit::accepted(login, admission, &login.redactor());
    audience.audit(handle, Severity::Info, &line);
}

/// Says what an administrator should know although it decided nothing: to syslog, and to the log
/// of the application, because a Spilo pod has no other.
pub(crate) fn report_warnings(
    handle: &Handle<'_>,
    audience: &Audience,
    login: &Login,
    journal: &Journal,
) {
    let redactor = login.redactor();
    for warning in journal.take_warnings() {
        let line = warning.shown(Some(&redactor));
        audience.syslog(handle, Severity::Warning, &line);
        if audience.conversation {
            handle.error_message(&format!("pam_oauth2: {line}"));
        }
    }
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
