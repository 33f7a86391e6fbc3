//! What the start of a Spilo container makes of its environment: Patroni's configuration, the PAM
//! file, where the certificate comes from, and which variables the servers still see. Pure; it
//! starts nothing and reads nothing of the machine.

mod hba;
mod kubernetes;
mod localize;
mod merge;
mod pam_file;
mod roles;
mod template;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use localize::{Place, localize};
pub use merge::{NotAMapping, merge, user_configuration};
pub use pam_file::{PamFile, pam_file};
pub use roles::{POST_INIT, ROLE_CHANGE, roles_sql};

/// Variables of a container, by name.
pub type Environment = BTreeMap<String, String>;

/// Where the image keeps things.
pub const HOME: &str = "/home/postgres";
pub const CERTIFICATES: &str = "/run/certs";

/// What is there before Patroni starts.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Patroni's configuration; JSON is YAML.
    pub patroni: Value,
    pub pam_file: PamFile,
    pub certificate: Certificate,
    /// What Patroni, PostgreSQL and the PAM module see.
    pub environment: Environment,
    /// SQL that makes the roles of every cluster.
    pub roles: String,
}

/// Where the server's certificate comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Certificate {
    /// Files that are mounted already.
    Mounted,
    /// Contents, for [`CERTIFICATES`]`/server.crt` and `.key`.
    Given { certificate: String, key: String },
    /// For [`CERTIFICATES`], too, and made at the start.
    SelfSigned,
}

/// Everything that the configure step writes.
pub fn configure(environment: &Environment) -> Result<Configured, NotAMapping> {
    let variables = Variables(environment);
    let mut defaults = template::render(&variables);
    kubernetes::add(&mut defaults, &variables);
    let mut patroni = user_configuration(environment)?;
    merge(&mut patroni, &defaults);
    hba::keep_replication(&mut patroni);
    Ok(Configured {
        patroni,
        pam_file: pam_file(variables.or("PAM_OAUTH2", "")),
        certificate: certificate(&variables),
        environment: visible(environment),
        roles: roles_sql(variables.human_role()),
    })
}

/// The variables with their defaults.
#[derive(Clone, Copy, Debug)]
struct Variables<'a>(&'a Environment);

impl<'a> Variables<'a> {
    /// A variable that is set to nothing is set.
    fn or(self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, String::as_str)
    }

    fn set(self, name: &str) -> bool {
        !self.or(name, "").is_empty()
    }

    fn human_role(self) -> &'a str {
        self.or("HUMAN_ROLE", "zalandos")
    }

    /// As the template language writes it, which is meant for HTML.
    fn escaped(self, name: &str, default: &'a str) -> String {
        escape(self.or(name, default))
    }
}

/// Python's `html.escape`, through which every value of the template goes: a password with one of
/// these characters is another one in the database than in the Secret.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

fn certificate(variables: &Variables<'_>) -> Certificate {
    let [certificate, key] =
        ["SSL_CERTIFICATE", "SSL_PRIVATE_KEY"].map(|name| variables.or(name, "").to_owned());
    if !certificate.is_empty() && !key.is_empty() {
        Certificate::Given { certificate, key }
    } else if variables.set("SSL_PRIVATE_KEY_FILE") {
        Certificate::Mounted
    } else {
        Certificate::SelfSigned
    }
}

/// The service script drops all others, `PAM_OAUTH2` and proxies among them.
fn visible(environment: &Environment) -> Environment {
    let kept = ["POD_IP", "POD_NAMESPACE", "HOSTNAME", "PATH", "PGHOME", "LC_ALL", "ENABLE_PG_MON"];
    let families = ["KUBERNETES_SERVICE", "KUBERNETES_PORT", "KUBERNETES_ROLE"];
    let stays =
        |name: &str| kept.contains(&name) || families.iter().any(|family| name.starts_with(family));
    let pairs = environment.iter().filter(|(name, _)| stays(name));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The map at a path, made where there is none.
fn map_at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut value = value;
    for key in path {
        if !value.is_object() {
            *value = json!({});
        }
        value = value.as_object_mut().expect("it is one").entry(*key).or_insert_with(|| json!({}));
    }
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it is one")
}
