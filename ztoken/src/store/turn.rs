//! Whose turn it is, and what those who wait are told.
//!
//! The kernel's lock ends with its owner. The content of the file is a note: how many attempts were made
//! so far, and how the last one ended. Who waited sees by the number what is news; clocks have no say.

use std::cell::RefCell;
use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::{Fault, Folder};
use crate::clock::pause;
use crate::error::Exit;
use crate::output::say;

/// How often a lock is tried.
const STEP: Duration = Duration::from_millis(20);
/// Bytes of a note.
const LONGEST: usize = 16 * 1024;
/// Whoever waits longer is told why.
const PATIENCE: Duration = Duration::from_secs(2);

/// The right to ask the provider and to change what is kept, as long as it lives.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    pub(super) folder: Folder,
    file: File,
    note: RefCell<Note>,
    /// How many attempts there had been when the wait began; none where nobody was waited for.
    seen: Option<u64>,
}

/// Who wants a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    /// How long others are waited for.
    pub(crate) limit: Duration,
    /// Whether a person is here, who may wait for another one.
    pub(crate) is_attended: bool,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Note {
    attempts: u64,
    said: Said,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
enum Said {
    #[default]
    Nothing,
    /// A person is waited for.
    Person,
    Failed(Exit, String),
}

impl Turn {
    pub(super) fn wait(folder: Folder, name: &str, who: Who) -> Result<Self, Fault> {
        let file = folder.lock_file(name)?;
        let start = Instant::now();
        let mut is_told = false;
        let mut seen = None;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() > who.limit => {
                    return Err(Fault::Busy { seconds: who.limit.as_secs() });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(Fault::Io { path: folder.shown(name), error });
                }
            }
            let note = Note::read(&file);
            if note.said == Said::Person && !who.is_attended {
                return Err(Fault::Person);
            }
            seen = seen.or(Some(note.attempts));
            if !is_told && start.elapsed() > PATIENCE {
                say("waiting for another ztoken, which logs in or asks the provider");
                is_told = true;
            }
            pause(STEP);
        }
        let note = RefCell::new(Note::read(&file));
        let this = Self { folder, file, note, seen };
        if this.said() == Said::Person {
            // Whoever waited for one is gone.
            this.write(Said::Nothing);
        }
        Ok(this)
    }

    /// Whether somebody got a token while this one waited.
    pub(crate) fn brought_a_token(&self) -> bool {
        self.is_news() && self.said() == Said::Nothing
    }

    /// How somebody failed while this one waited: that need not be tried once more.
    pub(crate) fn failure(&self) -> Option<(Exit, String)> {
        match self.said() {
            Said::Failed(exit, what) if self.is_news() => Some((exit, what)),
            Said::Nothing | Said::Person | Said::Failed(..) => None,
        }
    }

    /// Who is unattended need not wait for this.
    pub(crate) fn awaits_a_person(&self) {
        self.write(Said::Person);
    }

    /// How an attempt ended, for those who wait.
    pub(crate) fn ended(&self, failure: Option<(Exit, String)>) {
        self.note.borrow_mut().attempts += 1;
        self.write(failure.map_or(Said::Nothing, |(exit, what)| Said::Failed(exit, what)));
    }

    fn is_news(&self) -> bool {
        self.seen.is_some_and(|seen| seen < self.note.borrow().attempts)
    }

    fn said(&self) -> Said {
        self.note.borrow().said.clone()
    }

    fn write(&self, said: Said) {
        let text = {
            let mut note = self.note.borrow_mut();
            note.said = said;
            note.to_text()
        };
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let written = self.file.write_all_at(text.as_bytes(), 0);
        // Without it they find out by themselves.
        let _best_effort = written.and_then(|()| self.file.set_len(length));
    }
}

impl Note {
    fn read(file: &File) -> Self {
        let mut bytes = vec![0; LONGEST];
        let length = file.read_at(&mut bytes, 0).unwrap_or(0);
        Self::parse(&String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()))
    }

    /// What is no note says nothing.
    fn parse(text: &str) -> Self {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (attempts, kind, what) = (word(), word(), word());
        let said = match kind.parse() {
            Ok(code) => Said::Failed(Exit::of(code), what.to_owned()),
            Err(_) if kind == "person" => Said::Person,
            Err(_) => Said::Nothing,
        };
        Self { attempts: attempts.parse::<u32>().unwrap_or(0).into(), said }
    }

    fn to_text(&self) -> String {
        match &self.said {
            Said::Nothing => format!("{} -", self.attempts),
            Said::Person => format!("{} person", self.attempts),
            Said::Failed(exit, what) => format!("{} {} {what}", self.attempts, exit.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_what_is_none_says_nothing() {
        for said in [
            Said::Nothing,
            Said::Person,
            Said::Failed(Exit::Provider, "it is away: 1 s".to_owned()),
        ] {
            let note = Note { attempts: 7, said };
            assert_eq!(Note::parse(&note.to_text()), note);
        }
        for none in ["", " ", "x", "person", "\0\0"] {
            assert_eq!(Note::parse(none), Note::default(), "{none:?}");
        }
    }

    #[test]
    fn only_what_ended_during_the_wait_is_news() {
        let path = std::env::temp_dir().join(format!("ztoken-turn-{}", std::process::id()));
        let turn = |limit| {
            let who = Who { limit: Duration::from_secs(limit), is_attended: false };
            Turn::wait(Folder::open(path.clone()).unwrap(), "it.lock", who)
        };
        let first = turn(0).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turn(30).unwrap());
            assert!(matches!(turn(0), Err(Fault::Busy { .. })));
            first.ended(Some((Exit::Provider, "away".to_owned())));
            drop(first);
            let second = waiting.join().unwrap();
            // As it is for one that was waiting before that, however late the thread began.
            let second = Turn { seen: Some(0), ..second };
            assert_eq!(second.failure(), Some((Exit::Provider, "away".to_owned())));
            assert!(!second.brought_a_token());
            let late = Turn { seen: Some(1), ..second };
            assert_eq!(late.failure(), None);
        });
        // Whoever comes later tries it again.
        let third = turn(0).unwrap();
        assert_eq!(third.failure(), None);
        third.awaits_a_person();
        assert!(matches!(turn(30), Err(Fault::Person)));
        drop(third);
        assert_eq!(turn(0).unwrap().said(), Said::Nothing);
        std::fs::remove_dir_all(path).unwrap();
    }
}
