//! The versions of PostgreSQL that a database team has: 15 from Debian, the others from the cache
//! folder that tests/install.sh fills.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use crate::cache;
use crate::postmaster::bin;
use crate::sandbox::{AS_NOBODY, require_namespaces};
use crate::workdir::Workdir;

/// For this process and its children only: shared memory of their own, so that a server which is
/// killed leaves none behind, and where `$2` is given, the folder `$1` at the place `$2`. (The cache
/// folder may lie in a home that is closed to `nobody`.)
const ENTER: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
[ -z "$2" ] || mount --bind "$1" "$2"
shift 2
exec "$@"
"#;

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    V13,
    V14,
    V15,
    V16,
    V17,
    V18,
}

impl Version {
    pub const ALL: [Self; 6] = [Self::V13, Self::V14, Self::V15, Self::V16, Self::V17, Self::V18];

    pub fn number(self) -> u32 {
        match self {
            Self::V13 => 13,
            Self::V14 => 14,
            Self::V15 => 15,
            Self::V16 => 16,
            Self::V17 => 17,
            Self::V18 => 18,
        }
    }

    /// What tells its build from others.
    pub(crate) fn origin(self) -> PathBuf {
        self.cached().unwrap_or_else(|| bin("postgres"))
    }

    /// A program of it, as `nobody`. A folder of the workdir belongs to it as long as it runs.
    pub(crate) fn command(self, program: &str, workdir: &Workdir) -> Command {
        require_namespaces();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--ipc", "--", "sh", "-c", ENTER, "enter"]);
        match self.cached() {
            None => command.args(["", ""]).args(AS_NOBODY).arg(bin(program)),
            Some(cached) => {
                let there = cached.exists();
                assert!(there, "{} is missing: run tests/install.sh test", cached.display());
                let place = workdir.folder("postgresql");
                command.arg(cached).arg(&place).args(AS_NOBODY).arg(place.join("bin").join(program))
            }
        };
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/");
        command
    }

    /// Where tests/install.sh put it.
    fn cached(self) -> Option<PathBuf> {
        let major = format!("{self}.");
        let line = cache::INSTALL.lines().find(|line| line.starts_with(&major))?;
        let full = line.split(' ').next().unwrap_or_default();
        Some(cache::folder().join(format!("postgresql-{full}")))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}
