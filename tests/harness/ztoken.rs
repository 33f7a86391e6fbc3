//! `ztoken` as a person runs it: with a home of her own, and nothing of the environment of the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::artifacts;
use crate::openid_provider::{CLIENT, OpenidProvider, RESOURCE};
use crate::secrets::Secrets;
use crate::teams_sync::{Output, Running};
use crate::workdir::Workdir;

/// Far beyond what a run takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Ztoken {
    environment: Vec<(String, String)>,
    /// Words before the command.
    within: Vec<String>,
    /// All tokens that were kept at some time.
    pub secrets: Secrets,
    home: Workdir,
}

impl Ztoken {
    /// With this configuration in her home.
    pub fn new(configuration: &str) -> Self {
        let home = Workdir::new();
        let (environment, within) = (Vec::new(), Vec::new());
        let this = Self { environment, within, secrets: Secrets::default(), home };
        this.configure(configuration);
        this
    }

    /// Of a person who gets JWTs of a provider, and who has a browser.
    pub fn of(provider: &OpenidProvider) -> Self {
        let mut this = Self::new(&profile(provider, ""));
        this.set("BROWSER", &provider.browser());
        this
    }

    pub fn configure(&self, configuration: &str) {
        self.home.folder(".config/ztoken");
        self.file(".config/ztoken/config.toml", configuration);
    }

    /// Writes a file in her home that only she can read.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the mode can be set");
        path
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where tokens are kept.
    pub fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/ztoken")
    }

    /// What is kept of a profile, as it is written there.
    pub fn kept(&self, profile: &str) -> Option<String> {
        fs::read_to_string(self.state().join(format!("{profile}.json"))).ok()
    }

    /// A secret that is kept of a profile: `access_token` or `refresh_token`.
    #[track_caller]
    pub fn kept_secret(&self, profile: &str, name: &str) -> String {
        let kept = self.kept(profile).expect("something is kept");
        let kept: Value = serde_json::from_str(&kept).expect("it is whole");
        kept[name].as_str().unwrap_or_else(|| panic!("no {name} is kept")).to_owned()
    }

    /// The token that is kept was obtained so much earlier, and has so much less left.
    pub fn age(&self, profile: &str, by: Duration) {
        let mut kept: Value =
            serde_json::from_str(&self.kept(profile).expect("one is kept")).expect("it is whole");
        let by = i64::try_from(by.as_secs()).expect("not that long");
        for name in ["obtained", "expires"] {
            kept[name] = (kept[name].as_i64().expect("a time") - by).into();
        }
        self.file(&format!(".local/state/ztoken/{profile}.json"), &kept.to_string());
    }

    /// One variable more for all runs to come, or another value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(own, _)| own != name);
    }

    /// From now on it is run by these words, such as `env A=b`; none runs it as it is.
    pub fn within(&mut self, words: &[&str]) {
        self.within = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Runs it to its end, without input and without a terminal. No token may be in its messages.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.note();
        let output = self.spawn(arguments).wait();
        self.note();
        self.secrets.assert_absent("stderr", output.stderr.as_bytes());
        output
    }

    /// The tokens that are kept now are secrets from now on.
    fn note(&self) {
        for entry in fs::read_dir(self.state()).into_iter().flatten().flatten() {
            let Ok(kept) = fs::read_to_string(entry.path()) else { continue };
            let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
            for name in ["access_token", "refresh_token"] {
                if let Some(token) = kept[name].as_str() {
                    self.secrets.add(token.as_bytes());
                }
            }
        }
    }

    /// Starts it; it is asked to end on drop.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let program = artifacts::ztoken().display().to_string();
        let words = self.within.iter().map(String::as_str).chain([program.as_str()]);
        self.start(words.chain(arguments.iter().copied()))
    }

    /// Runs a script of a shell, in which `ztoken` is found.
    #[track_caller]
    pub fn shell(&self, script: &str) -> Output {
        self.start(["sh", "-c", script]).wait()
    }

    fn start<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Running {
        let words: Vec<&str> = words.into_iter().collect();
        let folder = artifacts::ztoken().parent().expect("it lies in a folder").to_owned();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Running::start(&mut command, words.join(" "), LIMIT)
    }
}

/// The profile `prod` of a person who gets JWTs of a provider, with more lines.
pub fn profile(provider: &OpenidProvider, more: &str) -> String {
    format!(
        "[profile.prod]\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\nresource = \"{RESOURCE}\"\n{more}\n",
        provider.issuer()
    )
}
