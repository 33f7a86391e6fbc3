//! The Teams API.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::SourceError;
use super::super::teams_api::{TeamsApi, TeamsApiConfig};
use super::server::{Reply, Server};
use super::{ask, team};

async fn served(value: Value) -> Result<super::Team, SourceError> {
    let server = Server::start(move |_| Reply::json(&value)).await;
    ask(&source(&server), "acid").await
}

fn source(server: &Server) -> TeamsApi {
    let url = server.url.clone();
    TeamsApiConfig { url, anonymous: true, ..Default::default() }.build().unwrap()
}

#[tokio::test]
async fn an_answer_that_says_whose_it_is_has_to_be_about_the_asked_team() {
    for right in [
        json!({"member": ["bob"]}),
        json!({"member": ["bob"], "id": "ACID"}),
        json!({"member": ["bob"], "id": "77", "name": "Acid"}),
        json!({"member": ["bob"], "id": 77, "alias": ["x", "acid"]}),
        json!({"member": ["bob"], "alias": "acid", "team_id": null}),
        json!({"member": ["bob"], "id": "", "name": "", "alias": []}),
        json!({"member": ["bob"], "id_name": "acid", "name": "The Team"}),
        json!({"member": ["bob"], "team_id": "acid", "mail": ["base@example.com"]}),
    ] {
        assert_eq!(served(right.clone()).await, Ok(team(&["bob"])), "{right}");
    }
    for wrong in [
        json!({"member": ["bob"], "id": "base"}),
        json!({"member": ["bob"], "id": 77}),
        json!({"member": ["bob"], "id": "", "name": "base"}),
        json!({"member": ["bob"], "alias": ["x", "acidic"]}),
        json!({"member": ["bob"], "id": {"x": "acid"}}),
        json!({"member": ["bob"], "id": true}),
    ] {
        let error = served(wrong.clone()).await.unwrap_err();
        assert_eq!(error.reason(), "malformed", "{wrong}");
    }
}

#[tokio::test]
async fn case_is_ignored_beyond_ascii_when_teams_are_compared() {
    let server = Server::start(|_| Reply::json(&json!({"member": [], "id": "ÄTHER"}))).await;
    assert_eq!(ask(&source(&server), "äther").await, Ok(team(&[])));
}

#[tokio::test]
async fn members_are_strings_in_an_array() {
    assert_eq!(served(json!({"member": []})).await, Ok(team(&[])));
    for wrong in [
        json!({"member": "bob"}),
        json!({"member": {"0": "bob"}}),
        json!({"member": ["bob", 7]}),
        json!({"member": ["bob", null]}),
        json!({"member": ["bob", ["carol"]]}),
        json!({"member": [{"name": "bob"}]}),
        json!({"members": ["bob"]}),
        json!({"error": "not today"}),
    ] {
        assert_eq!(served(wrong.clone()).await.unwrap_err().reason(), "malformed", "{wrong}");
    }
}

#[tokio::test]
async fn the_name_of_a_team_stays_one_segment_of_the_path() {
    let server = Server::start(|_| Reply::json(&json!({"member": []}))).await;
    let source = source(&server);
    for (name, path) in [
        ("a-b_c.d~e", "/teams/a-b_c.d~e"),
        ("../control", "/teams/..%2Fcontrol"),
        ("a/b?c#d", "/teams/a%2Fb%3Fc%23d"),
        ("a\nb\tc d", "/teams/a%0Ab%09c%20d"),
        ("%2e%2e", "/teams/%252e%252e"),
        ("é\\", "/teams/%C3%A9%5C"),
        ("...", "/teams/..."),
    ] {
        ask(&source, name).await.unwrap();
        assert_eq!(server.paths().last().unwrap(), path);
    }
    let before = server.asked().len();
    for name in ["", ".", ".."] {
        assert_eq!(ask(&source, name).await.unwrap_err().reason(), "malformed");
    }
    assert_eq!(server.asked().len(), before);
}

#[tokio::test]
async fn what_did_not_change_is_remembered_by_its_entity_tag() {
    let version = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        let number = version.fetch_add(1, Ordering::Relaxed) / 2;
        let tag = format!("\"v{number}\"");
        if asked.header("if-none-match") == Some(tag.as_str()) {
            return Reply::whole("304 Not Modified", "", "");
        }
        let headers = format!("Content-Type: application/json\r\nETag: {tag}\r\n");
        let body = json!({"member": [format!("m{number}")]}).to_string();
        Reply::whole("200 OK", &headers, &body)
    })
    .await;
    let source = source(&server);
    for members in [["m0"], ["m0"], ["m1"], ["m1"]] {
        assert_eq!(ask(&source, "acid").await, Ok(team(&members)));
    }
    // Each team has its own.
    ask(&source, "base").await.unwrap();
    let sent: Vec<_> =
        server.asked().iter().map(|it| it.header("if-none-match").map(str::to_owned)).collect();
    let tag = |text: &str| Some(format!("\"{text}\""));
    assert_eq!(sent, [None, tag("v0"), tag("v0"), tag("v1"), None]);
}

#[tokio::test]
async fn an_answer_that_is_not_used_is_not_remembered() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        let headers = "Content-Type: application/json\r\nETag: \"v\"\r\n";
        match (calls.fetch_add(1, Ordering::Relaxed), asked.header("if-none-match")) {
            (0, None) => Reply::whole("200 OK", headers, r#"{"id": "base", "member": []}"#),
            (_, None) => Reply::whole("200 OK", headers, r#"{"member": ["bob"]}"#),
            (_, Some(_)) => Reply::whole("304 Not Modified", "", ""),
        }
    })
    .await;
    let source = source(&server);
    ask(&source, "acid").await.unwrap_err();
    assert_eq!(ask(&source, "acid").await, Ok(team(&["bob"])));
    assert_eq!(ask(&source, "acid").await, Ok(team(&["bob"])));
}

#[tokio::test]
async fn the_memory_for_answers_is_bounded() {
    let headers = "Content-Type: application/json\r\nETag: \"v\"\r\n";
    let server = Server::start(move |_| Reply::whole("200 OK", headers, r#"{"member": []}"#)).await;
    let source = source(&server);
    for number in 0..1030 {
        ask(&source, &format!("t{number:04}")).await.unwrap();
    }
    let kept = format!("{source:?}").matches("v\\\"").count();
    assert_eq!(kept, 1024);
}

#[tokio::test]
async fn large_answers_crowd_each_other_out_of_memory() {
    let headers = "Content-Type: application/json\r\nETag: \"v\"\r\n";
    let body = format!("{{\"member\": [\"{}\"]}}", "x".repeat(1_000_000));
    let server = Server::start(move |_| Reply::whole("200 OK", headers, &body)).await;
    let source = source(&server);
    for number in 0..20 {
        ask(&source, &format!("t{number}")).await.unwrap();
    }
    let kept = format!("{source:?}").matches("v\\\"").count();
    assert_eq!(kept, 16);
}

#[test]
fn a_configuration_has_no_unknown_keys() {
    let right = "url = 'https://teams.example.com'\ntoken_file = '/token'";
    toml::from_str::<TeamsApiConfig>(right).unwrap().build().unwrap();
    let wrong = "url = 'https://teams.example.com'\ntoken_fiel = '/token'";
    assert!(toml::from_str::<TeamsApiConfig>(wrong).unwrap_err().message().contains("token_fiel"));
}
