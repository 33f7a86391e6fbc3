use tokio::sync::watch;

use super::{ask, board, id};
use crate::admin::{Access, Admin};

const OLD: &str = "old-token-of-sixteen-or-more";
const NEW: &str = "new-token-of-sixteen-or-more";

#[track_caller]
fn check(admin: &Admin, token: Option<&str>, status: u16) {
    let all = [
        "/status/",
        "/config",
        "/clusters",
        "/clusters/default/a",
        "/workers/all/status",
        "/databases",
        "/metrics",
        "/nonsense",
    ];
    for path in all {
        let (got, headers, body) = ask(admin, "GET", path, token);
        if status == 401 {
            assert_eq!(got, 401, "{path} {token:?}");
            let challenge = r#""www-authenticate": "Bearer realm=\"postgres-operator\"""#;
            assert!(headers.contains(challenge), "{headers}");
            assert_eq!(body, r#"{"error":"a token is needed that is valid"}"#);
        } else {
            assert!([200, 500].contains(&got), "{path} {token:?}: {got}");
        }
    }
    for path in ["/healthz", "/readyz", "/readyz/"] {
        assert_ne!(ask(admin, "GET", path, token).0, 401, "{path}");
    }
}

#[test]
fn without_tokens_everybody_may_read() {
    let admin = Admin::new(board(), watch::channel(Access::open()).1);
    check(&admin, None, 200);
    check(&admin, Some("Bearer whatever"), 200);
}

#[test]
fn with_tokens_only_who_shows_one_may_read_and_several_are_valid_meanwhile() {
    let (sender, receiver) = watch::channel(Access::tokens([OLD]));
    let admin = Admin::new(board(), receiver);
    let bearer = |token: &str| format!("Bearer {token}");
    check(&admin, Some(&bearer(OLD)), 200);
    check(&admin, Some(&bearer(NEW)), 401);
    sender.send_replace(Access::tokens([format!("{NEW}\n"), OLD.to_owned()]));
    check(&admin, Some(&bearer(OLD)), 200);
    check(&admin, Some(&bearer(NEW)), 200);
    check(&admin, Some(&format!("bearer  {NEW}")), 200);
    sender.send_replace(Access::tokens([NEW]));
    check(&admin, Some(&bearer(OLD)), 401);
    drop(sender);
    check(&admin, Some(&bearer(NEW)), 200);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        NEW,
        "Basic new-token-of-sixteen-or-more",
        "Bearer new-token-of-sixteen-or-mor",
        "Bearer new-token-of-sixteen-or-more1",
        "Bearer NEW-TOKEN-OF-SIXTEEN-OR-MORE",
    ] {
        check(&admin, Some(wrong), 401);
    }
    check(&admin, None, 401);
}

#[test]
fn a_secret_without_a_usable_token_opens_nothing() {
    for tokens in [vec![], vec![""], vec!["\n"], vec!["short"]] {
        let access = Access::tokens(&tokens);
        assert_eq!(access.accepted(), Some(0));
        let admin = Admin::new(board(), watch::channel(access).1);
        check(&admin, None, 401);
        for token in tokens {
            check(&admin, Some(&format!("Bearer {}", token.trim())), 401);
        }
    }
}

#[test]
fn who_may_not_read_learns_not_even_what_there_is() {
    let board = board();
    board.cluster_seen(&id("default/a"), super::facts("acid"));
    let admin = Admin::new(board, watch::channel(Access::tokens([NEW])).1);
    let answer = |path| ask(&admin, "POST", path, None);
    assert_eq!(answer("/clusters/default/a"), answer("/clusters/default/b"));
    assert_eq!(answer("/clusters/default/a").0, 401);
}

#[test]
fn tokens_are_never_printed() {
    let access = Access::tokens([NEW, OLD]);
    assert_eq!(format!("{access:?}"), "2 tokens");
    assert_eq!(access.accepted(), Some(2));
    assert_eq!(format!("{:?}", Access::open()), "open");
    assert_eq!(Access::open().accepted(), None);
}
