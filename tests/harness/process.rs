//! A child process that does not outlive its test.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::eventually::pause;

/// A running child and the signal that asks it to end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    polite: i32,
}

impl Process {
    pub fn spawn(command: &mut Command, polite: i32) -> Self {
        // A group of its own: Ctrl-C on a terminal is for the program that the person started,
        // which then stops its children in order.
        let child = command.process_group(0).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")), polite }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `None` while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    pub fn signal(&self, signal: i32) {
        send_signal(self.child.id(), signal);
    }

    /// Asks it to end, waits, and insists when it does not. Returns how long it took.
    pub fn stop(&mut self) -> Duration {
        let start = Instant::now();
        if self.exited().is_none() {
            self.signal(self.polite);
        }
        while self.exited().is_none() {
            if start.elapsed() > Duration::from_secs(70) {
                let _gone = self.child.kill();
            }
            pause(Duration::from_millis(5));
        }
        start.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// kill(2).
pub fn send_signal(process: u32, signal: i32) {
    let process = i32::try_from(process).expect("a process id fits");
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    unsafe { libc::kill(process, signal) };
}
