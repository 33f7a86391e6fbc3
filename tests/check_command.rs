//! `pam-oauth2-check` says why, by the code of the module, and leaves everything as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use harness::identity_provider::now;
use harness::secrets::holds_part_of;
use harness::workdir::{changes, listing};
use harness::{Code, Route, World};
use mint::{Algorithm, Key};
use serde_json::{Value, json};

use crate::jwt::{Scene, line};

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The text of a step.
    #[track_caller]
    pub(crate) fn step(&self, name: &str) -> String {
        let document = self.json();
        let steps = document["steps"].as_array().unwrap();
        let found = steps.iter().find(|step| step["step"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {document}"))["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// Runs it as the user of the server, inside the sandbox.
pub(crate) fn check<'a>(
    world: &World,
    arguments: impl IntoIterator<Item = &'a str>,
    input: impl AsRef<[u8]>,
) -> Answer {
    let input = input.as_ref();
    let mut command = world.sandbox.command(world.sandbox.check());
    command.args(arguments);
    let Output { status, stdout, stderr } = run(&mut command, input);
    let token = input.strip_suffix(b"\n").unwrap_or(input);
    for text in [&stdout, &stderr] {
        let text_shown = String::from_utf8_lossy(text);
        assert!(!holds_part_of(text, token), "a part of the token is printed: {text_shown}");
    }
    Answer {
        code: status.code().expect("an exit code"),
        output: String::from_utf8(stdout).expect("text"),
        complaint: String::from_utf8(stderr).expect("text"),
    }
}

pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("pam-oauth2-check can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    // Whoever makes a mistake on the command line is told so before the token is read.
    let _closed = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// For alice, by the words of a line.
pub(crate) fn check_line(
    world: &World,
    options: &[&str],
    line: &str,
    token: impl AsRef<[u8]>,
) -> Answer {
    let arguments = ["--user", "alice"].into_iter().chain(options.iter().copied());
    check(world, arguments.chain(["--"]).chain(line.split_whitespace()), token)
}

#[test]
fn an_accepted_login_is_told_step_by_step() {
    let scene = Scene::new();
    let world = &scene.world;
    let jwt = scene.jwt().claim("exp", 4_102_444_800u64);
    let token = scene.sign(&jwt);
    world.secrets.add(token.as_bytes());
    let cache = world.sandbox.writable_folder("caches").join("one");
    let line = line(&scene.issuer, &format!("--cache-dir={}", cache.display()));
    world.strict(&line);
    let (key, _) = scene.issuer.key();
    for keys in ["issuer", "cache"] {
        let answer = check(world, ["--service", "strict", "--user", "alice"], &token);
        assert_eq!((answer.code, answer.complaint.as_str()), (0, ""), "{answer:?}");
        let wanted = [
            "2100-01-01T00:00:00Z",
            "ES256",
            key.kid().unwrap(),
            "accepted",
            &format!("keys={keys}"),
            " ms\n",
            "(PAM_SUCCESS)",
        ];
        for wanted in wanted {
            assert!(answer.output.contains(wanted), "{wanted}: {answer:?}");
        }
        let options = ["--service", "strict", "--user", "alice", "--json", "--remote-host", "::1"];
        let answer = check(world, options, &token);
        let document = answer.json();
        assert_eq!(document["accepted"], json!(true));
        assert_eq!((&document["code"], &document["code_name"]), (&json!(0), &json!("PAM_SUCCESS")));
        let conclusion = document["conclusion"].as_str().unwrap();
        assert!(conclusion.contains("rhost=::1 via=jwt"), "{conclusion}");
        assert!(document["ms"].as_f64().unwrap() > 0.0);
        for step in document["steps"].as_array().unwrap() {
            assert!(step["ms"].as_f64().unwrap() >= 0.0 && step["text"].is_string(), "{step}");
        }
        for name in ["rules", "token", "route", "key", "signature", "claims"] {
            answer.step(name);
        }
        assert!(answer.step("key").contains(key.kid().unwrap()), "{document}");
        assert!(answer.step("claims").contains("2100-01-01"), "{document}");
        // The next round finds what a login has left.
        scene.report(&token);
    }
    // A verdict comes from the cache as well.
    let words = format!("--allow-http --cache-dir={} --cache-ttl=60s", cache.display());
    world.strict(&world.rule(&words));
    let opaque = world.grant("alice");
    world.client("strict", "alice").token(&opaque).run(&["authenticate"]);
    let answer = check(world, ["--service", "strict", "--user", "alice", "--json"], &opaque);
    assert!(answer.step("verdict").contains("accepted"), "{answer:?}");
    assert_eq!(world.service.requests().len(), 1);
}

#[test]
fn a_refused_login_names_the_rule_that_failed() {
    let scene = Scene::new();
    let world = &scene.world;
    let line = line(&scene.issuer, "");
    let expired = scene.sign(&scene.jwt().issued(now() - 7200));
    let cases = [
        (expired, 7, "PAM_AUTH_ERR", "expired"),
        (scene.sign(&scene.jwt().claim("realm", "/customers")), 7, "PAM_AUTH_ERR", "/customers"),
        (scene.issuer.token("bob"), 7, "PAM_AUTH_ERR", "somebody else's"),
        (scene.sign(&scene.jwt().without_claim("uid")), 10, "PAM_USER_UNKNOWN", "uid"),
    ];
    for (token, code, name, reason) in cases {
        let answer = check_line(world, &[], &line, &token);
        assert_eq!(answer.code, code, "{answer:?}");
        for wanted in ["refused", name, reason, " ms\n"] {
            assert!(answer.output.contains(wanted), "{wanted}: {answer:?}");
        }
        let answer = check_line(world, &["--json"], &line, &token);
        let document = answer.json();
        assert_eq!(answer.code, code);
        assert_eq!(document["accepted"], json!(false));
        assert_eq!((&document["code"], &document["code_name"]), (&json!(code), &json!(name)));
        assert!(document["conclusion"].as_str().unwrap().contains(reason), "{document}");
    }
    let wrong = check_line(world, &[], "http://localhost/ uid", "token");
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(wrong.output.contains("PAM line"), "{wrong:?}");
    scene.issuer.stop();
    let outage = check_line(world, &["--json"], &line, scene.sign(&scene.jwt()));
    assert_eq!((outage.code, &outage.json()["code"]), (9, &json!(9)), "{outage:?}");
}

#[test]
fn a_mistake_on_the_command_line_is_64_and_asks_nobody() {
    let world = World::without_postgres();
    let rule = world.rule("--allow-http");
    world.strict(&rule);
    world.sandbox.pam_file("without", "auth required pam_permit.so\n");
    world.sandbox.pam_file("broken", "auth [success=1 pam_oauth2.so\n");
    let with_line = |options: &'static [&'static str]| -> Vec<&str> {
        options.iter().copied().chain(["--"]).chain(rule.split_whitespace()).collect()
    };
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec![], "--user"),
        (vec!["--service", "strict"], "--user"),
        (with_line(&[]), "--user"),
        (with_line(&["--user", "alice", "--colour"]), "--colour"),
        (with_line(&["--user", "alice", "--token", "x"]), "--token"),
        (with_line(&["--user"]), ""),
        (with_line(&["--user", "alice", "--user", "bob"]), "--user"),
        (vec!["--user", "alice", "--service", "nonexistent"], "nonexistent"),
        (vec!["--user", "alice", "--service", "../pam.d/strict"], "--service"),
        (vec!["--user", "alice", "--service", "without"], "no auth line"),
        (vec!["--user", "alice", "--service", "broken"], "line 1"),
        (
            vec!["--user", "alice", "--service", "strict", "--pam-dir", "/nonexistent"],
            "/nonexistent",
        ),
        (vec!["token", "--user", "alice"], ""),
        (vec!["metrics"], "--cache-dir"),
        (vec!["config"], ""),
        (vec!["unknown"], ""),
    ];
    for (arguments, reason) in cases {
        let answer = check(&world, arguments.iter().copied(), world.grant("alice"));
        assert_eq!((answer.code, answer.output.as_str()), (64, ""), "{arguments:?}: {answer:?}");
        assert!(answer.complaint.contains(reason), "{arguments:?}: {answer:?}");
    }
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn help_has_examples() {
    let world = World::without_postgres();
    for arguments in [&["--help"][..], &["-h"], &["config", "--help"], &["metrics", "--help"]] {
        let answer = check(&world, arguments.iter().copied(), "");
        assert_eq!((answer.code, answer.complaint.as_str()), (0, ""), "{answer:?}");
        assert!(answer.output.contains("Usage"), "{answer:?}");
    }
    let help = check(&world, ["--help"], "").output;
    for wanted in
        ["Examples", "--service postgresql --user", "config /etc/", "metrics --cache-dir", "64"]
    {
        assert!(help.contains(wanted), "{wanted}: {help}");
    }
    assert_eq!(check(&world, ["--version"], "").code, 0);
}

#[test]
fn the_token_is_standard_input_without_one_line_break() {
    let world = World::without_postgres();
    let line = world.rule("--allow-http");
    let token = world.grant("alice");
    for (ends, code) in [("", 0), ("\n", 0), ("\n\n", 7), ("\r\n", 7), (" ", 7), ("\0", 7)] {
        let before = world.service.connections();
        let answer = check_line(&world, &[], &line, format!("{token}{ends}"));
        assert_eq!(answer.code, code, "{ends:?}: {answer:?}");
        assert_eq!(world.service.connections() - before, usize::from(code == 0), "{ends:?}");
    }
    for (what, input) in [("nothing", String::new()), ("too long", "x".repeat(17_000))] {
        let answer = check_line(&world, &[], &line, input);
        assert_eq!(answer.code, 7, "{what}: {answer:?}");
    }
}

#[test]
fn the_token_is_never_printed_whatever_repeats_it() {
    let world = World::without_postgres();
    let line = world.rule("--allow-http");
    let token = harness::secrets::random_token();
    world.secrets.add(token.as_bytes());
    let quoted = json!({ "uid": token, "realm": token, "sub": format!("x{token}") }).to_string();
    let accepted = json!({
        "uid": "alice", "realm": "/employees", "sub": token, "client_id": token, "iss": token,
        "jti": token,
    });
    for claims in [quoted, accepted.to_string(), token.clone(), format!("{{\"{token}\":")] {
        world.service.know(&token, claims);
        for options in [&[][..], &["--json"], &["--remote-host", "10.1.1.1"]] {
            // The helper looks into what is printed.
            check_line(&world, options, &line, &token);
        }
    }
    // In the place of the user, where somebody has pasted it.
    world.service.know(&token, accepted.to_string());
    let words = ["--user", &token, "--json", "--"].into_iter().chain(line.split_whitespace());
    assert_eq!(check(&world, words, &token).code, 7);
}

#[test]
fn a_service_file_or_the_section_of_its_name_says_what_is_demanded() {
    let world = World::without_postgres();
    let rule = world.rule("--allow-http");
    let token = world.grant("alice");
    let pam_dir = world.sandbox.workdir.folder("other.d").display().to_string();
    let file = |service: &str, line: &str| {
        world.sandbox.workdir.file(&format!("other.d/{service}"), line);
    };
    file(
        "commented",
        &format!(
            "# auth required pam_oauth2.so broken\nauth required \\\n  pam_oauth2.so {rule}\n"
        ),
    );
    file("strict", &format!("auth required pam_oauth2.so {rule} client_id=nobody\n"));
    let config = world.sandbox.workdir.file(
        "config.toml",
        format!(
            "[in-file]\nlogin-field = 'uid'\nallow-http = true\n\
             [in-file.tokeninfo]\nurl = '{}'\n\
             [other]\nlogin-field = 'client_id'\nallow-http = true\n\
             [other.tokeninfo]\nurl = '{}'\n",
            world.service.url(),
            world.service.url()
        ),
    );
    let config = format!("--config={}", config.display());
    file("in-file", &format!("auth required pam_oauth2.so {config}\n"));
    file("other", &format!("auth required pam_oauth2.so {config}\n"));
    world.strict(&rule);
    let code = |arguments: &[&str]| {
        let arguments = arguments.iter().copied().chain(["--user", "alice"]);
        check(&world, arguments, &token).code
    };
    assert_eq!(code(&["--service", "strict"]), 0);
    // The default; the service of Spilo.
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&["--service", "strict", "--pam-dir", &pam_dir]), 7);
    assert_eq!(code(&["--service", "commented", "--pam-dir", &pam_dir]), 0);
    assert_eq!(code(&["--service", "in-file", "--pam-dir", &pam_dir]), 0);
    assert_eq!(code(&["--service", "other", "--pam-dir", &pam_dir]), 7);
    for (service, wanted) in [("in-file", 0), ("other", 7), ("missing", 3)] {
        let answer = check_line(&world, &["--service", service], &config, &token);
        assert_eq!(answer.code, wanted, "{service}: {answer:?}");
    }
}

