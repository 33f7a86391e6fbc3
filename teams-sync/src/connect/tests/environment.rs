//! What the environment fills in where the connection string says nothing.

use super::super::Dsn;
use super::super::conninfo::SslMode;
use std::path::PathBuf;
use std::time::Duration;

/// `text`, with these variables and no others.
fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Dsn, String> {
    let environment = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Dsn::parse(text, &environment).map_err(|error| error.to_string())
}

#[test]
fn variables_fill_what_the_connection_string_leaves_out() {
    let variables = [
        ("PGHOST", "env-host"),
        ("PGPORT", "77"),
        ("PGDATABASE", "env-db"),
        ("PGUSER", "env-user"),
        ("PGPASSWORD", "env-password"),
        ("PGPASSFILE", "/env/passfile"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/env/root.crt"),
        ("PGAPPNAME", "env-app"),
        ("PGCONNECT_TIMEOUT", "9"),
        ("HOME", "/home/somebody"),
        ("USER", "somebody"),
        ("PGCLIENTENCODING", "LATIN1"),
    ];
    let dsn = parse("", &variables).unwrap();
    assert_eq!(dsn.to_string(), "env-host:77 dbname=env-db user=env-user sslmode=verify-full");
    assert_eq!(dsn.password.unwrap().0, "env-password");
    assert_eq!(dsn.password_file, Some(PathBuf::from("/env/passfile")));
    assert_eq!(dsn.application_name.as_deref(), Some("env-app"));
    assert_eq!(dsn.connect_timeout, Some(Duration::from_secs(9)));
    assert_eq!(dsn.tls.folder, Some(PathBuf::from("/home/somebody/.postgresql")));
    assert_eq!(dsn.user_hint.as_deref(), Some("somebody"));

    let dsn = parse("host=h port=1 dbname=d user=u password=p sslmode=disable", &variables);
    let dsn = dsn.unwrap();
    assert_eq!(dsn.to_string(), "h:1 dbname=d user=u sslmode=disable");
    assert_eq!(dsn.password.unwrap().0, "p");
    // What a URI leaves empty, it leaves out.
    let dsn = parse("postgresql:///", &variables).unwrap();
    assert_eq!(dsn.to_string(), "env-host:77 dbname=env-db user=env-user sslmode=verify-full");
    // An empty value is there, and means the default.
    let dsn = parse("host='' user=''", &variables).unwrap();
    assert_eq!((dsn.endpoints.len(), dsn.user()), (1, None));
    assert!(dsn.to_string().starts_with("/var/run/postgresql/.s.PGSQL.77"), "{dsn}");
}

#[test]
fn the_password_file_is_in_the_home_folder_by_default() {
    let dsn = parse("", &[("HOME", "/home/somebody")]).unwrap();
    assert_eq!(dsn.password_file, Some(PathBuf::from("/home/somebody/.pgpass")));
    assert_eq!(parse("", &[("HOME", "")]).unwrap().password_file, None);
}

#[test]
fn empty_variables_are_none() {
    let dsn = parse("", &[("PGSSLMODE", ""), ("PGPORT", ""), ("PGSERVICE", "")]).unwrap();
    assert_eq!(dsn.tls.mode, SslMode::Prefer);
}

#[test]
fn an_error_names_the_variable() {
    for (variable, value, expected) in [
        ("PGSSLMODE", "on", "the variable PGSSLMODE cannot be \"on\""),
        ("PGSERVICE", "x", "the variable PGSERVICE is not supported by teams-sync; leave it out"),
        ("PGREQUIREAUTH", "none", "the variable PGREQUIREAUTH is not supported"),
        ("PGPORT", "x", "the variable PGPORT is not a number"),
        ("PGSSLROOTCERT", "system", "too weak for sslrootcert=system"),
    ] {
        let said = parse("", &[(variable, value)]);
        match value {
            // Fine by itself, and not with what somebody else wants.
            "system" => {
                assert_eq!(said.unwrap().tls.mode, SslMode::VerifyFull);
                let said = parse("", &[(variable, value), ("PGSSLMODE", "require")]).unwrap_err();
                assert!(said.contains(expected), "{said}");
            }
            _ => assert!(said.clone().unwrap_err().contains(expected), "{said:?}"),
        }
    }
}
