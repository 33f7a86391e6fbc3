//! A certified OpenID provider, `oidc-provider`, with people who log in and consent as they are told.
//!
//! Its access tokens are JWTs (RS256, audience `postgres`, claims `preferred_username` and `realm`)
//! where the resource [`RESOURCE`] is asked for, and opaque otherwise.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mint::Key;
use serde_json::{Value, json};

use crate::artifacts::source;
use crate::cache;
use crate::certificates::Identity;
use crate::network::Network;
use crate::secrets::random_text;
use crate::teams_sync::{Output, Running};
use crate::workdir::Workdir;

/// Of a person's `ztoken`: public, with the flows of the browser and of other devices.
pub const CLIENT: &str = "ztoken";
/// Of robots, who have a secret: in a header, or in the body.
pub const ROBOT: &str = "robot";
pub const ROBOT_POST: &str = "robot-post";
/// Of who has a key instead ([`OpenidProvider::key`]).
pub const SERVICE_ACCOUNT: &str = "service-account";
/// Who asks for it gets a JWT for the servers of a company.
pub const RESOURCE: &str = "urn:example:postgres";
const LIMIT: Duration = Duration::from_secs(60);

/// What provider and people do from now on.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Who sits at the browser.
    pub user: String,
    /// Of that person.
    pub realm: String,
    /// Whether she agrees.
    pub consent: bool,
    /// Of access tokens.
    pub lifetime: Duration,
    /// Whether there are refresh tokens.
    pub refresh: bool,
    /// Before an answer of the token endpoint.
    pub delay: Duration,
    revoked: u32,
}

#[derive(Debug)]
pub struct OpenidProvider {
    // Goes before its folder.
    _server: Running,
    issuer: String,
    secret: String,
    key: Key,
    conduct: Mutex<Conduct>,
    /// Where it and its people are, if not on this machine.
    network: Option<Arc<Network>>,
    workdir: Workdir,
}

impl OpenidProvider {
    /// Plain http.
    pub fn start() -> Self {
        Self::with(None, None)
    }

    /// https, as `localhost`.
    pub fn encrypted(identity: &Identity) -> Self {
        Self::with(Some(identity), None)
    }

    /// The same inside, and so are the browsers of its people.
    pub fn encrypted_in(network: &Arc<Network>, identity: &Identity) -> Self {
        Self::with(Some(identity), Some(Arc::clone(network)))
    }

    fn with(identity: Option<&Identity>, network: Option<Arc<Network>>) -> Self {
        let workdir = Workdir::new();
        let key = Key::p256().with_kid("service-account");
        // Characters that a form has to encode (RFC 6749 section 2.3.1).
        let secret = format!("{}+/%&= {}", random_text(20), random_text(20));
        let setup = json!({
            "certificate": identity.map(|identity| &identity.certificate_pem),
            "jwks": { "keys": [key.public_jwk()] },
            "key": identity.map(|identity| &identity.key_pem),
            "secret": secret,
        });
        workdir.file("setup.json", setup.to_string());
        let conduct = Conduct {
            user: "alice".to_owned(),
            realm: "/employees".to_owned(),
            consent: true,
            lifetime: Duration::from_secs(3600),
            refresh: true,
            delay: Duration::ZERO,
            revoked: 0,
        };
        workdir.file("conduct.json", conduct.to_json().to_string());
        let mut command = node("server.mjs");
        command.arg(workdir.path()).arg(cache::openid_provider());
        confine(network.as_ref(), &mut command);
        let mut server = Running::start(&mut command, "oidc-provider".to_owned(), LIMIT);
        let issuer = server.line().unwrap_or_else(|| panic!("no issuer: {}", server.stderr()));
        Self {
            _server: server,
            issuer,
            secret,
            key,
            conduct: Mutex::new(conduct),
            network,
            workdir,
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Of its robots.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What [`SERVICE_ACCOUNT`] signs its assertions with, by ES256.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// From now on it and its people do otherwise.
    pub fn conduct(&self, change: impl FnOnce(&mut Conduct)) {
        let mut conduct = self.conduct.lock().unwrap();
        change(&mut conduct);
        self.workdir.file("conduct.json", conduct.to_json().to_string());
    }

    /// Takes all logins back that were made so far.
    pub fn revoke_all(&self) {
        self.conduct(|conduct| conduct.revoked += 1);
    }

    /// How often it was asked this: `POST /token`.
    pub fn asked(&self, request: &str) -> usize {
        let requests = fs::read_to_string(self.workdir.path().join("requests")).unwrap_or_default();
        requests.lines().filter(|line| *line == request).count()
    }

    /// A value of `$BROWSER`: a browser without a screen, at which the user of [`Conduct`] sits.
    pub fn browser(&self) -> String {
        format!("{} {}", program().display(), script("browser.mjs"))
    }

    /// The same browser goes to a URL and comes back; in a form the user says yes or no.
    pub fn visit(&self, url: &str, says_yes: bool) -> Output {
        let mut command = node("browser.mjs");
        command.arg(url).arg(if says_yes { "yes" } else { "no" });
        confine(self.network.as_ref(), &mut command);
        Running::start(&mut command, "a browser".to_owned(), LIMIT).wait()
    }
}

impl Conduct {
    fn to_json(&self) -> Value {
        let Self { user, realm, consent, lifetime, refresh, delay, revoked } = self;
        let delay = u64::try_from(delay.as_millis()).expect("not that long");
        json!({
            "consent": consent, "delay": delay, "lifetime": lifetime.as_secs(), "realm": realm,
            "refresh": refresh, "revoked": revoked, "user": user,
        })
    }
}

fn confine(network: Option<&Arc<Network>>, command: &mut Command) {
    if let Some(network) = network {
        network.confine(command);
    }
}

fn node(name: &str) -> Command {
    let mut command = Command::new(program());
    command.arg(script(name)).env_clear();
    command
}

/// Node.js, wherever it lies.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("node")).find(|it| it.exists());
    found.expect("Node.js is there: run tests/install.sh test")
}

fn script(name: &str) -> String {
    source().join("tests/openid-provider").join(name).display().to_string()
}
