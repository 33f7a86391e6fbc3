//! A cache directory that is broken in whatever way costs calls and a line, and never a login.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::sandbox::own;
use harness::{Code, IdentityProvider, PamClient, Route, World};

use crate::jwt::line;

pub(crate) const CLAIMS: &[u8] = br#"{"uid":"alice","realm":"/employees","expires_in":3516}"#;

/// Both ways to log in that keep something, with one cache directory.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) issuer: IdentityProvider,
    pub(crate) cache: PathBuf,
    /// One that the token service knows, and one of the issuer.
    pub(crate) tokens: [String; 2],
}

impl Scene {
    pub(crate) fn new() -> Self {
        let world = World::without_postgres();
        let issuer = world.identity_provider();
        let cache = world.sandbox.writable_folder("caches").join("one");
        let now = harness::identity_provider::now();
        // Good by clocks that are an hour off.
        let jwt = issuer.jwt("alice").claim("iat", now - 7200).claim("exp", now + 7200);
        let tokens = [world.grant("alice"), issuer.sign(&jwt)];
        Self { world, issuer, cache, tokens }
    }

    pub(crate) fn lines(&self, more: &str) -> [String; 2] {
        let more = format!("--allow-http --cache-dir={} {more}", self.cache.display());
        let jwt = line(&self.issuer, "").replace("--allow-http", &more);
        [self.world.rule(&format!("{more} --cache-ttl=10m")), jwt]
    }

    /// Logs in both ways, and says how the tokens were verified. At most one line beside the audit
    /// line tells of trouble; those lines come second.
    #[track_caller]
    pub(crate) fn login(&self, what: &str) -> ([String; 2], Vec<String>) {
        self.login_at(0, what)
    }

    #[track_caller]
    pub(crate) fn login_at(&self, seconds: i64, what: &str) -> ([String; 2], Vec<String>) {
        let mut complaints = Vec::new();
        let lines = self.lines("--timeout=10s");
        let pairs: [(String, String); 2] =
            [0, 1].map(|n| (lines[n].clone(), self.tokens[n].clone()));
        let ways = pairs.map(|(line, token)| {
            self.world.strict(&line);
            let before = self.world.syslog().len();
            let sandbox = &self.world.sandbox;
            let client = match seconds {
                0 => PamClient::new(sandbox, "strict", "alice"),
                _ => PamClient::with_clock_off_by(seconds, sandbox, "strict", "alice"),
            };
            let report = client.token(token).run(&["authenticate"]);
            assert_eq!(report.codes("authenticate"), [Code::Success], "{what}: {report:?}");
            let lines = self.world.syslog().split_off(before);
            let (audit, others): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| line.contains(" audit: "));
            assert_eq!(audit.len(), 1, "{what}: {audit:#?}");
            assert!(others.len() <= 1, "{what}: {others:#?}");
            assert_eq!(report.all("told-3").len(), others.len(), "{what}: {report:?}");
            complaints.extend(others);
            audit[0].split_once(" via=").unwrap().1.to_owned()
        });
        (ways, complaints)
    }

    /// Nothing was kept, and one line for each login says why.
    #[track_caller]
    pub(crate) fn expect_unused(&self, what: &str, reason: &str) {
        for _ in 0..2 {
            let (ways, complaints) = self.login(what);
            assert_eq!(ways, ["tokeninfo", "jwt keys=issuer"], "{what}");
            assert_eq!(complaints.len(), 2, "{what}");
            for line in complaints {
                assert!(line.contains("cache") && line.contains(reason), "{what}: {line}");
            }
        }
    }

    /// Whatever was wrong is over: what one login finds out the next one knows.
    #[track_caller]
    pub(crate) fn expect_healed(&self, what: &str) {
        self.login(what);
        let (ways, complaints) = self.login(what);
        assert_eq!(ways, ["verdict", "jwt keys=cache"], "{what}");
        assert!(complaints.is_empty(), "{what}: {complaints:#?}");
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.cache).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// An empty directory of ours.
    pub(crate) fn fresh(&self) {
        let _file = fs::remove_file(&self.cache);
        let _folder = fs::remove_dir_all(&self.cache);
        fs::create_dir(&self.cache).unwrap();
        own(&self.cache);
        mode(&self.cache, 0o700);
    }

    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.world.service.requests().len(), self.issuer.asked(Route::Jwks))
    }
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
    own(path);
}

