//! One login, step by step.

use std::io::{IsTerminal, Read};
use std::path::Path;

use pam_oauth2_module::diagnosis::{Diagnosis, Question, diagnose};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::LoginArguments;
use crate::{Answer, pam_file};

/// Far more than a token may have, so that one that is too long is refused by the module's rule.
const LONGEST_INPUT: u64 = 1024 * 1024;

pub(crate) fn run(arguments: &LoginArguments) -> Answer {
    let Some(user) = &arguments.user else {
        return Answer::usage("--user is missing: name the role that the login is for");
    };
    let words = match words(arguments) {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let token = match read_token() {
        Ok(token) => token,
        Err(answer) => return answer,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let diagnosis = diagnose(
        &Question {
            words: &words,
            service: &arguments.service,
            user,
            remote_host: arguments.remote_host.as_deref(),
            write_cache: arguments.write_cache,
        },
        token,
    );
    let output = if arguments.json { as_json(&diagnosis) } else { as_text(&diagnosis) };
    Answer { output, complaint: String::new(), code: diagnosis.code }
}

/// From the command line, or of the first auth line of the service that is ours.
fn words(arguments: &LoginArguments) -> Result<Vec<String>, Answer> {
    if !arguments.words.is_empty() {
        return Ok(arguments.words.clone());
    }
    if arguments.service.contains('/') {
        return Err(Answer::usage("--service is a name; --pam-dir says where its file is"));
    }
    let path = arguments.pam_dir.join(&arguments.service);
    let failed = |what: String| Answer::usage(format!("{}: {what}", path.display()));
    let lines = read_lines(&path).map_err(failed)?;
    let ours = lines.into_iter().find(|line| line.kind == "auth");
    ours.map(|line| line.words).ok_or_else(|| {
        failed(
            "no auth line names pam_oauth2.so (files that it includes are not followed); \
             give the words behind --"
                .to_owned(),
        )
    })
}

/// The lines of a service file that are about us, or what is wrong.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<pam_file::Line>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    pam_file::lines_about_us(&text).map_err(|(number, fault)| format!("line {number}: {fault}"))
}

/// Standard input without one line break at its end.
fn read_token() -> Result<Zeroizing<Vec<u8>>, Answer> {
    if std::io::stdin().is_terminal() {
        return Err(Answer::usage(
            "the token is read from standard input: ztoken | pam-oauth2-check --user ...",
        ));
    }
    let mut token = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = std::io::stdin().take(LONGEST_INPUT).read_to_end(&mut token);
    read.map_err(|error| Answer::usage(format!("standard input cannot be read: {error}")))?;
    if token.last() == Some(&b'\n') {
        token.pop();
    }
    Ok(token)
}

fn as_text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for step in &diagnosis.steps {
        let took = step.took.as_secs_f64() * 1e3;
        text.push_str(&format!("{:<11} {:<80} {took:>9.3} ms\n", step.name, step.text));
    }
    for warning in &diagnosis.warnings {
        text.push_str(&format!("{:<11} {warning}\n", "warning"));
    }
    let verdict = if diagnosis.code == 0 { "accepted" } else { "refused" };
    let elapsed = diagnosis.elapsed.as_secs_f64() * 1e3;
    text.push_str(&format!(
        "{verdict:<11} {}\n{:<11} {} ({}), after {elapsed:.3} ms\n",
        diagnosis.conclusion,
        "code",
        diagnosis.code,
        name_of(diagnosis.code),
    ));
    text
}

fn as_json(diagnosis: &Diagnosis) -> String {
    let steps: Vec<_> = diagnosis
        .steps
        .iter()
        .map(|step| {
            json!({ "step": step.name, "text": step.text, "ms": step.took.as_secs_f64() * 1e3 })
        })
        .collect();
    let document = json!({
        "accepted": diagnosis.code == 0,
        "code": diagnosis.code,
        "code_name": name_of(diagnosis.code),
        "conclusion": diagnosis.conclusion,
        "ms": diagnosis.elapsed.as_secs_f64() * 1e3,
        "steps": steps,
        "warnings": diagnosis.warnings,
    });
    format!("{document}\n")
}

/// The codes that the module gives, by their names in <security/_pam_types.h>.
fn name_of(code: u8) -> &'static str {
    match code {
        0 => "PAM_SUCCESS",
        3 => "PAM_SERVICE_ERR",
        4 => "PAM_SYSTEM_ERR",
        6 => "PAM_PERM_DENIED",
        7 => "PAM_AUTH_ERR",
        9 => "PAM_AUTHINFO_UNAVAIL",
        10 => "PAM_USER_UNKNOWN",
        20 => "PAM_AUTHTOK_ERR",
        26 => "PAM_ABORT",
        _ => "another PAM code",
    }
}
