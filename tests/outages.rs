//! Old keys: for how long they count while their issuer cannot be asked, and what that costs.

use std::time::{Duration, Instant};

use harness::identity_provider::now;
use harness::pam::Report;
use harness::{Code, IdentityProvider, PamClient, Route, World};

use crate::jwt::line;

const HOUR: i64 = 3600;

/// An issuer with a cache, and a token that lives for a week.
struct Scene {
    world: World,
    issuer: IdentityProvider,
    cache: String,
    token: String,
}

impl Scene {
    fn new(more: &str) -> Self {
        let world = World::without_postgres();
        let issuer = world.identity_provider();
        let cache = world.sandbox.writable_folder("caches").join("one");
        let cache = format!("--cache-dir={}", cache.display());
        let token = issuer.sign(&issuer.jwt("alice").claim("exp", now() + 7 * 86_400));
        let this = Self { world, issuer, cache, token };
        this.demand(more);
        this.expect(0, "keys=issuer", 0);
        this
    }

    fn demand(&self, more: &str) {
        self.world.strict(&line(&self.issuer, &format!("{} {more}", self.cache)));
    }

    /// By a clock that is so many seconds ahead.
    fn login(&self, seconds: i64) -> Report {
        let sandbox = &self.world.sandbox;
        let client = PamClient::with_clock_off_by(seconds, sandbox, "strict", "alice");
        client.token(&self.token).run(&["authenticate"])
    }

    /// Accepted, with keys from there and so many warnings.
    #[track_caller]
    fn expect(&self, seconds: i64, keys: &str, warnings: usize) {
        let report = self.login(seconds);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
        let lines = self.world.syslog();
        assert!(lines.last().unwrap().ends_with(&format!("via=jwt {keys}")), "{lines:#?}");
        assert_eq!(report.all("told-3").len(), warnings, "{report:?}");
    }

    #[track_caller]
    fn expect_refused(&self, seconds: i64) {
        let report = self.login(seconds);
        assert_eq!(report.codes("authenticate"), [Code::AuthinfoUnavail], "{report:?}");
    }
}

#[test]
fn keys_are_good_for_a_day_whatever_becomes_of_their_issuer() {
    let scene = Scene::new("");
    scene.expect(HOUR / 2, "keys=cache", 0);
    assert_eq!(scene.issuer.asked(Route::Jwks), 1);
    // One login an hour renews them.
    scene.expect(2 * HOUR, "keys=issuer", 0);
    scene.expect(2 * HOUR, "keys=cache", 0);
    assert_eq!(scene.issuer.asked(Route::Jwks), 2);
    scene.issuer.stop();
    for hours in [4, 12, 25] {
        scene.expect(hours * HOUR, "keys=cache", 1);
    }
    scene.expect_refused(27 * HOUR);
}

#[test]
fn older_keys_bridge_an_outage_for_as_long_as_the_line_says_and_each_use_is_logged() {
    let scene = Scene::new("--on-outage=stale:2h --timeout=2s");
    scene.issuer.answer(Route::Jwks, "503 Service Unavailable", "{}");
    scene.expect(23 * HOUR, "keys=cache", 1);
    for seconds in [25 * HOUR, 25 * HOUR + 600] {
        scene.expect(seconds, "keys=stale", 1);
    }
    scene.issuer.on_accept(harness::wire::reset);
    scene.expect(25 * HOUR + 1200, "keys=stale", 1);
    let warnings = scene.world.syslog();
    let warnings = warnings.iter().filter(|line| line.contains("as --on-outage says")).count();
    assert_eq!(warnings, 3);
    scene.expect_refused(26 * HOUR + 600);
    // A key that the set does not have is not believed, whatever the line says.
    scene.issuer.rotate();
    let unknown = scene.issuer.token("alice");
    let sandbox = &scene.world.sandbox;
    let client = PamClient::with_clock_off_by(HOUR / 2, sandbox, "strict", "alice");
    let report = client.token(unknown).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::AuthinfoUnavail], "{report:?}");
    scene.issuer.behave();
    scene.demand("");
    let token = scene.issuer.token("alice");
    let report = scene.world.client("strict", "alice").token(token).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
}

#[test]
fn a_silent_issuer_costs_one_login_some_time_while_its_keys_are_good() {
    let scene = Scene::new("--timeout=4s");
    scene.issuer.keep_silent(Route::Jwks);
    let timed = |warnings| {
        let start = Instant::now();
        scene.expect(2 * HOUR, "keys=cache", warnings);
        start.elapsed()
    };
    let first = timed(1);
    assert!(first > Duration::from_millis(1500), "{first:?}");
    let asked = scene.issuer.asked(Route::Jwks);
    // The pause after that is a second long.
    timed(0);
    assert_eq!(scene.issuer.asked(Route::Jwks), asked);
}
