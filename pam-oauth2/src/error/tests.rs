use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::claims::Claim;
use crate::files::FileFault;
use crate::http::{Stage, TrustFault};
use crate::redact::Redactor;
use crate::token::AccessToken;

fn service() -> String {
    "info.example.com".to_owned()
}

fn http(fault: HttpFault) -> Refusal {
    Refusal::Http { service: service(), fault }
}

/// Every refusal there is, once, with the code that the decision names.
fn all() -> Vec<(Refusal, Failure)> {
    let foreign = || Foreign::new("\n\"text\" of a stranger".to_owned());
    let text = || Found::Text(foreign());
    let status = |status| Refusal::Status { service: service(), status };
    let late = |stage| {
        http(HttpFault::Late {
            stage,
            limit: Duration::from_millis(1500),
            earlier: Some(foreign()),
        })
    };
    let failed = |stage| http(HttpFault::Failed { stage, cause: foreign() });
    let file = |fault| http(HttpFault::Trust(TrustFault::File { path: "/ca\n.pem".into(), fault }));
    let key = || "a\nkey".to_owned();
    vec![
        (Refusal::Absent { key: key(), wanted: key() }, Failure::AUTH_ERR),
        (Refusal::ArgumentEncoding, Failure::SERVICE_ERR),
        (Refusal::Arguments(pam_oauth2_arguments::Error::NotACheck(key())), Failure::SERVICE_ERR),
        (Refusal::Body { service: service(), fault: foreign() }, Failure::AUTHINFO_UNAVAIL),
        (Refusal::ChangeOfToken, Failure::PERM_DENIED),
        (Refusal::differs("a\nkey", &Claim::Other("null"), "a\nvalue"), Failure::AUTH_ERR),
        (Refusal::Differs { key: key(), found: text(), wanted: key() }, Failure::AUTH_ERR),
        (Refusal::Expired { ago: 1.5 }, Failure::AUTH_ERR),
        (late(Stage::Resolving), Failure::AUTHINFO_UNAVAIL),
        (late(Stage::Connecting), Failure::AUTHINFO_UNAVAIL),
        (late(Stage::Waiting), Failure::AUTHINFO_UNAVAIL),
        (late(Stage::Reading), Failure::AUTHINFO_UNAVAIL),
        (failed(Stage::Resolving), Failure::AUTHINFO_UNAVAIL),
        (failed(Stage::Connecting), Failure::AUTHINFO_UNAVAIL),
        (failed(Stage::Waiting), Failure::AUTHINFO_UNAVAIL),
        (failed(Stage::Reading), Failure::AUTHINFO_UNAVAIL),
        (
            http(HttpFault::Starved { cause: "Too many\nfiles".to_owned() }),
            Failure::AUTHINFO_UNAVAIL,
        ),
        (http(HttpFault::TooLarge), Failure::AUTHINFO_UNAVAIL),
        (
            http(HttpFault::Trust(TrustFault::Empty { path: "/ca.pem".into() })),
            Failure::SERVICE_ERR,
        ),
        (file(FileFault::Irregular), Failure::SERVICE_ERR),
        (file(FileFault::TooLarge(1)), Failure::SERVICE_ERR),
        (file(FileFault::Unreadable(io::ErrorKind::NotFound.into())), Failure::SERVICE_ERR),
        (file(FileFault::WritableByAll), Failure::SERVICE_ERR),
        (Refusal::Inactive, Failure::AUTH_ERR),
        (Refusal::libpam("keep the verdict", Failure::from_libpam(5)), Failure::from_libpam(5)),
        (Refusal::NoToken { code: Failure::from_libpam(20) }, Failure::from_libpam(20)),
        (Refusal::NoLoginField { field: key() }, Failure::USER_UNKNOWN),
        (Refusal::NoUser, Failure::USER_UNKNOWN),
        (Refusal::NoVerdict, Failure::PERM_DENIED),
        (Refusal::NotANumber { name: "exp", found: text() }, Failure::AUTH_ERR),
        (Refusal::NotAUser { field: key(), found: text() }, Failure::AUTH_ERR),
        (Refusal::SomebodyElse { field: key(), found: text() }, Failure::AUTH_ERR),
        (Refusal::Panic { place: "a.rs:1".to_owned() }, Failure::ABORT),
        (Refusal::Role(RoleFault::Control), Failure::AUTH_ERR),
        (status(204), Failure::AUTH_ERR),
        (status(302), Failure::AUTH_ERR),
        (status(400), Failure::AUTH_ERR),
        (status(401), Failure::AUTH_ERR),
        (status(428), Failure::AUTH_ERR),
        (status(429), Failure::AUTHINFO_UNAVAIL),
        (status(499), Failure::AUTH_ERR),
        (status(500), Failure::AUTHINFO_UNAVAIL),
        (status(599), Failure::AUTHINFO_UNAVAIL),
        (status(600), Failure::AUTH_ERR),
        (Refusal::Token(TokenFault::Empty), Failure::AUTH_ERR),
        (Refusal::Token(TokenFault::Malformed), Failure::AUTH_ERR),
        (Refusal::Token(TokenFault::NotForThisUrl), Failure::AUTH_ERR),
        (Refusal::Token(TokenFault::TooLong), Failure::AUTH_ERR),
    ]
}

#[test]
fn every_refusal_has_the_code_of_the_table() {
    for (refusal, code) in all() {
        assert_eq!(refusal.code(), code, "{refusal:?}");
    }
}

#[test]
fn every_sentence_is_one_line_of_visible_ascii() {
    let token = AccessToken::parse(Zeroizing::new(b"unrelated-secret".to_vec())).unwrap();
    for (refusal, _) in all() {
        for redactor in [None, Some(&Redactor::new(&token))] {
            let sentence = refusal.sentence(redactor);
            assert!(!sentence.is_empty() && sentence.len() < 1000, "{sentence}");
            assert!(sentence.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{sentence:?}");
        }
    }
}

#[test]
fn without_a_redactor_nothing_foreign_is_shown() {
    for (refusal, _) in all() {
        assert!(!refusal.sentence(None).contains("stranger"), "{refusal:?}");
        assert!(!format!("{refusal:?}").contains("stranger"));
    }
}
