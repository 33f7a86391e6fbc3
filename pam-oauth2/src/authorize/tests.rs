use super::*;
use crate::pam::Failure;

const NOW: f64 = 1_800_000_000.0;

/// The return code for a body, for alice, with these words behind the URL.
fn judge(body: &str, words: &[&str]) -> Result<(), Failure> {
    let line = AuthLine::parse(&[&["https://h.example/?t="], words].concat()).unwrap();
    let claims = Verified::for_test(Claims::parse(body.as_bytes()).unwrap());
    let role = Role::parse(b"alice".to_vec()).unwrap();
    match authorize(&claims, &role, &line, NOW) {
        Ok(authorized) => {
            assert_eq!(authorized.role(), &role);
            Ok(())
        }
        Err(refusal) => Err(refusal.code()),
    }
}

#[test]
fn the_login_field_and_every_check_decide() {
    let rule = ["uid", "realm=/employees", "scope=uid"];
    let cases = [
        (r#"{"uid":"alice","realm":"/employees","scope":"uid"}"#, Ok(())),
        (r#"{"uid":"bob","realm":"/employees","scope":"uid"}"#, Err(Failure::AUTH_ERR)),
        (r#"{"uid":["alice"],"realm":"/employees","scope":"uid"}"#, Err(Failure::AUTH_ERR)),
        (r#"{"uid":"alice","realm":"/customers","scope":"uid"}"#, Err(Failure::AUTH_ERR)),
        (r#"{"uid":"alice","realm":"/employees","scope":"x"}"#, Err(Failure::AUTH_ERR)),
        (r#"{"uid":"alice","realm":"/employees"}"#, Err(Failure::AUTH_ERR)),
        (r#"{"realm":"/employees","scope":"uid"}"#, Err(Failure::USER_UNKNOWN)),
        (r#"{}"#, Err(Failure::USER_UNKNOWN)),
        // A value that differs counts before an absent login field.
        (r#"{"realm":"/customers"}"#, Err(Failure::AUTH_ERR)),
    ];
    for (body, code) in cases {
        assert_eq!(judge(body, &rule), code, "{body}");
    }
}

#[test]
fn a_check_on_the_login_field_is_a_check_like_any_other() {
    let body = r#"{"uid":"alice"}"#;
    assert_eq!(judge(body, &["uid", "uid=alice", "uid=alice"]), Ok(()));
    assert_eq!(judge(body, &["uid", "uid=alice", "uid=bob"]), Err(Failure::AUTH_ERR));
}

#[test]
fn the_end_of_a_token_is_met_just_before_at_and_just_after() {
    let with = |member: &str| format!(r#"{{"uid":"alice",{member}}}"#);
    let cases = [
        (r#""exp":1799999970"#, Ok(())),
        (r#""exp":1799999971"#, Ok(())),
        (r#""exp":1799999969"#, Err(Failure::AUTH_ERR)),
        (r#""exp":"1799999970""#, Ok(())),
        (r#""exp":"1799999969""#, Err(Failure::AUTH_ERR)),
        (r#""exp":true"#, Err(Failure::AUTH_ERR)),
        (r#""exp":null"#, Err(Failure::AUTH_ERR)),
        (r#""expires_in":1"#, Ok(())),
        (r#""expires_in":0.1"#, Ok(())),
        (r#""expires_in":0"#, Err(Failure::AUTH_ERR)),
        (r#""expires_in":-0.0"#, Err(Failure::AUTH_ERR)),
        (r#""expires_in":-1"#, Err(Failure::AUTH_ERR)),
        (r#""expires_in":[1]"#, Err(Failure::AUTH_ERR)),
        (r#""expires_in":1,"exp":1"#, Err(Failure::AUTH_ERR)),
        (r#""active":false"#, Err(Failure::AUTH_ERR)),
        (r#""active":true"#, Ok(())),
        (r#""active":"true""#, Err(Failure::AUTH_ERR)),
        (r#""active":"false""#, Err(Failure::AUTH_ERR)),
        (r#""active":0"#, Err(Failure::AUTH_ERR)),
        (r#""active":1"#, Err(Failure::AUTH_ERR)),
        (r#""active":null"#, Err(Failure::AUTH_ERR)),
        (r#""active":[]"#, Err(Failure::AUTH_ERR)),
    ];
    for (member, code) in cases {
        assert_eq!(judge(&with(member), &["uid", "--leeway=30s"]), code, "{member}");
    }
    assert_eq!(judge(&with(r#""exp":1799999999"#), &["uid", "--leeway=0"]), Err(Failure::AUTH_ERR));
    assert_eq!(judge(&with(r#""exp":1800000000"#), &["uid", "--leeway=0"]), Ok(()));
}
