//! From the name of a team to ids.

use serde_json::json;

use super::super::super::SourceError;
use super::super::server::{Asked, Reply, Server};
use super::super::{Team, ask, team};
use super::{group, inner, list, member, serve, source, user};

#[tokio::test]
async fn the_name_of_a_team_is_escaped_in_the_filter() {
    let name = "a\"b\\c or é&x=1";
    let server = Server::start(move |_| list(&[group("g1", name, &[])])).await;
    assert_eq!(ask(&source(&server), name).await, Ok(team(&[])));
    let asked = &server.asked()[0];
    assert_eq!(asked.path(), "/scim/v2/Groups");
    assert_eq!(asked.query("filter").unwrap(), "displayName eq \"a\\\"b\\\\c or é&x=1\"",);
    assert_eq!(asked.query("attributes").unwrap(), "id,displayName,members");
    assert_eq!(asked.header("accept"), Some("application/scim+json, application/json"));
}

#[tokio::test]
async fn exactly_one_group_has_the_name_without_case() {
    let (acid, twin) = (group("g1", "ACID", &[]), group("g2", "acid", &[]));
    let base = group("g3", "base", &[]);
    for (found, reason) in [
        (vec![acid.clone()], None),
        (vec![base.clone(), acid.clone()], None),
        (vec![], Some("unknown_team")),
        (vec![base], Some("malformed")),
        (vec![acid, twin], Some("malformed")),
    ] {
        let server = Server::start(move |_| list(&found)).await;
        let answer = ask(&source(&server), "acid").await;
        assert_eq!(answer.map_err(|error| error.reason()).err(), reason);
    }
}

#[tokio::test]
async fn an_answer_without_a_total_says_nothing() {
    for answer in [
        json!({"Resources": [group("g1", "acid", &[])]}),
        json!({"totalResults": "1", "Resources": [group("g1", "acid", &[])]}),
        json!({"totalResults": -1, "Resources": [group("g1", "acid", &[])]}),
        json!({"totalResults": 1}),
        json!({"totalResults": 1, "Resources": null}),
        json!({"totalResults": 1, "Resources": ["g1"]}),
        json!({"totalResults": 1, "Resources": [{"displayName": "acid", "members": []}]}),
    ] {
        let said = answer.to_string();
        let server = Server::start(move |_| Reply::scim(&answer)).await;
        let error = ask(&source(&server), "acid").await.unwrap_err();
        assert_eq!(error.reason(), "malformed", "{said}");
    }
    let server = Server::start(|_| Reply::scim(&json!({"totalResults": 0}))).await;
    assert_eq!(ask(&source(&server), "acid").await.unwrap_err().reason(), "unknown_team");
}

#[tokio::test]
async fn members_that_a_list_leaves_out_are_asked_for_by_id() {
    let server = Server::start(|asked| match asked.path() {
        "/scim/v2/Groups" => list(&[json!({"id": "g/1", "displayName": "acid"})]),
        "/scim/v2/Groups/g%2F1" => Reply::scim(&group("g/1", "Acid", &[member("u1")])),
        _ => list(&[user("u1", "alice")]),
    })
    .await;
    assert_eq!(ask(&source(&server), "acid").await, Ok(team(&["alice"])));
    assert_eq!(server.asked()[1].query("attributes").unwrap(), "id,displayName,members");
}

#[tokio::test]
async fn members_that_are_nowhere_are_not_nobody() {
    let server = Server::start(|asked| match asked.path() {
        "/scim/v2/Groups" => list(&[json!({"id": "g1", "displayName": "acid"})]),
        _ => Reply::scim(&json!({"id": "g1", "displayName": "acid"})),
    })
    .await;
    let error = ask(&source(&server), "acid").await.unwrap_err();
    assert_eq!(error.reason(), "incomplete");
    assert!(error.to_string().contains("may be an empty group"), "{error}");
    assert_eq!(server.paths(), ["/scim/v2/Groups", "/scim/v2/Groups/g1"]);
}

#[tokio::test]
async fn an_empty_list_of_members_is_nobody() {
    let server = serve(Vec::new(), Vec::new()).await;
    assert_eq!(ask(&source(&server), "acid").await, Ok(team(&[])));
    assert_eq!(server.paths(), ["/scim/v2/Groups"]);
}

