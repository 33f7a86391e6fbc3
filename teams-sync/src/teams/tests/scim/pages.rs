//! Page by page.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::super::SourceError;
use super::super::super::scim::{Paging, ScimConfig};
use super::super::server::{Reply, Server};
use super::super::{Team, ask, team};
use super::{config, group, list, member, user};

/// All users, a page at a time, as `answer` says for each start.
async fn paged(
    paging: Paging,
    answer: impl Fn(&str) -> Value + Send + Sync + 'static,
) -> (Result<Team, SourceError>, Vec<String>) {
    let server = Server::start(move |asked| match asked.path() {
        "/scim/v2/Groups" => list(&[group("g1", "acid", &["u1", "u2", "u3"].map(member))]),
        _ => {
            let key = if paging == Paging::Cursor { "cursor" } else { "startIndex" };
            Reply::scim(&answer(&asked.query(key).unwrap()))
        }
    })
    .await;
    let config = ScimConfig { paging, page_size: 2, ..config(&server) };
    let answer = ask(&config.build().unwrap(), "acid").await;
    let targets = server.asked().into_iter().skip(1).map(|asked| asked.target);
    (answer, targets.collect())
}

fn people(from: usize, to: usize) -> Vec<Value> {
    let names = ["alice", "bob", "carol", "dave"];
    (from..=to).map(|number| user(&format!("u{number}"), names[number - 1])).collect()
}

#[tokio::test]
async fn pages_follow_each_other_by_index() {
    let (answer, targets) = paged(Paging::Index, |start| match start {
        "1" => json!({"totalResults": 4, "startIndex": 1, "Resources": people(1, 2)}),
        // A service may send fewer than it is asked for.
        "3" => json!({"totalResults": 4, "startIndex": 3, "Resources": people(3, 3)}),
        _ => json!({"totalResults": 4, "startIndex": 4, "Resources": people(4, 4)}),
    })
    .await;
    assert_eq!(answer, Ok(team(&["alice", "bob", "carol"])));
    let attributes = "count=2&attributes=id,userName,active";
    let target = |start: &str| format!("/scim/v2/Users?startIndex={start}&{attributes}");
    assert_eq!(targets, ["1", "3", "4"].map(target));
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor() {
    for with_total in [true, false] {
        let (answer, targets) = paged(Paging::Cursor, move |cursor| {
            let mut page = match cursor {
                "" => json!({"Resources": people(1, 2), "nextCursor": "a/b=="}),
                "a/b==" => json!({"Resources": [], "nextCursor": "c"}),
                _ => json!({"Resources": people(3, 4)}),
            };
            if with_total {
                page["totalResults"] = json!(4);
            }
            page
        })
        .await;
        assert_eq!(answer, Ok(team(&["alice", "bob", "carol"])));
        let attributes = "count=2&attributes=id,userName,active";
        let target = |cursor: &str| format!("/scim/v2/Users?cursor={cursor}&{attributes}");
        assert_eq!(targets, ["", "a%2Fb%3D%3D", "c"].map(target));
    }
}

#[tokio::test]
async fn pages_that_do_not_add_up_are_no_list() {
    type Pages = fn(&str) -> Value;
    let by_index: [(Pages, &str); 6] = [
        (|_| json!({"totalResults": 4, "Resources": people(1, 2)}), "came twice, so another"),
        (
            |start| match start {
                "1" => json!({"totalResults": 4, "Resources": people(1, 2)}),
                _ => json!({"totalResults": 4, "Resources": []}),
            },
            "is 4, but 2 came",
        ),
        (|_| json!({"totalResults": 2, "Resources": people(1, 4)}), "is 2, but 4 came"),
        (
            |start| match start {
                "1" => json!({"totalResults": 3, "Resources": people(1, 2)}),
                _ => json!({"totalResults": 4, "Resources": people(3, 4)}),
            },
            "changed from page to page",
        ),
        (
            |start| match start {
                "1" => json!({"totalResults": 4, "Resources": people(1, 2)}),
                _ => json!({"totalResults": 4, "startIndex": 4, "Resources": people(4, 4)}),
            },
            "asked for startIndex 3, got 4",
        ),
        (|_| json!({"totalResults": 4, "Resources": []}), "is 4, but 0 came"),
    ];
    let by_cursor: [(Pages, &str); 4] = [
        (
            |cursor| match cursor {
                "" => json!({"Resources": people(1, 2), "nextCursor": "a"}),
                _ => json!({"Resources": [], "nextCursor": "a"}),
            },
            "a cursor came twice",
        ),
        (|_| json!({"Resources": people(1, 2), "nextCursor": "a"}), "came twice, so another"),
        // A service that knows no cursors answers with its first page.
        (|_| json!({"totalResults": 4, "Resources": people(1, 2)}), "is 4, but 2 came"),
        (
            |cursor| match cursor {
                "" => json!({"totalResults": 3, "Resources": people(1, 2), "nextCursor": "a"}),
                _ => json!({"Resources": people(3, 3)}),
            },
            "changed from page to page",
        ),
    ];
    let cases = by_index.map(|it| (Paging::Index, it)).into_iter();
    for (paging, (pages, word)) in cases.chain(by_cursor.map(|it| (Paging::Cursor, it))) {
        let error = paged(paging, pages).await.0.unwrap_err();
        assert_eq!(error.reason(), "incomplete", "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn an_endless_walk_ends() {
    let number = AtomicUsize::new(0);
    let (answer, targets) = paged(Paging::Cursor, move |_| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        json!({"Resources": [user(&format!("x{number}"), "x")], "nextCursor": number.to_string()})
    })
    .await;
    assert_eq!(answer.unwrap_err().reason(), "malformed");
    assert_eq!(targets.len(), 1000);
}

#[tokio::test]
async fn too_many_users_are_not_read() {
    let (answer, _) = paged(Paging::Index, |_| {
        let users: Vec<Value> = (0..100_001).map(|n| user(&format!("x{n}"), "x")).collect();
        json!({"totalResults": 100_001, "Resources": users})
    })
    .await;
    let error = answer.unwrap_err();
    assert!(error.to_string().contains("users = \"by_id\""), "{error}");
}
