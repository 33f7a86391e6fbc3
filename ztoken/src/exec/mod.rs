//! One command with a token.
//!
//! The environment of a process that runs cannot be changed by anybody else. So the command gets a token
//! in `PGPASSWORD` that lasts as long as the profile wants, and while it runs the login is renewed; or,
//! with `--passfile`, `PGPASSFILE` names a file that is renewed, too: libpq reads it at every connection.

mod passfile;
mod signals;

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use self::passfile::Passfile;
pub(crate) use self::signals::Ended;
use self::signals::Signals;
use crate::config::Profile;
use crate::error::Error;
use crate::foreign::shown;
use crate::output::say;
use crate::token::{Session, Token, token};

/// A renewal that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(30);
/// A renewal that is under way at the end has this long: the provider may have replaced the refresh
/// token already.
const GRACE: Duration = Duration::from_secs(5);

/// Runs it to its end. `open` makes a session of this profile wherever it is called.
pub(crate) fn run(
    profile: &Profile,
    open: impl for<'a> Fn(&'a Profile, bool) -> Result<Session<'a>, Error> + Send + 'static,
    is_attended: bool,
    command: &[OsString],
    passfile: bool,
) -> Result<Ended, Error> {
    let first = token(&open(profile, is_attended)?)?;
    if let Some(warning) = &first.warning {
        say(warning);
    }
    let passfile = match passfile {
        true => Some(Arc::new(Passfile::write(&first.access)?)),
        false => None,
    };
    let ended = attended(profile, open, first, command, passfile.clone());
    if let Some(passfile) = passfile {
        passfile.remove();
    }
    ended
}

fn attended(
    profile: &Profile,
    open: impl for<'a> Fn(&'a Profile, bool) -> Result<Session<'a>, Error> + Send + 'static,
    first: Token,
    command: &[OsString],
    passfile: Option<Arc<Passfile>>,
) -> Result<Ended, Error> {
    // Before the command can end.
    let signals = Signals::expect().map_err(Error::Signals)?;
    let mut words = command.iter();
    let program = words.next().cloned().unwrap_or_default();
    let mut started = Command::new(&program);
    started.args(words);
    match &passfile {
        Some(passfile) => started.env_remove("PGPASSWORD").env("PGPASSFILE", passfile.path()),
        None => started.env("PGPASSWORD", first.access.expose()),
    };
    let child = started
        .spawn()
        .map_err(|error| Error::Start { program: shown(&program.to_string_lossy()), error })?;

    let (stop, stopped) = channel::<()>();
    let (end, ended) = channel::<()>();
    let profile = profile.clone();
    thread::spawn(move || {
        let renewing = Renewing { profile: &profile, open: &open, passfile: passfile.as_deref() };
        renewing.run(&first, &stopped);
        drop(end);
    });
    let how = signals.pass_on(child).map_err(Error::Signals);
    drop(stop);
    let _at_most = ended.recv_timeout(GRACE);
    how
}

struct Renewing<'a, F> {
    profile: &'a Profile,
    open: &'a F,
    passfile: Option<&'a Passfile>,
}

impl<F: for<'a> Fn(&'a Profile, bool) -> Result<Session<'a>, Error>> Renewing<'_, F> {
    fn run(&self, first: &Token, stopped: &Receiver<()>) {
        let mut pause = pause(first.left, self.profile.min_left);
        let mut is_told = false;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            match self.renew() {
                Ok(Token { left, warning: None, .. }) => {
                    pause = self::pause(left, self.profile.min_left);
                    is_told = false;
                }
                Ok(Token { warning: Some(warning), .. }) => {
                    pause = RETRY;
                    tell_once(&mut is_told, &warning);
                }
                Err(error) => {
                    pause = RETRY;
                    tell_once(&mut is_told, &error.to_string());
                }
            }
        }
    }

    /// The terminal belongs to the command, so nobody is asked to log in.
    fn renew(&self) -> Result<Token, Error> {
        let fresh = token(&(self.open)(self.profile, false)?)?;
        if let Some(passfile) = self.passfile {
            passfile.replace(&fresh.access)?;
        }
        Ok(fresh)
    }
}

fn tell_once(is_told: &mut bool, why: &str) {
    if !*is_told {
        say(&format!("the token is not renewed any more: {why}"));
    }
    *is_told = true;
}

/// Until the token is worth renewing; but a token that lasts shorter than the profile wants is no
/// reason to ask all the time.
fn pause(left: Duration, min_left: Duration) -> Duration {
    let least = (left / 2).clamp(Duration::from_secs(1), RETRY);
    left.saturating_sub(min_left).saturating_add(Duration::from_secs(1)).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_when_less_is_left_than_the_profile_wants() {
        let pause = |left, min_left| {
            pause(Duration::from_secs(left), Duration::from_secs(min_left)).as_secs()
        };
        assert_eq!(pause(3600, 300), 3301);
        assert_eq!(pause(300, 300), 30);
        assert_eq!(pause(20, 300), 10);
        assert_eq!([pause(1, 300), pause(0, 300)], [1, 1]);
        assert_eq!(pause(10, 0), 11);
    }
}
