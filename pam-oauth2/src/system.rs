//! What the standard library lacks of the kernel's calls. A leaf.
//!
//! Each could be had from proc(5) as well; but a new process that looks at itself there pays more
//! for it than for a line to syslog, and every login is a new process.
#![allow(unsafe_code, reason = "libc is C; this file, pam/ and hooks.rs are the fence")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd};

/// The size of a name in the kernel, its NUL included (prctl(2), PR_GET_NAME).
const NAME_SIZE: usize = 16;

/// The name of the program that loaded us, such as `postgres`, or nothing; in a thread, the name
/// of that.
pub(crate) fn program_name() -> Vec<u8> {
    let mut name = [0_u8; NAME_SIZE];
    // SAFETY: the call writes up to 16 bytes, NUL included, to the place that it is given.
    let code = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    match CStr::from_bytes_until_nul(&name) {
        Ok(name) if code == 0 => name.to_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// geteuid(2).
pub(crate) fn effective_user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// openat(2): the file `name` in `directory`, which may be renamed or replaced at its path
/// meanwhile. `mode` counts where `flags` make a file; the descriptor is closed on exec.
pub(crate) fn open_at(directory: &File, name: &str, flags: i32, mode: u32) -> io::Result<File> {
    let name = CString::new(name)?;
    let flags = flags | libc::O_CLOEXEC;
    loop {
        // SAFETY: the descriptor is open as long as `directory` is, the name is a C string, and
        // the mode is an unsigned int as O_CREAT expects it.
        let descriptor = unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, mode) };
        if descriptor >= 0 {
            // SAFETY: the call has just made the descriptor, and nobody else knows it.
            return Ok(unsafe { File::from_raw_fd(descriptor) });
        }
        let error = io::Error::last_os_error();
        // A signal may come while a slow file system is asked.
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_program_has_the_name_of_its_thread() {
        let name = std::thread::Builder::new().name("a-test".to_owned());
        let name = name.spawn(program_name).unwrap().join().unwrap();
        assert_eq!(name, b"a-test");
    }

    #[test]
    fn the_effective_user_is_the_owner_of_what_is_made() {
        let path = std::env::temp_dir().join(format!("pam-oauth2-user-{}", std::process::id()));
        let owner = File::create(&path).unwrap().metadata().unwrap().uid();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(effective_user(), owner);
    }

    #[test]
    fn a_file_is_opened_in_its_directory_or_the_error_says_why() {
        let directory = File::open("/proc/self").unwrap();
        let mut text = String::new();
        open_at(&directory, "comm", libc::O_RDONLY, 0).unwrap().read_to_string(&mut text).unwrap();
        assert!(!text.is_empty());
        let kind = |name: &str| open_at(&directory, name, libc::O_RDONLY, 0).unwrap_err().kind();
        assert_eq!(kind("no such file"), ErrorKind::NotFound);
        assert_eq!(kind("a\0b"), ErrorKind::InvalidInput);
    }
}
