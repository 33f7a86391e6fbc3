//! A world for one test: a token service, a sandbox, and PostgreSQL where it is asked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pam_oauth2_arguments::Limits;

use crate::certificates::Authority;
use crate::identity_provider::IdentityProvider;
use crate::pam::{Code, PamClient};
use crate::postgres::{self, Postgres, psql};
use crate::sandbox::Sandbox;
use crate::secrets::{Secrets, random_token};
use crate::syslog::Syslog;
use crate::token_service::TokenService;
use crate::{artifacts, eventually};

/// What a busy machine may add to a deadline.
pub const SLACK: Duration = Duration::from_secs(2);
/// Words that no log of a healthy server holds.
const DISASTERS: [&str; 5] = [
    "PANIC:",
    "panicked at",
    "was terminated by signal",
    "terminating any other active server processes",
    "server process was terminated",
];

/// What a world is made of.
#[derive(Debug)]
pub struct Plan {
    /// Whether the token service speaks TLS.
    pub encrypted: bool,
    /// Environment variables of PostgreSQL.
    pub environment: Vec<(&'static str, String)>,
    pub module: PathBuf,
    /// Whether the clock of PostgreSQL can be moved; [`World::move_clock`].
    pub movable_clock: bool,
    pub postgres: bool,
    /// Lines of pg_hba.conf before all others.
    pub hba: Vec<&'static str>,
    /// `name=value` settings of PostgreSQL.
    pub settings: Vec<&'static str>,
    pub syslog: SyslogDaemon,
}

/// Who is at /dev/log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SyslogDaemon {
    Absent,
    Reads,
    /// Alive, but does not read.
    Stuck,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            encrypted: true,
            environment: Vec::new(),
            module: artifacts::module(),
            movable_clock: false,
            postgres: true,
            hba: Vec::new(),
            settings: Vec::new(),
            syslog: SyslogDaemon::Reads,
        }
    }
}

#[derive(Debug)]
pub struct World {
    // The server goes first, then what it talks to, then the files.
    postgres: Option<Postgres>,
    pub service: TokenService,
    pub authority: Authority,
    pub secrets: Secrets,
    syslog: Option<Syslog>,
    /// Within what a login has to end, by the line of the service `strict`.
    limit: Mutex<Duration>,
    pub sandbox: Sandbox,
}

/// How a login went.
#[derive(Debug)]
pub struct Outcome {
    pub accepted: bool,
    /// What psql printed.
    pub output: String,
    /// What psql complained about.
    pub complaint: String,
    /// What the server logged meanwhile.
    pub log: String,
    pub elapsed: Duration,
}

impl World {
    /// PostgreSQL with the lines of Spilo, and a token service over https whose authority is
    /// in the system's CA bundle.
    pub fn new() -> Self {
        Self::with(Plan::default())
    }

    /// PostgreSQL, with a token service over plain http: for what is not about TLS.
    pub fn plain() -> Self {
        Self::with(Plan { encrypted: false, ..Plan::default() })
    }

    /// For PAM clients of our own; the token service speaks plain http, which costs least.
    pub fn without_postgres() -> Self {
        Self::with(Plan { encrypted: false, postgres: false, ..Plan::default() })
    }

    pub fn with(plan: Plan) -> Self {
        let authority = Authority::new();
        let identity = authority.server();
        let service =
            if plan.encrypted { TokenService::encrypted(&identity) } else { TokenService::plain() };
        let sandbox = Sandbox::new(&plan.module, &authority.pem());
        let log = sandbox.workdir.path().join("dev/log");
        let syslog = match plan.syslog {
            SyslogDaemon::Absent => None,
            SyslogDaemon::Reads => Some(Syslog::start(&log)),
            SyslogDaemon::Stuck => Some(Syslog::stuck(&log)),
        };
        let mut this = Self {
            postgres: None,
            service,
            authority,
            secrets: Secrets::default(),
            syslog,
            limit: Mutex::new(Limits::default().timeout),
            sandbox,
        };
        let rule = this.rule(if plan.encrypted { "" } else { "--allow-http" });
        let rule = rule.trim_end();
        this.sandbox.pam_file(
            "postgresql",
            &format!(
                "auth sufficient pam_oauth2.so {rule}\n\
                 account sufficient pam_oauth2.so\n"
            ),
        );
        this.sandbox
            .pam_file("permit", "auth required pam_permit.so\naccount required pam_permit.so\n");
        this.strict(rule);
        if plan.postgres {
            this.postgres = Some(Postgres::start(&this.sandbox, &identity, &plan));
        }
        this
    }

