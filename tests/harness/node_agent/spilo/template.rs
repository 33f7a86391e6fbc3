//! The defaults of the configure step: the configuration that Patroni gets where the manifest
//! says nothing.

use serde_json::{Value, json};

use super::{CERTIFICATES, Variables, escape, hba};

/// Kubernetes has its own section; see [`super::kubernetes`].
pub(super) fn render(variables: &Variables<'_>) -> Value {
    let ip = escape(variables.or("POD_IP", ""));
    let scope = variables.escaped("SCOPE", "dummy");
    let rest_port = variables.escaped("APIPORT", "8008");
    json!({
        "scope": scope,
        "bootstrap": bootstrap(variables),
        "restapi": {
            "listen": format!(":{rest_port}"),
            "connect_address": format!("{ip}:{rest_port}"),
        },
        "postgresql": postgresql(variables, &ip),
    })
}

fn bootstrap(variables: &Variables<'_>) -> Value {
    let locale = match variables.or("INITDB_LOCALE", "en_US") {
        locale if locale.contains('.') => locale.to_owned(),
        locale => format!("{locale}.UTF-8"),
    };
    let mut all = json!({
        "post_init": format!("/scripts/post_init.sh \"{}\"", variables.escaped("HUMAN_ROLE", "zalandos")),
        "initdb": [{ "encoding": "UTF8" }, { "locale": locale }, "data-checksums"],
        "dcs": dcs(variables),
    });
    if variables.or("CLONE_METHOD", "") == "CLONE_WITH_BASEBACKUP" {
        all["method"] = json!("clone_with_basebackup");
        all["clone_with_basebackup"] = json!({ "command": copy(variables) });
    }
    all
}

fn dcs(variables: &Variables<'_>) -> Value {
    let mut dcs = json!({
            "ttl": 30,
            "loop_wait": 10,
            "retry_timeout": 10,
            "maximum_lag_on_failover": 33_554_432,
            "postgresql": {
                "use_pg_rewind": true,
                "use_slots": true,
                "parameters": dynamic_parameters(),
            },
    });
    if let Some(source) = standby_cluster(variables) {
        dcs["standby_cluster"] = source;
    }
    dcs
}

/// Whom a standby cluster follows. There is no archive here that one could read.
fn standby_cluster(variables: &Variables<'_>) -> Option<Value> {
    if !variables.set("STANDBY_HOST") && !variables.set("STANDBY_PORT") {
        return None;
    }
    let mut source = json!({ "create_replica_methods": ["basebackup_fast_xlog"] });
    for (key, variable) in [
        ("host", "STANDBY_HOST"),
        ("port", "STANDBY_PORT"),
        ("primary_slot_name", "STANDBY_PRIMARY_SLOT_NAME"),
    ] {
        if variables.set(variable) {
            source[key] = json!(variables.escaped(variable, ""));
        }
    }
    Some(source)
}

/// What the image has a script for. Patroni adds words of its own at the end. A short name is one
/// of the pod's own namespace.
fn copy(variables: &Variables<'_>) -> String {
    let of = |name: &str| variables.or(name, "");
    format!(
        "env PGPASSWORD={} PGSSLMODE=require bash -c 'exec pg_basebackup --pgdata={} --checkpoint=fast --host={}.{} --port={} --username={}'",
        of("CLONE_PASSWORD"),
        data_directory(variables),
        of("CLONE_HOST"),
        of("POD_NAMESPACE"),
        of("CLONE_PORT"),
        of("CLONE_USER"),
    )
}

fn data_directory(variables: &Variables<'_>) -> String {
    match variables.or("PGDATA", "") {
        "" => format!("{}/data", root(variables)),
        data => data.to_owned(),
    }
}

fn root<'a>(variables: &Variables<'a>) -> &'a str {
    variables.or("PGROOT", "/home/postgres/pgdata/pgroot")
}