#[tokio::test]
async fn a_group_by_id_has_to_be_that_group() {
    for other in [group("g2", "acid", &[]), group("g1", "base", &[])] {
        let server = Server::start(move |asked| match asked.path() {
            "/scim/v2/Groups" => list(&[json!({"id": "g1", "displayName": "acid"})]),
            _ => Reply::scim(&other),
        })
        .await;
        assert_eq!(ask(&source(&server), "acid").await.unwrap_err().reason(), "malformed");
    }
}

#[tokio::test]
async fn a_member_has_to_say_who_she_is() {
    for broken in [
        json!({}),
        json!({"value": ""}),
        json!({"value": 7}),
        json!({"value": "u1", "type": "Device"}),
        json!({"value": "u1", "type": 7}),
        json!("u1"),
    ] {
        let server = serve(vec![broken.clone()], vec![user("u1", "alice")]).await;
        let error = ask(&source(&server), "acid").await.unwrap_err();
        assert_eq!(error.reason(), "malformed", "{broken}");
    }
}

/// `acid` contains g2 (by type) and g3 (by reference); those contain others.
fn nested(asked: &Asked) -> Reply {
    let by_reference = json!({"value": "g3", "$ref": "https://idp/scim/v2/Groups/g3"});
    match asked.path() {
        "/scim/v2/Groups" => {
            list(&[group("g1", "acid", &[member("u1"), inner("g2"), by_reference])])
        }
        "/scim/v2/Groups/g2" => {
            Reply::scim(&group("g2", "b", &[member("u2"), member("u1"), inner("g4")]))
        }
        "/scim/v2/Groups/g3" => Reply::scim(&group("g3", "c", &[inner("g4"), inner("g3")])),
        "/scim/v2/Groups/g4" => Reply::scim(&group("g4", "d", &[member("u3"), inner("g1")])),
        _ => list(&[user("u1", "alice"), user("u2", "bob"), user("u3", "carol")]),
    }
}

#[tokio::test]
async fn groups_inside_groups_are_resolved_once_each_even_in_circles() {
    let server = Server::start(nested).await;
    assert_eq!(ask(&source(&server), "acid").await, Ok(team(&["alice", "bob", "carol"])));
    let inner = ["/scim/v2/Groups/g2", "/scim/v2/Groups/g3", "/scim/v2/Groups/g4"];
    assert_eq!(server.paths()[1..4], inner);
}

#[tokio::test]
async fn a_group_inside_that_does_not_answer_spoils_the_team() {
    for (reply, reason) in [
        (Reply::whole("404 Not Found", "", ""), "incomplete"),
        (Reply::whole("500 Oops", "", ""), "status"),
        (Reply::scim(&json!({"id": "g2", "displayName": "b"})), "incomplete"),
        (Reply::scim(&group("g9", "b", &[])), "malformed"),
    ] {
        let server = Server::start(move |asked| match asked.path() {
            "/scim/v2/Groups/g2" => reply.clone(),
            _ => nested(asked),
        })
        .await;
        assert_eq!(ask(&source(&server), "acid").await.unwrap_err().reason(), reason);
    }
}

#[tokio::test]
async fn groups_inside_groups_end_at_a_depth() {
    async fn deep(levels: usize) -> Result<Team, SourceError> {
        let server = Server::start(move |asked| match asked.path() {
            "/scim/v2/Groups" => list(&[group("0", "acid", &[inner("1")])]),
            "/scim/v2/Users" => list(&[user("u1", "alice")]),
            path => {
                let id = path.strip_prefix("/scim/v2/Groups/").unwrap();
                let level: usize = id.parse().unwrap();
                let next =
                    if level == levels { member("u1") } else { inner(&(level + 1).to_string()) };
                Reply::scim(&group(id, "x", &[next]))
            }
        })
        .await;
        ask(&source(&server), "acid").await
    }
    assert_eq!(deep(8).await, Ok(team(&["alice"])));
    assert_eq!(deep(9).await.unwrap_err().reason(), "incomplete");
}