#[test]
fn it_writes_to_the_cache_only_where_it_is_told_to() {
    let scene = Scene::new();
    let world = &scene.world;
    let cache = world.sandbox.writable_folder("caches").join("one");
    let words = format!("--allow-http --cache-dir={}", cache.display());
    let jwt = line(&scene.issuer, "").replace("--allow-http", &words);
    let asked = world.rule(&format!("{words} --cache-ttl=60s --on-outage=stale:1h"));
    let (signed, opaque) = (scene.sign(&scene.jwt()), world.grant("alice"));
    // Makes the mount points of the sandbox.
    check(world, ["--version"], "");
    let all = || listing(world.sandbox.workdir.path());
    let look = |what: &str, code: i32| {
        let before = all();
        for (line, token) in [(&jwt, &signed), (&asked, &opaque)] {
            let answer = check_line(world, &["--json"], line, token);
            assert_eq!(answer.code, code, "{what}: {answer:?}");
        }
        check_line(world, &[], &asked, "unknown");
        check(world, ["metrics", "--cache-dir", &cache.display().to_string()], "");
        assert_eq!(changes(&before, &all()), [] as [PathBuf; 0], "{what}");
    };
    look("missing", 0);
    let login = |line: &str, token: &str| {
        world.strict(line);
        world.client("strict", "alice").token(token).run(&["authenticate"])
    };
    login(&jwt, &signed);
    login(&asked, &opaque);
    look("warm", 0);
    // Not even a lock: a login that asks at the same time is not held up by somebody who looks.
    for file in fs::read_dir(&cache).unwrap().flatten() {
        let content = fs::read(file.path()).unwrap();
        fs::write(file.path(), &content[..content.len() / 2]).unwrap();
    }
    look("damaged", 0);
    scene.issuer.answer(Route::Jwks, "500 Internal Server Error", "{}");
    world.service.answer_raw(harness::wire::http_answer("500 Internal Server Error", b"{}"));
    look("an outage", 9);
    scene.issuer.behave();
    world.service.behave();
    // Told to.
    fs::remove_dir_all(&cache).unwrap();
    for (line, token) in [(&jwt, &signed), (&asked, &opaque)] {
        assert_eq!(check_line(world, &["--write-cache"], line, token).code, 0);
    }
    let connections = (scene.issuer.connections(), world.service.connections());
    for (line, token) in [(&jwt, &signed), (&asked, &opaque)] {
        assert_eq!(login(line, token).codes("authenticate"), [Code::Success]);
    }
    assert_eq!((scene.issuer.connections(), world.service.connections()), connections);
}

