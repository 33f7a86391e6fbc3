//! What every source over HTTP has in common, seen through the Teams API.

use std::time::Duration;

use serde_json::json;

use super::super::SourceError;
use super::super::teams_api::TeamsApiConfig;
use super::server::{Reply, Server};
use super::{Folder, ask, team};

const JSON: &str = "Content-Type: application/json\r\n";

fn anonymous(url: &str) -> TeamsApiConfig {
    TeamsApiConfig { url: url.to_owned(), anonymous: true, ..Default::default() }
}

async fn answer(reply: Reply) -> Result<super::Team, SourceError> {
    let server = Server::start(move |_| reply.clone()).await;
    ask(&anonymous(&server.url).build().unwrap(), "acid").await
}

async fn throttled(status: &str, headers: &str) -> Option<Duration> {
    match answer(Reply::whole(status, headers, "")).await.unwrap_err() {
        SourceError::Throttled(_, wait) => wait,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_says_who_asks_for_what_as_whom() {
    let folder = Folder::new();
    let server = Server::start(|_| Reply::json(&json!({"member": []}))).await;
    let token_file = Some(folder.file("token", "s3cret\n"));
    let url = format!("{}/base//", server.url);
    let config = TeamsApiConfig { url, token_file, ..Default::default() };
    assert_eq!(ask(&config.build().unwrap(), "acid").await, Ok(team(&[])));
    let asked = server.asked();
    assert_eq!(asked[0].target, "/base/teams/acid");
    assert_eq!(asked[0].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(asked[0].header("user-agent"), Some("teams-sync/0.1.0"));
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[0].header("referer"), None);
    let server = Server::start(|_| Reply::json(&json!({"member": []}))).await;
    ask(&anonymous(&server.url).build().unwrap(), "acid").await.unwrap();
    assert_eq!(server.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_refused_token_is_read_again_and_tried_once_if_it_changed() {
    let folder = Folder::new();
    let path = folder.file("token", "old");
    let (rotated, rotate) = (path.clone(), std::sync::Once::new());
    let server = Server::start(move |asked| {
        rotate.call_once(|| std::fs::write(&rotated, "new").unwrap());
        match asked.header("authorization") {
            Some("Bearer new") => Reply::json(&json!({"member": ["alice"]})),
            _ => Reply::whole("401 Unauthorized", "", ""),
        }
    })
    .await;
    let config =
        TeamsApiConfig { url: server.url.clone(), token_file: Some(path), ..Default::default() };
    assert_eq!(ask(&config.build().unwrap(), "acid").await, Ok(team(&["alice"])));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_refused_token_that_did_not_change_is_not_tried_again() {
    let folder = Folder::new();
    let token_file = Some(folder.file("token", "old"));
    let server = Server::start(|_| Reply::whole("401 Unauthorized", "", "")).await;
    let config = TeamsApiConfig { url: server.url.clone(), token_file, ..Default::default() };
    let error = ask(&config.build().unwrap(), "acid").await.unwrap_err();
    assert_eq!(error.reason(), "auth");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_message_names_the_url_and_what_the_service_says() {
    let body = r#"{"error": "Access Token\u001b not valid"}"#;
    let server = Server::start(|_| Reply::whole("401 Unauthorized", JSON, body)).await;
    let error = ask(&anonymous(&server.url).build().unwrap(), "acid").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "GET {}/teams/acid: 401 Unauthorized, it says \"Access Token\\u{{1b}} not valid\"; \
             is the token expired, or is it for another service?",
            server.url,
        ),
    );
}

#[tokio::test]
async fn a_service_that_repeats_the_token_is_not_quoted() {
    let folder = Folder::new();
    let token = "s3cret-and-long-enough";
    for (status, body) in [
        ("403 Forbidden", format!(r#"{{"error": "no rights for {token}"}}"#)),
        ("200 OK", format!(r#"{{"id": "{token}", "member": []}}"#)),
        ("200 OK", format!(r#"{{"{token}": 1, "{token}": 2}}"#)),
        ("200 OK", format!(r#"{{"member": {{"{token}": 2}}}}"#)),
    ] {
        let server = Server::start(move |_| Reply::whole(status, JSON, &body)).await;
        let token_file = Some(folder.file("token", token));
        let config = TeamsApiConfig { url: server.url.clone(), token_file, ..Default::default() };
        let error = ask(&config.build().unwrap(), "acid").await.unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn retry_after_is_seconds_or_a_date_and_never_long() {
    let busy = "429 Too Many Requests";
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let seconds = |number| Some(Duration::from_secs(number));
    for (headers, wait) in [
        ("", None),
        ("Retry-After: 7\r\n", seconds(7)),
        ("Retry-After: 0\r\n", seconds(0)),
        ("Retry-After: 31\r\n", seconds(30)),
        ("Retry-After: 99999999999999999999999\r\n", seconds(30)),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: Sun, 06 Nov 1994 08:49:49 GMT\r\n", seconds(12)),
        ("Retry-After: Sun, 06 Nov 1994 08:49:07 GMT\r\n", seconds(0)),
        ("Retry-After: Sun, 06 Nov 1994 18:49:07 GMT\r\n", seconds(30)),
    ] {
        assert_eq!(throttled(busy, &format!("{date}{headers}")).await, wait, "{headers}");
    }
    // Nothing to compare it with.
    let alone = "Retry-After: Sun, 06 Nov 1994 08:49:49 GMT\r\n";
    assert_eq!(throttled(busy, alone).await, None);
    assert_eq!(throttled("503 Service Unavailable", "Retry-After: 2\r\n").await, seconds(2));
    let without = answer(Reply::whole("503 Service Unavailable", "", "")).await.unwrap_err();
    assert!(matches!(without, SourceError::Status(503, _)), "{without:?}");
}

#[tokio::test]
async fn json_has_to_say_that_it_is_json() {
    for (given, fine) in [
        ("Content-Type: application/json\r\n", true),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", true),
        ("Content-Type: application/scim+json\r\n", true),
        ("Content-Type: text/json\r\n", false),
        ("Content-Type: application/jsonp\r\n", false),
        ("Content-Type: application/xml\r\n", false),
        ("", false),
    ] {
        let reply = Reply::whole("200 OK", given, r#"{"member": []}"#);
        match answer(reply).await {
            Ok(_) => assert!(fine, "{given}"),
            Err(error) => assert!(!fine && error.reason() == "malformed", "{given}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_where_it_leads() {
    let server = Server::start(|asked| match asked.path() {
        "/teams/acid" => Reply::whole("301 Moved", "Location: /other\r\n", ""),
        _ => Reply::json(&json!({"member": []})),
    })
    .await;
    let error = ask(&anonymous(&server.url).build().unwrap(), "acid").await.unwrap_err();
    assert!(matches!(error, SourceError::Status(301, _)), "{error:?}");
    assert!(error.to_string().contains("a redirect to \"/other\""), "{error}");
    assert_eq!(server.paths(), ["/teams/acid"]);
}

#[tokio::test]
async fn a_body_without_a_length_is_counted_while_it_comes() {
    let body = format!("{{\"member\": [\"{}\"]}}", "x".repeat(1024 * 1024));
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
    let error = answer(Reply::Bytes(format!("{head}{chunk}").into_bytes())).await.unwrap_err();
    assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read_at_all() {
    let error = answer(Reply::announced("200 OK", JSON, "", 1024 * 1024 + 1)).await.unwrap_err();
    assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_ten_seconds_for_one_request() {
    let server = Server::start(|_| Reply::Silence).await;
    let source = anonymous(&server.url).build().unwrap();
    let hour = Duration::from_secs(3600);
    let error = super::Source::fetch(&source, "acid", hour).await.unwrap_err();
    assert!(error.to_string().contains("within 10.0 s"), "{error}");
}

#[tokio::test]
async fn a_body_that_ends_without_its_last_chunk_is_cut() {
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
    let whole = "e\r\n{\"member\": []}\r\n";
    let error = answer(Reply::Bytes(format!("{head}{whole}").into_bytes())).await.unwrap_err();
    assert_eq!(error.reason(), "unreachable", "{error}");
}

#[tokio::test]
async fn the_time_of_a_request_is_for_all_of_it() {
    // The head comes at once, the body never does.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 14\r\n\r\n{{\"mem");
        tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let source = anonymous(&url).build().unwrap();
    let limit = Duration::from_millis(200);
    let error = super::Source::fetch(&source, "acid", limit).await.unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error}");
    serving.abort();
}

#[test]
fn a_url_is_checked_before_anybody_is_asked() {
    for (url, word) in [
        ("teams.example.com", "url is no URL"),
        ("ftp://teams.example.com", "begins with ftp:"),
        ("https://me:s3cret@teams.example.com", "credentials belong"),
        ("https://me@teams.example.com", "credentials belong"),
        ("https://teams.example.com/?key=s3cret", "a query or a fragment"),
        ("https://teams.example.com/#top", "a query or a fragment"),
    ] {
        let fault = anonymous(url).build().unwrap_err().to_string();
        assert!(fault.starts_with("teams_api: ") && fault.contains(word), "{fault}");
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}

#[test]
fn plain_http_is_accepted_with_a_warning() {
    let warnings = anonymous("http://teams.example.com").warnings();
    assert!(matches!(warnings.as_slice(), [text] if text.contains("use https://")));
    anonymous("http://teams.example.com").build().unwrap();
    assert!(anonymous("https://teams.example.com").warnings().is_empty());
}
