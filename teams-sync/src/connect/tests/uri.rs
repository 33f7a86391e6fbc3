//! Connection URIs: the cases that libpq's own tests have, and where we are stricter.

use super::{parse, refusal};

/// What a connection string comes to, with the password, which `Display` does not show.
fn meaning(text: &str) -> String {
    let dsn = parse(text).expect(text);
    let meaning = match &dsn.password {
        Some(password) => format!("{dsn} password={}", password.0),
        None => dsn.to_string(),
    };
    meaning.replace(" sslmode=prefer", "")
}

#[test]
fn every_part_can_be_there_or_not() {
    let socket = "/var/run/postgresql/.s.PGSQL";
    for (text, expected) in [
        (
            "postgresql://uri-user:secret@host:12345/db",
            "host:12345 dbname=db user=uri-user password=secret",
        ),
        ("postgresql://uri-user@host:12345/db", "host:12345 dbname=db user=uri-user"),
        ("postgresql://uri-user@host/db", "host:5432 dbname=db user=uri-user"),
        ("postgresql://host:12345/db", "host:12345 dbname=db"),
        ("postgresql://host/db", "host:5432 dbname=db"),
        ("postgresql://uri-user@host/", "host:5432 user=uri-user"),
        ("postgresql://uri-user@", &format!("{socket}.5432 user=uri-user")),
        ("postgresql://host:12345/", "host:12345"),
        ("postgresql://host:12345", "host:12345"),
        ("postgresql://host", "host:5432"),
        ("postgresql://", &format!("{socket}.5432")),
        ("postgres:///", &format!("{socket}.5432")),
        ("postgres:///db", &format!("{socket}.5432 dbname=db")),
        ("postgres://uri-user@/db", &format!("{socket}.5432 dbname=db user=uri-user")),
        ("postgres://@host", "host:5432"),
        ("postgres://:@host", "host:5432"),
        ("postgres://host:/", "host:5432"),
        ("postgres://:12345/", &format!("{socket}.12345")),
        ("postgresql://?hostaddr=127.0.0.1", "127.0.0.1:5432"),
        ("postgresql://%68ost/", "host:5432"),
        ("postgresql://host?", "host:5432"),
        ("postgresql://host/db?user=uri-user", "host:5432 dbname=db user=uri-user"),
        ("postgresql://host/db?user=uri-user&port=12345&", "host:12345 dbname=db user=uri-user"),
        ("postgresql://host/db?u%73er=other&port=12345", "host:12345 dbname=db user=other"),
        ("postgresql://host:12345?user=uri-user", "host:12345 user=uri-user"),
        ("postgresql://u:p@host?user=v&password=q", "host:5432 user=v password=q"),
        ("postgresql://u:a%3Ab%2F%40%3f%25@host", "host:5432 user=u password=a:b/@?%"),
        ("postgresql://u:p:q@host", "host:5432 user=u password=p:q"),
        ("postgresql://u:p?q@host/d%40b", "host:5432 dbname=d@b user=u password=p?q"),
        (" postgresql://host/db\n", "host:5432 dbname=db"),
        ("postgresql://host/db?application_name=%c3%a4", "host:5432 dbname=db"),
    ] {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[test]
fn addresses_of_version_6_stand_in_brackets() {
    for (text, expected) in [
        ("postgresql://[::1]:12345/db", "[::1]:12345 dbname=db"),
        ("postgresql://[2001:db8::1234]/", "[2001:db8::1234]:5432"),
        ("postgresql://[::1]", "[::1]:5432"),
        ("postgresql://[::1]?user=u", "[::1]:5432 user=u"),
        ("postgresql://[::1]:1,host:2,[::2]/", "[::1]:1,host:2,[::2]:5432"),
    ] {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[test]
fn sockets_are_percent_encoded_or_a_parameter() {
    for (text, expected) in [
        ("postgres://?host=/path/to/dir", "/path/to/dir/.s.PGSQL.5432"),
        ("postgres://%2Fvar%2Flib%2Fpg/dbname", "/var/lib/pg/.s.PGSQL.5432 dbname=dbname"),
        ("postgres://u@/?host=/no/such", "/no/such/.s.PGSQL.5432 user=u"),
        ("postgres://u@:12345/db?host=/to", "/to/.s.PGSQL.12345 dbname=db user=u"),
        ("postgres://:12345?host=/to", "/to/.s.PGSQL.12345"),
        ("postgres://u@%40name/db", "@name/.s.PGSQL.5432 dbname=db user=u"),
    ] {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[test]
fn ssl_true_is_what_jdbc_calls_require() {
    assert_eq!(parse("postgres://h?ssl=true").unwrap().to_string(), "h:5432 sslmode=require");
    assert!(refusal("postgres://h?ssl=false").contains("\"ssl\""));
}

#[test]
fn what_is_no_uri_is_refused() {
    for (text, expected) in [
        ("postgre://", "lacks a \"=\" after the word at byte 0"),
        ("postgres://[::1", "no \"]\""),
        ("postgres://[]", "empty IPv6"),
        ("postgres://[::1]z", "something other than"),
        ("postgresql://host?&", "without \"=\""),
        ("postgresql://host?zzz", "without \"=\""),
        ("postgresql://host?value1&value2", "without \"=\""),
        ("postgresql://host?user=a&&port=1", "without \"=\""),
        ("postgresql://host?key=key=value", "second \"=\""),
        ("postgresql://host?uzer=", "\"uzer\", which is unknown"),
        ("postgresql://host/db?u%7aer=x", "\"uzer\", which is unknown"),
        ("postgres://host?dbname=%XXfoo", "hexadecimal"),
        ("postgresql://%zz", "hexadecimal"),
        ("postgresql://%1", "hexadecimal"),
        ("postgresql://%", "hexadecimal"),
        ("postgresql://%+1", "hexadecimal"),
        ("postgresql://a%00b", "parameter host has a zero byte"),
        ("postgresql://%ff", "not UTF-8"),
        ("postgresql://host:port", "parameter port is not a number"),
        ("postgresql://host:0", "parameter port is not a number"),
        ("postgresql://host:65536", "parameter port is not a number"),
    ] {
        let said = refusal(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

/// libpq would take a part of the password for a host, a port or a database, and show it.
#[test]
fn a_password_in_the_wrong_place_is_not_shown() {
    for text in [
        "postgresql://user:sec/ret@host/db",
        "postgresql://user:sec@ret@host/db",
        "postgresql://user:sec/ret/ret@host/db?sslmode=require",
        "postgresql://user:sec/ret%@host",
        "postgresql://user:sec/ret",
    ] {
        let said = refusal(text);
        assert!(!said.contains("sec") && !said.contains("ret"), "{text}: {said}");
        assert!(said.contains("write "), "{text}: {said}");
    }
}
