use super::*;

const NOW: f64 = 1_800_000_000.0;

fn facts(claims: &str, login: &str) -> Facts {
    let claims = Claims::parse(claims.as_bytes()).unwrap();
    Facts::of(&claims, &ClaimPath::Member(login.to_owned()), Timestamp::from_seconds(NOW))
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_fact_has_its_claim() {
    let claims = r#"{"sub":"s","uid":"u","client_id":"c","azp":"a","iss":"i","jti":"j",
        "iat":1799999000,"exp":1800000100.5}"#;
    let wanted = Facts {
        subject: owned("s"),
        client: owned("c"),
        issuer: owned("i"),
        id: owned("j"),
        issued: Some(1_799_999_000.0),
        expires: Some(1_800_000_100.5),
    };
    assert_eq!(facts(claims, "uid"), wanted);
    assert_eq!(facts("{}", "uid"), Facts::default());
}

#[test]
fn without_a_subject_or_client_the_next_best_claim_counts() {
    let found = facts(r#"{"uid":"u","azp":"a"}"#, "uid");
    assert_eq!((found.subject, found.client), (owned("u"), owned("a")));
    let found = facts(r#"{"sub":17,"client_id":18,"jti":19}"#, "uid");
    assert_eq!((found.subject, found.client, found.id), (owned("17"), owned("18"), owned("19")));
    // What is neither a text nor a whole number names nobody.
    for other in ["true", "1.5", "null", "[\"x\"]", "{}"] {
        let found = facts(&format!(r#"{{"sub":{other},"jti":{other}}}"#), "uid");
        assert_eq!((found.subject, found.id), (None, None), "{other}");
    }
}

#[test]
fn the_earlier_of_two_ends_counts() {
    let cases = [
        (r#"{"expires_in":10}"#, Some(NOW + 10.0)),
        (r#"{"expires_in":"10"}"#, Some(NOW + 10.0)),
        (r#"{"expires_in":10,"exp":1800000005}"#, Some(NOW + 5.0)),
        (r#"{"expires_in":10,"exp":1800000015}"#, Some(NOW + 10.0)),
        (r#"{"exp":true}"#, None),
    ];
    for (claims, end) in cases {
        assert_eq!(facts(claims, "uid").expires, end, "{claims}");
    }
}

#[test]
fn facts_are_told_to_people() {
    let told = |claims| facts(claims, "uid").told().shown(None);
    assert_eq!(told("{}"), "the token ends at a time that is not told");
    let all = told(r#"{"sub":"s","client_id":"c","iss":"i","exp":1800000000}"#);
    let shown = "[not shown]";
    assert_eq!(
        all,
        format!(
            "the token ends 2027-01-15T08:00:00Z, subject {shown}, client {shown}, issuer {shown}"
        )
    );
}
