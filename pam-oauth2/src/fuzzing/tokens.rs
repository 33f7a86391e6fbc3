//! Tokens, keys, and what services say about tokens. Each login that is accepted is judged once
//! more, by rules that are written down here a second time and simply.

use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use serde_json::Value;

use super::{AUDIENCE, ISSUER, NOW, Policy, ROLE, Scripted, decide, folder, login};

const LEEWAY: f64 = 30.0;

/// Tokens that were signed once and for all, and the keys that they were signed with.
#[derive(Clone, Copy, Debug)]
pub struct Fixture;

impl Fixture {
    /// The key set.
    pub const KEYS: &str = include_str!("../../fuzz/fixture/keys.json");
    /// One good token for each key.
    pub const TOKENS: [&str; 3] = [
        include_str!("../../fuzz/fixture/ed25519.jwt"),
        include_str!("../../fuzz/fixture/p256.jwt"),
        include_str!("../../fuzz/fixture/rsa.jwt"),
    ];
}

/// An answer of a tokeninfo endpoint: its status, as the first byte says, and its body.
pub(super) fn tokeninfo(data: &[u8]) {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        super::policy("https://info.example.com/?access_token= uid realm=/employees")
    });
    let Some((status, body)) = answer(data) else { return };
    let login = login(policy.clone(), b"an-opaque-token").expect("a token");
    if decide(&login, &Scripted(Some((status, body))), None).is_ok() {
        assert_eq!(status, 200);
        let claims = object(body);
        assert!(claims.get("active").is_none_or(|active| *active == true), "not active");
        assert_described(&claims);
    }
}

/// An answer of an introspection endpoint.
pub(super) fn introspection(data: &[u8]) {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let secret = folder().join("secret");
        std::fs::write(&secret, "s3cret\n").expect("a file");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("a mode");
        super::policy(&format!(
            "https://info.example.com/introspect uid realm=/employees --verify=introspection \
             --client-id=postgres --client-secret-file={} --issuer={ISSUER} --audience={AUDIENCE}",
            secret.display()
        ))
    });
    let Some((status, body)) = answer(data) else { return };
    let login = login(policy.clone(), b"an-opaque-token").expect("a token");
    if decide(&login, &Scripted(Some((status, body))), None).is_ok() {
        assert_eq!(status, 200);
        let claims = object(body);
        assert_eq!(claims["active"], true);
        assert_eq!(claims["iss"], ISSUER);
        assert_audience(&claims);
        assert_begun(&claims);
        assert_described(&claims);
    }
}

/// A token, as it stands.
pub(super) fn jwt(data: &[u8]) {
    if believed(data, Fixture::KEYS.as_bytes(), "at+jwt") {
        let known = Fixture::TOKENS.iter().any(|token| token.trim_end().as_bytes() == data);
        assert!(known, "a forged token: {}", data.escape_ascii());
    }
}

/// A key set, for tokens that are good. Nobody but their own keys may confirm them.
pub(super) fn jwks(data: &[u8]) {
    for token in Fixture::TOKENS {
        if believed(token.trim_end().as_bytes(), data, "at+jwt") {
            let own: Value = serde_json::from_str(Fixture::KEYS).expect("the set");
            let set: Value = serde_json::from_slice(data).expect("a set is JSON");
            let material = |set: &Value| -> Vec<String> {
                let keys = set["keys"].as_array().expect("a set has keys");
                let numbers = keys.iter().flat_map(|key| [key["n"].as_str(), key["x"].as_str()]);
                // Zeros in front change no number.
                numbers.flatten().map(|text| text.trim_start_matches('A').to_owned()).collect()
            };
            let own = material(&own);
            assert!(material(&set).iter().any(|key| own.contains(key)), "a stranger's key");
        }
    }
}

/// A token that somebody has signed.
#[derive(Debug)]
pub struct Signed {
    /// The token.
    pub token: String,
    /// The key set of the issuer.
    pub keys: String,
    /// The algorithm that it was signed with, by its name.
    pub algorithm: &'static str,
}

/// Signs a header and claims, with an algorithm by its number, and with the key of the issuer or,
/// where the last argument is true, with that of a stranger.
pub type Signer = dyn Fn(&[u8], &[u8], u8, bool) -> Signed;

