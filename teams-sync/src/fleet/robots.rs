//! Infrastructure roles and `[[role]]`, with what lies in files today.

use std::path::Path;

use crate::config::Config;
use crate::desired::Problem;
use crate::infrastructure::{Infrastructure, read};
use crate::password::Secret;

/// Reads them all; blocks on files.
pub fn robots(config: &Config) -> Infrastructure {
    let sources = &config.infrastructure;
    let mut found =
        read(sources.roles_dir.as_deref(), sources.definitions.as_deref(), &sources.secrets);
    for (role, password_file) in &config.roles {
        let mut role = role.clone();
        match password_file.as_deref().map(password) {
            None => found.roles.push(role),
            Some(Ok(secret)) => {
                role.password = Some(secret);
                found.roles.push(role);
            }
            Some(Err(error)) => {
                // It keeps the password that it has.
                found.broken.insert(role.name.clone());
                found.problems.push(Problem::new(role.name.to_string(), error));
            }
        }
    }
    found
}

fn password(path: &Path) -> Result<Secret, String> {
    let text = crate::infrastructure::read_file(path).map_err(|error| error.to_string())?;
    Secret::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
