use zeroize::Zeroizing;

use super::*;
use crate::authorize::authorize;
use crate::claims::Claims;
use crate::facts::Facts;
use crate::policy::Policy;
use crate::role::Role;
use crate::token::AccessToken;
use crate::verify::Verified;

fn login(role: &str, token: &str, host: Option<&str>) -> Login {
    let words = ["https://info.example.com/?t=", "uid"];
    let line = pam_oauth2_arguments::AuthLine::parse(&words).unwrap();
    let pam_oauth2_arguments::Rules::Here(rule) = line.rules else { panic!("a file") };
    Login {
        policy: Policy::of_line(&rule, &words),
        role: Role::parse(role.into()).unwrap(),
        token: AccessToken::parse(Zeroizing::new(token.into())).unwrap(),
        remote_host: host.map(Into::into),
    }
}

fn line(login: &Login, facts: Facts, way: Way) -> String {
    let claims = format!(r#"{{"uid":{:?}}}"#, login.role.as_str());
    let claims = Verified::for_test(Claims::parse(claims.as_bytes()).unwrap());
    let authorized = authorize(&claims, &login.role, &login.policy, None).unwrap();
    let admission = Admission { authorized, facts, way };
    accepted(login, &admission, &login.redactor())
}

#[test]
fn an_accepted_login_is_one_line_of_the_documented_form() {
    let login = login("alice", "unrelated-secret", Some("10.2.1.111"));
    let facts = Facts {
        subject: Some("alice".to_owned()),
        client: Some("ztoken".to_owned()),
        issuer: Some("https://idp.example.com".to_owned()),
        id: Some("an-id".to_owned()),
        issued: None,
        expires: Some(1_764_064_800.0),
    };
    let id = id_shown("an-id");
    assert_eq!(
        line(&login, facts, Way::Jwt { keys: Origin::Cache, confirmed: false }),
        format!(
            "audit: login=accepted role=\"alice\" sub=\"alice\" client=\"ztoken\" \
             iss=\"https://idp.example.com\" jti={id} exp=2025-11-25T10:00:00Z \
             rhost=10.2.1.111 via=jwt keys=cache"
        )
    );
}

#[test]
fn what_is_not_known_is_a_dash() {
    let login = login("alice", "unrelated-secret", None);
    assert_eq!(
        line(&login, Facts::default(), Way::Tokeninfo),
        "audit: login=accepted role=\"alice\" sub=- client=- iss=- jti=- exp=- rhost=- via=tokeninfo"
    );
    assert_eq!(
        refused(&login, Failure::AUTH_ERR, &login.redactor()),
        "audit: login=refused role=\"alice\" code=7 rhost=-"
    );
}

#[test]
fn every_way_has_its_word() {
    let login = login("alice", "unrelated-secret", None);
    let jwt = |keys, confirmed| Way::Jwt { keys, confirmed };
    let cases = [
        (Way::Introspection, "via=introspection"),
        (Way::Tokeninfo, "via=tokeninfo"),
        (Way::Verdict { age: 1.0, stale: false }, "via=verdict"),
        (Way::Verdict { age: 1.0, stale: true }, "via=stale-verdict"),
        (jwt(Origin::Fetched, false), "via=jwt keys=issuer"),
        (jwt(Origin::File, false), "via=jwt keys=file"),
        (jwt(Origin::Stale(1.0), false), "via=jwt keys=stale"),
        (jwt(Origin::Cache, true), "via=jwt+service keys=cache"),
    ];
    for (way, end) in cases {
        let line = line(&login, Facts::default(), way);
        assert!(line.ends_with(&format!(" {end}")), "{line}");
    }
}

#[test]
fn foreign_words_cannot_forge_a_line_or_show_the_token() {
    let login = login("alice", "abcdefghijklmnop", Some("10.0.0.1 login=accepted"));
    let facts = Facts {
        subject: Some("x\" login=accepted\naudit: ".to_owned()),
        client: Some("ABCDEFGHIJ".to_owned()),
        ..Facts::default()
    };
    assert_eq!(
        line(&login, facts, Way::Tokeninfo),
        "audit: login=accepted role=\"alice\" sub=\"x\\\" login=accepted\\naudit: \" \
         client=[withheld] iss=- jti=- exp=- \
         rhost=\"10.0.0.1 login=accepted\" via=tokeninfo"
    );
}

#[test]
fn an_id_is_shown_as_the_beginning_of_what_sha256sum_gives() {
    // printf hi | sha256sum
    assert_eq!(id_shown("hi"), "sha256:8f434346648f6b96");
}

#[test]
fn a_host_adds_no_words_of_its_own() {
    let line = refused_early(Some(b"10.2.1.111 via=jwt\n"), Failure::SERVICE_ERR);
    assert_eq!(line, r#"audit: login=refused role=- code=3 rhost="10.2.1.111 via=jwt\n""#);
    let line = refused_early(None, Failure::AUTH_ERR);
    assert_eq!(line, "audit: login=refused role=- code=7 rhost=-");
}
