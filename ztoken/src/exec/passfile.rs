//! A password file of libpq (`PGPASSFILE`) with the present token for every server: libpq reads it at
//! each connection, so what is written there later counts for later connections.

use std::env;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::config;
use crate::error::Error;
use crate::output::say;
use crate::secret::Secret;
use crate::store::Folder;

#[derive(Debug)]
pub(super) struct Passfile {
    folder: Folder,
    name: String,
}

impl Passfile {
    /// Of this process, in memory where the system offers that (XDG_RUNTIME_DIR).
    pub(super) fn write(token: &Secret) -> Result<Self, Error> {
        let runtime =
            env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|it| it.is_absolute());
        let folder = match runtime {
            Some(runtime) => runtime.join("ztoken"),
            None => config::home("XDG_STATE_HOME", ".local/state")?,
        };
        let name = format!("pgpass-{}", std::process::id());
        let this = Self { folder: Folder::open(folder)?, name };
        this.replace(token)?;
        Ok(this)
    }

    pub(super) fn replace(&self, token: &Secret) -> Result<(), Error> {
        Ok(self.folder.replace(&self.name, line(token).as_bytes())?)
    }

    /// That it stays, readable by its owner, is no reason to call the command a failure.
    pub(super) fn remove(&self) {
        if let Err(fault) = self.folder.remove(&self.name) {
            say(&fault.to_string());
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }
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
    fn a_token_is_written_as_libpq_reads_it() {
        assert_eq!(line(&Secret::new("eyJ.e30.x-_")).as_str(), "*:*:*:*:eyJ.e30.x-_\n");
        assert_eq!(line(&Secret::new(r"a:b\c")).as_str(), "*:*:*:*:a\\:b\\\\c\n");
    }
}
