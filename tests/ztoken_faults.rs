//! What stands between a person and her token, in clear words and with an exit code: consent, clock,
//! network, a login that was taken back, a provider that is not who it says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::certificates::Authority;
use harness::http_server::{HttpServer, Request};
use harness::sandbox::with_clock_off_by;
use harness::teams_sync::Output;
use harness::ztoken::profile;
use harness::{OpenidProvider, Ztoken, wire};
use serde_json::{Value, json};

use crate::ztoken::{NEARLY_OVER, logged_in, token_of};

/// Ended with this code, printed nothing, and said all of this.
#[track_caller]
pub(crate) fn assert_told(output: &Output, code: i32, words: &[&str]) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is not in {output:?}");
    }
    assert!(output.stderr.starts_with("ztoken: "), "{output:?}");
}

#[test]
fn who_does_not_consent_gets_no_token_and_hears_why() {
    let provider = OpenidProvider::start();
    let alice = Ztoken::of(&provider);
    provider.conduct(|conduct| conduct.consent = false);
    let output = alice.run(&["login"]);
    assert_told(&output, 2, &["access_denied", "the consent was denied", "run `ztoken login`"]);
    assert_eq!(alice.kept("prod"), None);
    provider.conduct(|conduct| conduct.consent = true);
    assert_eq!(alice.run(&["login"]).code, Some(0));
}

#[test]
fn a_device_that_says_no_ends_the_login() {
    let provider = OpenidProvider::start();
    let alice = Ztoken::of(&provider);
    let mut login = alice.spawn(&["login", "--device"]);
    let told = login.error_line().unwrap();
    let url = told.split_whitespace().find(|word| word.contains("user_code=")).unwrap();
    provider.visit(url.trim_end_matches(';'), false);
    let output = login.wait();
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("the consent was denied"), "{output:?}");
}

#[test]
fn a_login_that_was_taken_back_is_forgotten_and_begins_anew() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    alice.age("prod", NEARLY_OVER);
    provider.revoke_all();
    let output = alice.run(&[]);
    assert_told(&output, 2, &["invalid_grant", "the login is over", "ztoken -n prod login"]);
    assert_eq!(alice.kept("prod"), None);
    let output = alice.shell("script -qefc 'ztoken > token' terminal && cat token");
    assert_eq!(output.code, Some(0), "{output:?}");

    // Somebody else logs in next, who gets no refresh token: then there is none.
    alice.age("prod", NEARLY_OVER);
    provider.revoke_all();
    provider.conduct(|conduct| {
        conduct.user = "bob".to_owned();
        conduct.refresh = false;
    });
    let output = alice.shell("script -qefc 'ztoken > token' terminal && ztoken whoami");
    assert!(output.stdout.contains("user     bob"), "{output:?}");
    assert!(output.stdout.contains("renewed  by a new login"), "{output:?}");
}

#[test]
fn a_provider_with_another_name_is_not_believed() {
    let provider = OpenidProvider::start();
    let alice = Ztoken::of(&provider);
    // By one character.
    let configuration = profile(&provider, "").replacen("\"\nclient_id", "/\"\nclient_id", 1);
    alice.configure(&configuration);
    assert_told(&alice.run(&["login"]), 1, &["byte for byte", "change `issuer`"]);
    assert_eq!(provider.asked("GET /auth"), 0);
}

#[test]
fn a_provider_that_is_slow_or_away_leaves_people_the_token_that_they_have() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    alice.configure(&profile(&provider, "timeout = \"1s\""));
    alice.age("prod", NEARLY_OVER);
    provider.conduct(|conduct| conduct.delay = Duration::from_secs(20));
    let output = alice.run(&[]);
    let token = token_of(&output);
    assert_eq!(token, alice.kept_secret("prod", "access_token"));
    assert!(output.stderr.contains("no whole answer within 1 s"), "{output:?}");
    assert!(output.stderr.contains("the present token still lasts"), "{output:?}");
    assert!(output.elapsed < Duration::from_secs(10), "{output:?}");

    let issuer = provider.issuer().to_owned();
    drop(provider);
    let output = alice.run(&[]);
    assert_eq!(token_of(&output), token);
    assert!(output.stderr.contains("cannot be reached"), "{output:?}");
    // Once it is over, there is nothing that would do.
    let mut later = alice;
    later.within(&with_clock_off_by(300).each_ref().map(String::as_str));
    assert_told(&later.run(&[]), 3, &[&issuer, "cannot be reached", "is this machine online"]);
}