/// A token that is really signed: a line with the `typ` that is asked for (`a` for any), the
/// number of an algorithm, and `!` where a stranger signs; a line with the header; and the claims.
pub fn signed(data: &[u8], sign: &Signer) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (Some(choice), Some(header), Some(claims)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let [typ, algorithm, rest @ ..] = choice else { return };
    let stranger = rest.contains(&b'!');
    let any = *typ == b'a';
    let Signed { token, keys, algorithm } = sign(header, claims, *algorithm, stranger);
    if !believed(token.as_bytes(), keys.as_bytes(), if any { "any" } else { "at+jwt" }) {
        return;
    }
    assert!(!stranger, "a token of a stranger");
    let (header, claims) = (object(header), object(claims));
    let named = header["alg"].as_str().expect("a name");
    assert!(named == algorithm || (named, algorithm) == ("Ed25519", "EdDSA"), "{named}");
    for name in ["crit", "zip", "b64"] {
        assert!(header.get(name).is_none(), "{name}");
    }
    let typ = header.get("typ").map(|typ| typ.as_str().expect("a text").to_ascii_lowercase());
    match typ.as_deref() {
        Some("at+jwt" | "application/at+jwt") => {}
        None | Some("jwt") => assert!(any, "a token of no or another type"),
        Some(other) => panic!("a token of the type {other}"),
    }
    assert_eq!(claims["iss"], ISSUER);
    assert_audience(&claims);
    assert_begun(&claims);
    let end = claims["exp"].as_f64().expect("an end");
    assert!(end + LEEWAY > NOW as f64, "it ended at {end}");
    assert!(!claims["sub"].as_str().expect("a subject").is_empty());
    assert_eq!(claims["uid"], ROLE);
    assert_eq!(claims["realm"], "/employees");
}

/// Whether a token is accepted with these keys.
fn believed(token: &[u8], keys: &[u8], typ: &str) -> bool {
    static POLICIES: OnceLock<[Policy; 2]> = OnceLock::new();
    let [strict, any] = POLICIES.get_or_init(|| {
        ["at+jwt", "any"].map(|typ| {
            super::policy(&format!(
                "{ISSUER} uid realm=/employees --verify=jwt --audience={AUDIENCE} \
                 --jwks={ISSUER}/keys --typ={typ}"
            ))
        })
    });
    let policy = if typ == "any" { any } else { strict };
    login(policy.clone(), token)
        .is_some_and(|login| decide(&login, &Scripted(Some((200, keys))), None).is_ok())
}

fn answer(data: &[u8]) -> Option<(u16, &[u8])> {
    let (first, body) = data.split_first()?;
    let status = match first {
        b'{' => return Some((200, data)),
        b'0' => 204,
        b'3' => 302,
        b'4' => 401,
        b'5' => 503,
        _ => 200,
    };
    Some((status, body))
}

fn object(text: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(text).expect("what is accepted is JSON");
    assert!(value.is_object(), "what is accepted is an object");
    value
}

/// What a service has to say about a token of [`ROLE`].
fn assert_described(claims: &Value) {
    assert_eq!(claims["uid"], ROLE);
    assert_eq!(claims["realm"], "/employees");
    let number = |name: &str| {
        claims.get(name).map(|number| match number {
            Value::String(digits) => digits.parse().expect("digits"),
            number => number.as_f64().expect("a number"),
        })
    };
    assert!(number("expires_in").is_none_or(|left| left > 0.0));
    assert!(number("exp").is_none_or(|end| end + LEEWAY >= NOW as f64));
}

fn assert_audience(claims: &Value) {
    match &claims["aud"] {
        Value::Array(names) => {
            assert!(names.iter().all(Value::is_string) && names.contains(&AUDIENCE.into()));
        }
        name => assert_eq!(name, AUDIENCE),
    }
}

fn assert_begun(claims: &Value) {
    for name in ["iat", "nbf"] {
        if let Some(time) = claims.get(name) {
            let time = time.as_f64().expect("a time");
            assert!(time <= NOW as f64 + LEEWAY, "{name} lies in the future: {time}");
        }
    }
}
