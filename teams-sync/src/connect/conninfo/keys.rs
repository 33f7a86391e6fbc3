//! The keys that libpq knows, where else their values come from, and what we make of them.
//!
//! In: pairs of a connection string and the environment. Out: one value per key, with its
//! origin. PostgreSQL documentation, sections 34.1.2 (keys) and 34.15 (environment).

use super::error::DsnError;
use std::collections::HashMap;

enum Takes {
    /// teams-sync reads it.
    Anything,
    /// Nothing has to be done for these values; any other would silently not be honoured.
    Only(&'static [&'static str]),
}

use Takes::{Anything, Only};

/// Name, environment variable (or none), and what we take.
///
/// Left out on purpose are variables that change nothing here (`PGGSSLIB`, `PGKRBSRVNAME`,
/// `PGCLIENTENCODING`...): they are set for other programs, so they are no error.
const KEYS: &[(&str, &str, Takes)] = &[
    ("host", "PGHOST", Anything),
    ("hostaddr", "PGHOSTADDR", Anything),
    ("port", "PGPORT", Anything),
    ("dbname", "PGDATABASE", Anything),
    ("user", "PGUSER", Anything),
    ("password", "PGPASSWORD", Anything),
    ("passfile", "PGPASSFILE", Anything),
    ("channel_binding", "PGCHANNELBINDING", Anything),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Anything),
    ("options", "PGOPTIONS", Anything),
    ("application_name", "PGAPPNAME", Anything),
    ("fallback_application_name", "", Anything),
    ("keepalives", "", Anything),
    ("keepalives_idle", "", Anything),
    ("keepalives_interval", "", Anything),
    ("keepalives_count", "", Anything),
    ("tcp_user_timeout", "", Anything),
    ("sslmode", "PGSSLMODE", Anything),
    ("sslnegotiation", "PGSSLNEGOTIATION", Anything),
    ("sslcert", "PGSSLCERT", Anything),
    ("sslkey", "PGSSLKEY", Anything),
    ("sslrootcert", "PGSSLROOTCERT", Anything),
    ("sslsni", "PGSSLSNI", Anything),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Anything),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Anything),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Anything),
    // Harmless in one way only.
    ("client_encoding", "", Only(&["UTF8", "UTF-8", "auto"])),
    ("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Only(&["3.0", "3.2", "latest"])),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Only(&["3.0"])),
    ("replication", "", Only(&["false", "off", "no", "0"])),
    ("requiressl", "PGREQUIRESSL", Only(&["0"])),
    ("sslcertmode", "PGSSLCERTMODE", Only(&["allow"])),
    ("sslcompression", "PGSSLCOMPRESSION", Only(&["0"])),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Only(&["TLSv1.3"])),
    // Not here at all.
    ("gssdelegation", "", Only(&["0"])),
    ("gsslib", "", Only(&[])),
    ("krbsrvname", "", Only(&[])),
    ("oauth_client_id", "", Only(&[])),
    ("oauth_client_secret", "", Only(&[])),
    ("oauth_issuer", "", Only(&[])),
    ("oauth_scope", "", Only(&[])),
    ("require_auth", "PGREQUIREAUTH", Only(&[])),
    ("requirepeer", "PGREQUIREPEER", Only(&[])),
    ("scram_client_key", "", Only(&[])),
    ("scram_server_key", "", Only(&[])),
    ("service", "PGSERVICE", Only(&[])),
    ("servicefile", "", Only(&[])),
    ("sslcrl", "PGSSLCRL", Only(&[])),
    ("sslcrldir", "PGSSLCRLDIR", Only(&[])),
    ("sslkeylogfile", "", Only(&[])),
    ("sslpassword", "", Only(&[])),
];

/// A value, and what to call it in a message.
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) name: String,
}

impl Setting {
    /// An error about this value; `reason` does not repeat it unless it wants to.
    pub(super) fn error(&self, reason: impl Into<String>) -> DsnError {
        DsnError::Value { name: self.name.clone(), reason: reason.into() }
    }

    /// An error that shows the value and what would do instead.
    pub(super) fn invalid(&self, instead: &str) -> DsnError {
        self.error(format!("cannot be {:?}; write {instead}", self.value))
    }
}

/// One value per key: of the connection string, else of the environment.
pub(super) struct Settings(HashMap<&'static str, Setting>);

impl Settings {
    pub(super) fn collect(
        pairs: Vec<(String, String)>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DsnError> {
        let mut settings = HashMap::new();
        for (key, value) in pairs {
            let Some((known, _, takes)) = KEYS.iter().find(|(known, ..)| *known == key) else {
                return Err(DsnError::UnknownKey(key));
            };
            let setting = Setting { value, name: format!("the connection parameter {known}") };
            admit(&setting, takes)?;
            settings.insert(*known, setting);
        }
        for (known, variable, takes) in KEYS {
            if variable.is_empty() || settings.contains_key(known) {
                continue;
            }
            // An empty variable is how people unset one; libpq would fail for some of them.
            if let Some(value) = environment(variable).filter(|value| !value.is_empty()) {
                let setting = Setting { value, name: format!("the variable {variable}") };
                admit(&setting, takes)?;
                settings.insert(*known, setting);
            }
        }
        Ok(Self(settings))
    }

    /// The value as it was given, even if it is empty.
    pub(super) fn given(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }

    /// The value, where empty means absent.
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key).filter(|setting| !setting.value.is_empty())
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|setting| setting.value.clone())
    }

    /// A whole number, with blanks around it as libpq allows.
    pub(super) fn number(&self, key: &str) -> Result<Option<i32>, DsnError> {
        self.given(key)
            .map(|setting| {
                setting.value.trim().parse().map_err(|_| setting.invalid("a whole number"))
            })
            .transpose()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, DsnError> {
        let Some(setting) = self.given(key) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == setting.value) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                Err(setting.invalid(&words.join(", ")))
            }
        }
    }
}

fn admit(setting: &Setting, takes: &Takes) -> Result<(), DsnError> {
    // It would end a string of the protocol early, and so change what follows.
    if setting.value.contains('\0') {
        return Err(setting.error("has a zero byte, which PostgreSQL cannot take"));
    }
    match takes {
        Anything => Ok(()),
        Only(values)
            if setting.value.is_empty()
                || values.iter().any(|value| value.eq_ignore_ascii_case(&setting.value)) =>
        {
            Ok(())
        }
        Only(values) => Err(DsnError::Unsupported {
            name: setting.name.clone(),
            except: match values {
                [] => String::new(),
                values => format!(" other than as {}", values.join(" or ")),
            },
        }),
    }
}
