//! Files that somebody else writes: what is looked at is what is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::system;

/// Bytes of a secret.
const LONGEST_SECRET: u64 = 16 * 1024;
/// Anybody may put files into such a folder, and only its owner can replace those of others (`/tmp`).
const STICKY: u32 = 0o1000;
/// Links that lead to links: what Linux follows (path_resolution(7)).
const LINKS: usize = 40;

/// A secret that lies in a file of a person, or of Kubernetes.
pub(crate) fn small(path: &Path) -> Result<String, String> {
    let (file, metadata) = open(path).map_err(unreadable)?;
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
        opened => opened.map_err(unreadable)?,
    };
    judge(&metadata, metadata.mode(), "")?;
    judge_way(path)?;
    read(file, &metadata, limit).map(Some)
}

/// The folder of each link that the name leads to, and that of the file, as whoever writes there can
/// put another file in its place; and whose each link is. The folders above these are not asked: they
/// are those of a home.
fn judge_way(path: &Path) -> Result<(), String> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        judge_folder(&folder)?;
        let link = path.symlink_metadata().map_err(unreadable)?;
        if !link.is_symlink() {
            return Ok(());
        }
        // Its mode says nothing.
        judge(&link, 0, "is a link that ")?;
        path = folder.join(path.read_link().map_err(unreadable)?);
    }
    Err("is a link to a link without end".to_owned())
}

fn judge_folder(folder: &Path) -> Result<(), String> {
    let folder = std::fs::metadata(folder).map_err(unreadable)?;
    let writable = if folder.mode() & STICKY == 0 { folder.mode() } else { 0 };
    judge(&folder, writable, "lies in a folder that ")
}

fn unreadable(error: io::Error) -> String {
    format!("cannot be read: {error}")
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // O_NONBLOCK: open(2) of a FIFO does not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Of whom it is, and who may write it by `mode`.
fn judge(metadata: &Metadata, mode: u32, place: &str) -> Result<(), String> {
    if ![0, system::effective_user()].contains(&metadata.uid()) {
        return Err(format!(
            "{place}belongs to somebody else, who could have your tokens sent anywhere"
        ));
    }
    if mode & 0o022 != 0 {
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
    if length.map_err(unreadable)? as u64 > limit {
        return Err(too_large());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "is no text (UTF-8)".to_owned())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{judge_way, trusted};

    #[test]
    fn a_file_is_trusted_where_nobody_can_replace_it_or_what_leads_to_it() {
        let folder = std::env::temp_dir().join(format!("ztoken-trusted-{}", std::process::id()));
        let [own, open, sticky] = ["own", "open", "sticky"].map(|name| folder.join(name));
        for (place, mode) in [(&own, 0o700), (&open, 0o777), (&sticky, 0o1777)] {
            fs::create_dir_all(place).unwrap();
            fs::set_permissions(place, Permissions::from_mode(mode)).unwrap();
            fs::write(place.join("file"), "text").unwrap();
            fs::set_permissions(place.join("file"), Permissions::from_mode(0o644)).unwrap();
        }
        symlink(own.join("file"), own.join("link")).unwrap();
        symlink("../own/link", sticky.join("link")).unwrap();
        symlink(own.join("file"), open.join("link")).unwrap();
        symlink(open.join("file"), own.join("away")).unwrap();
        // It comes back, by a link that anybody may replace.
        symlink("../open/link", own.join("detour")).unwrap();
        for path in [own.join("file"), own.join("link"), sticky.join("file"), sticky.join("link")] {
            assert_eq!(trusted(&path, 10), Ok(Some("text".to_owned())), "{path:?}");
        }
        for path in [open.join("file"), open.join("link"), own.join("away"), own.join("detour")] {
            let what = trusted(&path, 10).unwrap_err();
            assert!(what.starts_with("lies in a folder that can be written by others"), "{what}");
        }
        assert_eq!(trusted(&own.join("none"), 10), Ok(None));
        symlink("circle", own.join("circle")).unwrap();
        assert!(trusted(&own.join("circle"), 10).unwrap_err().starts_with("cannot be read"));
        fs::remove_dir_all(folder).unwrap();
    }

    /// Its owner may rename what is in it, whatever the sticky bit says.
    #[test]
    fn a_folder_of_somebody_else_is_not_trusted_even_where_only_owners_replace_files() {
        let folder = std::env::temp_dir().join(format!("ztoken-sticky-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        fs::write(folder.join("file"), "text").unwrap();
        fs::set_permissions(folder.join("file"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(trusted(&folder.join("file"), 10), Ok(Some("text".to_owned())));
        // As nobody else than root can give a folder away.
        if std::os::unix::fs::chown(&folder, Some(65534), None).is_ok() {
            let what = trusted(&folder.join("file"), 10).unwrap_err();
            assert!(what.starts_with("lies in a folder that belongs to somebody else"), "{what}");
            std::os::unix::fs::chown(&folder, Some(0), None).unwrap();
            symlink("file", folder.join("link")).unwrap();
            std::os::unix::fs::lchown(folder.join("link"), Some(65534), None).unwrap();
            // Where fs.protected_symlinks is on, it cannot even be opened.
            let what = judge_way(&folder.join("link")).unwrap_err();
            assert!(what.starts_with("is a link that belongs to somebody else"), "{what}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