    /// The arguments that most tests use, with more words behind.
    pub fn rule(&self, more: &str) -> String {
        format!("{} uid realm=/employees {more}", self.service.url())
    }

    /// Logs in by a `required` line with these arguments, whose return code shows.
    pub fn try_line(
        &self,
        arguments: &str,
        user: impl AsRef<OsStr>,
        token: impl AsRef<[u8]>,
    ) -> Outcome {
        self.strict(arguments);
        self.strict_login(user, token)
    }

    /// Gives the service `strict`, whose return code shows, these arguments.
    pub fn strict(&self, arguments: &str) {
        let file =
            format!("auth required pam_oauth2.so {arguments}\naccount required pam_oauth2.so\n");
        self.sandbox.pam_file("strict", &file);
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let line = pam_oauth2_arguments::AuthLine::parse(&words);
        let timeout = line.ok().and_then(|line| line.timeout());
        let timeout = timeout.unwrap_or(Limits::default().timeout);
        *self.limit.lock().unwrap() = timeout;
    }

    /// A token of an employee that the token service knows.
    pub fn grant(&self, user: &str) -> String {
        self.grant_in(user, "/employees")
    }

    pub fn grant_in(&self, user: &str, realm: &str) -> String {
        let claims = serde_json::json!({
            "access_token": "(not repeated)", "client_id": "ztoken", "expires_in": 3516,
            "grant_type": "password", "open_id": false, "realm": realm, "scope": ["uid"],
            "token_type": "Bearer", "uid": user,
        });
        self.grant_claims(&claims.to_string())
    }

    /// A token that the token service answers with `json`.
    pub fn grant_claims(&self, json: &str) -> String {
        let token = random_token();
        self.secrets.add(token.as_bytes());
        self.service.know(&token, json);
        token
    }

    /// An issuer over plain http, whose tokens must not show up in any log either.
    pub fn identity_provider(&self) -> IdentityProvider {
        IdentityProvider::plain().telling(&self.secrets)
    }

    /// From now on, or within a second, the clock of PostgreSQL is so far ahead.
    pub fn move_clock(&self, ahead: Duration) {
        self.sandbox.workdir.file(postgres::CLOCK_FILE, format!("+{}s", ahead.as_secs()));
        eventually::pause(postgres::CLOCK_LAG);
    }

    #[track_caller]
    pub fn postgres(&self) -> &Postgres {
        self.postgres.as_ref().expect("this world has a PostgreSQL")
    }

    /// Logs in with psql, by the lines of Spilo.
    pub fn login(&self, user: impl AsRef<OsStr>, token: impl AsRef<[u8]>) -> Outcome {
        self.login_to("postgres", user, token)
    }

    /// Logs in with psql, by the service `strict`.
    pub fn strict_login(&self, user: impl AsRef<OsStr>, token: impl AsRef<[u8]>) -> Outcome {
        self.login_to("strict", user, token)
    }

    pub fn login_to(
        &self,
        database: &str,
        user: impl AsRef<OsStr>,
        token: impl AsRef<[u8]>,
    ) -> Outcome {
        self.query(database, user, token, "select current_user")
    }

    pub fn query(
        &self,
        database: &str,
        user: impl AsRef<OsStr>,
        token: impl AsRef<[u8]>,
        statement: &str,
    ) -> Outcome {
        self.secrets.add(token.as_ref());
        let before = self.postgres().log().len();
        let start = Instant::now();
        let output = psql()
            .args(["-h", "127.0.0.1", "-d", database, "-c", statement])
            .env("PGPORT", self.postgres().port().to_string())
            .env("PGSSLMODE", "require")
            .env("PGUSER", user)
            .env("PGPASSWORD", OsStr::from_bytes(token.as_ref()))
            .output()
            .expect("psql can be started");
        let elapsed = start.elapsed();
        let log = self.postgres().log();
        let limit = *self.limit.lock().unwrap() + SLACK;
        assert!(elapsed < limit, "a login took {elapsed:?}, and {limit:?} is the limit: {log}");
        Outcome {
            accepted: output.status.success(),
            output: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
            log: log.get(before..).unwrap_or_default().to_owned(),
            elapsed,
        }
    }

