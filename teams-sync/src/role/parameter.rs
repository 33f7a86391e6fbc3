//! A setting of a role, `ALTER ROLE ... SET name TO value`, and how `pg_db_role_setting` keeps it.

use std::fmt;

use serde::Serialize;

/// Settings that are lists of names, each quoted by itself (`GUC_LIST_QUOTE` in guc_tables.c).
/// One literal for all of them would be one name with commas in it.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// A name and a value, checked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Parameter {
    /// In lower case: PostgreSQL does not tell `TimeZone` from `timezone`.
    pub name: String,
    /// One literal for each; more than one only where PostgreSQL keeps a list.
    pub values: Vec<String>,
}

/// Why a parameter is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParameterError {
    #[error("a parameter is letters, digits and _, with one dot at most")]
    Name,
    #[error("its value holds a control character")]
    Control,
    #[error("its value has a quote without an end")]
    Quote,
    /// It would change who the person is, not what she finds.
    #[error("a role cannot be set so for somebody else")]
    Forbidden,
}

impl Parameter {
    pub fn parse(name: &str, value: &str) -> Result<Self, ParameterError> {
        let word = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if name.split('.').count() > 2 || !name.split('.').all(word) {
            return Err(ParameterError::Name);
        }
        let name = name.to_ascii_lowercase();
        if ["role", "session_authorization"].contains(&name.as_str()) {
            return Err(ParameterError::Forbidden);
        }
        if value.chars().any(char::is_control) {
            return Err(ParameterError::Control);
        }
        let values = match LISTS.contains(&name.as_str()) {
            true => split(value)?,
            false => vec![value.to_owned()],
        };
        Ok(Self { name, values })
    }
}

impl Parameter {
    /// From an entry `name=value` of `setconfig`; `None` for one that is not set for others.
    pub fn of_entry(entry: &str) -> Option<Self> {
        let (name, value) = entry.split_once('=')?;
        Self::parse(name, value).ok()
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.name, self.values.join(", "))
    }
}

/// The name in an entry `name=value` of `setconfig`.
pub fn entry_name(entry: &str) -> String {
    entry.split('=').next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether an entry `name=value` of `setconfig` says the same. It is split at the first `=`
/// alone: values may hold more.
pub fn entry_matches(entry: &str, parameter: &Parameter) -> bool {
    let Some((name, value)) = entry.split_once('=') else { return false };
    if !name.eq_ignore_ascii_case(&parameter.name) {
        return false;
    }
    match LISTS.contains(&parameter.name.as_str()) {
        true => split(value).is_ok_and(|values| values == parameter.values),
        false => [value] == *parameter.values.as_slice(),
    }
}

/// The elements of a list as SplitIdentifierString of PostgreSQL reads them: commas between,
/// double quotes around what must not be changed, two of them for one.
fn split(text: &str) -> Result<Vec<String>, ParameterError> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let element;
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut whole = String::new();
            loop {
                let end = quoted.find('"').ok_or(ParameterError::Quote)?;
                let (part, behind) = quoted.split_at(end);
                whole.push_str(part);
                quoted = behind.get(1..).unwrap_or_default();
                match quoted.strip_prefix('"') {
                    Some(more) => {
                        whole.push('"');
                        quoted = more;
                    }
                    None => break,
                }
            }
            element = whole;
            rest = quoted.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(ParameterError::Quote);
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (bare, behind) = rest.split_at(end);
            // Manifests of zalando/postgres-operator also write single quotes.
            element = bare.trim().trim_matches('\'').to_owned();
            rest = behind;
        }
        found.push(element);
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    if found.is_empty() {
        found.push(String::new());
    }
    Ok(found)
}
