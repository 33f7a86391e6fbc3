//! What the standard library lacks of the kernel's calls. A leaf.
#![allow(unsafe_code, reason = "libc is C; this file is the fence")]

use std::fs::File;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::{fmt, ptr};

/// geteuid(2).
pub(crate) fn effective_user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// prctl(2): what is in memory, tokens among it, gets into no core dump, and is read by no other
/// process of the user (ptrace(2)). Programs that we start are as they were.
pub(crate) fn keep_memory_private() {
    let none: libc::c_ulong = 0;
    // SAFETY: the call takes integers of this size and touches no memory of ours.
    let _best_effort = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, none, none, none, none) };
}

/// kill(2), for a child that has not been waited for: its number is nobody else's.
pub(crate) fn send_signal(child: u32, signal: i32) {
    let Ok(child) = libc::pid_t::try_from(child) else { return };
    // SAFETY: the call takes two integers and touches no memory of ours.
    unsafe { libc::kill(child, signal) };
}

/// Whether whoever started us wants this signal to be ignored, as nohup(1) does.
pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: all bytes zero is a value of this type, which consists of integers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call writes the present one to the place that it is given.
    let code = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    code == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Whether keys such as Ctrl-C reach us, and so our children, from the terminal itself.
pub(crate) fn is_in_foreground() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else { return false };
    // SAFETY: the descriptor is open as long as `terminal` is.
    let foreground = unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) };
    // SAFETY: the call takes nothing and cannot fail.
    foreground == unsafe { libc::getpgrp() }
}

/// Signals that ask us to end wait until this goes, for this thread and those that it starts
/// (pthread_sigmask(3)).
#[must_use]
pub(crate) struct HeldSignals {
    before: libc::sigset_t,
    /// The mask is that of one thread.
    _thread: PhantomData<*const ()>,
}

impl HeldSignals {
    pub(crate) fn new() -> Self {
        // SAFETY: all bytes zero is a value of this type, which consists of integers.
        let mut held: libc::sigset_t = unsafe { std::mem::zeroed() };
        let mut before = held;
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            // SAFETY: zeroed is the empty set on Linux; the call changes the set alone.
            unsafe { libc::sigaddset(&raw mut held, signal) };
        }
        // SAFETY: the call reads one set and writes the other; both are ours.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const held, &raw mut before) };
        Self { before, _thread: PhantomData }
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // SAFETY: the call reads the set, which came from the one in `new`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

impl fmt::Debug for HeldSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldSignals")
    }
}
