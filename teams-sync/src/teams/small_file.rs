//! Small files, read without a chance to hang.
//!
//! In: a path and a limit. Out: the whole content. Never: a FIFO or a device (it would block for
//! ever), more than the limit, a read on a thread of the runtime.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file is not used. Reads on from its name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileFault {
    #[error("is not a regular file")]
    Irregular,
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// The content, wiped when dropped.
pub(crate) async fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let path: PathBuf = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_now(&path, limit));
    reading.await.map_err(|error| FileFault::Unreadable(io::Error::other(error)))?
}

/// As [`read`], on this thread: for the start of the program.
pub(crate) fn read_now(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    // O_NONBLOCK: open(2) of a FIFO does not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileFault::Irregular);
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(FileFault::TooLarge(limit));
    }
    // Room for one byte more, so that reading does not move a secret to a larger place.
    let mut content = Zeroizing::new(Vec::with_capacity(size.saturating_add(64)));
    // It may have grown since.
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(FileFault::TooLarge(limit));
    }
    Ok(content)
}