fn dynamic_parameters() -> Value {
    json!({
        "archive_mode": "on",
        "archive_timeout": "1800s",
        "wal_level": "hot_standby",
        "wal_log_hints": "on",
        "wal_compression": "on",
        "max_wal_senders": 10,
        "max_connections": 100,
        "max_replication_slots": 10,
        "hot_standby": "on",
        "tcp_keepalives_idle": 900,
        "tcp_keepalives_interval": 100,
        "log_lock_waits": "on",
        "log_min_duration_statement": 500,
        "log_autovacuum_min_duration": 0,
        "log_connections": "on",
        "log_disconnections": "on",
        "log_statement": "ddl",
        "track_functions": "all",
        "checkpoint_completion_target": 0.9,
        "autovacuum_max_workers": 5,
        "autovacuum_vacuum_scale_factor": 0.05,
        "autovacuum_analyze_scale_factor": 0.02,
    })
}

fn postgresql(variables: &Variables<'_>, ip: &str) -> Value {
    let port = variables.escaped("PGPORT", "5432");
    let data = data_directory(variables);
    let mut parameters = local_parameters(root(variables));
    tls(&mut parameters, variables);
    json!({
        "pgpass": "/run/postgresql/pgpass",
        "use_unix_socket": true,
        "use_unix_socket_repl": true,
        "name": variables.escaped("HOSTNAME", ""),
        "listen": format!("*:{port}"),
        "connect_address": format!("{ip}:{port}"),
        "data_dir": escape(&data),
        // PGVERSION counts only where that version is there, and Debian has one.
        "bin_dir": "/usr/lib/postgresql/15/bin",
        "parameters": parameters,
        "pg_hba": hba::default_lines(variables),
        "authentication": {
            "superuser": {
                "username": variables.escaped("PGUSER_SUPERUSER", "postgres"),
                "password": variables.escaped("PGPASSWORD_SUPERUSER", "zalando"),
            },
            "replication": {
                "username": variables.escaped("PGUSER_STANDBY", "standby"),
                "password": variables.escaped("PGPASSWORD_STANDBY", "standby"),
            },
        },
        "callbacks": {
            "on_role_change": format!(
                "/scripts/on_role_change.sh {} true", variables.escaped("HUMAN_ROLE", "zalandos")
            ),
        },
        "create_replica_method": ["basebackup_fast_xlog"],
        "basebackup_fast_xlog": { "command": "/scripts/basebackup.sh", "retries": 2 },
        "pg_ctl_timeout": 60,
        "remove_data_directory_on_rewind_failure": true,
    })
}

fn local_parameters(root: &str) -> Value {
    json!({
        "archive_command": "/bin/true",
        "logging_collector": "on",
        "log_destination": "csvlog",
        "log_directory": format!("{root}/pg_log"),
        "log_filename": "postgresql-%u.log",
        "log_file_mode": "0644",
        "log_rotation_age": "1d",
        "log_truncate_on_rotation": "on",
        "shared_preload_libraries":
            "bg_mon,pg_stat_statements,pgextwlist,pg_auth_mon,set_user",
        "bg_mon.listen_address": "0.0.0.0",
        "bg_mon.history_buckets": 120,
        "pg_stat_statements.track_utility": "off",
    })
}

fn tls(parameters: &mut Value, variables: &Variables<'_>) {
    let file = |variable: &str, default: &str| match variables.or(variable, "") {
        "" => format!("{CERTIFICATES}/{default}"),
        path => path.to_owned(),
    };
    parameters["ssl"] = json!("on");
    parameters["ssl_cert_file"] = json!(file("SSL_CERTIFICATE_FILE", "server.crt"));
    parameters["ssl_key_file"] = json!(file("SSL_PRIVATE_KEY_FILE", "server.key"));
    for (variable, parameter) in [("SSL_CA_FILE", "ssl_ca_file"), ("SSL_CRL_FILE", "ssl_crl_file")]
    {
        if variables.set(variable) {
            parameters[parameter] = json!(variables.or(variable, ""));
        }
    }
}
