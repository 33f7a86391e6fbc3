use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// For the password `password` and the salt `salt`: from the operator's own tests.
const VECTOR: &str = "SCRAM-SHA-256$4096:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw=";

fn secret(text: &str) -> Secret {
    Secret::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_verifier_is_derived_as_postgresql_does() {
    let verifier = Verifier::derive("password", b"salt", 4096).unwrap();
    assert_eq!(*verifier.to_text(), VECTOR);
    assert!(Verifier::parse(VECTOR).unwrap().is_of("password"));
    assert!(!Verifier::parse(VECTOR).unwrap().is_of("Password"));
    assert_eq!(md5_of("password", "test"), "md587f77988ccb5aa917c93201ba314fcd4");
}

#[test]
fn passwords_are_prepared_as_clients_prepare_them() {
    // U+2168 is IX, U+00AA is a, and a soft hyphen is nothing (RFC 4013 section 3).
    for (written, prepared) in [("\u{2168}", "IX"), ("\u{aa}", "a"), ("I\u{ad}X", "IX")] {
        let stored = Verifier::derive(prepared, b"salt", 1).unwrap();
        assert!(stored.is_of(written), "{written:?}");
        // The library that clients of Rust use thinks the same.
        let theirs = postgres_protocol::password::scram_sha_256(written.as_bytes());
        assert!(Verifier::parse(&theirs).unwrap().is_of(prepared), "{written:?}");
    }
    // Forbidden there, so taken as it is.
    let raw = "\u{7}bell";
    let theirs = postgres_protocol::password::scram_sha_256(raw.as_bytes());
    assert!(Verifier::parse(&theirs).unwrap().is_of(raw));
}

#[test]
fn what_only_looks_like_a_verifier_is_refused() {
    for text in [
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA",
        &VECTOR.replace("4096", "+4096"),
        &VECTOR.replace("4096", "0"),
        &VECTOR.replace("4096", "99999999"),
        &VECTOR.replace("c2FsdA==", ""),
        &format!("{VECTOR}$"),
        &format!("{VECTOR} "),
    ] {
        assert_eq!(Secret::parse(text.as_bytes()).unwrap_err(), SecretError::Verifier, "{text}");
    }
    assert!(Secret::parse(format!("{VECTOR}\n").as_bytes()).is_ok());
}

#[test]
fn one_newline_at_the_end_is_dropped_and_no_other() {
    let is = |text: &str, plain: &str| {
        let stored = Verifier::derive(plain, b"salt", 1).unwrap().to_text();
        secret(text).matches("robot", &stored)
    };
    assert!(is("secret\n", "secret"));
    assert!(is("secret\r\n", "secret"));
    assert!(is(" secret ", " secret "));
    assert_eq!(Secret::parse(b"secret\n\n").unwrap_err(), SecretError::Control);
    assert_eq!(Secret::parse(b"\n").unwrap_err(), SecretError::Empty);
    assert_eq!(Secret::parse(b"a\0b").unwrap_err(), SecretError::Control);
    assert_eq!(Secret::parse(b"\xff").unwrap_err(), SecretError::Encoding);
    assert_eq!(Secret::parse(&[b'x'; 1025]).unwrap_err(), SecretError::TooLong);
}

#[test]
fn a_password_that_is_stored_is_recognised_whatever_its_salt() {
    let checked = Checked::new().unwrap();
    let random = SystemRandom::new();
    let secret = secret("s3cret");
    let first = checked.verifier(&secret, "robot", 1, &random).unwrap();
    let second = checked.verifier(&secret, "robot", 9, &random).unwrap();
    assert_ne!(first, second);
    for _ in 0..2 {
        assert!(checked.matches(&secret, "robot", &first));
        assert!(checked.matches(&secret, "robot", &second));
        assert!(!checked.matches(&secret, "robot", VECTOR));
        assert!(!checked.matches(&secret, "robot", "damaged"));
    }
}

#[test]
fn a_password_stored_as_md5_becomes_scram_and_a_given_verifier_is_taken_as_it_is() {
    let checked = Checked::new().unwrap();
    let stored = md5_of("password", "test");
    assert!(!checked.matches(&secret("password"), "test", &stored));
    assert!(checked.matches(&secret(&stored), "test", &stored));
    assert!(checked.matches(&secret(VECTOR), "test", VECTOR));
    assert!(!checked.matches(&secret(VECTOR), "test", &stored));
    assert_eq!(
        *checked.verifier(&secret(VECTOR), "test", 1, &SystemRandom::new()).unwrap(),
        VECTOR
    );
}

#[test]
fn no_password_is_ever_printed() {
    assert_eq!(format!("{:?}", secret("hunter2")), "[password]");
    assert_eq!(format!("{:?}", secret(VECTOR)), "[password]");
}

#[test]
fn a_password_has_another_verifier_on_each_server_whatever_others_store() {
    let random = SystemRandom::new();
    let (checked, secret) = (Checked::new().unwrap(), secret("password"));
    assert!(checked.matches(&secret, "test", VECTOR));
    let first = checked.verifier(&secret, "test", 4096, &random).unwrap();
    let second = checked.verifier(&secret, "test", 4096, &random).unwrap();
    assert!(first != second && *first != VECTOR && *second != VECTOR);
    assert!(checked.matches(&secret, "test", &first) && checked.matches(&secret, "test", &second));
}

#[test]
fn a_verifier_with_a_foreign_server_key_is_not_of_the_password() {
    let (before, _) = VECTOR.rsplit_once(':').unwrap();
    let foreign = format!("{before}:{}", STANDARD.encode([7; 32]));
    let (before, server_key) = VECTOR.rsplit_once(':').unwrap();
    let (before, _) = before.rsplit_once('$').unwrap();
    let stored = format!("{before}${}:{server_key}", STANDARD.encode([7; 32]));
    for wrong in [foreign, stored] {
        assert!(Verifier::parse(&wrong).is_some(), "{wrong}");
        assert!(!Checked::new().unwrap().matches(&secret("password"), "test", &wrong), "{wrong}");
    }
}

#[test]
fn what_is_revealed_is_what_was_given() {
    let md5 = "md587f77988ccb5aa917c93201ba314fcd4";
    for text in ["correct horse", VECTOR, md5] {
        let secret = Secret::parse(text.as_bytes()).unwrap();
        assert_eq!(*secret.reveal(), text);
        assert!(!format!("{secret:?}").contains(text));
    }
}

#[test]
fn iterations_that_would_keep_us_busy_are_not_derived() {
    let (checked, secret) = (Checked::new().unwrap(), secret("password"));
    let busy = VECTOR.replace("4096", "500000");
    let start = std::time::Instant::now();
    for salt in 0..200_u32 {
        let salt = STANDARD.encode(salt.to_be_bytes());
        assert!(!checked.matches(&secret, "test", &busy.replace("c2FsdA==", &salt)));
    }
    // One alone takes a tenth of a second.
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    // A server that asks for more gets what is recognised the next time.
    let stored = checked.verifier(&secret, "test", 500_000, &SystemRandom::new()).unwrap();
    assert!(Checked::new().unwrap().matches(&secret, "test", &stored));
}

#[test]
fn what_is_not_known_yet_is_what_takes_time() {
    let checked = Checked::new().unwrap();
    let (plain, given) = (secret("password"), secret(VECTOR));
    assert!(!checked.is_known(&plain, "test", VECTOR));
    assert!(checked.is_known(&given, "test", VECTOR));
    checked.matches(&plain, "test", VECTOR);
    assert!(checked.is_known(&plain, "test", VECTOR));
    assert!(!checked.is_known(&plain, "other", VECTOR));
    assert!(checked.is_known(&plain, "test", &md5_of("password", "test")));
}
