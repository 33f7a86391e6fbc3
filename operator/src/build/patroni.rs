//! Whether what a manifest says to Patroni and `initdb` can be meant. Pure.

use crate::api::postgresql::FieldError;
use crate::api::spec::PostgresSpec;

/// Longer than any of these makes sense for. Patroni itself corrects what is too short.
const LONGEST: u32 = 86_400;

/// # Errors
/// A version that is no number, a name that no parameter has, a time that Patroni cannot mean.
pub fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    if spec.postgresql.version.parse::<u16>().is_err() {
        let reason = "a major version is a number in quotes, such as \"17\"";
        return Err(FieldError::new("spec.postgresql.version", reason));
    }
    let names = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ['_', '.', '-', '$'].contains(&c))
    };
    if let Some(name) = spec.postgresql.parameters.keys().find(|name| !names(name)) {
        let reason = format!("{} is no name of a parameter", name.escape_debug());
        return Err(FieldError::new("spec.postgresql.parameters", reason));
    }
    let Some(patroni) = &spec.patroni else { return Ok(()) };
    if let Some(name) = patroni.initdb.keys().find(|name| !names(name)) {
        let reason = format!("{} is no option of initdb", name.escape_debug());
        return Err(FieldError::new("spec.patroni.initdb", reason));
    }
    for (name, seconds) in [
        ("ttl", patroni.ttl),
        ("loop_wait", patroni.loop_wait),
        ("retry_timeout", patroni.retry_timeout),
    ] {
        if seconds.is_some_and(|seconds| seconds > LONGEST) {
            let reason = format!("more than {LONGEST} seconds; no failover would ever happen");
            return Err(FieldError::new(format!("spec.patroni.{name}"), reason));
        }
    }
    Ok(())
}
