//! What the crates in our programs are, and their licences, by the program behind `make sbom`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::artifacts::{sbom, source, target};

/// A folder with `PACKAGE.cdx.json` and `NOTICE.PACKAGE` of each, made once.
pub fn bills() -> &'static Path {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| bills_in("test-bills"))
}

/// Made once more, in a folder of this name.
pub fn bills_in(name: &str) -> PathBuf {
    let folder = target().join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    let output = Command::new(sbom()).arg(&folder).current_dir(source()).output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}
