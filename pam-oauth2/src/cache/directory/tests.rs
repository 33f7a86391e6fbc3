use std::os::unix::fs::symlink;
use std::time::Duration;

use super::super::scratch::{Scratch, in_a_process, run, workplace};
use super::*;

const NAME: &str = "keys-0123";

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn open(scratch: &Scratch) -> Result<Directory, String> {
    Directory::open(&scratch.cache(), Access::ReadWrite).map_err(|fault| fault.to_string())
}

#[test]
fn what_is_made_is_for_us_alone_whatever_the_umask() {
    if let Some(folder) = workplace() {
        let directory = Directory::open(&folder.join("cache"), Access::ReadWrite).unwrap();
        directory.write(NAME, b"payload").unwrap();
        drop(directory.open_to_lock("lock-x").unwrap());
        return;
    }
    for umask in ["000", "022", "277", "777"] {
        let scratch = Scratch::new();
        let test = "directory::tests::what_is_made_is_for_us_alone_whatever_the_umask";
        let shell = format!("umask {umask}");
        let output = in_a_process(test, scratch.folder(), &shell).output().unwrap();
        assert!(output.status.success(), "{umask}: {output:?}");
        let modes = [scratch.cache(), scratch.file(NAME), scratch.file("lock-x")];
        assert_eq!(modes.map(|path| mode(&path)), [0o700, 0o600, 0o600], "{umask}");
    }
}

#[test]
fn a_folder_hands_nothing_on_to_the_directory_that_is_made_in_it() {
    let scratch = Scratch::new();
    set_mode(scratch.folder(), 0o2755);
    open(&scratch).unwrap();
    assert_eq!(mode(&scratch.cache()), 0o700);
}

#[test]
fn a_directory_is_not_made_where_others_could_change_it() {
    for unsafe_mode in [0o777, 0o775, 0o757, 0o720, 0o702] {
        let scratch = Scratch::new();
        set_mode(scratch.folder(), unsafe_mode);
        assert!(open(&scratch).unwrap_err().contains("is not safe"), "{unsafe_mode:o}");
        assert!(!scratch.cache().exists());
    }
    for safe_mode in [0o1777, 0o755, 0o700] {
        let scratch = Scratch::new();
        set_mode(scratch.folder(), safe_mode);
        open(&scratch).unwrap();
    }
}

#[test]
fn a_folder_is_safe_if_it_is_ours_or_roots() {
    assert!(is_safe_parent(0, 0o755, 1000));
    assert!(is_safe_parent(1000, 0o755, 1000));
    assert!(!is_safe_parent(1001, 0o755, 1000));
    assert!(!is_safe_parent(1001, 0o1755, 1000));
}

#[test]
fn no_folders_above_the_directory_are_made() {
    let scratch = Scratch::new();
    let path = scratch.folder().join("absent/cache");
    let fault = Directory::open(&path, Access::ReadWrite).unwrap_err().to_string();
    assert!(fault.contains("the folder that it would be in cannot be looked at"), "{fault}");
    fs::write(scratch.folder().join("file"), "").unwrap();
    let path = scratch.folder().join("file/cache");
    let fault = Directory::open(&path, Access::ReadWrite).unwrap_err().to_string();
    assert!(fault.contains("something else than a directory"), "{fault}");
}

#[test]
fn a_directory_that_is_open_to_others_is_not_used() {
    let scratch = Scratch::new();
    open(&scratch).unwrap();
    for bad in [0o701, 0o702, 0o704, 0o710, 0o720, 0o740, 0o755, 0o1777] {
        set_mode(&scratch.cache(), bad);
        let fault = open(&scratch).unwrap_err();
        assert!(fault.contains(&format!("open to others (mode {bad:04o})")), "{fault}");
        assert_eq!(mode(&scratch.cache()), bad);
    }
    set_mode(&scratch.cache(), 0o700);
    open(&scratch).unwrap();
}

#[test]
fn a_directory_of_somebody_else_is_not_used() {
    let scratch = Scratch::new();
    let us = open(&scratch).unwrap().owner;
    let fault = Directory::open_as(us + 1, &scratch.cache(), Access::ReadWrite).unwrap_err();
    let expected = format!("belongs to user {us}, and we are user {}", us + 1);
    assert!(fault.to_string().contains(&expected), "{fault}");
}

