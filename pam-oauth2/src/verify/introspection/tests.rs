use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use pam_oauth2_arguments::ServiceUrl;

use super::*;
use crate::cache::Scratch;
use crate::clock::Timestamp;
use crate::http::{Answer, Carrier, Deadline, HttpFault};
use crate::pam::Failure;
use crate::token::AccessToken;

const NOW: f64 = 1_800_000_000.0;
const LEEWAY: Duration = Duration::from_secs(30);

/// A service that gives one answer, and remembers what it was asked.
struct World {
    scratch: Scratch,
    service: Introspection,
    status: u16,
    body: String,
    /// URL, form and credentials.
    asked: RefCell<Vec<[String; 3]>>,
}

impl World {
    fn new(body: &str) -> Self {
        let scratch = Scratch::new();
        let service = Introspection {
            url: ServiceUrl::parse("https://idp.example.com/introspect?x=1", false).unwrap(),
            client_id: "postgres".to_owned(),
            client_secret_file: scratch.folder().join("secret"),
            audience: Vec::new(),
            issuer: None,
        };
        let this = Self {
            scratch,
            service,
            status: 200,
            body: body.to_owned(),
            asked: RefCell::default(),
        };
        this.keeps("s3cret\n", 0o600);
        this
    }

    fn keeps(&self, secret: &str, mode: u32) {
        let path = &self.service.client_secret_file;
        fs::write(path, secret).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn ask(&self, token: &str) -> Result<Verified<Claims>, Refusal> {
        let token = AccessToken::parse(Zeroizing::new(token.into())).unwrap();
        let inquiry = Inquiry {
            token: &token,
            carrier: self,
            deadline: Deadline::after(LEEWAY),
            now: Timestamp::from_seconds(NOW),
            leeway: LEEWAY,
        };
        verify(&self.service, &inquiry)
    }

    fn code(&self) -> Result<(), Failure> {
        self.ask("a-token").map(drop).map_err(|refusal| refusal.code())
    }
}

impl Carrier for World {
    fn send(&self, request: &Request<'_>, _: Deadline) -> Result<Answer, HttpFault> {
        assert!(request.known.is_none());
        let text = |text: &Option<Zeroizing<String>>| text.as_ref().unwrap().to_string();
        let asked = [request.url.to_string(), text(&request.form), text(&request.authorization)];
        self.asked.borrow_mut().push(asked);
        let body = Zeroizing::new(self.body.clone().into_bytes());
        Ok(Answer { status: self.status, body, tag: None, max_age: None })
    }
}

fn judge(claims: &str) -> Result<(), Failure> {
    World::new(claims).code()
}

const REFUSED: Result<(), Failure> = Err(Failure::AUTH_ERR);
const OUTAGE: Result<(), Failure> = Err(Failure::AUTHINFO_UNAVAIL);

#[test]
fn the_token_is_posted_and_not_part_of_the_url() {
    let world = World::new(r#"{"active":true,"uid":"alice"}"#);
    let claims = world.ask("a&b=c+d/e%~*-._").unwrap();
    assert_eq!(claims.text("uid"), Some("alice"));
    let form = "token=a%26b%3Dc%2Bd%2Fe%25%7E*-._&token_type_hint=access_token";
    let [url, posted, _] = &world.asked.borrow()[0];
    assert_eq!((url.as_str(), posted.as_str()), ("https://idp.example.com/introspect?x=1", form));
}

#[test]
fn both_halves_of_our_credentials_are_encoded_before_they_are_joined() {
    let mut world = World::new(r#"{"active":true}"#);
    world.service.client_id = "a:b c".to_owned();
    world.keeps("p:\u{f6} w\n", 0o600);
    world.ask("a-token").unwrap();
    let pair = BASE64_STANDARD.encode("a%3Ab%20c:p%3A%C3%B6%20w");
    assert_eq!(world.asked.borrow()[0][2], format!("Basic {pair}"));
}

#[test]
fn one_line_break_at_the_end_is_not_part_of_the_secret() {
    for (content, secret) in
        [("s", "s"), ("s\n", "s"), ("s\n\n", "s%0A"), ("\ns", "%0As"), ("s\r\n", "s%0D")]
    {
        let world = World::new(r#"{"active":true}"#);
        world.keeps(content, 0o640);
        world.ask("a-token").unwrap();
        let pair = BASE64_STANDARD.encode(format!("postgres:{secret}"));
        assert_eq!(world.asked.borrow()[0][2], format!("Basic {pair}"), "{content:?}");
    }
}

#[test]
fn without_a_proper_secret_nobody_is_asked() {
    let long = "x".repeat(LONGEST_SECRET + 1);
    let cases = [
        ("", 0o600, "is empty"),
        ("\n", 0o600, "is empty"),
        ("s", 0o604, "read by everybody"),
        ("s", 0o602, "read by everybody"),
        ("s", 0o601, "read by everybody"),
        (&long, 0o600, "is larger than"),
    ];
    for (content, mode, reason) in cases {
        let world = World::new(r#"{"active":true}"#);
        world.keeps(content, mode);
        let refusal = world.ask("a-token").unwrap_err();
        assert_eq!(refusal.code(), Failure::SERVICE_ERR);
        let sentence = refusal.sentence(None);
        assert!(sentence.contains(reason), "{sentence}");
        assert!(world.asked.borrow().is_empty());
    }
    let world = World::new(r#"{"active":true}"#);
    world.keeps(&"x".repeat(LONGEST_SECRET), 0o600);
    assert!(world.ask("a-token").is_ok());
    fs::remove_dir_all(world.scratch.folder()).unwrap();
    assert_eq!(world.code(), Err(Failure::SERVICE_ERR));
}

#[test]
fn only_an_active_that_is_true_means_genuine() {
    assert_eq!(judge(r#"{"active":true}"#), Ok(()));
    let others = ["false", "\"true\"", "1", "null", "[true]", "{}"];
    for other in others {
        assert_eq!(judge(&format!(r#"{{"active":{other}}}"#)), REFUSED, "{other}");
    }
    assert_eq!(judge(r#"{"uid":"alice"}"#), REFUSED);
    for body in ["", "[]", r#"{"active":true}x"#, r#"{"active":true,"active":true}"#] {
        assert_eq!(judge(body), OUTAGE, "{body}");
    }
}

#[test]
fn a_status_that_is_about_us_is_no_verdict_about_the_token() {
    let cases = [
        (401, OUTAGE),
        (403, OUTAGE),
        (429, OUTAGE),
        (500, OUTAGE),
        (503, OUTAGE),
        (400, REFUSED),
        (404, REFUSED),
        (204, REFUSED),
        (302, REFUSED),
    ];
    for (status, code) in cases {
        let world = World { status, ..World::new(r#"{"active":true}"#) };
        assert_eq!(world.code(), code, "{status}");
        let is_about_us = matches!(world.ask("a-token"), Err(Refusal::Credentials { .. }));
        assert_eq!(is_about_us, matches!(status, 401 | 403), "{status}");
    }
}

#[test]
fn a_token_has_begun_and_not_ended() {
    let cases = [
        (r#""exp":1799999970"#, Ok(())),
        (r#""exp":1799999969"#, REFUSED),
        (r#""expires_in":0"#, REFUSED),
        (r#""nbf":1800000030"#, Ok(())),
        (r#""nbf":1800000031"#, REFUSED),
        (r#""iat":1800000030"#, Ok(())),
        (r#""iat":1800000031"#, REFUSED),
        (r#""nbf":"1700000000""#, REFUSED),
    ];
    for (member, code) in cases {
        assert_eq!(judge(&format!(r#"{{"active":true,{member}}}"#)), code, "{member}");
    }
}

#[test]
fn issuer_and_audience_count_where_the_configuration_names_them() {
    let judge = |members: &str| {
        let mut world = World::new(&format!(r#"{{"active":true,{members}}}"#));
        let free = world.code();
        world.service.issuer = Some("https://idp.example.com".to_owned());
        let issuer = world.code();
        world.service.issuer = None;
        world.service.audience = vec!["postgres".to_owned(), "db".to_owned()];
        [free, issuer, world.code()]
    };
    let cases = [
        (r#""iss":"https://idp.example.com""#, [Ok(()), Ok(()), REFUSED]),
        (r#""iss":"https://idp.example.com/""#, [Ok(()), REFUSED, REFUSED]),
        (r#""iss":["https://idp.example.com"]"#, [Ok(()), REFUSED, REFUSED]),
        (r#""aud":"postgres""#, [Ok(()), REFUSED, Ok(())]),
        (r#""aud":["x","db"]"#, [Ok(()), REFUSED, Ok(())]),
        (r#""aud":["x"]"#, [Ok(()), REFUSED, REFUSED]),
        (r#""aud":null"#, [Ok(()), REFUSED, REFUSED]),
    ];
    for (members, codes) in cases {
        assert_eq!(judge(members), codes, "{members}");
    }
}