#[test]
fn a_clock_that_is_wrong_is_named() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    // With half a minute for a machine that is busy.
    alice.within(&with_clock_off_by(-3630).each_ref().map(String::as_str));
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let told = ["the clock of this machine is 60 minutes behind", "timedatectl set-ntp true"];
    assert!(told.iter().all(|words| output.stderr.contains(words)), "{output:?}");
    // What lasts an hour by a clock that was an hour behind is over when it is right again; but one
    // that goes back makes nothing last longer.
    alice.within(&with_clock_off_by(-7230).each_ref().map(String::as_str));
    let output = alice.run(&[]);
    assert!(output.stderr.contains("2 hours behind"), "{output:?}");
    token_of(&output);
    assert_eq!(provider.asked("POST /token"), 2);

    alice.within(&with_clock_off_by(3600).each_ref().map(String::as_str));
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("60 minutes ahead of"), "{output:?}");
    token_of(&alice.run(&[]));
    assert_eq!(provider.asked("POST /token"), 3);

    let authority = Authority::new();
    let provider = OpenidProvider::encrypted(&authority.issue(&["localhost"], |it| {
        it.not_before = rcgen::date_time_ymd(2020, 1, 1);
    }));
    alice.file(".config/ztoken/ca.pem", &authority.pem());
    alice.configure(&profile(&provider, "ca_file = \"ca.pem\""));
    alice.within(&with_clock_off_by(-20 * 365 * 86400).each_ref().map(String::as_str));
    assert_told(&alice.run(&["login"]), 1, &["is the clock right?", "timedatectl"]);
}

#[test]
fn whoever_comes_back_from_elsewhere_brings_no_token() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.set("BROWSER", "true");
    let mut login = alice.spawn(&["login"]);
    login.wait_for("redirect_uri=");
    let (port, state) = invitation(&login.stderr());
    let visit = |query: &str| {
        let mut browser = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(browser, "GET /?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut page = String::new();
        browser.read_to_string(&mut page).unwrap();
        page
    };
    assert!(visit("code=c&state=guessed").starts_with("HTTP/1.1 400 "));
    // Another user of this machine may know the state: it is in the list of processes.
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /?code=c&state={state} HTTP/1.1\\r\\n\\r\\n' >&3; \
         cat <&3"
    );
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups bash -c";
    let page = alice.shell(&format!("{nobody} \"{script}\""));
    assert!(page.stdout.starts_with("HTTP/1.1 403 "), "{page:?}");
    // It waits on, for one that knows the state; and that one names another issuer (RFC 9207).
    let page = visit(&format!("code=c&state={state}&iss=https%3A%2F%2Fevil.example"));
    assert!(page.contains("The login failed"), "{page}");
    let output = login.wait();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("came back from \"https://evil.example\""), "{output:?}");
    assert_eq!(provider.asked("POST /token"), 0);
}

#[test]
fn a_login_that_is_interrupted_leaves_nothing_and_holds_nobody_up() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.set("BROWSER", "true");
    let mut login = alice.spawn(&["login"]);
    login.wait_for("redirect_uri=");
    let (port, _) = invitation(&login.stderr());
    login.signal(libc::SIGINT);
    let output = login.wait();
    // By the signal itself, so that a script of a shell ends as well.
    assert_eq!((output.code, output.stdout.as_str()), (None, ""), "{output:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert_eq!(alice.kept("prod"), None);
    alice.set("BROWSER", &provider.browser());
    assert_eq!(alice.run(&["login"]).code, Some(0));
}

#[test]
fn nobody_is_waited_for_longer_than_the_profile_says() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.set("BROWSER", "false");
    alice.configure(&profile(&provider, "login_timeout = \"1s\""));
    assert_told(&alice.run(&["login"]), 2, &["nobody came back", "--device"]);
}

/// Port and state of the URL that was printed.
fn invitation(told: &str) -> (u16, String) {
    let value = |name: &str, end: &[char]| {
        let (_, rest) = told.split_once(name).unwrap();
        rest.split(end).next().unwrap().to_owned()
    };
    let port = value("redirect_uri=http%3A%2F%2F127.0.0.1%3A", &['&', '\n', '%']);
    (port.parse().unwrap(), value("&state=", &['&']))
}

