//! Lists of hosts, addresses and ports.

use super::super::conninfo::{Endpoint, Place};
use super::{parse, refusal};
use std::path::PathBuf;
use tokio_postgres::config::TargetSessionAttrs;

#[test]
fn lists_lie_side_by_side() {
    for (text, expected) in [
        ("host=a,b", "a:5432,b:5432"),
        ("host=a,b port=1", "a:1,b:1"),
        ("host=a,b,c port=1,,3", "a:1,b:5432,c:3"),
        ("host=a,,/s", "a:5432,/var/run/postgresql/.s.PGSQL.5432,/s/.s.PGSQL.5432"),
        ("hostaddr=::1,10.0.0.1 port=1,2", "[::1]:1,10.0.0.1:2"),
        ("host=a hostaddr=10.0.0.1", "a:5432"),
        ("host=/s hostaddr=10.0.0.1", "10.0.0.1:5432"),
        ("host=@abstract port=' 77 '", "@abstract/.s.PGSQL.77"),
        ("postgresql://a:1,b,c:3/", "a:1,b:5432,c:3"),
    ] {
        let shown = parse(text).expect(text).to_string();
        assert_eq!(shown.strip_suffix(" sslmode=prefer"), Some(expected), "{text}");
    }
}

#[test]
fn an_address_replaces_the_lookup_and_not_the_name() {
    let dsn = parse("host=a,b hostaddr=10.0.0.1,").unwrap();
    assert_eq!(
        dsn.endpoints,
        [
            Endpoint {
                place: Place::Host("a".into(), Some("10.0.0.1".parse().unwrap())),
                port: 5432
            },
            Endpoint { place: Place::Host("b".into(), None), port: 5432 },
        ]
    );
}

#[test]
fn lists_of_different_lengths_are_refused() {
    let said = refusal("host=a,b hostaddr=10.0.0.1");
    assert_eq!(said, "host names 2 servers and hostaddr 1; give both lists the same length");
    let said = refusal("host=a,b,c port=1,2");
    assert!(said.starts_with("there are 2 ports for 3 hosts"), "{said}");
}

/// The one to write to is meant, unless somebody says otherwise.
#[test]
fn several_hosts_mean_the_one_that_can_be_written_to() {
    for (text, expected) in [
        ("host=a", TargetSessionAttrs::Any),
        ("host=a,b", TargetSessionAttrs::ReadWrite),
        ("host=a,b target_session_attrs=any", TargetSessionAttrs::Any),
        ("host=a target_session_attrs=read-write", TargetSessionAttrs::ReadWrite),
        ("host=a target_session_attrs=primary", TargetSessionAttrs::ReadWrite),
        ("host=a target_session_attrs=standby", TargetSessionAttrs::ReadOnly),
    ] {
        assert_eq!(parse(text).expect(text).session, expected, "{text}");
    }
}

#[test]
fn an_abstract_name_starts_with_a_zero_byte() {
    assert_eq!(Endpoint::socket_folder("/s"), PathBuf::from("/s"));
    assert_eq!(Endpoint::socket_folder("@s"), PathBuf::from("\0s"));
}
