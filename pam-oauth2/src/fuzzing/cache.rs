//! The files of a cache directory, as somebody else may have left them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::{Fixture, NOW, ROLE, Scripted, decide, folder, login, policy};
use crate::admit::{Admission, Way};
use crate::cache::{Access, Directory, metrics};
use crate::policy::{OnOutage, Policy};

/// What stands between the contents of two files.
const BETWEEN: &[u8] = b"\n--\n";
/// The files that decide something, in the order of their contents; the last is that of counters.
const KINDS: [&str; 6] = ["keys-", "tries-", "verdicts-", "denials-", "breaker-", "metrics-"];

/// Fewer bytes than all counters take.
const MOST_COUNTERS: usize = 400;

struct World {
    folder: PathBuf,
    /// Where the files of [`KINDS`] are.
    files: [PathBuf; 6],
    ask: Policy,
    verify: Policy,
}

/// A line that says for each file whether it is sealed (`s`), and the files. A file that is not
/// named does not exist.
///
/// Whoever can write a good seal could write anything, so a sealed file may decide. One without
/// a seal may not.
pub(super) fn cache(data: &[u8]) {
    lets_in(data);
}

/// Whether a verdict and a key set let somebody in while nobody answers.
pub(super) fn lets_in(data: &[u8]) -> [bool; 2] {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(World::new);
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return [false; 2];
    };
    let (kinds, contents) = (&data[..end], &data[end + 1..]);
    let mut sealed = [false; 6];
    for (number, content) in split(contents).enumerate().take(KINDS.len()) {
        // A file of counters that is damaged is read several times, with a pause.
        let counters = number == 5;
        if counters && content.len() > MOST_COUNTERS {
            continue;
        }
        sealed[number] = counters || kinds.get(number) == Some(&b's');
        let content = if sealed[number] { seal(content) } else { content.to_vec() };
        if !content.is_empty() {
            fs::write(&world.files[number], content).expect("a file");
            fs::set_permissions(&world.files[number], PermissionsExt::from_mode(0o600))
                .expect("a mode");
        }
    }
    let directory = Directory::open(&world.folder, Access::ReadWrite).expect("a directory");
    let rendered = metrics::render(&directory);
    assert!(rendered.ends_with('\n') && rendered.lines().all(|line| !line.is_empty()));

    // Nobody answers, so that only what is remembered can let somebody in.
    let asking = login(world.ask.clone(), b"an-opaque-token").expect("a token");
    let by_verdict = decide(&asking, &Scripted(None), Some(&directory));
    if let Ok(Admission { authorized, facts, way }) = &by_verdict {
        assert!(sealed[2], "a verdict was believed that has no seal");
        assert_eq!(authorized.role().as_str(), ROLE);
        assert!(facts.expires.is_none_or(|end| (NOW as f64) < end), "beyond its end");
        let Way::Verdict { age, .. } = way else { panic!("nobody answered: {way:?}") };
        assert!((0.0..1860.0).contains(age), "a verdict of {age} s ago");
    }
    let token = Fixture::TOKENS[0].trim_end().as_bytes();
    let verifying = login(world.verify.clone(), token).expect("a token");
    let by_keys = decide(&verifying, &Scripted(None), Some(&directory)).is_ok();
    assert!(!by_keys || sealed[0], "keys were believed that have no seal");
    // And a service that is well heals what is broken, unless it has to be left alone for a while.
    let well = Scripted(Some((200, br#"{"uid":"alice"}"#)));
    let _answered_or_paused = decide(&asking, &well, Some(&directory));
    world.clear();
    [by_verdict.is_ok(), by_keys]
}

impl World {
    fn new() -> Self {
        let folder = folder().join("cache");
        // Not on the line, which is part of what a verdict is found by: seeds hold for any folder.
        let keeping = |line: &str| {
            let mut policy = policy(line);
            policy.limits.cache_ttl = Duration::from_secs(60);
            policy.limits.on_outage = OnOutage::Stale(Duration::from_secs(1800));
            policy
        };
        let ask = keeping("https://info.example.com/?access_token= uid");
        let issuer = super::ISSUER;
        let verify = keeping(&format!(
            "{issuer} uid --verify=jwt --audience={} --jwks={issuer}/keys",
            super::AUDIENCE
        ));
        let directory = Directory::open(&folder, Access::ReadWrite).expect("a directory");
        let token = Fixture::TOKENS[0].trim_end().as_bytes();
        // Names are hashes: logins that go well and logins that fail make all of them.
        let asking = login(ask.clone(), b"an-opaque-token").expect("a token");
        let verifying = login(verify.clone(), token).expect("a token");
        let good = [
            decide(&asking, &Scripted(Some((200, br#"{"uid":"alice"}"#))), Some(&directory)),
            decide(&verifying, &Scripted(Some((200, Fixture::KEYS.as_bytes()))), Some(&directory)),
        ];
        good.into_iter().for_each(|decided| drop(decided.expect("a login")));
        let bad = decide(&asking, &Scripted(None), Some(&directory));
        drop(bad.expect("a login by a verdict"));
        let denied = login(ask.clone(), b"an-opaque-token").expect("a token");
        let other = Scripted(None);
        let without = fs::remove_file(find(&folder, "verdicts-"));
        without.expect("a verdict");
        assert!(decide(&denied, &other, Some(&directory)).is_err());
        crate::cache::Tally::new().add_to(&directory);
        let mut files = KINDS.map(|kind| folder.join(kind));
        for (file, kind) in files.iter_mut().zip(KINDS) {
            // That of verdicts has the number of that of denials.
            *file = if kind == "verdicts-" {
                let denials = find(&folder, "denials-");
                let name = denials.file_name().and_then(|name| name.to_str()).expect("a name");
                folder.join(name.replace("denials-", "verdicts-"))
            } else {
                find(&folder, kind)
            };
        }
        let this = Self { folder, files, ask, verify };
        this.clear();
        this
    }

    fn clear(&self) {
        for file in &self.files {
            let _absent_is_as_good = fs::remove_file(file);
        }
    }
}

fn find(folder: &PathBuf, kind: &str) -> PathBuf {
    let mut entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name"));
    let found = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(kind));
    found.unwrap_or_else(|| panic!("no {kind} file")).path()
}

fn split(mut contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let at = contents.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let (content, rest) = match at {
            Some(at) => (&contents[..at], &contents[at + BETWEEN.len()..]),
            None => (contents, &[] as &[u8]),
        };
        done = at.is_none();
        contents = rest;
        Some(content)
    })
}

/// Written down a second time.
fn seal(payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() {
        return Vec::new();
    }
    let hash = digest(&SHA256, payload);
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("pam-oauth2 1 {hex}\n").as_bytes(), payload].concat()
}
