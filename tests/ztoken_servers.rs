//! `PGPASSWORD=$(ztoken) psql` at servers that ask the token service, where each thing that can stand
//! between a person and her token does: a server gets a good token, or none at all.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use harness::http_server::{HttpServer, Request};
use harness::teams_sync::Output;
use harness::{World, Ztoken, wire};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ztoken::NEARLY_OVER;
use crate::ztoken_faults::assert_told;

/// A provider that gives the tokens of the token service, and what it does from now on.
struct Conduct {
    status: String,
    body: Value,
    issuer: Option<String>,
    /// Before an answer of the token endpoint.
    delay: Duration,
}

struct Company {
    world: World,
    provider: HttpServer,
    conduct: Arc<Mutex<Conduct>>,
    alice: Ztoken,
}

fn answer(conduct: &Mutex<Conduct>, request: &Request) -> (String, Value) {
    let own = format!("http://{}", request.header("host").unwrap_or_default());
    let good = "200 OK".to_owned();
    match request.path() {
        "/.well-known/openid-configuration" => {
            let issuer = conduct.lock().unwrap().issuer.clone();
            let document = json!({
                "issuer": issuer.unwrap_or_else(|| own.clone()), "token_endpoint": format!("{own}/token"),
                "device_authorization_endpoint": format!("{own}/device"),
            });
            (good, document)
        }
        "/device" => {
            let device = json!({
                "device_code": "device-code-0123456789abcdefghijklmnop", "expires_in": 60,
                "interval": 0, "user_code": "ABCD", "verification_uri": format!("{own}/activate"),
            });
            (good, device)
        }
        "/token" => {
            let Conduct { status, body, delay, .. } = &*conduct.lock().unwrap();
            let (status, body, delay) = (status.clone(), body.clone(), *delay);
            harness::eventually::pause(delay);
            (status, body)
        }
        _ => ("404 Not Found".to_owned(), json!({})),
    }
}

impl Company {
    fn new() -> Self {
        let conduct = Conduct {
            status: "200 OK".to_owned(),
            body: Value::Null,
            issuer: None,
            delay: Duration::ZERO,
        };
        let conduct = Arc::new(Mutex::new(conduct));
        let own = Arc::clone(&conduct);
        let provider = HttpServer::start(None, move |connection, request| {
            let (status, body) = answer(&own, request);
            connection.write_all(&wire::http_answer(&status, body.to_string().as_bytes()))
        });
        let world = World::plain();
        let mut alice = Ztoken::new(&format!(
            "[profile.prod]\nissuer = \"{}\"\nclient_id = \"ztoken\"\nflow = \"device\"\ntimeout = \"2s\"\n",
            provider.origin("127.0.0.1")
        ));
        alice.set("PGPORT", &world.postgres().port().to_string());
        Self { world, provider, conduct, alice }
    }

    fn conduct(&self, change: impl FnOnce(&mut Conduct)) {
        change(&mut self.conduct.lock().unwrap());
    }

    /// The next token is one that the servers' token service knows as hers.
    fn grants(&self) {
        let body = json!({
            "access_token": self.world.grant("alice"), "expires_in": 3600, "token_type": "Bearer",
            "refresh_token": "refresh-0123456789abcdefghijklmnop",
        });
        self.conduct(|conduct| (conduct.status, conduct.body) = ("200 OK".to_owned(), body));
    }

    fn refuses(&self, error: &str) {
        self.conduct(|conduct| {
            conduct.status = "400 Bad Request".to_owned();
            conduct.body = json!({ "error": error });
        });
    }

    fn psql(&self) -> Output {
        self.alice.shell(
            "PGPASSWORD=$(ztoken) psql -XAtqw 'host=127.0.0.1 user=alice dbname=strict sslmode=require' \
             -c 'select current_user'",
        )
    }

    #[track_caller]
    fn is_in(&self) -> Output {
        let output = self.psql();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "alice\n"), "{output:?}");
        output
    }

    /// Nobody shows the servers a token that is worth nothing.
    #[track_caller]
    fn has_none(&self, code: i32, words: &[&str]) {
        let before = self.world.service.requests().len();
        assert_told(&self.alice.run(&[]), code, words);
        let output = self.psql();
        assert_ne!(output.code, Some(0), "{output:?}");
        assert_eq!(self.world.service.requests().len(), before);
    }

    fn nearly_over(&self) {
        self.alice.age("prod", NEARLY_OVER);
    }

    fn asked(&self) -> usize {
        self.provider.count(|request| request.path() == "/token")
    }
}

#[test]
fn a_server_is_shown_a_good_token_or_none_whatever_stands_between_a_person_and_her_token() {
    let company = Company::new();
    company.refuses("access_denied");
    assert_told(&company.alice.run(&["login"]), 2, &["the consent was denied"]);
    company.has_none(2, &["nobody is logged in", "ztoken -n prod login"]);

    company.grants();
    let output = company.alice.run(&["login"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    company.is_in();

    // Two at once, and the provider is asked once.
    company.nearly_over();
    company.grants();
    let before = company.asked();
    thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| company.is_in()));
        both.into_iter().for_each(|one| drop(one.join().unwrap()));
    });
    assert_eq!(company.asked(), before + 1);

    // Slow: the present token does until then.
    company.nearly_over();
    company.conduct(|conduct| conduct.delay = Duration::from_secs(20));
    let output = company.is_in();
    assert!(output.stderr.contains("no whole answer within 2 s"), "{output:?}");
    company.conduct(|conduct| conduct.delay = Duration::ZERO);

    // By another clock, which is said, and is no reason to keep her out.
    let theirs = Timestamp::from_second(Timestamp::now().as_second() + 3630).unwrap();
    let date = theirs.strftime("%a, %d %b %Y %H:%M:%S GMT");
    company.grants();
    company.conduct(|conduct| conduct.status = format!("200 OK\r\nDate: {date}"));
    company.nearly_over();
    let output = company.is_in();
    assert!(output.stderr.contains("the clock of this machine is 60 minutes behind"), "{output:?}");

    // Another issuer than the one that she trusts.
    company.nearly_over();
    company.conduct(|conduct| conduct.issuer = Some("https://evil.example.com".to_owned()));
    company.has_none(1, &["https://evil.example.com", "byte for byte"]);
    company.conduct(|conduct| conduct.issuer = None);

    // Taken back.
    company.refuses("invalid_grant");
    company.has_none(2, &["ztoken -n prod login"]);
    company.grants();
    assert_eq!(company.alice.run(&["login"]).code, Some(0));
    company.is_in();
}