#[test]
fn only_a_directory_itself_is_a_directory() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.folder().join("real")).unwrap();
    set_mode(&scratch.folder().join("real"), 0o700);
    symlink("real", scratch.folder().join("link")).unwrap();
    symlink("absent", scratch.folder().join("dangling")).unwrap();
    fs::write(scratch.folder().join("file"), "").unwrap();
    run("mkfifo", &scratch.folder().join("fifo"));
    for path in ["link", "link/", "link//.", "link/./", "dangling", "file", "fifo"] {
        let path = PathBuf::from(format!("{}/{path}", scratch.folder().display()));
        let fault = Directory::open(&path, Access::ReadWrite).unwrap_err().to_string();
        assert!(fault.contains("something else than a directory"), "{}: {fault}", path.display());
    }
    Directory::open(&scratch.folder().join("real/"), Access::ReadWrite).unwrap();
}

#[test]
fn reading_only_changes_nothing() {
    let scratch = Scratch::new();
    let read_only = || Directory::open(&scratch.cache(), Access::ReadOnly);
    assert!(read_only().unwrap_err().to_string().contains("does not exist"));
    assert!(!scratch.cache().exists());
    scratch.directory().write(NAME, b"payload").unwrap();
    let directory = read_only().unwrap();
    directory.write(NAME, b"other").unwrap();
    directory.write("other", b"other").unwrap();
    directory.remove(NAME).unwrap();
    assert!(directory.open_to_lock("lock-x").is_err());
    assert_eq!(directory.read(NAME, LARGEST), Some(b"payload".to_vec()));
    assert_eq!(scratch.names(), [NAME]);
}

#[test]
fn a_fault_is_one_line_that_names_the_directory_and_says_what_to_do() {
    let error = || ErrorKind::PermissionDenied.into();
    let problems = [
        Problem::Foreign { owner: 1, us: 2 },
        Problem::Missing,
        Problem::NoParent(error()),
        Problem::NotADirectory,
        Problem::NotMade(error()),
        Problem::OpenToOthers { mode: 0o755 },
        Problem::UnsafeParent,
        Problem::Unreadable(error()),
    ];
    for problem in problems {
        let line = problem.at(Path::new("/var/cache/x")).to_string();
        assert!(line.starts_with("the cache directory /var/cache/x is not used: "), "{line}");
        assert!(!line.contains('\n') && line.len() < 300, "{line}");
    }
}

#[test]
fn what_was_looked_at_is_used_even_if_its_path_leads_elsewhere_by_now() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    directory.write(NAME, b"ours").unwrap();
    fs::rename(scratch.cache(), scratch.folder().join("moved")).unwrap();
    scratch.directory().write(NAME, b"theirs").unwrap();
    assert_eq!(directory.read(NAME, LARGEST), Some(b"ours".to_vec()));
    directory.write(NAME, b"new").unwrap();
    assert_eq!(scratch.directory().read(NAME, LARGEST), Some(b"theirs".to_vec()));
}

#[test]
fn a_file_that_is_not_as_we_make_it_is_absent_until_the_next_write() {
    let cut = |path: &Path, size| File::options().write(true).open(path).unwrap().set_len(size);
    let aside = |path: &Path| {
        let aside = path.with_extension("aside");
        fs::rename(path, &aside).unwrap();
        aside
    };
    type Spoil<'a> = (&'a str, Box<dyn Fn(&Path)>);
    let spoils: [Spoil<'_>; 10] = [
        ("symbolic link", Box::new(move |path| symlink(aside(path), path).unwrap())),
        (
            "dangling link",
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                symlink("absent", path).unwrap();
            }),
        ),
        ("hard link", Box::new(|path| fs::hard_link(path, path.with_extension("too")).unwrap())),
        (
            "FIFO",
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                run("mkfifo", path);
            }),
        ),
        ("too large", Box::new(move |path| cut(path, 300 * 1024).unwrap())),
        ("readable by the group", Box::new(|path| set_mode(path, 0o640))),
        ("writable by others", Box::new(|path| set_mode(path, 0o602))),
        ("empty", Box::new(move |path| cut(path, 0).unwrap())),
        ("cut", Box::new(move |path| cut(path, 80).unwrap())),
        ("of another program", Box::new(|path| fs::write(path, "{\"keys\": []}").unwrap())),
    ];
    for (what, spoil) in spoils {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        directory.write(NAME, b"payload").unwrap();
        spoil(&scratch.file(NAME));
        assert_eq!(directory.read(NAME, LARGEST), None, "{what}");
        assert_eq!(directory.unusable(), 1, "{what}");
        directory.write(NAME, b"healed").unwrap();
        assert_eq!(directory.read(NAME, LARGEST), Some(b"healed".to_vec()), "{what}");
        assert_eq!(directory.unusable(), 1, "{what}");
        let _outside_of_the_cache = fs::remove_file(scratch.folder().join("aside"));
    }
}

