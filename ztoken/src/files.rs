//! Files that somebody else writes: what is looked at is what is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::system;

/// Bytes of a secret.
const LONGEST_SECRET: u64 = 16 * 1024;
/// Anybody may put files into such a folder, and nobody can replace those of others (`/tmp`).
const STICKY: u32 = 0o1000;

/// A secret that lies in a file of a person, or of Kubernetes.
pub(crate) fn small(path: &Path) -> Result<String, String> {
    let (file, metadata) = open(path).map_err(|error| format!("cannot be read: {error}"))?;
    // Readable by all is what Docker and Kubernetes make; writable by all is what nobody means.
    if metadata.mode() & 0o002 != 0 {
        return Err("can be written by everybody: chmod o-w it".to_owned());
    }
    read(file, &metadata, LONGEST_SECRET)
}

/// What decides where tokens are sent, so that only we and root may be able to change it. `None` where
/// there is no file.
pub(crate) fn trusted(path: &Path, limit: u64) -> Result<Option<String>, String> {
    let (file, metadata) = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| format!("cannot be read: {error}"))?,
    };
    judge(&metadata, "")?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::metadata(folder).map_err(|error| format!("cannot be read: {error}"))?;
    if folder.mode() & STICKY == 0 {
        judge(&folder, "lies in a folder that ")?;
    }
    read(file, &metadata, limit).map(Some)
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // O_NONBLOCK: open(2) of a FIFO does not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn judge(metadata: &Metadata, place: &str) -> Result<(), String> {
    if ![0, system::effective_user()].contains(&metadata.uid()) {
        return Err(format!(
            "{place}belongs to somebody else, who could have your tokens sent anywhere"
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(format!(
            "{place}can be written by others, who could have your tokens sent anywhere: chmod go-w it"
        ));
    }
    Ok(())
}

fn read(file: File, metadata: &Metadata, limit: u64) -> Result<String, String> {
    let too_large = || format!("is not a file of at most {limit} bytes");
    if !metadata.is_file() {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let length = file.take(limit + 1).read_to_end(&mut bytes);
    if length.map_err(|error| format!("cannot be read: {error}"))? as u64 > limit {
        return Err(too_large());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "is no text (UTF-8)".to_owned())?;
    Ok(text.to_owned())
}
