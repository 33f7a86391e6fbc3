//! What was found out, by key, for a while: a store that cannot grow.
//!
//! 1024 files of a kind, with up to eight entries each; the key says in which one an entry is.
//! A file is a text with one entry in a line: the key in hex, when it was stored, until when it
//! holds, and the value as JSON.
//!
//! An entry is a hint that may be gone at any time: pushed out by others, or lost where two
//! processes store at once and one of them cannot wait for the lock.

use std::io::{self, ErrorKind};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::container::LARGEST;
use super::directory::Directory;
use super::hex;
use super::lock::lock;
use crate::clock::Timestamp;

const MOST_ENTRIES: usize = 8;
/// Eight of them fit in a file.
const LARGEST_VALUE: usize = 16 * 1024;
/// Seconds that an entry may come from the future, because clocks are set. One from further
/// ahead was stored by a wrong clock, and nobody knows how long it should hold.
const AHEAD: f64 = 300.0;
/// A file is read and written within some hundred microseconds.
const PATIENCE: Duration = Duration::from_millis(50);

/// The entries of one kind.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    directory: &'a Directory,
    /// Begins the name of each file.
    kind: &'static str,
    patience: Duration,
}

impl<'a> Slots<'a> {
    pub(crate) fn new(directory: &'a Directory, kind: &'static str) -> Self {
        Self { directory, kind, patience: PATIENCE }
    }

    /// The value that was stored for `key`, while it holds.
    pub(crate) fn find<T: DeserializeOwned>(&self, key: &[u8; 32], now: Timestamp) -> Option<T> {
        let text = self.text(key)?;
        let key = hex(key);
        let mut entries = text.lines().filter_map(Entry::parse);
        let entry = entries.find(|entry| entry.key == key && entry.holds(now))?;
        serde_json::from_str(entry.value).ok()
    }

    /// Stores a value in place of what there was for `key`. Where there is no room, that one of
    /// the others goes which ends first.
    pub(crate) fn store<T: Serialize>(
        &self,
        key: &[u8; 32],
        value: &T,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> io::Result<()> {
        let value = serde_json::to_string(value)?;
        if value.len() > LARGEST_VALUE {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let file = self.file_of(key);
        // Whoever does not get the lock in time may make somebody else's entry disappear.
        let _lock = lock(self.directory, &format!("lock-{file}"), self.patience);
        let text = self.text(key).unwrap_or_default();
        let hex = hex(key);
        let mut entries: Vec<_> = text.lines().filter_map(Entry::parse).collect();
        entries.retain(|entry| entry.key != hex && entry.holds(now));
        entries.sort_by(|a, b| b.until.total_cmp(&a.until));
        entries.truncate(MOST_ENTRIES.saturating_sub(1));
        let (stored, until) = (now.seconds(), keep_until.seconds());
        let new = Entry { key: &hex, stored, until, value: &value };
        entries.extend(Some(new).filter(|new| new.holds(now)));
        let text: String = entries.iter().map(Entry::line).collect();
        self.directory.write(&file, text.as_bytes())
    }

    /// Makes sure that nothing is found for `key`, also on a full disk: then the other entries of
    /// its file go with it.
    pub(crate) fn forget(&self, key: &[u8; 32], now: Timestamp) {
        if self.text(key).is_some_and(|text| text.contains(&hex(key)))
            && self.store(key, &(), now, now).is_err()
        {
            let _gone_or_never_there = self.directory.remove(&self.file_of(key));
        }
    }

    fn text(&self, key: &[u8; 32]) -> Option<String> {
        String::from_utf8(self.directory.read(&self.file_of(key), LARGEST)?).ok()
    }

    fn file_of(&self, key: &[u8; 32]) -> String {
        let [first, second, ..] = *key;
        format!("{}-{:03x}", self.kind, u16::from_be_bytes([first, second]) >> 6)
    }
}

struct Entry<'a> {
    key: &'a str,
    stored: f64,
    until: f64,
    value: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(4, ' ');
        Some(Self {
            key: fields.next()?,
            stored: fields.next()?.parse().ok()?,
            until: fields.next()?.parse().ok()?,
            value: fields.next()?,
        })
    }

    /// JSON of this form has no line feed.
    fn line(&self) -> String {
        let Self { key, stored, until, value } = self;
        format!("{key} {stored} {until} {value}\n")
    }

    fn holds(&self, now: Timestamp) -> bool {
        let stored_by_now = Timestamp::from_seconds(self.stored).since(now) <= AHEAD;
        let holds_still = Timestamp::from_seconds(self.until) > now;
        stored_by_now && holds_still && self.until.is_finite()
    }
}

#[cfg(test)]
mod tests;
