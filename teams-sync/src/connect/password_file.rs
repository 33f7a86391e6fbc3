//! Passwords from a file, as libpq keeps them: `hostname:port:database:username:password`.
//!
//! In: the bytes of the file and who wants to go where. Out: the password of the first line
//! that fits. A file that others may read is not used. Nothing here shows a password.
//! PostgreSQL documentation, section 34.16.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What there is to look up passwords in.
#[derive(Default)]
pub(super) struct PasswordFile {
    content: Vec<u8>,
    /// Why there is nothing in it, if that is worth telling to somebody who lacks a password.
    pub(super) problem: Option<String>,
}

/// Reads it anew: passwords change.
pub(super) fn read(path: &Path) -> PasswordFile {
    match contents(path) {
        Ok(content) => PasswordFile { content, problem: None },
        Err(problem) => PasswordFile { content: Vec::new(), problem: Some(problem) },
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => format!("there is no password file {path:?}"),
        _ => format!("the password file {path:?} cannot be read: {error}"),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("the password file {path:?} is ignored, as it is not a plain file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!(
            "the password file {path:?} is ignored, as group or others have access to it; its \
             permissions should be u=rw (0600) or less"
        ));
    }
    fs::read(path).map_err(failed)
}

impl PasswordFile {
    /// For when nothing says where it is.
    pub(super) fn absent() -> Self {
        let problem = "neither passfile nor HOME says where a password file is";
        Self { content: Vec::new(), problem: Some(problem.into()) }
    }

    /// The password of the first line that fits, unless it is empty.
    pub(super) fn find(
        &self,
        host: &str,
        port: u16,
        database: &str,
        user: &str,
    ) -> Option<Vec<u8>> {
        let port = port.to_string();
        self.content
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.starts_with(b"#"))
            .find_map(|line| {
                [host, &port, database, user]
                    .into_iter()
                    .try_fold(line, |rest, wanted| after_match(rest, wanted.as_bytes()))
            })
            .map(unescaped)
            .filter(|password| !password.is_empty())
    }
}

/// What follows the first field and its colon, if the field is `*` or says `wanted`.
fn after_match<'a>(line: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut rest = line;
    let mut wanted = wanted.iter();
    loop {
        rest = match rest {
            [b':', rest @ ..] => return wanted.next().is_none().then_some(rest),
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                if wanted.next() != Some(byte) {
                    return None;
                }
                rest
            }
            [] => return None,
        };
    }
}

/// The last field: it ends at a colon or with the line.
fn unescaped(mut field: &[u8]) -> Vec<u8> {
    let mut password = Vec::new();
    loop {
        field = match field {
            [] | [b':', ..] => return password,
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                password.push(*byte);
                rest
            }
        };
    }
}
