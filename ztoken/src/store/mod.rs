//! Where the tokens of a profile are kept, and whose turn it is to change them.
//!
//! In: a profile. Out: its tokens, whole or not at all. Never: a file that anybody else could read or
//! could have written, half a file, two that ask the provider at the same time.

mod folder;
mod keyring;
mod turn;

use std::io;
use std::path::PathBuf;

pub(crate) use self::folder::Folder;
use self::folder::Room as RoomInFolder;
pub(crate) use self::turn::{Turn, Who};
use crate::config::{Keep, Profile};
use crate::foreign::shown;
use crate::kept::Kept;

/// Two tokens as JSON, and what is said of them.
const ROOM: usize = 128 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{path} {what}")]
    Refused { path: String, what: String },
    #[error("{path} cannot be used: {error}")]
    Io { path: String, error: io::Error },
    #[error("HOME is not set, so there is no place for tokens")]
    Homeless,
    #[error("another ztoken has been at work for {seconds} s; end it, or try again later")]
    Busy { seconds: u64 },
    #[error("another ztoken waits for somebody to log in")]
    Person,
    #[error("the keyring cannot be used: {0}; or set store = \"file\" in the profile")]
    Keyring(String),
}

#[derive(Debug)]
pub(crate) struct Store<'a> {
    profile: &'a Profile,
    /// None where this user has no place for files.
    folder: Option<PathBuf>,
}

/// Room for the tokens that the provider is about to give: what cannot be kept is not asked for.
#[derive(Debug)]
#[must_use]
pub(crate) enum Room<'a> {
    File(RoomInFolder<'a>),
    Keyring(&'a Profile),
}

impl Fault {
    /// Whether there is nowhere to keep anything; nothing is wrong with what is kept.
    pub(crate) fn is_lack_of_place(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Homeless)
    }
}

impl<'a> Store<'a> {
    /// In this folder, which is made when it is needed.
    pub(crate) fn new(profile: &'a Profile, folder: Option<PathBuf>) -> Self {
        Self { profile, folder }
    }

    /// `None` where nothing is kept that this profile could use.
    pub(crate) fn read(&self) -> Result<Option<Kept>, Fault> {
        Ok(self.read_any()?.filter(|kept| kept.is_of(self.profile)))
    }

    /// Even what the profile could use before it was changed.
    pub(crate) fn read_any(&self) -> Result<Option<Kept>, Fault> {
        let json = match self.profile.keep {
            Keep::File => self.folder()?.read(&self.file())?,
            Keep::Keyring => keyring::read(self.profile)?,
        };
        Ok(json.and_then(|json| Kept::parse(&json)))
    }

    pub(crate) fn room<'t>(&self, turn: &'t Turn) -> Result<Room<'t>, Fault>
    where
        'a: 't,
    {
        Ok(match self.profile.keep {
            Keep::File => Room::File(turn.folder.room(&self.file(), ROOM)?),
            Keep::Keyring => Room::Keyring(self.profile),
        })
    }

    pub(crate) fn erase(&self, turn: &Turn) -> Result<(), Fault> {
        match self.profile.keep {
            Keep::File => turn.folder.remove(&self.file()),
            Keep::Keyring => keyring::erase(self.profile),
        }
    }

    /// Waits until nobody else has it.
    pub(crate) fn turn(&self, who: Who) -> Result<Turn, Fault> {
        let turn = Turn::wait(self.folder()?, &format!("{}.lock", self.profile.name), who)?;
        // What somebody had written who was killed before it had its name is the newest there is.
        turn.folder.settle(&self.file(), |json| Kept::parse(json).is_some())?;
        Ok(turn)
    }

    fn folder(&self) -> Result<Folder, Fault> {
        Folder::open(self.folder.clone().ok_or(Fault::Homeless)?)
    }

    fn file(&self) -> String {
        format!("{}.json", self.profile.name)
    }
}

impl Room<'_> {
    /// All or nothing.
    pub(crate) fn keep(self, kept: &Kept) -> Result<(), Fault> {
        match self {
            Self::File(room) => room.fill(&kept.to_json()),
            Self::Keyring(profile) => keyring::write(profile, &kept.to_json()),
        }
    }
}

fn refused(path: &str, what: &str) -> Fault {
    Fault::Refused { path: shown(path), what: what.to_owned() }
}
