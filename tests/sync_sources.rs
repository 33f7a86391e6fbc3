//! What happens when a directory is down, slow, or answers nonsense: its teams stay as they are.

use std::time::Duration;

use harness::teams_sync::Running;
use harness::{Company, Server, TeamsSync, Version};

const API: &str = r#"
[source.teams_api]
url = "URL"
token_file = "token"
[humans]
admin_role = "admin"
superuser_teams = ["dba"]
"#;

/// A Teams API that misbehaves on demand.
struct Api {
    running: Running,
    url: String,
    _folder: TeamsSync,
}

impl Api {
    fn start(teams: &[&str]) -> Self {
        let folder = TeamsSync::new("");
        let mut arguments = vec!["fake-api", "--listen", "127.0.0.1:0", "--require-token", "t0k3n"];
        for team in teams {
            arguments.extend(["--team", team]);
        }
        let mut running = folder.spawn(&arguments);
        let line = running.line().unwrap();
        let url = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { running, url, _folder: folder }
    }

    fn put(&self, path: &str, body: &str) {
        let answer = harness::wire::http_request(&self.url, "PUT", path, body);
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    fn delete(&self, path: &str) {
        let answer = harness::wire::http_request(&self.url, "DELETE", path, "");
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

fn company(api: &Api, servers: &[(&str, &str)]) -> Company {
    let company = Company::with(&API.replace("URL", &api.url), servers);
    company.sync.file("token", "t0k3n\n");
    company
}

#[test]
fn whatever_a_teams_api_answers_nobody_of_a_team_without_a_whole_answer_loses_anything() {
    let server = Server::start(Version::V15);
    let api = Api::start(&["acid=alice,bob", "dba=carol"]);
    let company = company(&api, &[("orders", &server.dsn("postgres"))]);
    let said = company.applies();
    assert!(said.contains("warning: "), "http:// is told: {said}");
    let everything = |company: &Company, code: i32| {
        let said = company.ends(&["apply"], code);
        assert_eq!(server.people(), "alice,bob,carol", "{said}");
        assert_eq!(server.attributes("carol"), "LOGIN SUPERUSER", "{said}");
        assert_eq!(server.memberships("bob"), "admin,teams_sync_managed,users", "{said}");
        said
    };
    // These are not asked again at once.
    for fault in [
        "401",
        "404",
        "html",
        "empty-object",
        "empty-array",
        "no-member",
        "wrong-team",
        "not-json",
        "huge",
    ] {
        api.put("/control/faults/*", fault);
        let said = everything(&company, 5);
        assert!(said.contains("gave no answer, so its people stay as they are"), "{fault}: {said}");
        assert!(!said.contains("t0k3n"), "{fault}: {said}");
    }
    api.delete("/control/faults/*");
    // One team without an answer holds up nobody else.
    api.put("/control/faults/dba", "401");
    api.put("/control/teams/acid", r#"["alice", "eve"]"#);
    let said = company.ends(&["apply"], 5);
    assert_eq!(server.people(), "alice,carol,eve", "{said}");
    api.delete("/control/faults/dba");
    // Names that cannot be roles are theirs alone.
    api.put("/control/faults/acid", "hostile-names");
    let said = company.ends(&["apply"], 3);
    assert!(server.people().contains("alice"), "{said}");
}

#[test]
fn an_apply_ends_within_a_minute_when_nothing_answers() {
    let api = Api::start(&["acid=alice", "dba=carol"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("host=127.0.0.1 port={} user=postgres", silent.local_addr().unwrap().port());
    let servers: Vec<(String, &str)> =
        (0..400).map(|number| (format!("s{number}"), dsn.as_str())).collect();
    let servers: Vec<(&str, &str)> =
        servers.iter().map(|(name, dsn)| (name.as_str(), *dsn)).collect();
    let company = company(&api, &servers);
    api.put("/control/faults/*", "slow:3600");
    let output = company.run(&["apply"]);
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.elapsed < Duration::from_secs(60), "{:?}", output.elapsed);
    assert!(api.running.stdout().contains("listening"));
}

#[test]
fn a_new_member_is_asked_for_once_for_all_servers() {
    let server = Server::start(Version::V15);
    let api = Api::start(&["acid=alice", "dba=carol"]);
    let dsn = server.dsn("postgres");
    let names = ["a", "b", "c", "d", "e"].map(|name| (name, dsn.as_str()));
    let company = company(&api, &names);
    company.applies();
    let asked = harness::wire::http_request(&api.url, "GET", "/control/requests", "");
    let counts = asked.rsplit("\r\n\r\n").next().unwrap();
    let counts: serde_json::Value = serde_json::from_str(counts.trim()).unwrap();
    assert_eq!(counts, serde_json::json!({ "acid": 1, "dba": 1 }));
    // Another token is read when it is there.
    company.sync.file("token", "wrong");
    let said = company.ends(&["plan"], 5);
    assert!(said.contains("401"), "{said}");
}
