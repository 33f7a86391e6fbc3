//! The cost of a login as a whole process: from fork(2) to the end of `pam_end`.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::FromRawFd;

use crate::Arguments;
use crate::libpam::{Conversation, Handle};

/// Prints one line of nanoseconds per run and service, services in turn; `--service` holds
/// their names with commas between.
pub(crate) fn run(arguments: &Arguments, token: &[u8], runs: u32) {
    let services = arguments.service.to_str().expect("names");
    let services: Vec<CString> =
        services.split(',').map(|name| CString::new(name).expect("a name")).collect();
    for _ in 0..runs {
        for service in &services {
            let (nanoseconds, codes) = once(service, arguments, token);
            println!("{} {nanoseconds} {codes}", service.to_string_lossy());
        }
    }
}

fn once(service: &CString, arguments: &Arguments, token: &[u8]) -> (i64, i32) {
    let mut ends = [0; 2];
    // SAFETY: a place for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0, "pipe");
    let start = now();
    // SAFETY: this program has one thread here; the child only runs PAM and leaves.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let mut handle = Handle::start(service, &arguments.user, Conversation::Answers, token);
        let mut codes = handle.step("authenticate", 0);
        if codes == 0 {
            codes = handle.step("account", 0);
        }
        handle.end();
        let report = [now().to_ne_bytes(), i64::from(codes).to_ne_bytes()].concat();
        // SAFETY: the descriptor is the pipe's, the buffer is complete.
        unsafe { libc::write(ends[1], report.as_ptr().cast(), report.len()) };
        // SAFETY: leaves at once, without the handlers of the parent.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: the writing end belongs to the child now.
    unsafe { libc::close(ends[1]) };
    // SAFETY: the reading end is ours and open.
    let mut pipe = unsafe { std::fs::File::from_raw_fd(ends[0]) };
    let mut report = [0; 16];
    pipe.read_exact(&mut report).expect("the child reports");
    // SAFETY: waits for our child, without interest in its status.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    let (end, codes) = report.split_at(8);
    let end = i64::from_ne_bytes(end.try_into().expect("eight bytes"));
    let codes = i64::from_ne_bytes(codes.try_into().expect("eight bytes"));
    (end - start, i32::try_from(codes).expect("a return code"))
}

/// CLOCK_MONOTONIC, which parent and child share.
fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
