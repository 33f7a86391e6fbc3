//! Is a configuration in order?

use std::path::Path;

use pam_oauth2_module::diagnosis::{validate_account, validate_auth, validate_file};

use crate::cli::ConfigArguments;
use crate::login::read_lines;
use crate::{Answer, pam_file};

/// `PAM_SERVICE_ERR`: what a login would end with.
const WRONG: u8 = 3;
/// The service of an argument line that stands alone.
const DEFAULT_SERVICE: &str = "postgresql";

pub(crate) fn run(arguments: &ConfigArguments) -> Answer {
    let what = arguments.what.as_str();
    // No path begins like this.
    if what.contains("://") || what.starts_with("--") || what.is_empty() {
        return line(what, arguments.service.as_deref().unwrap_or(DEFAULT_SERVICE));
    }
    let path = Path::new(what);
    if path.extension().is_some_and(|extension| extension == "toml") {
        return toml(path);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let service = arguments.service.clone().or(name).unwrap_or_default();
    pam_service(path, &service)
}

fn line(text: &str, service: &str) -> Answer {
    let words = match pam_file::words_of(text) {
        Ok(words) => words,
        Err(fault) => return wrong(format!("argument line: {fault}\n")),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match validate_auth(&words, service) {
        Ok(()) => right("argument line: in order\n".to_owned()),
        Err(fault) => wrong(format!("argument line: {fault}\n")),
    }
}

fn toml(path: &Path) -> Answer {
    match validate_file(path) {
        Ok(sections) => {
            right(format!("{}: in order; sections: {}\n", path.display(), sections.join(", ")))
        }
        Err(fault) => wrong(format!("{fault}\n")),
    }
}

fn pam_service(path: &Path, service: &str) -> Answer {
    let file = path.display();
    let lines = match read_lines(path) {
        Ok(lines) => lines,
        Err(fault) => return wrong(format!("{file}: {fault}\n")),
    };
    let (mut good, mut bad) = (String::new(), String::new());
    for line in &lines {
        let pam_file::Line { number, kind, words, too_long_for_old_libpam } = line;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let result = match kind.as_str() {
            "auth" => validate_auth(&words, service),
            "account" => validate_account(&words),
            // Session and password lines take no notice of their words.
            _ => Ok(()),
        };
        match result {
            Ok(()) => good.push_str(&format!("{file}: line {number}: {kind}: in order\n")),
            Err(fault) => bad.push_str(&format!("{file}: line {number}: {kind}: {fault}\n")),
        }
        if *too_long_for_old_libpam {
            bad.push_str(&format!(
                "{file}: line {number}: longer than 1023 bytes, and Linux-PAM before 1.6 cuts it; \
                 use --config=FILE\n"
            ));
        }
    }
    for kind in ["auth", "account"] {
        if !lines.iter().any(|line| line.kind == kind) {
            bad.push_str(&format!("{file}: no {kind} line names pam_oauth2.so\n"));
        }
    }
    if bad.is_empty() { right(good) } else { Answer { output: good, ..wrong(bad) } }
}

fn right(output: String) -> Answer {
    Answer { output, complaint: String::new(), code: 0 }
}

fn wrong(complaint: String) -> Answer {
    Answer { output: String::new(), complaint, code: WRONG }
}
