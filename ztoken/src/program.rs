//! Programs of others.

use std::ffi::OsStr;
use std::process::Command;

use crate::config::{ClientSecret, Profile};

/// One that gets all of our environment but the client secret: that is worth more than a token.
pub(crate) fn program(profile: &Profile, name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    if let Some(ClientSecret::Environment(variable)) = &profile.client_secret {
        command.env_remove(variable);
    }
    command
}
