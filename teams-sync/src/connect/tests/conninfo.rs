//! Connection strings of keys and values, and what the values come to.

use super::super::conninfo::{Keepalives, RootCertificates, SslMode};
use super::{parse, refusal};
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

#[test]
fn quotes_and_backslashes_are_those_of_libpq() {
    for (text, user, password) in [
        ("user=u password=p", "u", "p"),
        (" user = u\tpassword =\n p ", "u", "p"),
        ("user='a b' password='it\\'s \\\\'", "a b", "it's \\"),
        ("user=a\\ b password=\\'x\\\\y\\z", "a b", "'x\\yz"),
        ("user='u'password='p'", "u", "p"),
        ("user=u password=p=q", "u", "p=q"),
        ("user=u password=a'b", "u", "a'b"),
        ("user=u password='a=b'", "u", "a=b"),
        ("user=u password=p\\", "u", "p"),
        ("user=u password=ä user=v", "v", "ä"),
        ("user=u\u{b}password=p\u{c}", "u", "p"),
    ] {
        let dsn = parse(text).expect(text);
        assert_eq!(dsn.user(), Some(user), "{text}");
        assert_eq!(dsn.password.unwrap().0, password, "{text}");
    }
}

#[test]
fn what_does_not_parse_is_refused() {
    for (text, expected) in [
        ("host", "after the word at byte 0"),
        ("host=h user", "after the word at byte 7"),
        ("host=h password=top secret sslmode=require", "after the word at byte 20"),
        ("password='top secret", "the quote that starts at byte 9"),
        ("password='top\\'", "the quote that starts at byte 9"),
        ("hostname=h", "\"hostname\", which is unknown"),
        ("PORT=1", "\"PORT\", which is unknown"),
        ("=x", "\"\", which is unknown"),
        ("user=a\0b", "parameter user has a zero byte"),
    ] {
        let said = refusal(text);
        assert!(said.contains(expected), "{text}: {said}");
        assert!(!said.contains("top") && !said.contains("secret"), "{text}: {said}");
    }
}

#[test]
fn an_empty_string_is_all_defaults() {
    let dsn = parse("").unwrap();
    assert_eq!(dsn.to_string(), "/var/run/postgresql/.s.PGSQL.5432 sslmode=prefer");
    assert_eq!((dsn.user(), dsn.database(), &dsn.password), (None, None, &None));
    assert_eq!(dsn.session, TargetSessionAttrs::Any);
    assert_eq!(dsn.channel_binding, ChannelBinding::Prefer);
    assert_eq!(dsn.application_name.as_deref(), Some("teams-sync"));
    assert_eq!((dsn.connect_timeout, dsn.options, dsn.password_file), (None, None, None));
    let keepalives = Keepalives::default();
    assert_eq!(dsn.keepalives, keepalives);
    let silence = keepalives.idle + keepalives.interval * keepalives.count;
    assert_eq!((silence, keepalives.user_timeout), (Duration::from_secs(20), Some(silence)));
    assert!(dsn.tls.server_name_indication && !dsn.tls.direct && !dsn.tls.at_least_1_3);
}

#[test]
fn values_mean_what_they_mean_to_libpq() {
    let dsn = parse(
        "connect_timeout=' 7 ' keepalives=1 keepalives_idle=60 keepalives_interval=7 \
         keepalives_count=2 tcp_user_timeout=1500 channel_binding=require options='-c a=b' \
         load_balance_hosts=random target_session_attrs=read-only sslsni=0 \
         ssl_min_protocol_version=TLSv1.3 sslcert=/c sslkey=/k application_name=name \
         passfile=/p fallback_application_name=other sslnegotiation=direct sslmode=require",
    )
    .unwrap();
    assert_eq!(dsn.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(
        dsn.keepalives,
        Keepalives {
            enabled: true,
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(7),
            count: 2,
            user_timeout: Some(Duration::from_millis(1500)),
        }
    );
    assert_eq!(dsn.channel_binding, ChannelBinding::Require);
    assert_eq!(dsn.options.as_deref(), Some("-c a=b"));
    assert_eq!(dsn.session, TargetSessionAttrs::ReadOnly);
    assert!(dsn.random_order && dsn.tls.at_least_1_3 && dsn.tls.direct);
    assert!(!dsn.tls.server_name_indication);
    assert_eq!(dsn.tls.certificate, Some(PathBuf::from("/c")));
    assert_eq!(dsn.tls.key, Some(PathBuf::from("/k")));
    assert_eq!(dsn.application_name.as_deref(), Some("name"));
    assert_eq!(dsn.password_file, Some(PathBuf::from("/p")));

    for without_limit in ["0", "-1"] {
        let dsn = parse(&format!("connect_timeout={without_limit} keepalives=0")).unwrap();
        assert_eq!((dsn.connect_timeout, dsn.keepalives.enabled), (None, false));
    }
    for (text, user_timeout) in [
        ("keepalives_idle=60 keepalives_interval=10 keepalives_count=6", Some(120)),
        ("keepalives=0", None),
        ("tcp_user_timeout=0", None),
        ("keepalives=0 tcp_user_timeout=7000", Some(7)),
    ] {
        let found = parse(text).unwrap().keepalives.user_timeout;
        assert_eq!(found, user_timeout.map(Duration::from_secs), "{text}");
    }
    let name = |text: &str| parse(text).unwrap().application_name;
    assert_eq!(name("fallback_application_name=other").as_deref(), Some("other"));
    assert_eq!(name("application_name=''"), None);
}

#[test]
fn sslmode_and_root_certificates_depend_on_each_other() {
    for (text, mode, roots) in [
        ("sslmode=disable", SslMode::Disable, RootCertificates::Default),
        ("sslmode=allow", SslMode::Prefer, RootCertificates::Default),
        ("sslmode=prefer", SslMode::Prefer, RootCertificates::Default),
        ("sslmode=require", SslMode::Require, RootCertificates::Default),
        (
            "sslmode=verify-ca sslrootcert=/f",
            SslMode::VerifyCa,
            RootCertificates::File("/f".into()),
        ),
        ("sslmode=verify-full", SslMode::VerifyFull, RootCertificates::Default),
        ("sslrootcert=system", SslMode::VerifyFull, RootCertificates::System),
        ("sslrootcert=/f", SslMode::Prefer, RootCertificates::File("/f".into())),
        ("sslmode=verify-full sslrootcert=system", SslMode::VerifyFull, RootCertificates::System),
    ] {
        let tls = parse(text).expect(text).tls;
        assert_eq!((tls.mode, tls.roots), (mode, roots), "{text}");
    }
    for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
        let said = refusal(&format!("sslrootcert=system sslmode={mode}"));
        assert!(said.contains("too weak for sslrootcert=system"), "{said}");
    }
    for mode in ["sslmode=disable", "sslmode=prefer", ""] {
        let said = refusal(&format!("sslnegotiation=direct {mode}"));
        assert!(said.contains("too weak for sslnegotiation=direct"), "{said}");
    }
}

