//! Five hundred at once, while the identity provider is slow, silent, talks nonsense, and is well
//! again. After each act: every answer was right, in time, and with the fewest calls there can be.

use std::path::Path;
use std::time::Duration;

use harness::World;
use harness::crowd::{Answer, Client, log_in};
use harness::eventually::pause;
use harness::identity_provider::{IdentityProvider, Route};
use harness::world::{Plan, SLACK};

const CROWD: usize = 500;
const DEADLINE: Duration = Duration::from_secs(15);
const SLOW: Duration = Duration::from_secs(3);
const HOUR: Duration = Duration::from_secs(3600);

/// A server whose clock can be moved, and an identity provider.
struct Scene {
    world: World,
    provider: IdentityProvider,
    cache: String,
}

impl Scene {
    /// `line` gets the provider and the cache directory, and is completed with a deadline.
    fn new(line: impl Fn(&IdentityProvider, &str) -> String) -> Self {
        let world = World::with(Plan {
            encrypted: false,
            movable_clock: true,
            settings: vec!["max_connections=520"],
            ..Plan::default()
        });
        let provider = IdentityProvider::plain().telling(&world.secrets);
        let cache = world.sandbox.writable_folder("shared").join("cache").display().to_string();
        let line = line(&provider, &cache);
        world.strict(&format!(
            "{line} --cache-dir={cache} --allow-http --timeout={}s",
            DEADLINE.as_secs()
        ));
        Self { world, provider, cache }
    }

    /// All log in at once; prints how many calls that took.
    #[track_caller]
    #[allow(clippy::print_stdout, reason = "figures for whoever reads the log of the tests")]
    fn act(&self, name: &str, clients: &[Client], expected: impl Fn(usize) -> bool) -> usize {
        let before = self.calls();
        let answers = log_in(self.world.postgres().port(), clients);
        let calls = self.calls() - before;
        let slowest = answers.iter().map(|answer| answer.elapsed).max().unwrap_or_default();
        println!("{name}: {} logins, {calls} calls, the slowest took {slowest:?}", clients.len());
        for (number, Answer { accepted, complaint, elapsed }) in answers.iter().enumerate() {
            assert_eq!(*accepted, expected(number), "{name}: login {number}: {complaint}");
            assert!(*elapsed < DEADLINE + SLACK, "{name}: login {number} took {elapsed:?}");
        }
        calls
    }

    fn calls(&self) -> usize {
        let routes = [Route::Introspect, Route::Jwks, Route::OpenidConfiguration, Route::Tokeninfo];
        routes.into_iter().map(|route| self.provider.asked(route)).sum()
    }

    /// Every endpoint answers well, but late.
    fn is_slow(&self, route: Route, status: &str, body: impl Into<Vec<u8>>) {
        let answer = harness::wire::http_answer(status, &body.into());
        self.provider.on(route, move |connection, _| {
            pause(SLOW);
            connection.write_all(&answer)
        });
    }

    fn forgets_everything(&self) {
        std::fs::remove_dir_all(Path::new(&self.cache)).unwrap();
    }
}

/// One call for the crowd; and whoever is only served a second after the first has given up, on a
/// busy machine, asks again.
#[track_caller]
fn assert_few(calls: usize) {
    assert!((1..=2).contains(&calls), "{calls} calls");
}