#[test]
fn a_write_does_not_reach_through_a_link() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let precious = scratch.folder().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, scratch.file("symbolic")).unwrap();
    fs::hard_link(&precious, scratch.file("hard")).unwrap();
    for name in ["symbolic", "hard"] {
        directory.write(name, b"payload").unwrap();
        directory.remove(name).unwrap();
    }
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn what_is_no_lock_is_removed_and_nothing_behind_it() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let precious = scratch.folder().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, scratch.file("symbolic")).unwrap();
    fs::hard_link(&precious, scratch.file("hard")).unwrap();
    run("mkfifo", &scratch.file("fifo"));
    set_mode(&scratch.file("fifo"), 0o600);
    fs::write(scratch.file("open"), "").unwrap();
    set_mode(&scratch.file("open"), 0o644);
    for name in ["symbolic", "hard", "fifo", "open"] {
        directory.open_to_lock(name).unwrap_err();
        directory.open_to_lock(name).unwrap();
    }
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(directory.unusable(), 4);
}

#[test]
fn a_file_of_somebody_else_is_absent() {
    let scratch = Scratch::new();
    let ours = scratch.directory();
    ours.write(NAME, b"payload").unwrap();
    let theirs = Directory { owner: ours.owner + 1, ..scratch.directory() };
    assert_eq!(theirs.read(NAME, LARGEST), None);
    assert_eq!(theirs.unusable(), 1);
}

#[test]
fn a_file_that_was_damaged_at_any_byte_is_absent() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    directory.write(NAME, b"payload").unwrap();
    let good = fs::read(scratch.file(NAME)).unwrap();
    for at in 0..good.len() {
        fs::write(scratch.file(NAME), &good[..at]).unwrap();
        assert_eq!(directory.read(NAME, LARGEST), None, "cut at {at}");
        let mut damaged = good.clone();
        damaged[at] ^= 0x20;
        fs::write(scratch.file(NAME), &damaged).unwrap();
        assert_eq!(directory.read(NAME, LARGEST), None, "damaged at {at}");
    }
    fs::write(scratch.file(NAME), &good).unwrap();
    assert_eq!(directory.read(NAME, LARGEST), Some(b"payload".to_vec()));
    assert_eq!(directory.unusable() as usize, 2 * good.len());
}

#[test]
fn what_is_absent_is_no_trouble() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    assert_eq!(directory.read(NAME, LARGEST), None);
    directory.remove(NAME).unwrap();
    directory.write(NAME, b"payload").unwrap();
    directory.remove(NAME).unwrap();
    assert_eq!(directory.read(NAME, LARGEST), None);
    assert_eq!(directory.unusable(), 0);
    assert!(scratch.names().is_empty());
}

#[test]
fn a_payload_may_have_as_many_bytes_as_allowed_and_none_more() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    for size in [0, 1, 1000, LARGEST] {
        let payload = vec![b'x'; size];
        directory.write(NAME, &payload).unwrap();
        assert_eq!(directory.read(NAME, size), Some(payload.clone()));
        assert_eq!(directory.read(NAME, usize::MAX), Some(payload));
        if let Some(less) = size.checked_sub(1) {
            assert_eq!(directory.read(NAME, less), None, "{size}");
        }
    }
    directory.write(NAME, &vec![b'x'; LARGEST + 1]).unwrap_err();
    assert_eq!(directory.read(NAME, LARGEST).unwrap().len(), LARGEST);
}

