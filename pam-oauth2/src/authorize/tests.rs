use std::path::Path;

use pam_oauth2_arguments::{AuthLine, Rules};

use super::*;
use crate::files::FileFault;
use crate::pam::Failure;
use crate::policy::file;

/// The return code for a body, for alice or whoever is named, with this in the file and for the
/// issuer with this index.
fn judge_by_file(
    body: &str,
    role: &str,
    tables: &str,
    issuer: Option<usize>,
) -> Result<(), Refusal> {
    let service = "[s.tokeninfo]\nurl = \"https://t.example/?t=\"\n";
    let text = format!("[s]\n{tables}\n{service}");
    let no_file = |_: &Path| Err(FileFault::Irregular);
    let policy = file::parse(Path::new("/x"), &text, "s", &no_file).unwrap();
    let issuer = issuer.map(|index| policy.issuers.get(index).unwrap());
    let claims = Verified::for_test(Claims::parse(body.as_bytes()).unwrap());
    let role = Role::parse(role.into()).unwrap();
    let authorized = authorize(&claims, &role, &policy, issuer)?;
    assert_eq!(authorized.role(), &role);
    Ok(())
}

/// The return code for a body, for alice, with these words behind the URL.
fn judge(body: &str, words: &[&str]) -> Result<(), Failure> {
    let words = [&["https://h.example/?t="], words].concat();
    let Rules::Here(rule) = AuthLine::parse(&words).unwrap().rules else { unreachable!() };
    let policy = Policy::of_line(&rule, &words);
    let claims = Verified::for_test(Claims::parse(body.as_bytes()).unwrap());
    let role = Role::parse(b"alice".to_vec()).unwrap();
    match authorize(&claims, &role, &policy, None) {
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
fn an_empty_login_field_is_nobody() {
    let none = Role::parse(Vec::new()).unwrap();
    let words = ["https://h.example/?t=", "uid"];
    let Rules::Here(rule) = AuthLine::parse(&words).unwrap().rules else { unreachable!() };
    let policy = Policy::of_line(&rule, &words);
    let claims = Verified::for_test(Claims::parse(br#"{"uid":""}"#).unwrap());
    let refusal = authorize(&claims, &none, &policy, None).unwrap_err();
    assert!(matches!(refusal, Refusal::SomebodyElse { .. }), "{refusal:?}");
}

#[test]
fn each_kind_of_requirement_holds_for_its_own_values_alone() {
    let equals = "equals = [\"a\", 7, true]";
    let contains = "contains = [\"a\", \"b c\", 7]";
    let matches = "matches = 'a+'";
    let cases = [
        (equals, r#""a""#, true),
        (equals, r#""7""#, true),
        (equals, "7", true),
        (equals, "true", true),
        (equals, r#""true""#, true),
        (equals, r#""b""#, false),
        (equals, r#""a 7""#, false),
        (equals, r#"["a"]"#, false),
        (equals, "7.0", false),
        (equals, "null", false),
        (equals, r#""""#, false),
        (contains, r#"["x","a"]"#, true),
        (contains, r#"["b c"]"#, true),
        (contains, "[7]", true),
        (contains, r#"["7"]"#, true),
        (contains, r#""a""#, true),
        (contains, r#""x a y""#, true),
        (contains, r#""x 7""#, true),
        (contains, r#"[]"#, false),
        (contains, r#"["A"]"#, false),
        (contains, r#"["x a"]"#, false),
        (contains, r#"[["a"]]"#, false),
        (contains, r#"[{"a":"a"}]"#, false),
        (contains, r#"{"a":"a"}"#, false),
        (contains, r#""""#, false),
        (contains, r#""aa""#, false),
        (contains, r#""a,x""#, false),
        (contains, r#""a\tx""#, false),
        (contains, r#""a\nx""#, false),
        (contains, r#""b c""#, false),
        (contains, "7", false),
        (contains, "null", false),
        (matches, r#""aa""#, true),
        (matches, r#""ab""#, false),
        (matches, r#""ba""#, false),
        (matches, r#""a\n""#, false),
        (matches, r#""""#, false),
        (matches, r#"["a"]"#, false),
        (matches, "null", false),
    ];
    for (test, value, holds) in cases {
        let tables = format!("login-field = \"uid\"\n[[s.require]]\nclaim = \"x\"\n{test}");
        let body = format!(r#"{{"uid":"alice","x":{value}}}"#);
        let judged = judge_by_file(&body, "alice", &tables, None);
        match judged {
            Ok(()) => assert!(holds, "{test} {value}"),
            Err(Refusal::Differs { .. }) => assert!(!holds, "{test} {value}"),
            Err(other) => panic!("{test} {value} {other:?}"),
        }
        let absent = judge_by_file(r#"{"uid":"alice"}"#, "alice", &tables, None);
        assert!(matches!(absent, Err(Refusal::Absent(_))), "{absent:?}");
    }
}

#[test]
fn claims_are_found_at_any_depth_and_nowhere_else() {
    let tables = r#"
login-field = "/user/names/1"
[[s.require]]
claim = "/realm_access/roles"
contains = "db"
"#;
    let judge = |body: &str| judge_by_file(body, "alice", tables, None).map_err(|r| r.code());
    let roles = r#""realm_access":{"roles":["db"]}"#;
    assert_eq!(judge(&format!(r#"{{"user":{{"names":["x","alice"]}},{roles}}}"#)), Ok(()));
    for body in [
        format!(r#"{{"user":{{"names":["x"]}},{roles}}}"#),
        format!(r#"{{"user":"alice",{roles}}}"#),
        format!(r#"{{"/user/names/1":"alice",{roles}}}"#),
    ] {
        assert_eq!(judge(&body), Err(Failure::USER_UNKNOWN), "{body}");
    }
    let flat = r#"{"user":{"names":["x","alice"]},"roles":["db"]}"#;
    assert_eq!(judge(flat), Err(Failure::AUTH_ERR));
}

const LAYERS: &str = r#"
login-field = "uid"
[[s.require]]
claim = "a"
equals = 1
[[s.issuer]]
url = "https://a.example"
audience = "x"
[[s.issuer.require]]
claim = "b"
equals = 1
[[s.issuer]]
url = "https://b.example"
audience = "x"
login-field = "name"
[[s.role]]
names = ["dba", "root"]
[[s.role.require]]
claim = "c"
equals = 1
"#;

#[test]
fn requirements_of_policy_issuer_and_role_all_count() {
    let cases = [
        (r#"{"uid":"alice","a":1}"#, "alice", None, true),
        (r#"{"uid":"alice","a":2}"#, "alice", None, false),
        (r#"{"uid":"alice","a":1,"b":1}"#, "alice", Some(0), true),
        (r#"{"uid":"alice","a":1,"b":2}"#, "alice", Some(0), false),
        (r#"{"uid":"alice","a":1}"#, "alice", Some(0), false),
        (r#"{"uid":"alice","a":2,"b":1}"#, "alice", Some(0), false),
        (r#"{"uid":"alice","name":"bob","a":1}"#, "bob", Some(1), true),
        (r#"{"uid":"alice","name":"bob","a":1}"#, "alice", Some(1), false),
        (r#"{"uid":"dba","a":1,"c":1}"#, "dba", None, true),
        (r#"{"uid":"root","a":1,"c":1}"#, "root", None, true),
        (r#"{"uid":"dba","a":1,"c":2}"#, "dba", None, false),
        (r#"{"uid":"dba","a":1}"#, "dba", None, false),
        (r#"{"uid":"dba","c":1}"#, "dba", None, false),
        (r#"{"uid":"dba","a":1,"b":1,"c":1}"#, "dba", Some(0), true),
        (r#"{"uid":"dba","a":1,"c":1}"#, "dba", Some(0), false),
        (r#"{"uid":"dba","a":1,"b":1}"#, "dba", Some(0), false),
    ];
    for (body, role, issuer, accepted) in cases {
        let judged = judge_by_file(body, role, LAYERS, issuer);
        assert_eq!(judged.is_ok(), accepted, "{body} {role} {issuer:?} {judged:?}");
    }
}

#[test]
fn the_order_of_refusals_is_the_same_for_every_layer() {
    let code = |body: &str, role: &str, issuer| {
        judge_by_file(body, role, LAYERS, issuer).unwrap_err().code()
    };
    // What differs counts before the absent login field, whoever demands it.
    assert_eq!(code(r#"{"a":2}"#, "dba", Some(0)), Failure::AUTH_ERR);
    assert_eq!(code(r#"{"b":2}"#, "dba", Some(0)), Failure::AUTH_ERR);
    assert_eq!(code(r#"{"c":2}"#, "dba", Some(0)), Failure::AUTH_ERR);
    // And that counts before what is absent.
    assert_eq!(code(r#"{"a":1}"#, "dba", Some(0)), Failure::USER_UNKNOWN);
    assert_eq!(code(r#"{}"#, "dba", Some(0)), Failure::USER_UNKNOWN);
    // The first that is absent is named.
    let refusal = judge_by_file(r#"{"uid":"dba"}"#, "dba", LAYERS, Some(0)).unwrap_err();
    let Refusal::Absent(requirement) = refusal else { panic!("{refusal:?}") };
    assert_eq!(requirement.claim.written(), "a");
}

#[test]
fn a_mapping_decides_which_role_a_login_field_is() {
    let tables = "login-field = \"uid\"\n[s.user]\nstrip-domain = \"example.org\"";
    let judge =
        |uid: &str, role: &str| judge_by_file(&format!(r#"{{"uid":{uid}}}"#), role, tables, None);
    assert!(judge(r#""alice@example.org""#, "alice").is_ok());
    let somebody_else = judge(r#""bob@example.org""#, "alice").unwrap_err();
    assert!(matches!(somebody_else, Refusal::SomebodyElse { .. }), "{somebody_else:?}");
    for (uid, role, wanted) in [
        (r#""alice""#, "alice", Misfit::Domain),
        (r#""postgres@example.org""#, "postgres", Misfit::Reserved),
    ] {
        let refusal = judge(uid, role).unwrap_err();
        assert_eq!(refusal.code(), Failure::AUTH_ERR);
        let Refusal::Misfit { misfit, .. } = refusal else { panic!("{refusal:?}") };
        assert_eq!(misfit, wanted);
    }
    let list = judge(r#"["alice@example.org"]"#, "alice").unwrap_err();
    assert!(matches!(list, Refusal::NotAUser { .. }), "{list:?}");
}

#[test]
fn an_email_counts_only_where_it_is_verified() {
    let cases = [
        ("email", r#"{"email":"alice","email_verified":true}"#, true),
        ("email", r#"{"email":"alice","email_verified":false}"#, false),
        ("email", r#"{"email":"alice","email_verified":"true"}"#, false),
        ("email", r#"{"email":"alice","email_verified":1}"#, false),
        ("email", r#"{"email":"alice","email_verified":null}"#, false),
        ("email", r#"{"email":"alice","email_verified":[true]}"#, false),
        ("email", r#"{"email":"alice"}"#, false),
        ("email", r#"{"email":"alice","x":{"email_verified":true}}"#, false),
        ("/email", r#"{"email":"alice","email_verified":true}"#, true),
        ("/email", r#"{"email":"alice"}"#, false),
        ("/u/email", r#"{"u":{"email":"alice","email_verified":true}}"#, true),
        ("/u/email", r#"{"u":{"email":"alice","email_verified":false}}"#, false),
        ("/u/email", r#"{"u":{"email":"alice"},"email_verified":true}"#, false),
        ("/u/0/email", r#"{"u":[{"email":"alice","email_verified":true}]}"#, true),
        ("/u/0/email", r#"{"u":[{"email":"alice"},{"email_verified":true}]}"#, false),
        // Any other claim is what it is.
        ("mail", r#"{"mail":"alice"}"#, true),
        ("email2", r#"{"email2":"alice"}"#, true),
        // Whatever the case, and inside of it.
        ("Email", r#"{"Email":"alice"}"#, false),
        ("Email", r#"{"Email":"alice","email_verified":true}"#, true),
        ("/email/value", r#"{"email":{"value":"alice"}}"#, false),
        ("/emails/0", r#"{"emails":["alice"]}"#, false),
        ("/emails/0", r#"{"emails":["alice"],"email_verified":true}"#, true),
        ("/u/emails/0", r#"{"u":{"emails":["alice"],"email_verified":true}}"#, true),
        ("/u/emails/0", r#"{"u":{"emails":["alice"]},"email_verified":true}"#, false),
        ("/xemail", r#"{"xemail":"alice"}"#, true),
    ];
    for (field, body, accepted) in cases {
        let tables = format!("login-field = \"{field}\"");
        match judge_by_file(body, "alice", &tables, None) {
            Ok(()) => assert!(accepted, "{field} {body}"),
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::UnverifiedEmail { .. }), "{refusal:?}");
                assert!(!accepted, "{field} {body}");
                assert_eq!(refusal.code(), Failure::AUTH_ERR);
            }
        }
    }
    // On the PAM line as well.
    assert_eq!(judge(r#"{"email":"alice"}"#, &["email"]), Err(Failure::AUTH_ERR));
    assert_eq!(judge(r#"{"email":"alice","email_verified":true}"#, &["email"]), Ok(()));
    assert_eq!(judge(r#"{"email_verified":true}"#, &["email"]), Err(Failure::USER_UNKNOWN));
}