/// A provider that answers as a test likes, and describes itself well.
pub(crate) struct Scripted {
    pub(crate) server: HttpServer,
    answers: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Scripted {
    /// Whose token endpoint gives these answers in turn, status and body, and then the last for ever.
    pub(crate) fn answering(answers: &[(&'static str, Value)]) -> Self {
        let answers = answers.iter().map(|(status, body)| (*status, body.to_string())).collect();
        Self::raw(answers)
    }

    fn raw(answers: Vec<(&'static str, String)>) -> Self {
        let answers = Arc::new(Mutex::new(answers));
        let own = Arc::clone(&answers);
        let server = HttpServer::start(None, move |connection, request| {
            let (status, body) = answer(&own, request);
            connection.write_all(&wire::http_answer(status, body.as_bytes()))
        });
        Self { server, answers }
    }

    /// From now on.
    pub(crate) fn answer(&self, status: &'static str, body: impl Into<String>) {
        *self.answers.lock().unwrap() = vec![(status, body.into())];
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}/tenant", self.server.origin("127.0.0.1"))
    }

    /// Of a robot that becomes somebody by its service account.
    pub(crate) fn pod(&self) -> Ztoken {
        let pod = Ztoken::new(&format!(
            "[profile.prod]\nflow = \"kubernetes\"\ntoken_file = \"token\"\nexchange = \"jwt_bearer\"\n\
             issuer = \"{}\"\nscopes = [\"db\"]\n",
            self.issuer()
        ));
        pod.file(".config/ztoken/token", ASSERTION);
        pod
    }

    fn person(&self) -> Ztoken {
        self.patient(60)
    }

    /// A person who has so many seconds for a login.
    fn patient(&self, seconds: u32) -> Ztoken {
        Ztoken::new(&format!(
            "[profile.prod]\nissuer = \"{}\"\nclient_id = \"ztoken\"\nflow = \"device\"\n\
             login_timeout = \"{seconds}s\"\n",
            self.issuer()
        ))
    }

    pub(crate) fn asked(&self) -> usize {
        self.server.count(|request| request.path().ends_with("/token"))
    }
}

const ASSERTION: &str = "assertion-of-a-pod-0123456789abcdefghijklmnop";

fn answer(
    answers: &Mutex<Vec<(&'static str, String)>>,
    request: &Request,
) -> (&'static str, String) {
    let origin = format!("http://{}", request.header("host").unwrap_or_default());
    let endpoint = |path: &str| format!("{origin}/tenant/{path}");
    match request.path() {
        // Only RFC 8414 is spoken here: the path of the issuer comes last.
        "/.well-known/oauth-authorization-server/tenant" => {
            let document = json!({
                "device_authorization_endpoint": endpoint("device"),
                "issuer": format!("{origin}/tenant"),
                "token_endpoint": endpoint("token"),
            });
            ("200 OK", document.to_string())
        }
        "/tenant/device" => {
            let device = json!({
                "device_code": "device-code-0123456789abcdefghijklmnop", "expires_in": 60,
                "interval": 0, "user_code": "ABCD", "verification_uri": endpoint("activate"),
            });
            ("200 OK", device.to_string())
        }
        "/tenant/token" => {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }
        _ => ("404 Not Found", "{}".to_owned()),
    }
}

pub(crate) fn good(token: &str) -> Value {
    json!({ "access_token": token, "expires_in": 3600, "token_type": "Bearer" })
}

#[test]
fn a_service_account_is_exchanged_at_a_provider_that_speaks_rfc_8414_and_rfc_7523() {
    let provider = Scripted::answering(&[("200 OK", good("exchanged"))]);
    let pod = provider.pod();
    assert_eq!(token_of(&pod.run(&[])), "exchanged");
    assert_eq!(token_of(&pod.run(&[])), "exchanged");
    let requests = provider.server.requests();
    let [exchange] = requests.iter().filter(|it| it.method() == "POST").collect::<Vec<_>>()[..]
    else {
        panic!("{requests:?}")
    };
    assert_eq!(exchange.form("assertion").as_deref(), Some(ASSERTION));
    let grant = exchange.form("grant_type");
    assert_eq!(grant.as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    assert_eq!(exchange.form("scope").as_deref(), Some("db"));
}

#[test]
fn a_device_is_waited_for_as_the_provider_wants_and_hears_the_end() {
    let pending = |code: &str| ("400 Bad Request", json!({ "error": code }));
    let provider = Scripted::answering(&[
        pending("authorization_pending"),
        // Not an answer, but no end either.
        ("503 Service Unavailable", json!({})),
        pending("authorization_pending"),
        ("200 OK", good("granted")),
    ]);
    let alice = provider.person();
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("enter ABCD there"), "{output:?}");
    assert_eq!(provider.asked(), 4);

    provider.answer("400 Bad Request", r#"{"error":"expired_token"}"#);
    assert_told(&alice.run(&["login"]), 2, &["the code was not entered in time"]);
    provider.answer("400 Bad Request", r#"{"error":"access_denied"}"#);
    assert_told(&alice.run(&["login"]), 2, &["the consent was denied"]);
    // Trouble of another kind is not called that, and no waiting helps where a setting is wrong.
    provider.answer("302 Found\r\nLocation: http://127.0.0.1:1/", "");
    let output = alice.run(&["login"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("is not followed"), "{output:?}");
    provider.answer("503 Service Unavailable", "");
    let patient = provider.patient(2);
    let output = patient.run(&["login"]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("a fault of its own"), "{output:?}");
    // Five seconds more from then on (RFC 8628 section 3.5).
    *provider.answers.lock().unwrap() = vec![
        ("400 Bad Request", r#"{"error":"slow_down"}"#.to_owned()),
        ("200 OK", good("granted").to_string()),
    ];
    let output = alice.run(&["login"]);
    assert!(output.elapsed >= Duration::from_secs(5), "{output:?}");
}

#[test]
fn an_answer_that_cannot_be_used_is_called_that_and_not_repeated() {
    let provider = Scripted::answering(&[("200 OK", good("x"))]);
    let pod = provider.pod();
    let token = "never-to-be-seen-0123456789";
    let cases = [
        ("200 OK", format!("<html>{token}"), 3, "it does not describe an access token"),
        (
            "200 OK",
            json!({ "token": token }).to_string(),
            3,
            "it does not describe an access token",
        ),
        ("200 OK", good(&format!("{token}\nsecond line")).to_string(), 3, "that no token has"),
        ("200 OK", good(&format!("{token}\u{1b}[2J")).to_string(), 3, "that no token has"),
        ("200 OK", good(&"x".repeat(20_000)).to_string(), 3, "which no server takes"),
        ("200 OK", "x".repeat(2_000_000), 3, "is larger than"),
        ("500 Internal Server Error", token.to_owned(), 3, "a fault of its own"),
        ("429 Too Many Requests", token.to_owned(), 3, "try again later"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", token.to_owned(), 1, "is not followed"),
        ("401 Unauthorized", json!({ "error": "invalid_client" }).to_string(), 1, "`client_id`"),
        ("400 Bad Request", json!({ "error": "invalid_scope" }).to_string(), 1, "one of `scopes`"),
        ("400 Bad Request", json!({ "error": "unauthorized_client" }).to_string(), 1, "`flow`"),
        ("400 Bad Request", token.to_owned(), 1, "registered as the profile says"),
        (
            "200 OK",
            json!({ "access_token": token, "token_type": "mac" }).to_string(),
            3,
            "no bearer token",
        ),
    ];
    for (status, body, code, words) in cases {
        provider.answer(status, body);
        let output = pod.run(&[]);
        assert_told(&output, code, &[words]);
        assert!(!output.stderr.contains(token), "{output:?}");
        assert_eq!(pod.kept("prod"), None);
    }
}

#[test]
fn what_a_provider_says_can_neither_steer_a_terminal_nor_repeat_a_secret() {
    let provider = Scripted::answering(&[("200 OK", good("x"))]);
    let pod = provider.pod();
    let said =
        |text: &str| json!({ "error": "invalid_grant", "error_description": text }).to_string();
    provider.answer("400 Bad Request", said("no\u{1b}[2J\nztoken: all is well"));
    let output = pod.run(&[]);
    assert_told(&output, 2, &[r"no\u{1b}[2J\nztoken: all is well"]);
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    provider.answer("400 Bad Request", said(&format!("{ASSERTION} is over")));
    assert_told(&pod.run(&[]), 2, &["[withheld: it repeats a secret]"]);
    assert!(!pod.run(&[]).stderr.contains(&ASSERTION[..8]));
}

#[test]
fn a_revocation_that_fails_deletes_what_is_kept_and_says_so() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    drop(provider);
    assert_told(
        &alice.run(&["logout"]),
        3,
        &["is deleted", "may still honour", "cannot be reached"],
    );
    assert_eq!(alice.kept("prod"), None);
}
