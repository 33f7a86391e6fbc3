//! Where the tokens of a profile are kept, and whose turn it is to change them.
//!
//! In: a profile. Out: its tokens, whole or not at all. Never: a file that anybody else could read or
//! could have written, half a file, two that ask the provider at the same time.

mod folder;
mod keyring;

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use self::folder::Folder;
use crate::clock::{Moment, pause};
use crate::config::{Keep, Profile};
use crate::foreign::shown;
use crate::kept::Kept;
use crate::output::say;

/// How often a lock is tried.
const STEP: Duration = Duration::from_millis(20);
/// Bytes of a message.
const LONGEST_FAILURE: u64 = 16 * 1024;
/// Whoever waits longer is told why.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{path} {what}")]
    Refused { path: String, what: String },
    #[error("{path} cannot be used: {error}")]
    Io { path: String, error: io::Error },
    #[error("another ztoken has been at work for {seconds} s; end it, or try again later")]
    Busy { seconds: u64 },
    #[error("the keyring cannot be used: {0}; or set store = \"file\" in the profile")]
    Keyring(String),
}

#[derive(Debug)]
pub(crate) struct Store<'a> {
    profile: &'a Profile,
    folder: Folder,
}

/// The right to ask the provider and to change what is kept, as long as it lives.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    /// The kernel's lock ends with it. Its content is the last failure: when, and in what words.
    file: File,
    /// Since when somebody else was waited for, if that was so.
    waited: Option<Moment>,
}

impl<'a> Store<'a> {
    /// In this folder, which is made where it is missing.
    pub(crate) fn open(profile: &'a Profile, folder: PathBuf) -> Result<Self, Fault> {
        Folder::open(folder).map(|folder| Self { profile, folder })
    }

    /// `None` where nothing is kept, or only what another profile of this name left.
    pub(crate) fn read(&self) -> Result<Option<Kept>, Fault> {
        let json = match self.profile.keep {
            Keep::File => self.folder.read(&self.file())?,
            Keep::Keyring => keyring::read(&self.profile.name)?,
        };
        Ok(json.and_then(|json| Kept::parse(&json, self.profile)))
    }

    /// All or nothing.
    pub(crate) fn write(&self, kept: &Kept, _turn: &Turn) -> Result<(), Fault> {
        match self.profile.keep {
            Keep::File => self.folder.replace(&self.file(), &kept.to_json()),
            Keep::Keyring => keyring::write(&self.profile.name, &kept.to_json()),
        }
    }

    pub(crate) fn erase(&self, _turn: &Turn) -> Result<(), Fault> {
        match self.profile.keep {
            Keep::File => self.folder.remove(&self.file()),
            Keep::Keyring => keyring::erase(&self.profile.name),
        }
    }

    /// Waits until nobody else has it. Who has it may be waiting for a person.
    pub(crate) fn turn(&self, limit: Duration) -> Result<Turn, Fault> {
        let name = format!("{}.lock", self.profile.name);
        let file = self.folder.lock_file(&name)?;
        let (start, asked) = (Instant::now(), Moment::now());
        let mut is_told = false;
        let mut waited = None;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Turn { file, waited }),
                Err(TryLockError::WouldBlock) if start.elapsed() > limit => {
                    return Err(Fault::Busy { seconds: limit.as_secs() });
                }
                Err(TryLockError::WouldBlock) => waited = Some(asked),
                Err(TryLockError::Error(error)) => {
                    return Err(Fault::Io { path: self.folder.shown(&name), error });
                }
            }
            if !is_told && start.elapsed() > PATIENCE {
                say("waiting for another ztoken, which logs in or asks the provider");
                is_told = true;
            }
            pause(STEP);
        }
    }

    fn file(&self) -> String {
        format!("{}.json", self.profile.name)
    }
}

impl Turn {
    /// What whoever had the turn could not do while this one waited: that need not be tried once more.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut text = String::new();
        (&self.file).take(LONGEST_FAILURE).read_to_string(&mut text).ok()?;
        let (moment, what) = text.split_once(' ')?;
        let moment = moment.parse().map(Moment).ok()?;
        (self.waited? <= moment).then(|| what.to_owned())
    }

    /// For those who wait.
    pub(crate) fn failed(&self, what: &str) {
        let note = format!("{} {what}", Moment::now().0);
        // Without it they find out by themselves.
        let _best_effort =
            self.file.set_len(0).and_then(|()| self.file.write_all_at(note.as_bytes(), 0));
    }
}

fn refused(path: &str, what: &str) -> Fault {
    Fault::Refused { path: shown(path), what: what.to_owned() }
}
