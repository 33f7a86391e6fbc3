//! The host-based authentication lines of Spilo.

use serde_json::{Value, json};

use super::Variables;

/// Ten where people log in by PAM, seven where they do not. Plaintext is rejected before the PAM
/// line unless `ALLOW_NOSSL` is set, and the PAM line stands before passwords.
pub(super) fn default_lines(variables: &Variables<'_>) -> Vec<String> {
    let people = variables.escaped("HUMAN_ROLE", "zalandos");
    let standby = variables.escaped("PGUSER_STANDBY", "standby");
    // Whether the module has a usable file is not asked.
    let pam = variables.set("PAM_OAUTH2");
    let plaintext = variables.set("ALLOW_NOSSL");
    let line = |wanted: bool, line: String| wanted.then_some(line);
    let last = if plaintext { "host" } else { "hostssl" };
    let lines = [
        line(true, "local all all trust".to_owned()),
        line(pam, format!("hostssl all +{people} 127.0.0.1/32 pam")),
        line(true, "host all all 127.0.0.1/32 md5".to_owned()),
        line(pam, format!("hostssl all +{people} ::1/128 pam")),
        line(true, "host all all ::1/128 md5".to_owned()),
        line(true, format!("local replication {standby} trust")),
        line(true, format!("hostssl replication {standby} all md5")),
        line(!plaintext, "hostnossl all all all reject".to_owned()),
        line(pam, format!("hostssl all +{people} all pam")),
        line(true, format!("{last} all all all md5")),
    ];
    lines.into_iter().flatten().collect()
}

/// Lines for the bootstrap alone get one for replication where they have none.
pub(super) fn keep_replication(patroni: &mut Value) {
    let standby = patroni["postgresql"]["authentication"]["replication"]["username"].clone();
    let Some(lines) = patroni["bootstrap"].get_mut("pg_hba").and_then(Value::as_array_mut) else {
        return;
    };
    if !lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains("replication"))) {
        let standby = standby.as_str().unwrap_or_default();
        lines.insert(0, json!(format!("hostssl replication {standby} all md5")));
    }
}
