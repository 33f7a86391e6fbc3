//! Every source against every fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::file::FileConfig;
use super::super::scim::{Paging, ScimConfig, UserLookup};
use super::super::teams_api::TeamsApiConfig;
use super::server::{Asked, Reply, Server};
use super::table::{
    Expected, FAULTS, Fault, HOSTILE, SUBJECTS, Stage, Subject, TRUTH, expected, of_body, over_http,
};
use super::{Folder, Source, SourceError, Team, ask};
use crate::fake_api;

/// Nobody who waits longer than this gets an answer.
const SHORT: Duration = Duration::from_millis(400);
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn every_source_answers_every_fault_as_the_table_says() {
    for subject in SUBJECTS {
        for fault in FAULTS {
            let wanted = expected(subject, fault);
            if let Expected::Impossible(reason) = wanted {
                assert!(!reason.is_empty());
                continue;
            }
            let got = attempt(subject, fault).await;
            compare(&format!("{subject:?} with {fault:?}"), wanted, &got);
        }
    }
}

#[tokio::test]
async fn the_fake_teams_api_has_the_same_faults() {
    for fault in fake_api::Fault::all() {
        let wanted = match fault {
            fake_api::Fault::CaseTwins => Expected::Team(&["ALICE"]),
            fake_api::Fault::Duplicates | fake_api::Fault::HostileNames => Expected::Team(&[]),
            fake_api::Fault::Cut | fake_api::Fault::Down => Expected::Error("unreachable"),
            fake_api::Fault::Slow(_) => Expected::Error("timeout"),
            fake_api::Fault::Status(401) => Expected::Error("auth"),
            fake_api::Fault::Status(404) => Expected::Error("unknown_team"),
            fake_api::Fault::Status(429) => Expected::Error("throttled"),
            fake_api::Fault::Status(_) => Expected::Error("status"),
            fake_api::Fault::EmptyArray
            | fake_api::Fault::EmptyObject
            | fake_api::Fault::Html
            | fake_api::Fault::Huge
            | fake_api::Fault::NoMember
            | fake_api::Fault::NotJson
            | fake_api::Fault::WrongTeam => Expected::Error("malformed"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = fake_api::FakeApiOptions {
            teams: [("acid".to_owned(), TRUTH.map(str::to_owned).to_vec())].into(),
            faults: [("acid".to_owned(), fault)].into(),
            ..Default::default()
        };
        let serving = tokio::spawn(fake_api::serve(listener, options, std::future::pending()));
        let source = TeamsApiConfig { url, anonymous: true, ..Default::default() }.build().unwrap();
        let slow = matches!(fault, fake_api::Fault::Slow(_));
        let got = source.fetch("acid", if slow { SHORT } else { super::PATIENCE }).await;
        if let (fake_api::Fault::HostileNames, Ok(team)) = (fault, &got) {
            assert!(team.members.len() > TRUTH.len() + 8, "{team:?}");
        }
        compare(
            &format!("the fake with {fault}"),
            wanted,
            &got.map(|team| without_hostile(team, fault)),
        );
        serving.abort();
    }
}

#[tokio::test]
async fn no_beginning_of_an_answer_is_a_team_however_its_length_is_told() {
    let body = json!({"member": TRUTH}).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let length = body.len();
    for whole in [
        format!("{head}Content-Length: {length}\r\n\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        // Its end is the end of the connection (RFC 9112 section 6.3).
        format!("{head}\r\n{body}"),
    ] {
        let bytes = whole.into_bytes();
        let (reply, end) = (bytes.clone(), Arc::new(AtomicUsize::new(0)));
        let until = Arc::clone(&end);
        let server =
            Server::start(move |_| Reply::Bytes(reply[..until.load(Ordering::Relaxed)].to_vec()))
                .await;
        let url = server.url.clone();
        let source = TeamsApiConfig { url, anonymous: true, ..Default::default() }.build().unwrap();
        for cut in 0..bytes.len() {
            end.store(cut, Ordering::Relaxed);
            let answer = ask(&source, "acid").await;
            // The last bytes of a chunked body may be missing without anybody missing.
            assert!(answer.is_err() || answer == Ok(super::team(&TRUTH)), "{cut}: {answer:?}");
        }
        end.store(bytes.len(), Ordering::Relaxed);
        assert_eq!(ask(&source, "acid").await, Ok(super::team(&TRUTH)));
    }
}

/// The fake has hostile names of its own.
fn without_hostile(team: Team, fault: fake_api::Fault) -> Team {
    let own =
        |name: &String| fault != fake_api::Fault::HostileNames || TRUTH.contains(&name.as_str());
    Team { members: team.members.into_iter().filter(own).collect() }
}

fn compare(what: &str, wanted: Expected, got: &Result<Team, SourceError>) {
    if let Ok(team) = got {
        for name in TRUTH {
            assert!(team.members.iter().any(|it| it == name), "{what}: {name} is missing");
        }
    }
    match (wanted, got) {
        (Expected::Error(reason), Err(error)) => {
            assert_eq!(error.reason(), reason, "{what}: {error}");
            let text = error.to_string();
            assert!(text.len() > 20 && !text.contains('\n'), "{what}: {text}");
            assert!(!text.contains("s3cret"), "{what}: {text}");
        }
        (Expected::Team(more), Ok(team)) => {
            assert_eq!(team.members, [&TRUTH[..], more].concat(), "{what}");
        }
        _ => panic!("{what}: wanted {wanted:?}, got {got:?}"),
    }
}

async fn attempt(subject: Subject, fault: Fault) -> Result<Team, SourceError> {
    let folder = Folder::new();
    let token = Some(folder.file("token", "s3cret-of-the-table\n"));
    let limit = if fault == Fault::Slow { SHORT } else { super::PATIENCE };
    match subject {
        Subject::TeamsApi => {
            let server = Server::start(move |_| teams_api(fault)).await;
            let source =
                TeamsApiConfig { url: server.url.clone(), token_file: token, ..Default::default() };
            source.build().unwrap().fetch("acid", limit).await
        }
        Subject::Toml | Subject::Yaml => {
            let yaml = subject == Subject::Yaml;
            let content = if yaml { yaml_file(fault) } else { toml_file(fault) };
            let path = folder.0.join(if yaml { "teams.yaml" } else { "teams.toml" });
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            ask(&FileConfig { path }.build().unwrap(), "acid").await
        }
        Subject::Scim(stage) => {
            let people = Arc::new(people(fault));
            let server = Server::start(move |asked| scim(stage, fault, &people, asked)).await;
            let config = ScimConfig {
                url: server.url.clone(),
                token_file: token,
                token_env: None,
                token_command: None,
                anonymous: false,
                ca_file: None,
                login_attribute: Default::default(),
                users: if stage == Stage::UsersById { UserLookup::ById } else { UserLookup::List },
                paging: if stage == Stage::UsersByCursor { Paging::Cursor } else { Paging::Index },
                page_size: 2,
            };
            config.build().unwrap().fetch("acid", limit).await
        }
    }
}

fn with(more: &[&str]) -> Vec<String> {
    TRUTH.iter().chain(more).map(|name| (*name).to_owned()).collect()
}

fn people(fault: Fault) -> Vec<String> {
    match fault {
        Fault::CaseTwins => with(&["ALICE"]),
        Fault::HostileNames => with(&HOSTILE),
        _ => with(&[]),
    }
}

fn teams_api(fault: Fault) -> Reply {
    let mut answer = json!({ "id": "Acid", "name": "The Acid Team", "member": people(fault) });
    match fault {
        Fault::DuplicateMembers => answer["member"] = json!([TRUTH, TRUTH].concat()),
        Fault::MemberMissing => drop(answer.as_object_mut().unwrap().remove("member")),
        Fault::MemberNull => answer["member"] = Value::Null,
        Fault::WrongTeam => answer["id"] = json!("base"),
        _ => {}
    }
    over_http(fault)
        .or_else(|| of_body(fault, &answer, MIB))
        .unwrap_or_else(|| Reply::json(&answer))
}

/// Nothing where the file is not there.
fn toml_file(fault: Fault) -> Option<String> {
    let names = json!(people(fault)).to_string();
    Some(match fault {
        Fault::BodyTooLarge => format!("# {}\n[teams]\nacid = {names}", "x".repeat(8 * MIB)),
        Fault::Cut => "[teams]\nacid = [\"alice\", \"bob\",".to_owned(),
        Fault::Down => return None,
        Fault::DuplicateJsonMembers => format!("[teams]\nacid = [\"alice\"]\nacid = {names}"),
        Fault::DuplicateMembers => format!("[teams]\nacid = {}", json!([TRUTH, TRUTH].concat())),
        Fault::EmptyArray => "teams = []".to_owned(),
        Fault::EmptyObject => String::new(),
        Fault::Html => "<h1>Log in</h1>".to_owned(),
        Fault::MemberMissing => "[teams.acid]".to_owned(),
        Fault::MemberNull => "[teams]\nacid = \"\"".to_owned(),
        Fault::NotFound => format!("[teams]\nbase = {names}"),
        Fault::NotJson => "[teams".to_owned(),
        // A TOML string is a JSON string, but for one escape.
        _ => format!("[teams]\nacid = {names}"),
    })
}

fn yaml_file(fault: Fault) -> Option<String> {
    let names = json!(people(fault)).to_string();
    Some(match fault {
        Fault::BodyTooLarge => format!("# {}\nteams:\n  acid: {names}", "x".repeat(8 * MIB)),
        Fault::Cut => "teams:\n  acid: [\"alice\", \"bob\",".to_owned(),
        Fault::Down => return None,
        Fault::DuplicateJsonMembers => {
            format!("teams:\n  acid: [\"alice\"]\n  acid: {names}")
        }
        Fault::DuplicateMembers => format!("teams:\n  acid: {}", json!([TRUTH, TRUTH].concat())),
        Fault::EmptyArray => "[]".to_owned(),
        Fault::EmptyObject => "{}".to_owned(),
        Fault::Html => "<h1>Log in</h1>".to_owned(),
        Fault::MemberMissing => "teams:\n  acid: {}".to_owned(),
        Fault::MemberNull => "teams:\n  acid:\n".to_owned(),
        Fault::NotFound => format!("teams:\n  base: {names}"),
        Fault::NotJson => "teams: [".to_owned(),
        _ => format!("teams:\n  acid: {names}"),
    })
}

fn scim(stage: Stage, fault: Fault, people: &[String], asked: &Asked) -> Reply {
    let groups = asked.path().starts_with("/Groups");
    let fault = if groups == (stage == Stage::Groups) { fault } else { Fault::None };
    let users = || people.iter().enumerate();
    let right = if groups {
        let mut members: Vec<Value> = users().map(|(n, _)| json!({"value": id(n)})).collect();
        if fault == Fault::DuplicateMembers {
            members.extend(members.clone());
        }
        let name = if fault == Fault::WrongTeam { "base" } else { "ACID" };
        let mut group = json!({"id": "g1", "displayName": name, "members": members});
        match fault {
            Fault::MemberMissing => drop(group.as_object_mut().unwrap().remove("members")),
            Fault::MemberNull => group["members"] = Value::Null,
            _ => {}
        }
        if asked.path() == "/Groups/g1" {
            group
        } else {
            let total = if fault == Fault::PageTwoFails { 2 } else { 1 };
            json!({"totalResults": total, "Resources": [group]})
        }
    } else if let Some(wanted) = asked.path().strip_prefix("/Users/") {
        let (n, name) = users().find(|(n, _)| id(*n) == wanted).unwrap();
        match (fault, n) {
            (Fault::PageTwoFails, 1) => return over_http(Fault::Broken).unwrap(),
            (Fault::MemberMissing, 1) => return over_http(Fault::NotFound).unwrap(),
            (Fault::MemberNull, 1) => json!({"id": wanted, "userName": null}),
            (Fault::WrongTeam, 1) => json!({"id": "u77", "userName": name}),
            _ => json!({"id": wanted, "userName": name, "active": true}),
        }
    } else {
        match page(stage, fault, people, asked) {
            Ok(page) => page,
            Err(reply) => return reply,
        }
    };
    over_http(fault)
        .or_else(|| of_body(fault, &right, 8 * MIB))
        .unwrap_or_else(|| Reply::scim(&right))
}

fn id(number: usize) -> String {
    format!("u{number}")
}

/// Two users at a time.
fn page(stage: Stage, fault: Fault, people: &[String], asked: &Asked) -> Result<Value, Reply> {
    let by_cursor = stage == Stage::UsersByCursor;
    let start: usize = if by_cursor {
        asked.query("cursor").unwrap().parse().unwrap_or(0)
    } else {
        asked.query("startIndex").map_or(0, |text| text.parse::<usize>().unwrap() - 1)
    };
    let mut users: Vec<Value> =
        people.iter().enumerate().map(|(n, name)| json!({"id": id(n), "userName": name})).collect();
    let mut total = users.len();
    let mut from = start;
    match fault {
        Fault::DuplicateMembers => users[1] = users[0].clone(),
        Fault::MemberMissing => {
            users.pop();
            total -= 1;
        }
        Fault::MemberNull => users[1]["userName"] = Value::Null,
        Fault::PageRepeats => from = 0,
        Fault::PageTwoFails if start > 0 => return Err(over_http(Fault::Broken).unwrap()),
        Fault::TotalChanges if start > 0 => total += 1,
        _ => {}
    }
    let resources: Vec<Value> = users.iter().skip(from).take(2).cloned().collect();
    let mut page = json!({"totalResults": total, "Resources": resources});
    if by_cursor {
        if start + 2 < users.len() {
            page["nextCursor"] = json!((start + 2).to_string());
        }
    } else {
        page["startIndex"] = json!(start + 1);
    }
    Ok(page)
}
