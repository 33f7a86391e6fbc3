//! Which server is which: a name in a configuration that suddenly means another database cluster
//! is a mistake that would make roles where nobody is to have one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Server, SyncError};
use crate::observed::Observed;

/// System identifiers that were seen by this process. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Identities(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    by_name: HashMap<String, String>,
    /// System identifier and start of the server -> the first name, and what it is to have. A
    /// clone of a server has its identifier, and is another server all the same.
    by_start: HashMap<(String, String), (String, String)>,
}

impl Identities {
    /// Whether the server is the one that the configuration means, as far as that can be known.
    pub(crate) fn check(&self, server: &Server, observed: &Observed) -> Result<(), SyncError> {
        let identifier = observed.system_identifier.as_str();
        if let Some(expected) = &server.system_identifier
            && expected != identifier
        {
            return Err(SyncError::OtherServer {
                found: identifier.to_owned(),
                expected: format!("{expected}, as system_identifier says"),
            });
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            seen.by_name.entry(server.name.clone()).or_insert_with(|| identifier.to_owned());
        if known != identifier {
            return Err(SyncError::OtherServer {
                found: identifier.to_owned(),
                expected: format!("{known}, as it was before"),
            });
        }
        // Whoever knows which server it is to be needs nobody else's word: anybody who can read
        // identifier and start of a server can say that hers has them.
        if server.system_identifier.is_some() {
            return Ok(());
        }
        // Two names for one server do no harm while both want the same.
        let rules = format!("{:?} {:?}", server.rules, server.style);
        let own = (server.name.clone(), rules.clone());
        let key = (identifier.to_owned(), observed.started.clone());
        let (name, other) = seen.by_start.entry(key).or_insert(own);
        if *other != rules {
            return Err(SyncError::SameServer { other: name.clone() });
        }
        Ok(())
    }

    /// Forgets a server that is gone, so that another one may have its name. What was found out
    /// about other names stays; one that is the same server as this was is the first of it from
    /// then on.
    pub fn forget(&self, server: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by_name.remove(server);
        seen.by_start.retain(|_, (first, _)| first != server);
    }

    /// After a configuration was read anew, servers may mean something else.
    pub fn forget_rules(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by_start.clear();
    }
}

#[cfg(test)]
mod tests;
