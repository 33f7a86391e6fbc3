//! Whether a token that a service describes is alive. Services should not describe one that
//! has ended, but some do. Pure.

use std::time::Duration;

use crate::claims::{Claim, Claims};
use crate::clock::Timestamp;
use crate::error::Refusal;

/// Refuses what says of itself that it has ended. `leeway` is for `exp` alone: `expires_in`
/// depends on nobody's clock.
pub(super) fn check(claims: &Claims, leeway: Duration, now: Timestamp) -> Result<(), Refusal> {
    match claims.find("active") {
        None | Some(Claim::Flag(true)) => {}
        Some(_) => return Err(Refusal::Inactive),
    }
    if let Some(left) = number(claims, "expires_in")?
        && left <= 0.0
    {
        return Err(Refusal::Expired { ago: left.abs() });
    }
    if let Some(end) = number(claims, "exp")?
        && end + leeway.as_secs_f64() < now.seconds()
    {
        return Err(Refusal::Expired { ago: now.seconds() - end });
    }
    Ok(())
}

fn number(claims: &Claims, name: &'static str) -> Result<Option<f64>, Refusal> {
    let Some(claim) = claims.find(name) else {
        return Ok(None);
    };
    let not_a_number = || Refusal::NotANumber { name, found: claim.found() };
    claim.number().map(Some).ok_or_else(not_a_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::Failure;

    const NOW: f64 = 1_800_000_000.0;

    fn judge(member: &str, leeway: u64) -> Result<(), Failure> {
        let claims = format!(r#"{{"uid":"alice",{member}}}"#);
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let leeway = Duration::from_secs(leeway);
        check(&claims, leeway, Timestamp::from_seconds(NOW)).map_err(|refusal| refusal.code())
    }

    #[test]
    fn the_end_of_a_token_is_met_just_before_at_and_just_after() {
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
            assert_eq!(judge(member, 30), code, "{member}");
        }
        assert_eq!(judge(r#""exp":1799999999"#, 0), Err(Failure::AUTH_ERR));
        assert_eq!(judge(r#""exp":1800000000"#, 0), Ok(()));
    }

    #[test]
    fn how_long_ago_a_token_ended_is_told() {
        let ago = |member: &str| {
            let claims = Claims::parse(format!("{{{member}}}").as_bytes()).unwrap();
            match check(&claims, Duration::ZERO, Timestamp::from_seconds(NOW)) {
                Err(Refusal::Expired { ago }) => ago,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ago(r#""exp":1799999900"#), 100.0);
        assert_eq!(ago(r#""expires_in":-7"#), 7.0);
    }

    #[test]
    fn a_message_says_how_long_ago_a_token_ended() {
        for claims in [r#"{"exp":1799999900}"#, r#"{"expires_in":-100}"#] {
            let claims = Claims::parse(claims.as_bytes()).unwrap();
            let now = Timestamp::from_seconds(NOW);
            let refusal = check(&claims, Duration::from_secs(30), now).unwrap_err();
            assert!(matches!(refusal, Refusal::Expired { ago: 100.0 }), "{refusal:?}");
        }
    }
}
