//! What differs where several pods share one network and there is no image of Spilo.

use serde_json::{Value, json};

use super::map_at;

/// Where a pod runs.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub ip: &'a str,
    /// Libraries of PostgreSQL that can be loaded.
    pub libraries: &'a [&'a str],
}

/// Makes a configuration that runs here of one that would run in the image. Whatever else it says
/// stays.
pub fn localize(patroni: &mut Value, place: &Place<'_>) {
    let ip = place.ip;
    map_at(patroni, &["restapi"]).insert("listen".to_owned(), json!(format!("{ip}:8008")));
    let postgresql = map_at(patroni, &["postgresql"]);
    postgresql.insert("listen".to_owned(), json!(format!("{ip}:5432")));
    postgresql.remove("basebackup_fast_xlog");
    postgresql.insert("create_replica_method".to_owned(), json!(["basebackup"]));
    // The script that waits for no checkpoint is the image's.
    postgresql.insert("basebackup".to_owned(), json!([{ "checkpoint": "fast" }, "no-sync"]));
    // The script of the image knows the superuser from its environment.
    let superuser = postgresql["authentication"]["superuser"]["username"].clone();
    let script = format!("/scripts/on_role_change.sh '{}'", superuser.as_str().unwrap_or_default());
    postgresql.insert("callbacks".to_owned(), json!({ "on_role_change": script }));
    parameters(patroni, place);
    initdb(patroni);
    let dcs = map_at(patroni, &["bootstrap", "dcs"]);
    if let Some(source) = dcs.get_mut("standby_cluster") {
        source["create_replica_methods"] = json!(["basebackup"]);
    }
    let dynamic = ["bootstrap", "dcs", "postgresql", "parameters"];
    let connections = map_at(patroni, &dynamic).entry("max_connections").or_insert(json!(100));
    // Patroni would take 100 for less.
    let asked = connections.as_u64().or_else(|| connections.as_str()?.parse().ok());
    *connections = json!(asked.unwrap_or(100).max(25));
}

fn parameters(patroni: &mut Value, place: &Place<'_>) {
    let parameters = map_at(patroni, &["postgresql", "parameters"]);
    parameters.retain(|name, _| !name.starts_with("bg_mon.") && !name.starts_with("extwlist."));
    let wanted = parameters.get("shared_preload_libraries").and_then(Value::as_str);
    let wanted = wanted.unwrap_or_default().split(',').map(str::trim);
    let there: Vec<_> = wanted.filter(|name| place.libraries.contains(name)).collect();
    parameters.insert("shared_preload_libraries".to_owned(), json!(there.join(",")));
    parameters.entry("shared_buffers").or_insert(json!("16MB"));
    parameters.insert("unix_socket_directories".to_owned(), json!("/run/postgresql"));
    // Nothing of a test outlives the machine.
    parameters.insert("fsync".to_owned(), json!("off"));
}

/// Debian's slim images have no locale but C, and syncing takes seconds.
fn initdb(patroni: &mut Value) {
    let initdb = map_at(patroni, &["bootstrap"]).entry("initdb").or_insert(json!([]));
    let Some(options) = initdb.as_array_mut() else { return };
    for option in options.iter_mut() {
        if let Some(locale) = option.get_mut("locale") {
            *locale = json!("C.UTF-8");
        }
    }
    if !options.contains(&json!("no-sync")) {
        options.push(json!("no-sync"));
    }
}
