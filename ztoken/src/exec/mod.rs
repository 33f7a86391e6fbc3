//! One command with a token.
//!
//! The environment of a process that runs cannot be changed by anybody else. So the command gets a token
//! in `PGPASSWORD` that lasts as long as the profile wants, and while it runs the login is renewed; or,
//! with `--passfile`, `PGPASSFILE` names a file that is renewed, too: libpq reads it at every connection.

mod passfile;
mod signals;

use std::ffi::OsString;
use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::passfile::Passfile;
pub(crate) use self::signals::Ended;
use self::signals::Signals;
use crate::clock::{Moment, pause, spoken};
use crate::config::{Flow, Profile};
use crate::critical;
use crate::error::Error;
use crate::foreign::shown;
use crate::kept::Token;
use crate::output::say;
use crate::program::program;
use crate::token::{Session, token};

/// A renewal that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(30);
/// A token of which nobody knows how long it lasts is renewed after this.
const WITHOUT_END: Duration = Duration::from_secs(300);
/// How often the clock is looked at: a machine that slept does not notice by itself.
const LOOK: Duration = Duration::from_secs(30);

/// Runs it to its end. `open` makes a session of this profile wherever it is called.
pub(crate) fn run(
    profile: &Profile,
    open: impl for<'a> Fn(&'a Profile, bool) -> Session<'a> + Send + 'static,
    is_attended: bool,
    command: &[OsString],
    passfile: bool,
) -> Result<Ended, Error> {
    let first = token(&open(profile, is_attended))?;
    if let Some(warning) = &first.warning {
        say(warning);
    }
    // Before there is anything that one of them could leave behind.
    let signals = Signals::expect().map_err(Error::Signals)?;
    let passfile = if passfile { Some(Arc::new(Passfile::write(&first.access)?)) } else { None };
    let child = start(profile, command, &first, passfile.as_deref());
    let ended = child.and_then(|child| {
        // Nobody else has any use of what a robot gets.
        if passfile.is_some() || matches!(profile.flow, Flow::Person(..)) {
            let (profile, passfile) = (profile.clone(), passfile.clone());
            thread::spawn(move || renew(&profile, &open, &first, passfile.as_deref()));
        }
        signals.pass_on(child).map_err(Error::Signals)
    });
    // What came is written by then, and nothing is written behind the removal.
    critical::end();
    if let Some(passfile) = passfile {
        passfile.remove();
    }
    ended
}

fn start(
    profile: &Profile,
    command: &[OsString],
    token: &Token,
    passfile: Option<&Passfile>,
) -> Result<Child, Error> {
    let mut words = command.iter();
    let name = words.next().cloned().unwrap_or_default();
    let mut start = program(profile, &name);
    start.args(words);
    match passfile {
        Some(passfile) => start.env_remove("PGPASSWORD").env("PGPASSFILE", passfile.path()),
        None => start.env("PGPASSWORD", token.access.expose()),
    };
    start.spawn().map_err(|error| Error::Start { program: shown(&name.to_string_lossy()), error })
}

/// As long as this process lives.
fn renew<'a>(
    profile: &'a Profile,
    open: impl Fn(&'a Profile, bool) -> Session<'a>,
    first: &Token,
    passfile: Option<&Passfile>,
) {
    let mut wait = wait(first.left, profile.min_left);
    let mut is_failing = false;
    loop {
        sleep(wait);
        // The terminal belongs to the command, so nobody is asked to log in.
        let renewed = token(&open(profile, false)).and_then(|fresh| {
            let _whole = critical::begin();
            passfile.map_or(Ok(()), |passfile| passfile.replace(&fresh.access))?;
            Ok(fresh)
        });
        let failure = match renewed {
            Ok(Token { left, warning: None, .. }) => {
                wait = self::wait(left, profile.min_left);
                None
            }
            Ok(Token { warning: Some(warning), .. }) => Some(warning),
            Err(error) => Some(error.to_string()),
        };
        match &failure {
            None if is_failing => say("the token is renewed again"),
            Some(why) if !is_failing => say(&format!(
                "the token is not renewed, which is tried every {}: {why}",
                spoken(RETRY)
            )),
            None | Some(_) => {}
        }
        is_failing = failure.is_some();
        if is_failing {
            wait = RETRY;
        }
    }
}

fn sleep(time: Duration) {
    let end = Moment::now().plus(time);
    loop {
        let rest = Moment::now().until(end);
        if rest.is_zero() {
            return;
        }
        pause(rest.min(LOOK));
    }
}

/// Until the token is worth renewing; but one that lasts shorter than the profile wants is no reason to
/// ask all the time.
fn wait(left: Option<Duration>, min_left: Duration) -> Duration {
    let Some(left) = left else { return WITHOUT_END };
    let least = (left / 2).clamp(Duration::from_secs(1), RETRY);
    left.saturating_sub(min_left).saturating_add(Duration::from_secs(1)).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_when_less_is_left_than_the_profile_wants() {
        let wait =
            |left, min_left| wait(Some(Duration::from_secs(left)), Duration::from_secs(min_left));
        let cases = [
            ((3600, 300), 3301),
            ((300, 300), 30),
            ((20, 300), 10),
            ((1, 300), 1),
            ((0, 300), 1),
            ((10, 0), 11),
        ];
        for ((left, min_left), seconds) in cases {
            assert_eq!(wait(left, min_left).as_secs(), seconds, "{left} {min_left}");
        }
        // Nobody knows, which is no reason to hurry.
        assert_eq!(super::wait(None, Duration::from_secs(300)), WITHOUT_END);
    }
}
