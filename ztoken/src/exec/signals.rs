//! Signals go to the command, and its end is ours.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitCode, ExitStatus};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator;
use signal_hook::low_level::emulate_default_handler;

use crate::system;

/// From the keyboard: the terminal itself gives them to all processes in the foreground.
const KEYS: [i32; 2] = [SIGINT, SIGQUIT];

#[derive(Debug)]
pub(super) struct Signals(iterator::Signals);

/// How the command ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended(ExitStatus);

impl Signals {
    /// From now on they are noted.
    pub(super) fn expect() -> io::Result<Self> {
        // What nohup(1) and the like keep away from us they keep away from the command: it inherits
        // that a signal is ignored, but not that it is handled.
        let ours = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        let ours = ours.into_iter().filter(|signal| !system::is_ignored(*signal));
        iterator::Signals::new(ours.chain([SIGCHLD])).map(Self)
    }

    /// Until the command ends.
    pub(super) fn pass_on(mut self, mut child: Child) -> io::Result<Ended> {
        for signal in self.0.forever() {
            if signal == SIGCHLD {
                // Of another child, perhaps.
                if let Some(status) = child.try_wait()? {
                    return Ok(Ended(status));
                }
            } else if !(KEYS.contains(&signal) && system::is_in_foreground()) {
                // It has not been waited for, so its number is its own.
                system::send_signal(child.id(), signal);
            }
        }
        child.wait().map(Ended)
    }
}

impl Ended {
    /// The exit code of the command; or its signal, so that a shell sees who was interrupted. What
    /// leaves a core file ends us with the shell's code for it: our memory holds tokens.
    pub(crate) fn pass_on(self) -> ExitCode {
        let signal = self.0.signal();
        if let Some(signal) = signal.filter(|signal| [SIGHUP, SIGINT, SIGTERM].contains(signal)) {
            let _not_reached = emulate_default_handler(signal);
        }
        let code = self.0.code().or(signal.map(|signal| signal.saturating_add(128))).unwrap_or(1);
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }
}
