use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use pam::constants::PamResultCode;
use reference::{Document, same};
use zeroize::Zeroizing;

use super::*;
use crate::authorize::Misfit;
use crate::claims::Claim;
use crate::files::FileFault;
use crate::http::{Stage, TrustFault};
use crate::policy::{ClaimPath, Expression, Place, Test};
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
    let requirement = |test| Box::new(Requirement { claim: ClaimPath::Member(key()), test });
    let contains = || requirement(Test::Contains(vec![key(), "x".repeat(999)]));
    let equals = || requirement(Test::Is(vec![key(); 9]));
    let matches = || requirement(Test::Matches(Expression::parse("a\nb").unwrap()));
    let no_keys = |fault| Refusal::NoKeys { service: service(), fault };
    let issuer = || Issuer::parse("https://idp.example.com", false).unwrap();
    let misfit = |misfit| Refusal::Misfit { field: key(), found: text(), misfit };
    vec![
        (Refusal::absent(&contains()), Failure::AUTH_ERR),
        (Refusal::absent(&equals()), Failure::AUTH_ERR),
        (Refusal::absent(&matches()), Failure::AUTH_ERR),
        (Refusal::Again { ago: 1.5 }, Failure::AUTH_ERR),
        (Refusal::ArgumentEncoding, Failure::SERVICE_ERR),
        (pam_oauth2_arguments::Error::NotACheck(key()).into(), Failure::SERVICE_ERR),
        (Refusal::Body { service: service(), fault: foreign() }, Failure::AUTHINFO_UNAVAIL),
        (Refusal::BreakerOpen { service: service(), left: 1.5 }, Failure::AUTHINFO_UNAVAIL),
        (Refusal::Busy { service: service() }, Failure::AUTHINFO_UNAVAIL),
        (Refusal::ChangeOfToken, Failure::PERM_DENIED),
        (Refusal::Credentials { service: service(), status: 401 }, Failure::AUTHINFO_UNAVAIL),
        (
            ConfigFault::new("/x\n".as_ref(), Place::Line(1), "a\nfault".repeat(999)).into(),
            Failure::SERVICE_ERR,
        ),
        (Refusal::differs(&equals(), &Claim::Null), Failure::AUTH_ERR),
        (Refusal::Differs { requirement: contains(), found: text() }, Failure::AUTH_ERR),
        (Refusal::Differs { requirement: matches(), found: text() }, Failure::AUTH_ERR),
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
        (file(FileFault::OpenToAll), Failure::SERVICE_ERR),
        (file(FileFault::TooLarge(1)), Failure::SERVICE_ERR),
        (file(FileFault::Unreadable(io::ErrorKind::NotFound.into())), Failure::SERVICE_ERR),
        (file(FileFault::WritableByAll), Failure::SERVICE_ERR),
        (Refusal::Inactive, Failure::AUTH_ERR),
        (Refusal::of_issuer(&issuer(), JwtFault::Typ(foreign())), Failure::AUTH_ERR),
        (Refusal::KeyFile { path: "/k\n".into(), fault: foreign() }, Failure::SERVICE_ERR),
        (Refusal::libpam("keep the verdict", Failure::from_libpam(5)), Failure::from_libpam(5)),
        (misfit(Misfit::Capture), Failure::AUTH_ERR),
        (misfit(Misfit::Domain), Failure::AUTH_ERR),
        (misfit(Misfit::Map), Failure::AUTH_ERR),
        (misfit(Misfit::Reserved), Failure::AUTH_ERR),
        (misfit(Misfit::SomebodyElse), Failure::AUTH_ERR),
        (misfit(Misfit::Unusable), Failure::AUTH_ERR),
        (no_keys(Unusable::Busy), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::Document(foreign())), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::NoPlace), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::OtherIssuer), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::Paused { left: 1.5, reason: foreign() }), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::Place(EndpointError::PlainHttp)), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::Status(404)), Failure::AUTHINFO_UNAVAIL),
        (no_keys(Unusable::TooLarge), Failure::AUTHINFO_UNAVAIL),
        (Refusal::NoServiceForRole, Failure::SERVICE_ERR),
        (Refusal::NoToken { code: Failure::from_libpam(20) }, Failure::from_libpam(20)),
        (Refusal::NoLoginField { field: key() }, Failure::USER_UNKNOWN),
        (Refusal::NoUser, Failure::USER_UNKNOWN),
        (Refusal::NoVerdict, Failure::PERM_DENIED),
        (Refusal::NotANumber { name: "exp", found: text() }, Failure::AUTH_ERR),
        (Refusal::NotAUser { field: key(), found: text() }, Failure::AUTH_ERR),
        (Refusal::SomebodyElse { field: key(), found: text() }, Failure::AUTH_ERR),
        (Refusal::Panic { place: "a.rs:1".to_owned() }, Failure::ABORT),
        (RevokedBy::for_test("/revoked\n").into(), Failure::AUTH_ERR),
        (Refusal::SecretFile { path: "/s\n".into(), fault: key() }, Failure::SERVICE_ERR),
        (Refusal::SharedFailure { reason: foreign() }, Failure::AUTHINFO_UNAVAIL),
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
        (Refusal::UnverifiedEmail { field: key(), verified: Some(text()) }, Failure::AUTH_ERR),
        (Refusal::UnverifiedEmail { field: key(), verified: None }, Failure::AUTH_ERR),
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

#[test]
fn a_demand_is_told_as_it_was_written() {
    let told = |test| {
        let requirement = Requirement { claim: ClaimPath::Member("realm".to_owned()), test };
        Refusal::absent(&requirement).sentence(None)
    };
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let cases = [
        (Test::Is(texts(&["/a"])), r#""/a""#),
        (Test::Is(texts(&["a", "b"])), r#""a" or "b""#),
        (Test::Is(texts(&["a", "b", "c"])), r#""a" or "b" or "c""#),
        (Test::Is(texts(&["a", "b", "c", "d"])), r#""a" or "b" or "c" or another"#),
        (Test::Contains(texts(&["a\""])), r#""a\"" in it"#),
        (Test::Matches(Expression::parse("^a$").unwrap()), r#"a match of "^a$""#),
    ];
    for (test, wanted) in cases {
        let wanted = format!(r#"the token has no "realm", and the rules demand {wanted}"#);
        assert_eq!(told(test), wanted);
    }
    let long = told(Test::Is(vec!["x".repeat(64), "y".repeat(65)]));
    assert!(
        long.ends_with(&format!("{}\" or \"{} ...\"", "x".repeat(64), "y".repeat(64))),
        "{long}"
    );
}

/// The table of docs/reference/pam-return-codes.md, and what PAM itself calls these numbers.
#[test]
fn every_return_code_is_in_the_table_of_the_reference() {
    let known = all().into_iter().filter_map(|(refusal, code)| match refusal {
        // Whatever libpam said.
        Refusal::Libpam { .. } | Refusal::NoToken { .. } => None,
        _ => Some(code.number()),
    });
    let known: BTreeSet<u8> = known.chain([0]).collect();
    let rows = Document::read("pam-return-codes.md").table("Return codes of the PAM module");
    let numbers = rows.iter().map(|row| row[1].parse().unwrap());
    same("return codes", numbers, known);
    for row in &rows {
        let code = PamResultCode::try_from(row[1].parse::<i32>().unwrap()).unwrap();
        assert_eq!(format!("`{code:?}`"), row[0]);
    }
}
