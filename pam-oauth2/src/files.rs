//! Small files of the system, read without a chance to hang: a FIFO or a device at the path
//! would block a backend beyond any deadline.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Why a file is not used. Reads on from its name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileFault {
    #[error("is not a regular file")]
    Irregular,
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("can be read by everybody: take all permissions of others away (chmod o= FILE)")]
    OpenToAll,
    #[error("can be changed by everybody: take the write permission of others away")]
    WritableByAll,
}

/// A file whose content decides nothing by itself.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileFault> {
    let (file, metadata) = open(path)?;
    read_up_to(file, metadata.len(), limit)
}

/// A file that decides whom we trust: also refused where others may write to it.
pub(crate) fn read_trusted(path: &Path, limit: usize) -> Result<Vec<u8>, FileFault> {
    let (file, metadata) = open(path)?;
    if metadata.mode() & 0o002 != 0 {
        return Err(FileFault::WritableByAll);
    }
    read_up_to(file, metadata.len(), limit)
}

/// A file with a secret: also refused where others may do anything with it.
pub(crate) fn read_secret(path: &Path, limit: usize) -> Result<Vec<u8>, FileFault> {
    let (file, metadata) = open(path)?;
    if metadata.mode() & 0o007 != 0 {
        return Err(FileFault::OpenToAll);
    }
    read_up_to(file, metadata.len(), limit)
}

fn open(path: &Path) -> Result<(File, Metadata), FileFault> {
    // O_NONBLOCK: open(2) of a FIFO does not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileFault::Irregular);
    }
    Ok((file, metadata))
}

fn read_up_to(file: File, size: u64, limit: usize) -> Result<Vec<u8>, FileFault> {
    if size > limit as u64 {
        return Err(FileFault::TooLarge(limit));
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // It may have grown since.
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(FileFault::TooLarge(limit));
    }
    Ok(content)
}