    /// A PAM client for a service of this world.
    pub fn client(&self, service: &str, user: impl AsRef<OsStr>) -> PamClient {
        PamClient::new(&self.sandbox, service, user)
    }

    pub fn syslog(&self) -> Vec<String> {
        self.syslog.as_ref().map(Syslog::lines).unwrap_or_default()
    }

    /// Waits until a backend waits for the token service, and returns it.
    pub fn hanging_backend(&self) -> u32 {
        eventually("the token service has been asked", || {
            if self.service.requests().is_empty() { Err(()) } else { Ok(()) }
        });
        eventually("a backend waits for the module", || {
            self.postgres().authenticating().first().copied().ok_or(())
        })
    }

    /// The scan after every test: no crash, no panic, no token, and no restart.
    #[track_caller]
    fn assert_unharmed(&self) {
        if let Some(postgres) = &self.postgres {
            let log = postgres.log();
            for disaster in DISASTERS {
                assert!(!log.contains(disaster), "the server's log holds {disaster:?}:\n{log}");
            }
            let starts = log.matches("database system is ready to accept connections").count();
            assert_eq!(starts, 1, "the server has started again:\n{log}");
            self.secrets.assert_absent("the log of PostgreSQL", log.as_bytes());
        }
        let lines = self.syslog().join("\n");
        self.secrets.assert_absent("syslog", lines.as_bytes());
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(postgres) = &self.postgres {
            postgres.stop_fast();
        }
        if !std::thread::panicking() {
            self.assert_unharmed();
        }
    }
}

impl Outcome {
    /// The return code of the stack, from the server's log.
    #[track_caller]
    pub fn code(&self) -> Code {
        if self.accepted {
            return Code::Success;
        }
        let marks = ["pam_authenticate failed: ", "pam_acct_mgmt failed: "];
        let text = self.log.lines().find_map(|line| {
            marks.iter().find_map(|mark| line.split_once(mark).map(|(_, text)| text))
        });
        Code::from_text(text.unwrap_or_else(|| panic!("no return code in {self:#?}")))
    }

    #[track_caller]
    pub fn assert_accepted(&self) -> &Self {
        assert!(self.accepted, "{self:#?}");
        self
    }

    /// Refused with this code, for a reason that the log tells in these words.
    #[track_caller]
    pub fn assert_refused(&self, code: Code, reason: &str) -> &Self {
        assert!(!self.accepted, "{self:#?}");
        assert_eq!(self.code(), code, "{self:#?}");
        self.assert_reason(reason)
    }

    /// Refused (by a stack that hides the code), for this reason, which only the server
    /// learns.
    #[track_caller]
    pub fn assert_reason(&self, reason: &str) -> &Self {
        assert!(!self.accepted, "{self:#?}");
        assert!(self.reason().contains(reason), "{reason:?} is not in {self:#?}");
        assert!(!self.complaint.contains("pam_oauth2"), "the client learned the reason: {self:#?}");
        self
    }

    /// The one line that says why.
    #[track_caller]
    pub fn reason(&self) -> &str {
        let lines: Vec<&str> =
            self.log.lines().filter(|line| line.contains("pam_oauth2: ")).collect();
        assert_eq!(lines.len(), 1, "one line says why: {self:#?}");
        // Behind the prefix, which holds the role as the client wrote it.
        lines[0].find("pam_oauth2: ").and_then(|start| lines[0].get(start..)).unwrap_or_default()
    }

    /// Within this time and the two seconds that a busy machine may add.
    #[track_caller]
    pub fn assert_within(&self, time: Duration) -> &Self {
        assert!(self.elapsed < time + SLACK, "took {:?}: {self:#?}", self.elapsed);
        self
    }
}