#[test]
fn a_missing_directory_is_made_for_the_server_alone() {
    let scene = Scene::new();
    scene.expect_healed("missing");
    let metadata = fs::metadata(&scene.cache).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o700, 65534));
    for file in scene.files() {
        let metadata = fs::symlink_metadata(&file).unwrap();
        assert!(metadata.is_file(), "{}", file.display());
        assert_eq!(
            (metadata.mode() & 0o7777, metadata.uid()),
            (0o600, 65534),
            "{}",
            file.display()
        );
        let content = fs::read(&file).unwrap();
        scene.world.secrets.assert_absent(&file.display().to_string(), &content);
    }
}

#[test]
fn a_directory_that_is_not_ours_alone_is_not_used() {
    let scene = Scene::new();
    for (bits, what) in [(0o755, "0755"), (0o710, "0710"), (0o770, "0770"), (0o1777, "1777")] {
        scene.fresh();
        mode(&scene.cache, bits);
        scene.expect_unused(what, "open to others");
    }
    scene.fresh();
    std::os::unix::fs::chown(&scene.cache, Some(0), Some(0)).unwrap();
    scene.expect_unused("root's", "");
    scene.fresh();
    mode(&scene.cache, 0);
    scene.expect_unused("closed to all", "cannot be opened");
    mode(&scene.cache, 0o700);
    assert!(scene.files().is_empty(), "{:?}", scene.files());
    scene.expect_healed("well again");
}

#[test]
fn what_is_no_directory_is_not_used() {
    let scene = Scene::new();
    let elsewhere = scene.world.sandbox.writable_folder("elsewhere");
    mode(&elsewhere, 0o700);
    symlink(&elsewhere, &scene.cache).unwrap();
    scene.expect_unused("a link to a good one", "something else");
    fs::remove_file(&scene.cache).unwrap();
    symlink("/nonexistent", &scene.cache).unwrap();
    scene.expect_unused("a link to nothing", "");
    fs::remove_file(&scene.cache).unwrap();
    fs::write(&scene.cache, "").unwrap();
    own(&scene.cache);
    scene.expect_unused("a file", "something else");
    fs::remove_file(&scene.cache).unwrap();
    fifo(&scene.cache);
    scene.expect_unused("a FIFO", "");
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
    scene.fresh();
    scene.expect_healed("well again");
}

#[test]
fn a_directory_is_made_only_where_nobody_else_could_take_it_away() {
    let mut scene = Scene::new();
    let parent = scene.cache.parent().unwrap().to_owned();
    scene.cache = parent.join("missing/one");
    scene.expect_unused("without a parent", "make that folder first");
    scene.cache = parent.join("one");
    mode(&parent, 0o777);
    scene.expect_unused("everybody may rename it", "not safe");
    own_by_root(&parent);
    mode(&parent, 0o755);
    scene.expect_unused("a parent of root's", "cannot be made");
    fs::remove_dir(&parent).unwrap();
    fs::write(&parent, "").unwrap();
    scene.expect_unused("a parent that is a file", "");
    fs::remove_file(&parent).unwrap();
    fs::create_dir(&parent).unwrap();
    mode(&parent, 0o1777);
    scene.expect_healed("as /tmp is");
}

