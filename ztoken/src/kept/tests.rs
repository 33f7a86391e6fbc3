use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::config::example;

const NOW: Moment = Moment(1_000_000);

fn granted(access: &str, lasts: Option<u64>) -> Granted {
    Granted { access: Secret::new(access), refresh: None, lasts: lasts.map(Duration::from_secs) }
}

fn jwt(claims: Value) -> String {
    format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn left(granted: Granted, now: Moment) -> u64 {
    Kept::of(granted, &example(""), NOW).left(now).as_secs()
}

#[test]
fn a_token_is_used_while_five_minutes_are_left_and_not_one_second_less() {
    let profile = example("");
    let kept = Kept::of(granted("t", Some(3600)), &profile, NOW);
    for (after, good) in [(0, true), (3299, true), (3300, true), (3301, false), (4000, false)] {
        assert_eq!(kept.is_good(&profile, NOW.plus(Duration::from_secs(after))), good, "{after}");
    }
}

#[test]
fn a_profile_may_want_more_or_nothing_left_but_what_is_over_is_over() {
    let eager = example("min_left = \"0s\"");
    let kept = Kept::of(granted("t", Some(60)), &eager, NOW);
    assert!(kept.is_good(&eager, Moment(NOW.0 + 59)));
    assert!(!kept.is_good(&eager, Moment(NOW.0 + 60)));
    assert!(!kept.is_good(&example("min_left = \"2m\""), NOW));
}

#[test]
fn the_shorter_of_what_provider_and_token_say_counts_whatever_the_clocks_say() {
    let far_away = jwt(json!({"iat": 10, "exp": 910}));
    assert_eq!(left(granted(&far_away, Some(3600)), NOW), 900);
    assert_eq!(left(granted(&far_away, Some(60)), NOW), 60);
    assert_eq!(left(granted(&far_away, None), NOW), 900);
    assert_eq!(left(granted(&jwt(json!({"exp": NOW.0 + 7})), None), NOW), 7);
}

#[test]
fn a_token_that_does_not_say_how_long_it_lasts_is_used_once_unless_the_profile_knows() {
    assert_eq!(left(granted("opaque", None), NOW), 0);
    let profile = example("lifetime = \"1h\"");
    assert_eq!(Kept::of(granted("opaque", None), &profile, NOW).left(NOW).as_secs(), 3600);
}

#[test]
fn a_token_from_the_future_is_not_used() {
    let earlier = |seconds| Moment(NOW.0 - seconds);
    assert_eq!(left(granted("t", Some(600)), earlier(60)), 660);
    assert_eq!(left(granted("t", Some(600)), earlier(61)), 0);
}

#[test]
fn tokens_come_back_as_they_were_kept_for_the_same_profile_only() {
    let profile = example("");
    let kept = Kept::of(
        Granted { refresh: Some(Secret::new("r")), ..granted("a", Some(1)) },
        &profile,
        NOW,
    );
    let json = kept.to_json();
    let back = Kept::parse(&json, &profile).unwrap();
    assert_eq!(back.to_json(), json);
    assert_eq!(back.refresh_token.unwrap().expose(), "r");
    for other in
        ["scopes = []", "resource = \"x\"", "flow = \"device\"\nparameters = { a = \"b\" }"]
    {
        assert!(Kept::parse(&json, &example(other)).is_none(), "{other}");
    }
    // How the same person logs in changes nothing.
    assert!(Kept::parse(&json, &example("flow = \"device\"")).is_some());
    for length in 0..json.len() {
        assert!(Kept::parse(&json[..length], &profile).is_none(), "{length}");
    }
}

#[test]
fn a_refresh_token_stays_until_another_one_comes() {
    let with = |refresh: Option<&str>| {
        let granted = Granted { refresh: refresh.map(Secret::new), ..granted("a", Some(1)) };
        Kept::of(granted, &example(""), NOW)
    };
    let after =
        |new: Kept, old: &Kept| new.after(Some(old)).refresh_token.map(|it| it.expose().to_owned());
    let old = with(Some("old"));
    assert_eq!(after(with(None), &old).as_deref(), Some("old"));
    assert_eq!(after(with(Some("new")), &old).as_deref(), Some("new"));
    assert_eq!(after(with(None), &with(None)), None);
}
