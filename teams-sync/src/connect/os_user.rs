//! Which user of the operating system are we? libpq logs in under that name where nobody says
//! otherwise (PostgreSQL documentation, section 34.1.2, `user`).
//!
//! In: `/proc` and `/etc/passwd`. Out: a name, if they have one; directories such as LDAP are
//! not asked.

use std::fs;

pub(super) fn name() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    name_in(&passwd, effective_uid(&status)?)
}

/// `Uid:` and the real, effective, saved and file system user.
fn effective_uid(status: &str) -> Option<u32> {
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    uids.split_whitespace().nth(1)?.parse().ok()
}

fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_user_counts() {
        let status = "Name:\tteams-sync\nUid:\t0\t65534\t0\t0\nGid:\t0\t0\t0\t0\n";
        assert_eq!(effective_uid(status), Some(65534));
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(name_in(passwd, 65534).as_deref(), Some("nobody"));
        assert_eq!(name_in(passwd, 1000), None);
    }
}
