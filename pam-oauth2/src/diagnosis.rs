//! The decision of the module, step by step, for `pam-oauth2-check`: the same code, asked by a
//! person. The only public face of this crate beside the hooks.
//!
//! Unless it is told otherwise it writes nothing, not even to the cache.

use std::path::Path;
use std::time::Duration;

use pam_oauth2_arguments::{AccountLine, AuthLine, Rules};
use zeroize::Zeroizing;

use crate::admit::{Admission, Login, counted};
use crate::audit;
use crate::authenticate::decide;
use crate::cache::{Access, Directory, metrics};
use crate::clock::Clock;
use crate::error::Refusal;
use crate::journal::{Journal, Text};
use crate::policy::{Policy, file};
use crate::redact::visible;
use crate::role::Role;
use crate::token::AccessToken;

/// A login to look into.
#[derive(Debug)]
pub struct Question<'a> {
    /// The words behind `pam_oauth2.so` on an auth line.
    pub words: &'a [&'a str],
    /// The PAM service, which names the section of a configuration file.
    pub service: &'a str,
    /// Who wants to log in.
    pub user: &'a str,
    /// From where, as the application would tell.
    pub remote_host: Option<&'a str>,
    /// Whether verdicts and key sets are kept, as a login would.
    pub write_cache: bool,
}

/// What became of it. All texts are visible ASCII and free of the token.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What an administrator should know although it decided nothing.
    pub warnings: Vec<String>,
    /// The PAM return code; 0 is success.
    pub code: u8,
    /// Why it was refused, or the audit line of an accepted login.
    pub conclusion: String,
    /// In all.
    pub elapsed: Duration,
}

/// One step of a decision.
#[derive(Clone, Debug)]
pub struct Step {
    /// One of a few words.
    pub name: &'static str,
    /// What was found.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// Decides as the module would, and tells how.
pub fn diagnose(question: &Question<'_>, token: Zeroizing<Vec<u8>>) -> Diagnosis {
    let journal = Journal::new(Clock::start(), true);
    let login = match receive(question, token, &journal) {
        Ok(login) => login,
        Err(refusal) => return conclude(&journal, None, Err(refusal)),
    };
    let access = if question.write_cache { Access::ReadWrite } else { Access::ReadOnly };
    let (decided, cache) = decide(&login, &journal, access);
    if question.write_cache
        && let Some(directory) = cache
    {
        journal.leave(&directory, counted(&decided));
    }
    conclude(&journal, Some(&login), decided)
}

fn receive(
    question: &Question<'_>,
    token: Zeroizing<Vec<u8>>,
    journal: &Journal,
) -> Result<Login, Refusal> {
    let line = AuthLine::parse(question.words)?;
    let policy = Policy::read(&line.rules, question.words, question.service)?;
    journal.step("rules", || match &line.rules {
        Rules::Here(_) => Text::ours("the line is well formed"),
        Rules::InFile(config) => {
            Text::ours(format!("the file {} has a section for the service", config.path.display()))
        }
    });
    let role = Role::parse(question.user.into())?;
    let token = AccessToken::parse(token)?;
    journal.step("token", || Text::ours(format!("{} bytes, well formed", token.expose().len())));
    let remote_host = question.remote_host.map(|host| host.as_bytes().to_vec());
    Ok(Login { policy, role, token, remote_host })
}

fn conclude(
    journal: &Journal,
    login: Option<&Login>,
    decided: Result<Admission, Refusal>,
) -> Diagnosis {
    let redactor = login.map(Login::redactor);
    let redactor = redactor.as_ref();
    let mut before = Duration::ZERO;
    let steps = journal.take_steps().into_iter().map(|step| {
        let took = step.at.saturating_sub(before);
        before = step.at;
        Step { name: step.name, text: step.text.shown(redactor), took }
    });
    let steps = steps.collect();
    let warnings = journal.take_warnings().iter().map(|text| text.shown(redactor)).collect();
    let (code, conclusion) = match (&decided, login, redactor) {
        (Ok(admission), Some(login), Some(redactor)) => {
            (0, audit::accepted(login, admission, redactor))
        }
        (Ok(_), ..) => (crate::pam::Failure::SYSTEM_ERR.number(), String::new()),
        (Err(refusal), ..) => (refusal.code().number(), refusal.sentence(redactor)),
    };
    Diagnosis { steps, warnings, code, conclusion, elapsed: journal.clock().elapsed() }
}

/// Whether the words of an auth line are in order, with the file that they may name.
///
/// # Errors
///
/// What is wrong and what to do, as visible ASCII.
pub fn validate_auth(words: &[&str], service: &str) -> Result<(), String> {
    let line = AuthLine::parse(words).map_err(|error| visible(&error.to_string()))?;
    let policy = Policy::read(&line.rules, words, service);
    policy.map(drop).map_err(|fault| Refusal::from(fault).sentence(None))
}

/// Whether the words of an account line are in order.
///
/// # Errors
///
/// What is wrong and what to do, as visible ASCII.
pub fn validate_account(words: &[&str]) -> Result<(), String> {
    AccountLine::parse(words).map(drop).map_err(|error| visible(&error.to_string()))
}

/// Whether every section of a configuration file is in order; their names.
///
/// # Errors
///
/// What is wrong, with line and column, and what to do, as visible ASCII.
pub fn validate_file(path: &Path) -> Result<Vec<String>, String> {
    let sections = file::sections(path).map_err(|fault| visible(&fault.to_string()))?;
    Ok(sections.into_iter().map(|(name, _)| name).collect())
}

/// The counters in a cache directory, in the text format of Prometheus.
///
/// # Errors
///
/// Why the directory is not used.
pub fn metrics_of(cache_dir: &Path) -> Result<String, String> {
    let directory = Directory::open(cache_dir, Access::ReadOnly);
    let directory = directory.map_err(|fault| visible(&fault.to_string()))?;
    Ok(metrics::render(&directory))
}
