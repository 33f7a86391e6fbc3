//! A password file of libpq (`PGPASSFILE`) with the present token for every server: libpq reads it at
//! each connection, so what is written there later counts for later connections.

use std::fs::File;
use std::path::PathBuf;
use std::{env, io};

use oauth2::CsrfToken;
use zeroize::Zeroizing;

use crate::config;
use crate::error::Error;
use crate::output::say;
use crate::secret::Secret;
use crate::store::{Fault, Folder};

const PREFIX: &str = "pgpass-";
/// Beside each file; whoever holds it uses the file.
const LOCK: &str = ".lock";

#[derive(Debug)]
pub(super) struct Passfile {
    folder: Folder,
    name: String,
    /// The kernel's lock ends with it, however this process does.
    _used: File,
}

impl Passfile {
    /// Of this run, in memory where the system offers that (XDG_RUNTIME_DIR).
    pub(super) fn write(token: &Secret) -> Result<Self, Error> {
        let runtime =
            env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|it| it.is_absolute());
        let folder = match runtime {
            Some(runtime) => runtime.join("ztoken"),
            None => {
                config::home("XDG_STATE_HOME", ".local/state").ok_or(Fault::Homeless)?.join("exec")
            }
        };
        let folder = Folder::open(folder)?;
        // Not the number of this process: two machines may share the folder.
        let name = format!("{PREFIX}{}", CsrfToken::new_random().secret());
        let used = {
            let _alone = locked(&folder, LOCK)?;
            sweep(&folder);
            locked(&folder, &format!("{name}{LOCK}"))?
        };
        let this = Self { folder, name, _used: used };
        this.replace(token)?;
        Ok(this)
    }

    pub(super) fn replace(&self, token: &Secret) -> Result<(), Error> {
        Ok(self.folder.replace(&self.name, line(token).as_bytes())?)
    }

    /// That it stays, readable by its owner, is no reason to call the command a failure.
    pub(super) fn remove(&self) {
        if let Err(fault) = remove(&self.folder, &self.name) {
            say(&fault.to_string());
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }
}

/// Removes what was left by those who were killed.
fn sweep(folder: &Folder) {
    for name in folder.names() {
        let Some(name) = name.strip_suffix(LOCK).filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let lock = folder.lock_file(&format!("{name}{LOCK}"));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _next_time = remove(folder, name);
        }
    }
}

/// The lock last: without it nobody would look for the rest.
fn remove(folder: &Folder, name: &str) -> Result<(), Fault> {
    folder.remove(&format!("{name}.new"))?;
    folder.remove(name)?;
    folder.remove(&format!("{name}{LOCK}"))
}

fn locked(folder: &Folder, name: &str) -> Result<File, Fault> {
    let file = folder.lock_file(name)?;
    let io = |error: io::Error| Fault::Io { path: folder.shown(name), error };
    file.lock().map_err(io)?;
    Ok(file)
}

/// `hostname:port:database:username:password`, in which `\` escapes `:` and itself.
fn line(token: &Secret) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(2 * token.expose().len() + 16));
    line.push_str("*:*:*:*:");
    for character in token.expose().chars() {
        if matches!(character, ':' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_left_who_was_killed_is_removed_and_what_is_used_stays() {
        let path = env::temp_dir().join(format!("ztoken-passfile-{}", std::process::id()));
        let folder = Folder::open(path.clone()).unwrap();
        for name in ["pgpass-dead", "pgpass-dead.new", "pgpass-dead.lock", "pgpass-alive"] {
            folder.replace(name, b"x").unwrap();
        }
        let _used = locked(&folder, "pgpass-alive.lock").unwrap();
        sweep(&folder);
        let mut left = folder.names();
        left.sort();
        assert_eq!(left, ["pgpass-alive", "pgpass-alive.lock"]);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_token_is_written_as_libpq_reads_it() {
        assert_eq!(line(&Secret::new("eyJ.e30.x-_")).as_str(), "*:*:*:*:eyJ.e30.x-_\n");
        assert_eq!(line(&Secret::new(r"a:b\c")).as_str(), "*:*:*:*:a\\:b\\\\c\n");
    }
}