#[test]
fn five_hundred_jwts_are_judged_rightly_whatever_the_issuer_does() {
    let scene = Scene::new(|provider, _| {
        format!(
            "{} uid realm=/employees --verify=jwt --audience=postgres --on-outage=stale:1h",
            provider.issuer()
        )
    });
    let provider = &scene.provider;
    let day = 48 * 3600;
    // Every tenth has ended, and every tenth is somebody else's. The others live long enough for
    // all that the clock is moved.
    let clients: Vec<Client> = (0..CROWD)
        .map(|number| {
            let jwt = provider.jwt(if number % 10 == 8 { "bob" } else { "alice" });
            let now = harness::identity_provider::now();
            let end = if number % 10 == 9 { now - 60 } else { now + day };
            let token = provider.sign(&jwt.claim("exp", end));
            Client { user: "alice".to_owned(), token }
        })
        .collect();
    let right = |number: usize| number % 10 < 8;
    let nobody = |_: usize| false;

    scene.is_slow(Route::Jwks, "200 OK", provider.key_set());
    assert_eq!(scene.act("cold, slow", &clients, right), 2, "the place of the keys, and the keys");
    assert_eq!(scene.act("warm, slow", &clients, right), 0);

    scene.world.move_clock(2 * HOUR);
    provider.keep_silent(Route::Jwks);
    assert_eq!(scene.act("keys to be renewed, silent", &clients, right), 1);

    scene.world.move_clock(4 * HOUR);
    provider.answer(Route::Jwks, "200 OK", "<html>sorry</html>");
    let calls = scene.act("keys to be renewed, nonsense", &clients, right);
    assert!((1..=4).contains(&calls), "one in a second, then in two, then in four: {calls}");

    // Beyond what keys are good for, and within what an outage is bridged for.
    scene.world.move_clock(24 * HOUR + HOUR / 2);
    provider.keep_silent(Route::Jwks);
    provider.keep_silent(Route::OpenidConfiguration);
    assert_eq!(scene.act("stale keys, silent", &clients, right), 1);

    scene.forgets_everything();
    assert_few(scene.act("no keys, silent", &clients, nobody));

    provider.answer(Route::OpenidConfiguration, "200 OK", r#"{"issuer":"somebody else"}"#);
    scene.forgets_everything();
    let calls = scene.act("no keys, nonsense", &clients, nobody);
    assert!((1..=4).contains(&calls), "{calls}");

    provider.behave();
    scene.forgets_everything();
    assert_eq!(scene.act("well again", &clients, right), 2);
    assert_eq!(scene.act("well, warm", &clients, right), 0);
}

#[test]
fn a_pool_of_five_hundred_connections_makes_one_call() {
    let scene = Scene::new(|provider, _| {
        format!(
            "{} uid realm=/employees --cache-ttl=60s --on-outage=stale:1h",
            provider.tokeninfo_url()
        )
    });
    let provider = &scene.provider;
    let token = provider.opaque("alice");
    let day = 24 * 3600;
    let end = harness::identity_provider::now() + day;
    let claims = serde_json::json!({ "uid": "alice", "realm": "/employees", "exp": end });
    provider.know(&token, claims.clone());
    let clients = vec![Client { user: "alice".to_owned(), token: token.clone() }; CROWD];
    let (everybody, nobody) = (|_: usize| true, |_: usize| false);

    scene.is_slow(Route::Tokeninfo, "200 OK", claims.to_string());
    assert_eq!(scene.act("cold, slow", &clients, everybody), 1);
    assert_eq!(scene.act("warm, slow", &clients, everybody), 0);

    scene.world.move_clock(HOUR / 2);
    provider.keep_silent(Route::Tokeninfo);
    assert_eq!(scene.act("a verdict beyond its time, silent", &clients, everybody), 1);

    scene.world.move_clock(HOUR / 2 + Duration::from_secs(60));
    provider.answer(Route::Tokeninfo, "200 OK", "<html>sorry</html>");
    let calls = scene.act("a verdict beyond its time, nonsense", &clients, everybody);
    assert!((1..=4).contains(&calls), "{calls}");

    scene.forgets_everything();
    let calls = scene.act("no verdict, nonsense", &clients, nobody);
    assert!((1..=20).contains(&calls), "one a second: {calls}");

    scene.forgets_everything();
    provider.keep_silent(Route::Tokeninfo);
    assert_few(scene.act("no verdict, silent", &clients, nobody));

    provider.behave();
    scene.forgets_everything();
    assert_eq!(scene.act("well again", &clients, everybody), 1);
    provider.revoke(&token);
    scene.world.move_clock(HOUR);
    let calls = scene.act("revoked", &clients, nobody);
    assert!((1..=4).contains(&calls), "a refusal holds for five seconds: {calls}");
    // No outage brings back what was refused.
    provider.keep_silent(Route::Tokeninfo);
    scene.world.move_clock(HOUR + Duration::from_secs(20));
    assert_few(scene.act("revoked, silent", &clients, nobody));
}