#[test]
fn no_name_leads_out_of_the_directory() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let long = "x".repeat(LONGEST_NAME);
    for name in ["a", "keys-0123456789abcdef", "a.b", "-", &long] {
        directory.write(name, b"payload").unwrap();
        assert_eq!(directory.read(name, LARGEST), Some(b"payload".to_vec()), "{name}");
    }
    let before = scratch.names();
    let longer = "x".repeat(LONGEST_NAME + 1);
    let hidden = [".", "..", ".a", "../a", "a/b", "/a", "a/../../b", "temp-0"];
    let odd = ["", "A", "a_b", "a b", "a\n", "a\0", "\u{e4}", &longer];
    for name in hidden.into_iter().chain(odd) {
        directory.write(name, b"payload").unwrap_err();
        directory.remove(name).unwrap_err();
        directory.open_to_lock(name).unwrap_err();
        assert_eq!(directory.read(name, LARGEST), None);
    }
    assert_eq!((directory.unusable(), scratch.names()), (0, before));
}

#[test]
fn a_full_disk_loses_the_write_and_nothing_else() {
    if let Some(folder) = workplace() {
        let directory = Directory::open(&folder.join("cache"), Access::ReadWrite).unwrap();
        directory.write(NAME, b"small").unwrap();
        let error = directory.write(NAME, &[b'x'; 100_000]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
        assert!(directory.unwritten());
        assert_eq!(directory.read(NAME, LARGEST), Some(b"small".to_vec()));
        return;
    }
    // What this limit leaves of a large write is its beginning, as with a disk that fills up. The
    // signal is ignored by PostgreSQL, too.
    let shell = "trap '' XFSZ; ulimit -f 8";
    let scratch = Scratch::new();
    let test = "directory::tests::a_full_disk_loses_the_write_and_nothing_else";
    let output = in_a_process(test, scratch.folder(), shell).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(scratch.names(), [NAME]);
}

#[test]
fn where_nothing_can_be_written_a_write_is_an_error_and_a_file_is_absent() {
    let directory = Scratch::unwritable();
    directory.write(NAME, b"payload").unwrap_err();
    directory.open_to_lock("lock-x").unwrap_err();
    directory.remove(NAME).unwrap();
    assert_eq!((directory.read(NAME, LARGEST), directory.unusable()), (None, 0));
    // A directory that was removed is one of those.
    let scratch = Scratch::new();
    let directory = scratch.directory();
    fs::remove_dir(scratch.cache()).unwrap();
    directory.write(NAME, b"payload").unwrap_err();
    assert_eq!((directory.read(NAME, LARGEST), directory.unusable()), (None, 0));
    assert!(!scratch.cache().exists());
}

#[test]
fn a_write_that_cannot_get_its_name_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    fs::create_dir(scratch.file(NAME)).unwrap();
    directory.write(NAME, b"payload").unwrap_err();
    assert_eq!((directory.read(NAME, LARGEST), directory.unusable()), (None, 1));
    assert_eq!(scratch.names(), [NAME]);
}

#[test]
fn no_reader_sees_a_part_of_a_write() {
    const WRITES: usize = 100;
    let scratch = Scratch::new();
    scratch.directory().write(NAME, b"").unwrap();
    std::thread::scope(|scope| {
        for letter in [b'a', b'b', b'c'] {
            let directory = scratch.directory();
            scope.spawn(move || {
                for n in 0..WRITES {
                    directory.write(NAME, &vec![letter; n * 37 % 20_000]).unwrap();
                }
            });
        }
        for _ in 0..3 {
            let directory = scratch.directory();
            scope.spawn(move || {
                for _ in 0..2 * WRITES {
                    let payload = directory.read(NAME, LARGEST).unwrap();
                    assert!(payload.iter().all(|b| Some(b) == payload.first()));
                }
                assert_eq!(directory.unusable(), 0);
            });
        }
    });
    assert_eq!(scratch.names(), [NAME]);
}

#[test]
fn what_killed_writers_left_is_removed_after_a_while() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let leave = |name: &str, age: Duration| {
        let file = File::create(scratch.file(name)).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - age).unwrap();
    };
    let old = Duration::from_secs(605);
    leave("temp-old", old);
    leave("temp-young", Duration::from_secs(595));
    leave("other-old", old);
    // Chance sees to it; 4000 misses are one case in six millions.
    let gone = |_: &_| !scratch.file("temp-old").exists();
    (0..4000).map(|_| directory.write(NAME, b"").unwrap()).find(gone).unwrap();
    assert_eq!(scratch.names(), [NAME, "other-old", "temp-young"]);
}