#[test]
fn what_would_silently_be_missing_is_refused() {
    for pair in [
        "require_auth=scram-sha-256",
        "krbsrvname=x",
        "gsslib=gssapi",
        "gssdelegation=1",
        "service=x",
        "sslcrl=/x",
        "sslcrldir=/x",
        "sslpassword=x",
        "requirepeer=postgres",
        "sslcertmode=disable",
        "gssencmode=require",
        "replication=database",
        "client_encoding=LATIN1",
        "ssl_max_protocol_version=TLSv1.2",
        "scram_client_key=x",
        "oauth_issuer=x",
    ] {
        let said = refusal(pair);
        let key = pair.split('=').next().unwrap();
        assert!(
            said.starts_with(&format!("the connection parameter {key} is not supported")),
            "{said}"
        );
    }
    for pair in [
        "gssencmode=disable",
        "gssencmode=prefer",
        "sslcrl=''",
        "replication=off",
        "client_encoding=utf8",
        "ssl_min_protocol_version=TLSv1.2",
        "ssl_max_protocol_version=TLSv1.3",
        "sslcertmode=allow",
        "max_protocol_version=latest",
    ] {
        assert!(parse(pair).is_ok(), "{pair}");
    }
    let said = refusal("gssencmode=require");
    assert!(said.contains("other than as disable or prefer; leave it out"), "{said}");
}

#[test]
fn wrong_values_are_refused_with_those_that_would_do() {
    for (text, expected) in [
        ("sslmode=on", "sslmode cannot be \"on\"; write disable, allow, prefer, require"),
        ("sslmode=''", "sslmode cannot be \"\""),
        ("sslsni=yes", "sslsni cannot be \"yes\"; write 0, 1"),
        ("channel_binding=x", "write disable, prefer, require"),
        ("target_session_attrs=prefer-standby", "any, read-write, primary, read-only, standby"),
        ("load_balance_hosts=x", "write disable, random"),
        ("connect_timeout=10s", "connect_timeout cannot be \"10s\"; write a whole number"),
        ("keepalives_idle=\\\u{1b}", "\"\\u{1b}\""),
        ("ssl_min_protocol_version=TLSv1.1", "write TLSv1.2, TLSv1.3"),
        ("hostaddr=example.com", "hostaddr has \"example.com\", which is no IPv4"),
        ("host='a b'", "blanks in a host name"),
    ] {
        let said = refusal(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn nothing_shows_the_password() {
    let dsn = parse("host=h user=u password=hunter2").unwrap();
    for shown in [format!("{dsn}"), format!("{dsn:?}"), format!("{:?}", dsn.password)] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(format!("{dsn:?}"), "Dsn(h:5432 user=u sslmode=prefer)");
    let odd = parse("host=h dbname='\u{1b}[2J' user='\n'").unwrap();
    assert_eq!(odd.to_string(), "h:5432 dbname=\\u{1b}[2J user=\\n sslmode=prefer");
}

proptest! {
    #[test]
    fn whatever_is_quoted_comes_back(password in "[^\0]+") {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let dsn = parse(&format!("password='{quoted}' user=u")).unwrap();
        prop_assert_eq!(dsn.password.unwrap().0, password);
    }

    #[test]
    fn whatever_is_percent_encoded_comes_back(password in "[^\0]+") {
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let dsn = parse(&format!("postgresql://u:{encoded}@h")).unwrap();
        prop_assert_eq!(dsn.password.unwrap().0, password);
    }

    #[test]
    fn no_text_stops_the_parser(text in "(postgres://)?[\\PC\0 '=\\\\@:/?&%\\[\\],]*") {
        let _ = parse(&text);
    }
}
