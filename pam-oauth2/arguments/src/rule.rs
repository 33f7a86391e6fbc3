//! What a line demands, once it is read: how the token is verified, whose it has to be, and
//! what is kept between logins.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Endpoint, Issuer, ServiceUrl};

/// Everything that an `auth` line can say about a login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// How it is found out whether a token is genuine.
    pub verify: Verify,
    /// The claim that must equal the PAM user.
    pub login_field: String,
    /// All of these must hold; a key may occur more than once.
    pub checks: Vec<Check>,
    /// How, and for how long.
    pub limits: Limits,
}

/// What a line and every section of a configuration file can say beside the rules themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Time for everything between having the token and having the answer.
    pub timeout: Duration,
    /// By how much clocks may disagree.
    pub leeway: Duration,
    /// The only certificate authorities to trust; the system's bundle where absent.
    pub ca_file: Option<PathBuf>,
    /// What the backends of a server share: key sets, verdicts, the state of endpoints.
    pub cache_dir: Option<PathBuf>,
    /// For how long an accepted token is accepted again without a call; zero is never.
    pub cache_ttl: Duration,
    /// What counts when nobody can be asked.
    pub on_outage: OnOutage,
    /// Who hears about every login.
    pub audit: Audit,
    /// Whether a URL may be plain http, also one that an issuer names. For tests.
    pub allow_http: bool,
}

/// What counts where nothing is said.
impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            leeway: Duration::from_secs(30),
            ca_file: None,
            cache_dir: None,
            cache_ttl: Duration::ZERO,
            on_outage: OnOutage::default(),
            audit: Audit::default(),
            allow_http: false,
        }
    }
}

/// How it is found out whether a token is genuine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verify {
    /// RFC 7662.
    Introspection(Introspection),
    /// Locally, with the keys of the issuer.
    Jwt(JwtIssuer),
    /// Locally for JWTs of this issuer, and by asking for all other tokens.
    JwtElseTokeninfo(JwtIssuer, Endpoint),
    /// By asking: the token is appended to this URL.
    Tokeninfo(Endpoint),
}

/// An introspection endpoint and how we log in there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Introspection {
    /// Where the token is posted.
    pub url: ServiceUrl,
    /// Our own name there.
    pub client_id: String,
    /// Our own password there, alone in a file.
    pub client_secret_file: PathBuf,
    /// Where not empty, `aud` of the answer has to name one of these.
    pub audience: Vec<String>,
    /// Where present, `iss` of the answer has to be this.
    pub issuer: Option<String>,
}

/// Somebody whose JWTs are believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JwtIssuer {
    /// The value of `iss`.
    pub issuer: Issuer,
    /// Where the keys are.
    pub keys: KeySource,
    /// `aud` has to name one of these. Never empty.
    pub audience: Vec<String>,
    /// Which `typ` is accepted.
    pub typ: Typ,
}

/// Where the key set of an issuer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// Where its discovery document says.
    Discovery,
    /// In a local file.
    File(PathBuf),
    /// Here.
    Url(ServiceUrl),
}

/// The header parameter `typ` of a JWT.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Typ {
    /// `at+jwt` alone (RFC 9068 section 4).
    #[default]
    AccessToken,
    /// Any or none, as many issuers send it.
    Any,
}

/// What counts when nobody can be asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnOutage {
    /// Nothing: the login is refused.
    #[default]
    Deny,
    /// What was known, for so long beyond its time.
    Stale(Duration),
}

/// Who hears about every login.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Audit {
    /// syslog, and the log of the application through the conversation.
    Log,
    /// syslog.
    #[default]
    Syslog,
}

/// One `key=value` word: a claim and the text that it must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The name of a top-level member, after JSON unescaping.
    pub key: String,
    /// The text to compare with. May be empty, may contain `=`.
    pub value: String,
}
