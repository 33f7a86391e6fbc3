//! One asks, the others wait for what it finds: single flight across processes.
//!
//! Who wants to ask takes the lock of a slot file, asks, stores the answer and drops the
//! [`Guard`]. The others look for the answer until it is there, or until the lock is free because
//! the holder found none or died.
//!
//! There are 4096 slots and any number of keys, so the holder writes its key into the slot, and
//! whoever finds another key there asks without a lock: one key never waits for another. Content
//! and lock do not change together; these are the moments in between.
//!
//! - A holder has the lock and has not written its key yet. The slot is blank, because the last
//!   holder blanked it. Who sees that looks again soon, for [`NAMELESS`] at most.
//! - The last holder was killed, and its key is still there. Until a new holder has written its
//!   own, some microseconds later, that misleads: who has the old key waits for one pause, and
//!   who has the new key asks although somebody else does.
//! - A slot is read while it is written. It holds a zero byte, which is as good as blank, or a
//!   mixture of two keys, which is another key.
//!
//! A holder that is stopped keeps its lock, and the others run into their time limit.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::hex;
use super::lock::{Lock, Locked, jittered, pause, try_lock};

const KEY: usize = 64;
const BLANK: [u8; KEY] = [0; KEY];
/// How soon somebody who waits looks again, at first and in the end.
const FIRST_STEP: Duration = Duration::from_millis(2);
const LAST_STEP: Duration = Duration::from_millis(25);
/// How long a holder may take to write its key. It needs microseconds, unless hundreds of
/// processes share a few processors.
const NAMELESS: Duration = Duration::from_millis(250);

/// The right to ask for one key, until this is dropped. While it is held, nothing may call back
/// into PostgreSQL, which may never return.
#[derive(Debug)]
#[must_use]
pub(crate) struct Guard(Lock);

impl Drop for Guard {
    fn drop(&mut self) {
        // Zeros in place of the key, and not an empty file: a full disk has room for them.
        let _left_as_by_a_killed_process = self.0.file().write_all_at(&BLANK, 0);
    }
}

/// Whether to ask now, without waiting.
#[derive(Debug)]
pub(crate) enum Lead {
    /// Ask. Without a guard others may do the same, because there is no lock to be had.
    Ours(Option<Guard>),
    /// Somebody else is asking.
    Theirs,
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Turn<T> {
    /// The time is up, and whoever is asking has no answer yet.
    Late,
    /// Ask. Without a guard others may do the same, because there is no lock to be had.
    Ours(Option<Guard>),
    /// The answer is there.
    Theirs(T),
}

/// Whether to ask for `key`. This does not wait.
pub(crate) fn try_lead(directory: &Directory, key: &[u8; 32]) -> Lead {
    match attempt(directory, key) {
        Attempt::Led(guard) => Lead::Ours(Some(guard)),
        Attempt::Alone => Lead::Ours(None),
        Attempt::Nameless | Attempt::Same => Lead::Theirs,
    }
}

/// Waits for the answer for `key`, which `look` finds once it is there, or for the turn to ask.
/// At `until` it is too late. Both are tried once, however late it is.
pub(crate) fn take_turn<T>(
    directory: &Directory,
    key: &[u8; 32],
    until: Instant,
    mut look: impl FnMut() -> Option<T>,
) -> Turn<T> {
    let mut step = FIRST_STEP;
    let mut nameless_since = None;
    loop {
        if let Some(answer) = look() {
            return Turn::Theirs(answer);
        }
        let attempt = attempt(directory, key);
        let now = Instant::now();
        match attempt {
            // Its last holder may have stored an answer since the look.
            Attempt::Led(guard) => return look().map_or(Turn::Ours(Some(guard)), Turn::Theirs),
            Attempt::Alone => return Turn::Ours(None),
            Attempt::Same => nameless_since = None,
            Attempt::Nameless => {
                let since = *nameless_since.get_or_insert(now);
                if now.saturating_duration_since(since) > NAMELESS {
                    return Turn::Ours(None);
                }
            }
        }
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            return Turn::Late;
        }
        pause(jittered(step).min(left));
        step = step.saturating_mul(2).min(LAST_STEP);
    }
}

enum Attempt {
    /// There is no lock to be had, or one for another key is in the way.
    Alone,
    Led(Guard),
    /// Somebody holds the lock, and may be about to say for what.
    Nameless,
    Same,
}

fn attempt(directory: &Directory, key: &[u8; 32]) -> Attempt {
    let key_in_hex = hex(key);
    let Ok(file) = directory.open_to_lock(&slot_of(key)) else { return Attempt::Alone };
    match try_lock(file) {
        Ok(Locked::Held(lock)) => match lock.file().write_all_at(key_in_hex.as_bytes(), 0) {
            Ok(()) => Attempt::Led(Guard(lock)),
            // Nobody could tell for what the lock is held. Where a key has no room, an answer
            // that others would wait for has none either.
            Err(_) => Attempt::Alone,
        },
        Ok(Locked::Busy | Locked::Impossible) => Attempt::Alone,
        Err(file) => {
            let mut holder = BLANK;
            match file.read_exact_at(&mut holder, 0) {
                Ok(()) if holder == *key_in_hex.as_bytes() => Attempt::Same,
                Ok(()) if !holder.contains(&0) => Attempt::Alone,
                _ => Attempt::Nameless,
            }
        }
    }
}

fn slot_of(key: &[u8; 32]) -> String {
    let [first, second, ..] = *key;
    format!("flight-{:03x}", u16::from_be_bytes([first, second]) >> 4)
}

#[cfg(test)]
mod tests;
