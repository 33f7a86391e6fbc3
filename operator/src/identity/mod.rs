//! Who may log in to a cluster, and with which databases: everything that is done in PostgreSQL
//! itself. People come from teams, robots from infrastructure roles, the rest from the manifest.
//! The roles are the work of `teams_sync`, the databases that of [`crate::databases`].

mod directory;
mod judge;
mod lookup;
mod mode;
mod passwords;
mod people;
mod primary;
mod refused;
mod retire;
mod robots;
mod sync;
pub mod takeover;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use teams_sync::password::Checked;
use teams_sync::sync::{Engine, Identities};
use tokio::sync::{OnceCell, Semaphore};
use zeroize::Zeroizing;

use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::roles::RobotNames;
use crate::validate::Accepted;

pub use directory::Directory;
pub use lookup::lookup;
pub use mode::{are_databases_off, why_databases_stay};
pub use robots::Robots;
pub use sync::sync;

/// What all clusters share.
#[derive(Debug)]
pub struct Identity {
    pub directory: Directory,
    pub robots: Robots,
    engine: RwLock<Arc<Engine>>,
    /// Whether somebody waited for the `PostgresTeam` objects already.
    listed: OnceCell<()>,
}

/// Clusters whose roles and databases are looked at at a time: a server that does not answer
/// takes the place of one of these, and of no object.
pub const AT_ONCE: usize = 16;
/// For a connection, TLS and login included.
const CONNECT: Duration = Duration::from_secs(10);
const LOCK: Duration = Duration::from_secs(10);
/// For the roles of one cluster.
const PASS: Duration = Duration::from_secs(120);

impl Identity {
    /// `None` where the system has no randomness.
    pub fn new(config: &Config) -> Option<Self> {
        let engine = RwLock::new(Arc::new(engine(config)?));
        Some(Self {
            directory: Directory::default(),
            robots: Robots::default(),
            engine,
            listed: OnceCell::new(),
        })
    }

    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on another configuration is in use.
    pub fn configure(&self, config: &Config) {
        if let Some(engine) = engine(config) {
            *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(engine);
        }
    }

    /// Robots that log in with a password, by name, with what `CREATE ROLE` would be given.
    pub fn robots_with_passwords(&self, config: &Config) -> Vec<(String, Zeroizing<String>)> {
        let robots = self.robots.now(&config.identity).roles;
        let with_password = robots.into_iter().filter(|robot| robot.attributes.login);
        with_password
            .filter_map(|robot| Some((robot.name.to_string(), robot.password?.reveal())))
            .collect()
    }

    /// Whether all infrastructure roles are known now.
    pub fn robots_are_known(&self, config: &Config) -> bool {
        self.robots.now(&config.identity).frozen.is_none()
    }

    /// Whose names are infrastructure roles'.
    pub fn robot_names(&self, config: &Config) -> RobotNames {
        RobotNames::of(&self.robots.now(&config.identity))
    }

    /// What a manifest says and gets not, or not as it says, because of something else.
    pub fn notes(&self, accepted: &Accepted, config: &Config) -> Vec<String> {
        let mut notes = self.robot_names(config).notes(&accepted.roles);
        notes.extend(accepted.databases.notes());
        notes.extend(encryption(&accepted.cluster));
        notes
    }

    /// A cluster is gone; one with its name would be another.
    pub fn forget(&self, cluster: &ClusterId) {
        self.engine().identities.forget(&cluster.to_string());
    }
}

/// The database has what is set for its own statements, and it is not asked for ours.
fn encryption(cluster: &Cluster) -> Option<String> {
    let parameters = cluster.spec.postgresql.parameters.iter();
    let mut own = parameters.filter(|(name, _)| name.eq_ignore_ascii_case("password_encryption"));
    let (_, value) = own.next()?;
    value.eq_ignore_ascii_case("md5").then(|| {
        "spec.postgresql.parameters.password_encryption is md5, and passwords of users are stored as scram-sha-256 all the same: clients that cannot do that cannot log in".to_owned()
    })
}

fn engine(config: &Config) -> Option<Engine> {
    Some(Engine {
        // Everybody has it, and its owner is the superuser.
        database: "postgres".to_owned(),
        guard: config.identity.guard,
        connect_limit: CONNECT,
        turns: Semaphore::new(AT_ONCE),
        lock_limit: LOCK,
        pass_limit: PASS,
        checked: Checked::new()?,
        identities: Identities::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::encryption;
    use crate::roles::vectors;

    #[test]
    fn who_asks_for_md5_is_told_that_passwords_are_stored_otherwise() {
        let mut cluster = vectors::cluster();
        assert_eq!(encryption(&cluster), None);
        let parameters = &mut cluster.spec.postgresql.parameters;
        parameters.insert("password_encryption".to_owned(), "md5".to_owned());
        assert!(encryption(&cluster).is_some_and(|note| note.contains("scram-sha-256")));
        let parameters = &mut cluster.spec.postgresql.parameters;
        parameters.insert("password_encryption".to_owned(), "scram-sha-256".to_owned());
        assert_eq!(encryption(&cluster), None);
    }
}