#[test]
fn it_and_the_module_agree() {
    let scene = Scene::new();
    let world = &scene.world;
    let line = line(&scene.issuer, "");
    let token = |jwt: &mint::Jwt| scene.sign(jwt);
    let jwt = || scene.jwt();
    let forger = Key::p256();
    let good = token(&jwt());
    let cases = [
        ("good", good.clone()),
        ("bob's", scene.issuer.token("bob")),
        ("expired", token(&jwt().issued(now() - 7200))),
        ("not begun", token(&jwt().claim("nbf", now() + 900))),
        ("for others", token(&jwt().claim("aud", "others"))),
        ("of no audience", token(&jwt().without_claim("aud"))),
        ("of another issuer", token(&jwt().claim("iss", "https://other.example"))),
        ("forged", jwt().sign(&forger, Algorithm::ES256)),
        ("of an unknown key", jwt().sign(&forger.clone().with_kid("new"), Algorithm::ES256)),
        ("changed", mint::damage::claims(&good, |text| text.replace("alice", "alic3"))),
        ("of no end", token(&jwt().without_claim("exp"))),
        ("of another type", token(&jwt().header("typ", "JWT"))),
        ("critical", token(&jwt().header("crit", json!(["x"])))),
        ("nobody's", token(&jwt().without_claim("uid"))),
        ("a customer's", token(&jwt().claim("realm", "/customers"))),
        ("opaque", harness::secrets::random_token()),
        ("empty", String::new()),
        ("two lines", format!("{good}\nx")),
        ("too long", "x".repeat(20_000)),
    ];
    let mut seen = BTreeMap::new();
    for (what, token) in cases {
        let report = scene.report(&token);
        let code = report.codes("authenticate")[0];
        let answer = check_line(world, &["--json"], &line, &token);
        assert_eq!(answer.code, code as i32, "{what}: {report:?} {answer:?}");
        if code != Code::Success {
            // For the same reason; by the clock of one of them it may be a second later.
            let told = without_digits(report.value("told-3"));
            let conclusion = without_digits(answer.json()["conclusion"].as_str().unwrap());
            assert!(told.contains(&conclusion), "{what}: {report:?} {answer:?}");
        }
        *seen.entry(code as i32).or_insert(0) += 1;
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 7, 10]);
    scene.issuer.stop();
    for line in [line.as_str(), "https://nonexistent.invalid/?t= uid", "broken"] {
        world.strict(line);
        let code = scene.report(&good).codes("authenticate")[0];
        assert_eq!(check_line(world, &[], line, &good).code, code as i32, "{line}");
    }
}

pub(crate) fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}
