//! What happens on a server that a stranger runs.

use std::time::Duration;

use teams_sync::connect::Dsn;
use teams_sync::password::Checked;
use teams_sync::sync::{Engine, Identities};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::roles::vectors;

fn engine(limit: Duration) -> Engine {
    Engine {
        database: "postgres".to_owned(),
        guard: vectors::config().identity.guard,
        connect_limit: Duration::from_secs(10),
        turns: Semaphore::new(1),
        lock_limit: limit,
        pass_limit: limit,
        checked: Checked::new().unwrap(),
        identities: Identities::default(),
    }
}

fn role(name: &str) -> RoleName {
    RoleName::from_catalog(name.to_owned())
}

fn users(all: &[(&str, &str)]) -> BTreeMap<RoleName, Current> {
    let current = |user| Current { username: role(user), own_until: None };
    all.iter().map(|(base, user)| (role(base), current(user))).collect()
}

fn member(name: &str, comment: &str) -> Member {
    Member { of: "foo".to_owned(), name: name.to_owned(), comment: comment.to_owned() }
}

/// AuthenticationOk and ReadyForQuery for whoever comes, and then nothing.
async fn lets_in_and_is_silent(listener: TcpListener) {
    let mut all: Vec<TcpStream> = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut startup = [0; 512];
        let _begins = stream.read(&mut startup).await;
        let _lets_in = stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await;
        all.push(stream);
    }
}

#[tokio::test]
async fn a_server_that_lets_in_and_says_nothing_more_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(lets_in_and_is_silent(listener));
    let text = format!("host=127.0.0.1 port={port} user=postgres sslmode=disable");
    let dsn = Dsn::parse(&text, &|_| None).unwrap();
    let config = vectors::config();
    let users = users(&[("foo_user", "foo_user")]);
    let engine = engine(Duration::from_millis(50));
    let desired = Desired::default();
    let retired = retire(&dsn, &engine, &config, &users, &desired, false);
    let retired = tokio::time::timeout(Duration::from_secs(30), retired).await.unwrap();
    assert!(retired.problems[0].contains("did not say within 50ms"), "{retired:?}");
    server.abort();
}

const OURS: &str = "teams-sync: static roles=foo rotated-from=foo since=2025-01-01T00:00:00Z";

fn dropped(
    members: &[Member],
    users: &BTreeMap<RoleName, Current>,
    desired: &Desired,
) -> Vec<String> {
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    let gone = gone(members, users, desired, &vectors::config(), now);
    gone.into_iter().map(|member| member.name.clone()).collect()
}

#[test]
fn only_a_role_with_our_record_of_a_rotation_is_dropped() {
    let all = [
        member("foo250101", OURS),
        member("foo261101", OURS),
        member("foo250102", "teams-sync: static roles=foo"),
        member("foo250103", "teams-sync: person teams=acid rotated-from=foo"),
        member("foo250104", "teams-sync: static rotated-from=other"),
        member("foo250105", "by hand, rotated-from=foo"),
        member("foo_by_hand", OURS),
    ];
    let users = users(&[("foo", "foo")]);
    assert_eq!(dropped(&all, &users, &Desired::default()), ["foo250101"]);
}

#[test]
fn who_is_asked_for_disputed_or_the_user_of_the_secret_stays() {
    let all = [member("foo250101", OURS)];
    assert!(dropped(&all, &users(&[("foo", "foo250101")]), &Desired::default()).is_empty());
    // The Secret could not be read, so nobody knows whom it is for.
    assert!(dropped(&all, &users(&[("bar", "bar")]), &Desired::default()).is_empty());
    let mut disputed = Desired::default();
    let problem = teams_sync::why::Problem::new("foo250101", "two of them");
    disputed.disputed.insert(role("foo250101"), problem);
    assert!(dropped(&all, &users(&[("foo", "foo")]), &disputed).is_empty());
}

#[test]
fn nobody_is_dropped_while_the_user_of_the_secret_cannot_log_in() {
    let former = member("foo250101", OURS);
    let users = users(&[("foo", "foo261125")]);
    let in_use = |of: &str, user: &str| BTreeSet::from([(of.to_owned(), user.to_owned())]);
    // She was not made; or is another role's; or it is the role itself who can.
    for other in [BTreeSet::new(), in_use("bar", "foo261125"), in_use("foo", "foo")] {
        let (gone, told) = apart(vec![&former], &other, &users);
        assert!(gone.is_empty(), "{other:?}");
        let told = told.first().unwrap();
        assert!(told.contains("of foo stay: its Secret is for foo261125"), "{told}");
    }
    let (gone, told) = apart(vec![&former], &in_use("foo", "foo261125"), &users);
    assert_eq!((gone.len(), told.len()), (1, 0));
    assert!(apart(Vec::new(), &BTreeSet::new(), &users).1.is_empty(), "nothing was to be dropped");
}

#[test]
fn a_role_of_whose_user_something_failed_or_waits_is_left_until_it_is_done() {
    let users = users(&[("bar", "bar261125"), ("foo", "foo261125")]);
    let (failed, other) = (role("foo261125"), role("bar"));
    let left = settled(users, [&failed, &other].into_iter());
    assert_eq!(left.keys().collect::<Vec<_>>(), [&role("bar")]);
}

#[test]
fn the_server_is_asked_who_can_log_in_of_those_whom_the_secrets_are_for() {
    let query = query(&users(&[("foo", "foo261125"), ("o'k", "o'k")]), "zalandos");
    let asks = "where base.rolname in ('foo', 'o''k') and own.rolname in ('foo261125', 'o''k') \
                and own.rolcanlogin";
    assert!(query.contains(asks), "{query}");
}

/// What happens to the password of `foo` itself when a user of 2025 is dropped.
fn own_password(user: &str, own_until: Option<&str>) -> Own {
    let own_until = own_until.map(|text| text.parse().unwrap());
    let current = Current { username: role(user), own_until };
    let users = BTreeMap::from([(role("foo"), current)]);
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    own(&member("foo250101", OURS), &users, &vectors::config(), now)
}

#[test]
fn the_first_password_of_a_role_goes_with_the_first_user_of_a_former_one() {
    let own = own_password("foo261125", Some("2025-01-01T00:00:00Z"));
    let rotated = statement(&member("foo250101", OURS), own);
    assert_eq!(rotated, "drop role \"foo250101\"; alter role \"foo\" password null");
}

#[test]
fn the_password_that_a_role_had_itself_not_long_ago_stays_whichever_user_goes() {
    // Its rotation was switched off, and began anew in September.
    let own = own_password("foo260901", Some("2026-09-01T00:00:00Z"));
    assert_eq!(own, Own::Stays);
    assert_eq!(statement(&member("foo250101", OURS), own), "drop role \"foo250101\"");
    let in_its_secret = own_password("foo", Some("2025-01-01T00:00:00Z"));
    assert_eq!(in_its_secret, Own::Stays);
}

#[test]
fn a_password_of_which_nobody_noted_how_old_it_is_stays_and_is_told_of() {
    let own = own_password("foo261125", None);
    let former = member("foo250101", OURS);
    assert_eq!(statement(&former, own), "drop role \"foo250101\"");
    assert!(
        line(&former, own).contains("stays, for the annotation acid.zalan.do/own-password-until")
    );
}
