//! From ids to logins.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use super::super::super::Source;
use super::super::super::scim::{LoginAttribute, Scim, ScimConfig, UserLookup};
use super::super::server::{Reply, Server};
use super::super::{ask, team};
use super::{config, group, list, member, serve, source, user};

fn both(config: ScimConfig) -> [Scim; 2] {
    [UserLookup::ById, UserLookup::List]
        .map(|users| ScimConfig { users, ..config.clone() }.build().unwrap())
}

#[tokio::test]
async fn inactive_users_are_left_out_and_those_without_the_attribute_are_not() {
    let users = vec![
        json!({"id": "u1", "userName": "alice", "active": true}),
        json!({"id": "u2", "userName": "bob", "active": false}),
        json!({"id": "u3", "userName": "carol"}),
        json!({"id": "u4", "userName": "dave", "active": null}),
        json!({"id": "u5", "active": false}),
        json!({"id": "u6", "userName": "nobody's member"}),
    ];
    let members = ["u1", "u2", "u3", "u4", "u5"].map(member).to_vec();
    let server = serve(members, users).await;
    for source in both(config(&server)) {
        assert_eq!(ask(&source, "acid").await, Ok(team(&["alice", "carol", "dave"])));
    }
}

#[tokio::test]
async fn a_user_of_whom_too_little_is_known_spoils_the_team() {
    for broken in [
        json!({"id": "u1"}),
        json!({"id": "u1", "userName": ""}),
        json!({"id": "u1", "userName": null}),
        json!({"id": "u1", "userName": ["alice"]}),
        json!({"id": "u1", "userName": "alice", "active": "false"}),
        json!({"id": "u1", "userName": "alice", "active": 1}),
    ] {
        let users = vec![broken.clone(), user("u2", "bob")];
        let server = serve(vec![member("u2"), member("u1")], users).await;
        for source in both(config(&server)) {
            assert_eq!(ask(&source, "acid").await.unwrap_err().reason(), "malformed", "{broken}");
        }
        // Nobody who is no member spoils anything.
        let server = serve(vec![member("u2")], vec![broken, user("u2", "bob")]).await;
        for source in both(config(&server)) {
            assert_eq!(ask(&source, "acid").await, Ok(team(&["bob"])));
        }
    }
}

#[tokio::test]
async fn the_login_may_be_the_external_id() {
    let users = vec![json!({"id": "u1", "userName": "a@example.com", "externalId": "alice"})];
    let server = serve(vec![member("u1")], users).await;
    let config = ScimConfig { login_attribute: LoginAttribute::ExternalId, ..config(&server) };
    for source in both(config) {
        assert_eq!(ask(&source, "acid").await, Ok(team(&["alice"])));
    }
    assert!(server.asked().iter().any(|it| it.target.contains("attributes=id,externalId,active")));
}

#[tokio::test]
async fn all_users_are_listed_once_for_all_teams() {
    let server = Server::start(|asked| match asked.path() {
        "/scim/v2/Groups" => {
            let filter = asked.query("filter").unwrap();
            let name = filter.split('"').nth(1).unwrap().to_owned();
            list(&[group("g1", &name, &[member("u1")])])
        }
        _ => list(&[user("u1", "alice")]),
    })
    .await;
    let source = source(&server);
    let names: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let answers = join_all(names.iter().map(|name| ask(&source, name))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(team(&["alice"]))));
    assert_eq!(server.paths().iter().filter(|path| *path == "/scim/v2/Users").count(), 1);
}

#[tokio::test]
async fn a_list_grows_old() {
    let server = serve(vec![member("u1")], vec![user("u1", "alice")]).await;
    let source = source(&server);
    let lists = || server.paths().iter().filter(|path| *path == "/scim/v2/Users").count();
    for (seconds, wanted) in [(0, 1), (19, 1), (2, 2)] {
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
        tokio::time::resume();
        ask(&source, "acid").await.unwrap();
        assert_eq!(lists(), wanted);
    }
}

#[tokio::test]
async fn a_list_that_fails_fails_for_all_who_wait_for_it() {
    let server = Server::start(|asked| match asked.path() {
        "/scim/v2/Groups" => {
            let filter = asked.query("filter").unwrap();
            let name = filter.split('"').nth(1).unwrap().to_owned();
            list(&[group("g1", &name, &[member("u1")])])
        }
        _ => Reply::Silence,
    })
    .await;
    let source = source(&server);
    let names: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let limit = std::time::Duration::from_millis(500);
    let asked = names.iter().map(|name| source.fetch(name, limit));
    let begun = std::time::Instant::now();
    let answers = join_all(asked).await;
    let reasons: Vec<_> = answers.into_iter().map(|it| it.unwrap_err().reason()).collect();
    assert_eq!(reasons, ["timeout"; 20]);
    assert!(begun.elapsed() < limit * 6);
}

#[tokio::test]
async fn a_member_who_is_newer_than_the_list_is_found() {
    let rounds = AtomicUsize::new(0);
    let server = Server::start(move |asked| match asked.path() {
        "/scim/v2/Groups" => match rounds.fetch_add(1, Ordering::Relaxed) {
            0 => list(&[group("g1", "acid", &[member("u1")])]),
            _ => list(&[group("g1", "acid", &[member("u1"), member("u2")])]),
        },
        _ if rounds.load(Ordering::Relaxed) == 1 => list(&[user("u1", "alice")]),
        _ => list(&[user("u1", "alice"), user("u2", "bob")]),
    })
    .await;
    let source = source(&server);
    assert_eq!(ask(&source, "acid").await, Ok(team(&["alice"])));
    assert_eq!(ask(&source, "acid").await, Ok(team(&["alice", "bob"])));
    assert_eq!(server.paths().iter().filter(|path| *path == "/scim/v2/Users").count(), 2);
}

#[tokio::test]
async fn attributes_have_the_same_name_in_any_case() {
    let users = vec![
        json!({"ID": "u1", "USERNAME": "alice", "Active": true}),
        json!({"id": "u2", "username": "bob", "ACTIVE": false}),
    ];
    let members = ["u1", "u2"].map(|id| json!({"Value": id, "TYPE": "user"}));
    let server = Server::start(move |asked| match asked.path() {
        "/scim/v2/Groups" => Reply::scim(&json!({
            "TotalResults": 1,
            "resources": [{"Id": "g1", "displayname": "acid", "Members": members}],
        })),
        _ => list(&users),
    })
    .await;
    assert_eq!(ask(&source(&server), "acid").await, Ok(team(&["alice"])));
}

#[tokio::test]
async fn an_attribute_in_two_cases_spoils_the_answer() {
    let users = vec![json!({"id": "u1", "userName": "alice", "active": true, "Active": false})];
    let server = serve(vec![member("u1")], users).await;
    for source in both(config(&server)) {
        assert_eq!(ask(&source, "acid").await.unwrap_err().reason(), "malformed");
    }
}
