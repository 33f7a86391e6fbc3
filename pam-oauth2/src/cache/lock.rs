//! Locks between processes, and the only place that waits.
//!
//! flock(2) on a file of the directory: the kernel takes the lock away when its process ends in
//! whatever way, it holds across containers that share the directory, and there is no state
//! that could be left behind. Nobody waits in the kernel, where no deadline reaches, so who does
//! not get a lock asks again.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use super::directory::Directory;
use super::random;

/// How often a lock that is held for some microseconds is asked for.
const STEP: Duration = Duration::from_millis(2);

/// What became of asking for a lock.
pub(super) enum Locked {
    /// Somebody else holds it, for longer than anybody should.
    Busy,
    Held(Lock),
    /// There is no lock to be had in this directory.
    Impossible,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file does it too, unless the process was forked in the meantime.
        let _closing_is_next = self.0.unlock();
    }
}

/// The lock on the file `name`, asked for during `patience` at most.
pub(super) fn lock(directory: &Directory, name: &str, patience: Duration) -> Locked {
    let Ok(mut file) = directory.open_to_lock(name) else { return Locked::Impossible };
    let start = Instant::now();
    loop {
        file = match try_lock(file) {
            Ok(locked) => return locked,
            Err(file) => file,
        };
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Locked::Busy;
        }
        pause(jittered(STEP).min(left));
    }
}

/// Gives the file back where somebody else holds the lock.
pub(super) fn try_lock(file: File) -> Result<Locked, File> {
    match file.try_lock() {
        Ok(()) => Ok(Locked::Held(Lock(file))),
        Err(TryLockError::WouldBlock) => Err(file),
        Err(TryLockError::Error(_)) => Ok(Locked::Impossible),
    }
}

/// Between the half and the whole of `step`, so that those who wait do not come back together.
pub(super) fn jittered(step: Duration) -> Duration {
    let half = step.checked_div(2).unwrap_or_default();
    let nanoseconds = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    let more = random().checked_rem(nanoseconds).unwrap_or_default();
    half.saturating_add(Duration::from_nanos(more))
}

#[allow(clippy::disallowed_methods, reason = "every caller counts this against a limit of its own")]
pub(super) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(30);

    #[test]
    fn a_lock_is_held_by_one_and_free_when_it_is_dropped() {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        let Locked::Held(held) = lock(&directory, "lock-x", PATIENCE) else { panic!() };
        let start = Instant::now();
        assert!(matches!(lock(&directory, "lock-x", PATIENCE), Locked::Busy));
        assert!(start.elapsed() >= PATIENCE);
        assert!(matches!(lock(&directory, "lock-y", PATIENCE), Locked::Held(_)));
        drop(held);
        assert!(matches!(lock(&directory, "lock-x", Duration::ZERO), Locked::Held(_)));
    }

    #[test]
    fn a_lock_is_free_although_a_copy_of_its_descriptor_lives_on() {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        let Locked::Held(held) = lock(&directory, "lock-x", PATIENCE) else { panic!() };
        let _copy = held.file().try_clone().unwrap();
        drop(held);
        assert!(matches!(lock(&directory, "lock-x", Duration::ZERO), Locked::Held(_)));
    }

    #[test]
    fn who_cannot_write_has_no_locks() {
        let scratch = Scratch::new();
        scratch.directory();
        assert!(matches!(lock(&scratch.read_only(), "lock-x", PATIENCE), Locked::Impossible));
        assert!(matches!(lock(&Scratch::unwritable(), "lock-x", PATIENCE), Locked::Impossible));
    }

    #[test]
    fn a_pause_stays_within_its_step() {
        for _ in 0..1000 {
            let pause = jittered(STEP);
            assert!(pause >= STEP / 2 && pause < STEP, "{pause:?}");
        }
        assert_eq!(jittered(Duration::ZERO), Duration::ZERO);
    }
}
