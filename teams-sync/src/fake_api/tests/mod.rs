//! The fake, asked by plain HTTP.

use std::future::pending;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::{FakeApi, FakeApiArguments, FakeApiOptions, Fault, run};

struct Fake {
    api: FakeApi,
    address: String,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Fake {
    async fn start(options: FakeApiOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let api = FakeApi::new(options).unwrap();
        let serving = tokio::spawn({
            let api = api.clone();
            async move { api.serve(listener, pending()).await }
        });
        Self { api, address, serving }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        (status, answer)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, answer) = self.ask("GET", path, "", "").await;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn change(&self, method: &str, path: &str, body: &str) -> u16 {
        self.ask(method, path, "", body).await.0
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn teams() -> FakeApiOptions {
    let members = ["alice", "bob"].map(str::to_owned).to_vec();
    FakeApiOptions { teams: [("acid".to_owned(), members)].into(), ..Default::default() }
}

#[tokio::test]
async fn without_teams_every_team_exists_and_stays_the_same() {
    let fake = Fake::start(FakeApiOptions::default()).await;
    let (status, first) = fake.get("/teams/acid").await;
    assert_eq!((status, &first["id"]), (200, &json!("acid")));
    let members = first["member"].as_array().unwrap();
    let unique: std::collections::BTreeSet<_> = members.iter().map(Value::to_string).collect();
    assert_eq!((members.len(), unique.len()), (10, 10));
    assert_eq!(fake.get("/teams/acid").await.1, first);
    assert_ne!(fake.get("/teams/base").await.1["member"], first["member"]);
    assert_eq!(fake.get("/teams/a%2Fb").await.1["id"], json!("a/b"));
}

#[tokio::test]
async fn with_teams_no_others_exist() {
    let fake = Fake::start(teams()).await;
    assert_eq!(fake.get("/teams/acid").await.1["member"], json!(["alice", "bob"]));
    assert_eq!(fake.get("/teams/base").await.0, 404);
    for path in ["/", "/teams", "/teams/", "/teams/a/b", "/x", "/%ff"] {
        assert!(matches!(fake.get(path).await.0, 400 | 404), "{path}");
    }
    assert_eq!(fake.change("POST", "/teams/acid", "").await, 404);
}

#[tokio::test]
async fn a_file_of_teams_is_read_anew() {
    let path = std::env::temp_dir().join(format!("fake-api-{}.yaml", std::process::id()));
    std::fs::write(&path, "teams: {acid: [alice]}").unwrap();
    let options = FakeApiOptions { file: Some(path.clone()), ..Default::default() };
    let fake = Fake::start(options).await;
    assert_eq!(fake.get("/teams/acid").await.1["member"], json!(["alice"]));
    std::fs::write(&path, "teams: {acid: [bob]}").unwrap();
    assert_eq!(fake.get("/teams/acid").await.1["member"], json!(["bob"]));
    assert_eq!(fake.get("/teams/base").await.0, 404);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(fake.get("/teams/acid").await.0, 500);
}

#[tokio::test]
async fn teams_change_while_it_runs() {
    let fake = Fake::start(teams()).await;
    assert_eq!(fake.change("PUT", "/control/teams/acid", "[\"carol\"]").await, 200);
    assert_eq!(fake.get("/teams/acid").await.1["member"], json!(["carol"]));
    assert_eq!(fake.change("PUT", "/control/teams/a%2Fb", "[]").await, 200);
    assert_eq!(fake.get("/teams/a%2Fb").await.1["member"], json!([]));
    assert_eq!(fake.change("DELETE", "/control/teams/acid", "").await, 200);
    assert_eq!(fake.get("/teams/acid").await.0, 404);
    for wrong in ["", "carol", "{}", "[7]", "[\"carol\""] {
        assert_eq!(fake.change("PUT", "/control/teams/acid", wrong).await, 400, "{wrong}");
    }
    assert_eq!(fake.get("/teams/acid").await.0, 404);
    assert_eq!(fake.change("PUT", "/control/teams", "[]").await, 404);
    assert_eq!(fake.change("PUT", "/control/teams/acid", &"x".repeat(1024 * 1024 + 1)).await, 413);
}

#[tokio::test]
async fn faults_change_while_it_runs() {
    let fake = Fake::start(teams()).await;
    assert_eq!(fake.change("PUT", "/control/faults/*", "500\n").await, 200);
    assert_eq!(fake.get("/teams/acid").await.0, 500);
    assert_eq!(fake.change("PUT", "/control/faults/acid", "empty-object").await, 200);
    assert_eq!(fake.get("/teams/acid").await, (200, json!({})));
    assert_eq!(fake.get("/teams/base").await.0, 500);
    assert_eq!(fake.change("DELETE", "/control/faults/acid", "").await, 200);
    assert_eq!(fake.get("/teams/acid").await.0, 500);
    assert_eq!(fake.change("DELETE", "/control/faults/*", "").await, 200);
    assert_eq!(fake.get("/teams/acid").await.0, 200);
    assert_eq!(fake.change("PUT", "/control/faults/acid", "sideways").await, 400);
}

#[tokio::test]
async fn every_fault_is_what_its_name_says() {
    let fake = Fake::start(teams()).await;
    for fault in Fault::all() {
        fake.api.set_fault("acid", fault);
        if matches!(fault, Fault::Slow(_)) {
            continue;
        }
        let (status, answer) = fake.ask("GET", "/teams/acid", "", "").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
        let value: Result<Value, _> = serde_json::from_str(body);
        let member = value.as_ref().ok().and_then(|it| it["member"].as_array().cloned());
        let count = member.map(|it| it.len());
        let is = |wanted| status == 200 && count == Some(wanted);
        let right = match fault {
            Fault::CaseTwins => is(3) && body.contains("ALICE"),
            Fault::Cut => status == 200 && body.len() < length.unwrap().parse().unwrap(),
            Fault::Down => answer.is_empty(),
            Fault::Duplicates => is(4),
            Fault::EmptyArray => body == "[]",
            Fault::EmptyObject => body == "{}",
            Fault::HostileNames => is(13) && body.contains("SUPERUSER"),
            Fault::Html => status == 200 && head.contains("text/html"),
            Fault::Huge => status == 200 && body.len() > 1024 * 1024,
            Fault::NoMember => status == 200 && value.unwrap()["id"] == "acid" && count.is_none(),
            Fault::NotJson => status == 200 && value.is_err() && head.contains("application/json"),
            Fault::Slow(_) => false,
            Fault::Status(429) => status == 429 && head.contains("retry-after: 1"),
            Fault::Status(code) => status == code && body.contains("error"),
            Fault::WrongTeam => value.unwrap()["id"] == "not-acid",
        };
        assert!(right, "{fault}: {answer}");
    }
}

#[tokio::test]
async fn a_slow_answer_comes_late_and_right() {
    let fake = Fake::start(teams()).await;
    fake.api.set_fault("acid", "slow:0.2".parse().unwrap());
    let begun = std::time::Instant::now();
    assert_eq!(fake.get("/teams/acid").await.1["member"], json!(["alice", "bob"]));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_token_can_be_required() {
    let token = Some(Zeroizing::new("s3cret".to_owned()));
    let options = FakeApiOptions { token, ..teams() };
    assert!(!format!("{options:?}").contains("s3cret"));
    let fake = Fake::start(options).await;
    assert!(!format!("{:?}", fake.api).contains("s3cret"));
    let mut statuses = Vec::new();
    for headers in ["", "Authorization: Bearer wrong\r\n", "Authorization: Bearer s3cret\r\n"] {
        statuses.push(fake.ask("GET", "/teams/acid", headers, "").await.0);
    }
    assert_eq!(statuses, [401, 401, 200]);
}

#[tokio::test]
async fn an_answer_that_did_not_change_is_304() {
    let fake = Fake::start(teams()).await;
    let (_, answer) = fake.ask("GET", "/teams/acid", "", "").await;
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let known = format!("If-None-Match: {tag}\r\n");
    assert_eq!(fake.ask("GET", "/teams/acid", &known, "").await.0, 304);
    fake.api.set_team("acid", vec!["alice".to_owned()]);
    assert_eq!(fake.ask("GET", "/teams/acid", &known, "").await.0, 200);
}

#[tokio::test]
async fn requests_are_counted_by_team() {
    let fake = Fake::start(teams()).await;
    for path in ["/teams/acid", "/teams/base", "/teams/acid"] {
        fake.get(path).await;
    }
    assert_eq!(fake.get("/control/requests").await, (200, json!({"acid": 2, "base": 1})));
}

#[tokio::test]
async fn others_reach_it_only_where_that_is_allowed() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let fault = super::serve(listener, teams(), pending()).await.unwrap_err();
    assert!(fault.to_string().contains("--allow-remote"), "{fault}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let options = FakeApiOptions { allow_remote: true, ..teams() };
    super::serve(listener, options, async {}).await.unwrap();
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    fake: FakeApiArguments,
}

fn parse(arguments: &[&str]) -> Result<FakeApiArguments, clap::Error> {
    let line = Line::try_parse_from([&["fake-api"], arguments].concat());
    line.map(|line| line.fake)
}

#[test]
fn the_command_line_says_teams_and_faults() {
    let line = ["--team", "acid=alice,bob", "--team", "base=", "--fault", "*=slow:3"];
    let options = parse(&line).unwrap().options();
    assert_eq!(
        options.teams,
        [("acid", vec!["alice", "bob"]), ("base", vec![])]
            .map(|(team, names)| (team.to_owned(), names.into_iter().map(str::to_owned).collect()))
            .into()
    );
    assert_eq!(options.faults, [("*".to_owned(), Fault::Slow(Duration::from_secs(3)))].into());
    assert_eq!(parse(&[]).unwrap().listen.to_string(), "127.0.0.1:8080");
    for wrong in [["--team", "acid"], ["--team", "=alice"], ["--fault", "acid=sideways"]] {
        assert!(parse(&wrong).is_err(), "{wrong:?}");
    }
    let help = parse(&["--help"]).err().unwrap().to_string();
    assert!(help.contains("Examples:") && help.contains("slow:SECONDS"), "{help}");
}

#[test]
fn faults_have_names_that_read_back() {
    for fault in Fault::all() {
        assert_eq!(fault.to_string().parse(), Ok(fault));
    }
    let short = Fault::Slow(Duration::from_millis(1500));
    assert_eq!(short.to_string(), "slow:1.5");
    assert_eq!("slow:1.5".parse(), Ok(short));
    for wrong in ["slow:", "slow:-1", "slow:nan", "slow:3601", "slow:1e99", "", "Down"] {
        assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn it_says_where_it_listens() {
    let arguments = parse(&["--listen", "127.0.0.1:0"]).unwrap();
    let mut out = Vec::new();
    run(&arguments, &mut out, async {}).await.unwrap();
    let said = String::from_utf8(out).unwrap();
    let port = said.strip_prefix("listening on http://127.0.0.1:").unwrap();
    assert_ne!(port.trim_end().parse::<u16>().unwrap(), 0);
}