fn own_by_root(path: &Path) {
    std::os::unix::fs::chown(path, Some(0), Some(0)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_to_keeps_nothing_and_refuses_nobody() {
    let scene = Scene::new();
    scene.fresh();
    mode(&scene.cache, 0o500);
    for _ in 0..2 {
        let (ways, _) = scene.login("not writable");
        assert_eq!(ways, ["tokeninfo", "jwt keys=issuer"]);
    }
    mode(&scene.cache, 0o700);
    scene.world.sandbox.read_only(&scene.cache);
    let (ways, _) = scene.login("read-only");
    assert_eq!(ways, ["tokeninfo", "jwt keys=issuer"]);
    assert!(scene.files().is_empty(), "{:?}", scene.files());
    // What is in one can be used as long as it holds.
    scene.world.sandbox.no_mounts();
    scene.expect_healed("writable");
    scene.world.sandbox.read_only(&scene.cache);
    let before = scene.asked();
    for _ in 0..2 {
        let (ways, _) = scene.login("read-only, warm");
        assert_eq!(ways, ["verdict", "jwt keys=cache"]);
    }
    assert_eq!(scene.asked(), before);
}

#[test]
fn a_full_disk_refuses_nobody() {
    let scene = Scene::new();
    scene.fresh();
    let lines = scene.lines("--on-outage=stale:10m");
    for (pages, files) in [(1, 0), (1, 1), (1, 2), (1, 4), (1, 99), (2, 99), (3, 99), (5, 99)] {
        scene.world.sandbox.tiny_disk(&scene.cache, pages, files);
        for (line, token) in lines.iter().zip(&scene.tokens) {
            scene.world.strict(line);
            let what = format!("{pages} pages, {files} files: {line}");
            let before = scene.world.syslog().len();
            // Many logins on one disk; each of them succeeds, or the client fails.
            let client = scene.world.client("strict", "alice").token(token);
            let report = client.option("--cycles", "5").run(&["authenticate", "account"]);
            assert_eq!(report.number("descriptors-left"), 0, "{what}");
            let lines = scene.world.syslog().split_off(before);
            let others = lines.iter().filter(|line| !line.contains(" audit: ")).count();
            assert!(others <= 5, "{what}: {lines:#?}");
            // Somebody who is refused stays refused.
            let client = scene.world.client("strict", "alice").token("unknown");
            assert_eq!(
                client.run(&["authenticate"]).codes("authenticate"),
                [Code::AuthErr],
                "{what}"
            );
        }
    }
    // Half a page is enough for nobody, and a few are enough for all.
    scene.world.sandbox.tiny_disk(&scene.cache, 64, 99);
    scene.world.strict(&lines[0]);
    let before = scene.asked();
    let client = scene.world.client("strict", "alice").token(&scene.tokens[0]);
    client.option("--cycles", "5").run(&["authenticate"]);
    assert_eq!(scene.asked().0, before.0 + 1);
}

type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 12] = [
    ("empty", |path| fs::write(path, "").unwrap()),
    ("half", |path| {
        let content = fs::read(path).unwrap();
        fs::write(path, &content[..content.len() / 2]).unwrap();
    }),
    ("a bit", |path| {
        let mut content = fs::read(path).unwrap();
        let middle = content.len() / 2;
        if let Some(byte) = content.get_mut(middle) {
            *byte ^= 4;
        }
        fs::write(path, content).unwrap();
    }),
    ("longer", |path| {
        let content = fs::read(path).unwrap();
        fs::write(path, [content.as_slice(), b"x"].concat()).unwrap();
    }),
    ("nonsense", |path| fs::write(path, [0xff; 5000]).unwrap()),
    ("a terabyte", |path| {
        fs::File::options().write(true).open(path).unwrap().set_len(1 << 40).unwrap()
    }),
    ("open to others", |path| mode(path, 0o644)),
    ("root's", own_by_root),
    ("a link", |path| {
        let copy = path.with_extension("copy");
        fs::rename(path, &copy).unwrap();
        symlink(&copy, path).unwrap();
    }),
    ("of two names", |path| fs::hard_link(path, path.with_extension("twin")).unwrap()),
    ("a FIFO", |path| {
        fs::remove_file(path).unwrap();
        fifo(path);
    }),
    ("a folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        own(path);
    }),
];

#[test]
fn damaged_files_refuse_nobody_and_are_healed() {
    let scene = Scene::new();
    for (what, damage) in DAMAGES {
        scene.fresh();
        // With a refusal and a failure, so that there are files of every kind.
        scene.expect_healed(what);
        scene.world.client("strict", "alice").token("unknown").run(&["authenticate"]);
        scene.files().iter().for_each(|file| damage(file));
        let start = Instant::now();
        scene.login(what);
        if what == "a folder" {
            // That is somebody's work, and not ours to remove.
            let (ways, _) = scene.login(what);
            assert_eq!(ways, ["tokeninfo", "jwt keys=issuer"]);
        } else {
            scene.expect_healed(what);
        }
        // Nobody waits without an end for what is damaged; a busy machine takes its time.
        assert!(start.elapsed() < Duration::from_secs(120), "{what}: {:?}", start.elapsed());
    }
}

#[test]
fn one_damaged_file_refuses_nobody_whichever_it_is() {
    let scene = Scene::new();
    scene.expect_healed("before");
    let names: Vec<_> =
        scene.files().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    for kind in ["keys-", "tries-", "verdicts-", "flight-", "lock-verdicts-", "metrics-"] {
        let found = names.iter().any(|name| name.to_string_lossy().starts_with(kind));
        assert!(found, "no {kind} in {names:?}");
    }
    for name in names {
        scene.fresh();
        scene.expect_healed("well again");
        let path = scene.cache.join(&name);
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        own(&path);
        scene.login(&name.to_string_lossy());
        scene.login(&name.to_string_lossy());
    }
}
