//! What the roles of a manifest may be called.

use teams_sync::role::{LONGEST_NAME, RoleName, marker};

use crate::config::{Config, Identity};

/// A user of a manifest: `name` or `namespace.name`, in lower case, `-` and `_` inside.
///
/// # Errors
/// Why it cannot be called that.
pub(super) fn user(text: &str) -> Result<RoleName, String> {
    let is_part = |part: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || c == '-' || c == '_')
    };
    if !text.split('.').all(is_part) {
        return Err(format!(
            "{text:?} cannot be the name of a user: it takes lower-case letters and digits, with '-' and '_' between them, and dots between such words"
        ));
    }
    role(text)
}

/// What PostgreSQL takes for a role between quotes, and does not cut.
///
/// # Errors
/// Why it does not.
pub(super) fn role(text: &str) -> Result<RoleName, String> {
    if text.len() > LONGEST_NAME {
        return Err(format!(
            "the role {text:?} would have more than {LONGEST_NAME} bytes, to which PostgreSQL cuts names"
        ));
    }
    if text.starts_with("pg_") || text == "public" || text == "none" {
        return Err(format!("PostgreSQL keeps the name {text:?} for itself"));
    }
    // Names such as `user` are words of SQL, and names of roles where they are quoted.
    Ok(RoleName::from_catalog(text.to_owned()))
}

/// A database or schema that is prepared.
///
/// # Errors
/// Why it cannot be called that.
pub(super) fn database_or_schema(text: &str) -> Result<(), String> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name {
        return Ok(());
    }
    Err(format!(
        "{text:?} cannot be prepared: a name takes letters, digits and '_', with no digit at the beginning"
    ))
}

/// Why a user of a manifest is nobody that the manifest can have.
pub(super) fn reserved(role: &RoleName, config: &Config) -> Option<&'static str> {
    let name = role.as_str();
    let Identity { super_username, replication_username, pam_role_name, .. } = &config.identity;
    if config.identity.protected_role_names.contains(name) {
        Some("it is one of protected_role_names")
    } else if name == super_username {
        Some("it is the superuser of the cluster")
    } else if name == replication_username {
        Some("it is the role of standbys")
    } else if name == pam_role_name {
        Some("it is the role of all people")
    } else if config.identity.team_admin_role.as_deref() == Some(name) {
        Some("it is the admin role of teams")
    } else if *role == marker() {
        Some("it marks the roles that are managed")
    } else {
        None
    }
}
