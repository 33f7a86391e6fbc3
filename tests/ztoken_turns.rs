//! Many who ask at once, and a refresh token that the provider takes once.

use std::time::{Duration, Instant};

use harness::openid_provider::ROBOT;
use harness::{OpenidProvider, Ztoken, eventually};

use crate::ztoken::{NEARLY_OVER, logged_in, token_of};

const TOKENS: &str = "POST /token";

#[test]
fn ten_shells_that_ask_at_once_are_one_call_however_short_the_token_lasts() {
    let provider = OpenidProvider::start();
    // Keycloak's default is no longer than what profiles want to be left.
    for (seconds, asked) in [(3600, 2), (300, 4), (60, 6)] {
        provider.conduct(|conduct| {
            conduct.lifetime = Duration::from_secs(seconds);
            conduct.delay = Duration::ZERO;
        });
        let alice = logged_in(&provider);
        alice.age("prod", Duration::from_secs(seconds));
        provider.conduct(|conduct| conduct.delay = Duration::from_millis(500));
        let shells: Vec<_> = (0..10).map(|_| alice.spawn(&[])).collect();
        let tokens: Vec<String> = shells.into_iter().map(|shell| token_of(&shell.wait())).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "different tokens");
        assert_eq!(token_of(&alice.run(&[])), tokens[0]);
        // The one of the login before, and one.
        assert_eq!(provider.asked(TOKENS), asked, "{seconds}");
    }
}

#[test]
fn ten_shells_that_meet_a_silent_provider_wait_once_and_not_in_a_row() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    alice.configure(&harness::ztoken::profile(&provider, "timeout = \"3s\""));
    alice.age("prod", NEARLY_OVER);
    provider.conduct(|conduct| conduct.delay = Duration::from_secs(60));
    let shells: Vec<_> = (0..10).map(|_| alice.spawn(&[])).collect();
    for shell in shells {
        let output = shell.wait();
        // The present one does for each of them.
        token_of(&output);
        assert!(output.stderr.contains("no whole answer within 3 s"), "{output:?}");
    }
    // The one of the login before, and one; a busy machine may have started somebody late.
    let asked = provider.asked(TOKENS);
    assert!((2..=4).contains(&asked), "{asked}");
}

#[test]
fn ten_shells_with_a_wrong_secret_are_one_call_as_well() {
    let provider = OpenidProvider::start();
    provider.conduct(|conduct| conduct.delay = Duration::from_secs(2));
    let robot = Ztoken::new(&format!(
        "[profile.prod]\nissuer = \"{}\"\nclient_id = \"{ROBOT}\"\nflow = \"client_credentials\"\n\
         client_secret_file = \"secret\"\n",
        provider.issuer()
    ));
    robot.file(".config/ztoken/secret", "wrong");
    let shells: Vec<_> = (0..10).map(|_| robot.spawn(&[])).collect();
    for shell in shells {
        let output = shell.wait();
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains("the client secret is wrong"), "{output:?}");
    }
    let asked = provider.asked(TOKENS);
    assert!((1..=3).contains(&asked), "{asked}");
    // Nobody believes it later.
    robot.file(".config/ztoken/secret", provider.secret());
    provider.conduct(|conduct| conduct.delay = Duration::ZERO);
    token_of(&robot.run(&[]));
}

#[test]
fn whoever_asks_nobody_does_not_wait_for_somebody_who_is_asked() {
    let provider = OpenidProvider::start();
    let mut alice = logged_in(&provider);
    alice.age("prod", NEARLY_OVER);
    let present = alice.kept_secret("prod", "access_token");
    alice.set("BROWSER", "true");
    let mut login = alice.spawn(&["login"]);
    login.wait_for("redirect_uri=");
    let output = alice.run(&["--no-login"]);
    assert_eq!(token_of(&output), present);
    assert!(output.stderr.contains("the present token still lasts"), "{output:?}");
    alice.age("prod", Duration::from_secs(300));
    let output = alice.run(&["--no-login"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("waits for somebody to log in"), "{output:?}");
    assert!(output.elapsed < Duration::from_secs(10), "{output:?}");
    login.signal(libc::SIGTERM);
    login.wait();
    // It is over, and nobody is held up by what it left.
    token_of(&alice.run(&["--no-login"]));
}

#[test]
fn whoever_is_interrupted_while_the_refresh_token_is_on_its_way_is_still_logged_in() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        alice.age("prod", NEARLY_OVER);
        let refresh = alice.kept_secret("prod", "refresh_token");
        provider.conduct(|conduct| conduct.delay = Duration::from_millis(500));
        let asked = provider.asked(TOKENS);
        let run = alice.spawn(&[]);
        eventually("it asks", || match provider.asked(TOKENS) {
            now if now > asked => Ok(()),
            now => Err(now),
        });
        run.signal(signal);
        let output = run.wait();
        // By the signal, but not before what came was written.
        assert_eq!((output.code, output.stdout.as_str()), (None, ""), "{output:?}");
        assert_ne!(alice.kept_secret("prod", "refresh_token"), refresh);
    }
    // At any time.
    provider.conduct(|conduct| conduct.delay = Duration::ZERO);
    alice.age("prod", NEARLY_OVER);
    let usual = alice.run(&[]).elapsed;
    let mut ended = 0;
    for part in 0..20 {
        alice.age("prod", NEARLY_OVER);
        let run = alice.spawn(&[]);
        eventually::pause(usual * part / 16);
        run.signal(libc::SIGTERM);
        ended += usize::from(run.wait().code == Some(0));
    }
    assert!(ended < 20, "nobody was interrupted");
    alice.age("prod", NEARLY_OVER);
    token_of(&alice.run(&[]));
    assert_eq!(provider.asked("GET /auth"), 1);
}

#[test]
fn ctrl_c_waits_no_longer_than_the_answer_of_the_provider_may() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    alice.configure(&harness::ztoken::profile(&provider, "timeout = \"1s\""));
    alice.age("prod", NEARLY_OVER);
    provider.conduct(|conduct| conduct.delay = Duration::from_secs(20));
    let run = alice.spawn(&[]);
    eventually("it asks", || match provider.asked(TOKENS) {
        2.. => Ok(()),
        now => Err(now),
    });
    let start = Instant::now();
    run.signal(libc::SIGINT);
    assert_eq!(run.wait().code, None);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
