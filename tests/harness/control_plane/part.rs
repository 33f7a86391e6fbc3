//! A program of the control plane, which can be stopped and started again.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::Process;

#[derive(Debug)]
pub(crate) struct Part {
    log: PathBuf,
    polite: i32,
    process: Mutex<Option<Process>>,
}

impl Part {
    /// What it says goes to this file; `polite` is the signal that asks it to end.
    pub(crate) fn new(log: PathBuf, polite: i32) -> Self {
        Self { log, polite, process: Mutex::new(None) }
    }

    /// Starts it where it does not run.
    pub(crate) fn start(&self, command: &mut Command) {
        let mut process = self.process();
        if process.is_none() {
            let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log");
            command.stdout(log.try_clone().expect("a descriptor")).stderr(log);
            *process = Some(Process::spawn(command, self.polite));
        }
    }

    pub(crate) fn stop(&self) {
        if let Some(mut process) = self.process().take() {
            process.stop();
        }
    }

    /// Without a chance to say goodbye.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.signal(libc::SIGKILL);
            process.stop();
        }
    }

    /// The same at the end of this process, when another thread may be in the middle of something.
    pub(crate) fn end(&self) {
        if let Ok(mut process) = self.process.try_lock()
            && let Some(process) = process.as_mut()
        {
            process.signal(libc::SIGKILL);
            process.stop();
        }
    }

    /// `None` while it does not run.
    pub(crate) fn id(&self) -> Option<u32> {
        let mut process = self.process();
        let process = process.as_mut()?;
        process.exited().is_none().then(|| process.id())
    }

    pub(crate) fn log(&self) -> String {
        fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Panics with the end of its log when it has ended although nobody stopped it.
    #[track_caller]
    pub(crate) fn assert_alive(&self) {
        if let Some(status) = self.process().as_mut().and_then(Process::exited) {
            let log = self.log();
            let end: Vec<_> = log.lines().rev().take(20).collect();
            let end: String = end.into_iter().rev().map(|line| format!("{line}\n")).collect();
            panic!("{}: {status}\n{end}", name(&self.log));
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(log: &Path) -> String {
    log.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Its data go, too: there is nothing to say goodbye for.
impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}
