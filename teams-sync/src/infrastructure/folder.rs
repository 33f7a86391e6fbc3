//! A folder laid out as Kubernetes mounts a Secret or a ConfigMap: one file per key, which is a
//! link into `..data`, which is a link to the folder of the day.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::teams::small_file::{self, FileFault};

/// Kubernetes has 1 MiB for all keys of a Secret.
const LARGEST_KEY: usize = 1024 * 1024;
const MOST_KEYS: usize = 10_000;

/// Key -> value.
pub type Keys = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{path} cannot be read: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{0} is no regular file: each key of a mounted Secret is one")]
    NoFile(String),
    #[error("{0} is larger than 1 MiB")]
    TooLarge(String),
    #[error("{0} holds more than {MOST_KEYS} files")]
    TooMany(String),
    #[error("{0}")]
    NoMapping(String),
    #[error("{0} changed each time it was read")]
    Changing(String),
}

/// All keys. If the folder of the day is exchanged meanwhile, it is read once more, so that
/// a user of yesterday never gets a password of today.
pub fn read_folder(path: &Path) -> Result<Keys, FolderError> {
    let mark = || std::fs::read_link(path.join("..data")).ok();
    for _ in 0..5 {
        let before = mark();
        let keys = read_once(path);
        if before == mark() {
            return keys;
        }
    }
    Err(FolderError::Changing(path.display().to_string()))
}

fn read_once(path: &Path) -> Result<Keys, FolderError> {
    let failed = |path: &Path, source| FolderError::Io { path: path.display().to_string(), source };
    let mut keys = Keys::new();
    for entry in std::fs::read_dir(path).map_err(|error| failed(path, error))? {
        let entry = entry.map_err(|error| failed(path, error))?;
        let name = entry.file_name();
        // `..data` and what it points to; and no key begins with a dot that a person means.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        if keys.len() >= MOST_KEYS {
            return Err(FolderError::TooMany(path.display().to_string()));
        }
        keys.insert(name.to_owned(), read_file(&entry.path())?);
    }
    Ok(keys)
}

/// One small regular file, links followed. A FIFO would hold us up.
pub fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FolderError> {
    let shown = || path.display().to_string();
    small_file::read_now(path, LARGEST_KEY).map_err(|fault| match fault {
        FileFault::Irregular => FolderError::NoFile(shown()),
        FileFault::TooLarge(_) => FolderError::TooLarge(shown()),
        FileFault::Unreadable(source) => FolderError::Io { path: shown(), source },
    })
}
