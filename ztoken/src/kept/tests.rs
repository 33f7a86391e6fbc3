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
    of(granted, &example("")).left(now).unwrap().as_secs()
}

fn of(granted: Granted, profile: &Profile) -> Kept {
    Kept::of(granted, profile, NOW, None)
}

#[test]
fn a_token_is_used_while_five_minutes_are_left_and_not_one_second_less() {
    let profile = example("");
    let kept = of(granted("t", Some(3600)), &profile);
    for (after, good) in [(0, true), (3299, true), (3300, true), (3301, false), (4000, false)] {
        assert_eq!(kept.is_good(&profile, NOW.plus(Duration::from_secs(after))), good, "{after}");
    }
}

#[test]
fn a_token_that_never_has_what_the_profile_wants_is_used_for_half_of_its_life() {
    let profile = example("");
    let kept = of(granted("t", Some(60)), &profile);
    for (after, good) in [(0, true), (30, true), (31, false), (60, false)] {
        assert_eq!(kept.is_good(&profile, Moment(NOW.0 + after)), good, "{after}");
    }
}

#[test]
fn a_profile_may_want_nothing_left_but_what_is_over_is_over() {
    let eager = example("min_left = \"0s\"");
    let kept = of(granted("t", Some(60)), &eager);
    assert!(kept.is_good(&eager, Moment(NOW.0 + 59)));
    assert!(!kept.is_good(&eager, Moment(NOW.0 + 60)));
}

#[test]
fn the_shorter_of_what_provider_and_token_say_counts_whatever_the_clocks_say() {
    let far_away = jwt(json!({"iat": 10, "exp": 910}));
    assert_eq!(left(granted(&far_away, Some(3600)), NOW), 900);
    assert_eq!(left(granted(&far_away, Some(60)), NOW), 60);
    assert_eq!(left(granted(&far_away, None), NOW), 900);
    assert_eq!(left(granted(&jwt(json!({"exp": NOW.0 + 7})), None), NOW), 7);
    // Nor for longer than it lasts where it was issued some time ago, by the provider's own clock.
    let used = Kept::of(granted(&far_away, None), &example(""), NOW, Some(Moment(600)));
    assert_eq!(used.left(NOW).unwrap().as_secs(), 310);
    // Nobody believes that it lasts for ever.
    assert_eq!(left(granted("t", Some(u64::MAX)), NOW), 366 * 86400);
}

#[test]
fn a_token_that_does_not_say_how_long_it_lasts_is_used_once_unless_the_profile_knows() {
    let once = of(granted("opaque", None), &example(""));
    assert_eq!((once.left(NOW), once.is_good(&example(""), NOW)), (None, false));
    // Who waited for it while it came may use it, too.
    assert!(once.is_some_use(NOW));
    let profile = example("lifetime = \"1h\"");
    let kept = of(granted("opaque", None), &profile);
    assert_eq!(kept.left(NOW), Some(Duration::from_secs(3600)));
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
    let kept = of(Granted { refresh: Some(Secret::new("r")), ..granted("a", Some(1)) }, &profile);
    let json = kept.to_json();
    let back = Kept::parse(&json).unwrap();
    assert_eq!(back.to_json(), json);
    assert_eq!(back.refresh_token.unwrap().expose(), "r");
    for other in
        ["scopes = []", "resource = \"x\"", "flow = \"device\"\nparameters = { a = \"b\" }"]
    {
        assert!(!kept.is_of(&example(other)), "{other}");
        assert!(kept.is_from_provider_of(&example(other)), "{other}");
    }
    let mut elsewhere = profile.clone();
    elsewhere.origin = Origin::Issuer("https://idp.example.org".to_owned());
    assert!(!kept.is_from_provider_of(&elsewhere));
    // How the same person logs in changes nothing.
    assert!(kept.is_of(&example("flow = \"device\"")));
    for length in 0..json.len() {
        assert!(Kept::parse(&json[..length]).is_none(), "{length}");
    }
}

#[test]
fn a_refresh_token_stays_until_another_one_comes() {
    let with = |refresh: Option<&str>| {
        let granted = Granted { refresh: refresh.map(Secret::new), ..granted("a", Some(1)) };
        of(granted, &example(""))
    };
    let after =
        |new: Kept, old: &Kept| new.after(Some(old)).refresh_token.map(|it| it.expose().to_owned());
    let old = with(Some("old"));
    assert_eq!(after(with(None), &old).as_deref(), Some("old"));
    assert_eq!(after(with(Some("new")), &old).as_deref(), Some("new"));
    assert_eq!(after(with(None), &with(None)), None);
}
