//! What `pam-oauth2-check` says of configurations and of counters.

use std::collections::BTreeMap;

use harness::World;
use harness::identity_provider::now;

use crate::check_command::*;
use crate::jwt::{Scene, line};

#[test]
fn a_pam_file_a_toml_file_and_a_line_are_validated() {
    let world = World::without_postgres();
    let good_line = "https://info.example.com/tokeninfo?access_token= uid realm=/employees";
    let file =
        |name: &str, text: &str| world.sandbox.workdir.file(name, text).display().to_string();
    let toml = "[strict]\nlogin-field = 'uid'\n[strict.tokeninfo]\nurl = 'https://h.example/?t='\n";
    let good_toml = file("good.toml", toml);
    let other_bad = file("bad.toml", &format!("{toml}[other]\nlogin-feild = 'uid'\n"));
    let pam = |name: &str, auth: &str| {
        file(
            name,
            &format!("auth sufficient pam_oauth2.so {auth}\naccount sufficient pam_oauth2.so\n"),
        )
    };
    let good = [
        good_line.to_owned(),
        format!("[{good_line}]").replace([' '], "] ["),
        good_toml.clone(),
        pam("good", good_line),
        pam("strict", &format!("--config={good_toml}")),
        "https://i.example uid --verify=jwt --audience=postgres".to_owned(),
    ];
    for what in &good {
        let answer = check(&world, ["config", what], "");
        assert_eq!((answer.code, answer.complaint.as_str()), (0, ""), "{what}: {answer:?}");
        assert!(answer.output.contains("in order"), "{what}: {answer:?}");
    }
    let bad = [
        ("http://info.example.com/?t= uid".to_owned(), "https"),
        (format!("{good_line} employee"), "employee"),
        (format!("{good_line} --audiense=x"), "--audiense"),
        (String::new(), ""),
        (other_bad, "bad.toml: line 6, column 1"),
        (pam("bad", &format!("{good_line} --verify=jwt")), "line 1: auth"),
        (pam("no-section", &format!("--config={good_toml}")), "good.toml"),
        (file("no-account", &format!("auth required pam_oauth2.so {good_line}\n")), "account"),
        (file("no-line", "auth required pam_permit.so\n"), "pam_oauth2.so"),
        (
            file(
                "account",
                &format!(
                    "auth required pam_oauth2.so {good_line}\naccount required pam_oauth2.so --never\n"
                ),
            ),
            "line 2: account",
        ),
        ("/nonexistent/postgresql".to_owned(), "/nonexistent/postgresql"),
        ("/nonexistent/config.toml".to_owned(), "/nonexistent/config.toml"),
        (pam("long", &format!("{good_line} {}", "a=b ".repeat(300))), "1.6"),
    ];
    for (what, reason) in &bad {
        let answer = check(&world, ["config", what], "");
        assert_eq!(answer.code, 3, "{what}: {answer:?}");
        assert!(answer.complaint.contains(reason), "{what}: {answer:?}");
    }
    // A file of another name than its service.
    let elsewhere = pam("postgresql.new", &format!("--config={good_toml}"));
    assert_eq!(check(&world, ["config", &elsewhere], "").code, 3);
    assert_eq!(check(&world, ["config", &elsewhere, "--service", "strict"], "").code, 0);
}

/// Every sample, by its name with labels. Checks the form on the way: each metric has its help
/// and its type before its samples, and no sample occurs twice.
#[track_caller]
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let (mut helped, mut typed) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split(' ').next().unwrap().clone_into(&mut helped);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(name == helped && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            name.clone_into(&mut typed);
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let suffix = name.strip_prefix(&typed).unwrap_or_else(|| panic!("{line}"));
            assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line}");
        }
    }
    samples
}

#[test]
fn metrics_are_those_of_the_logins_that_were_made() {
    let scene = Scene::new();
    let world = &scene.world;
    let cache = world.sandbox.writable_folder("caches").join("one");
    let words = format!("--allow-http --cache-dir={}", cache.display());
    let login = |line: &str, token: &str| {
        world.strict(line);
        world.client("strict", "alice").token(token).run(&["authenticate"]);
    };
    let jwt = line(&scene.issuer, "").replace("--allow-http", &words);
    for _ in 0..3 {
        login(&jwt, &scene.sign(&scene.jwt()));
    }
    login(&jwt, &scene.sign(&scene.jwt().issued(now() - 7200)));
    let asked = world.rule(&format!("{words} --cache-ttl=60s"));
    let opaque = world.grant("alice");
    for _ in 0..4 {
        login(&asked, &opaque);
    }
    login(&asked, "unknown");
    world.service.stop();
    login(&asked, &world.grant("alice"));
    let folder = cache.display().to_string();
    let answer = check(world, ["metrics", "--cache-dir", &folder], "");
    assert_eq!((answer.code, answer.complaint.as_str()), (0, ""), "{answer:?}");
    let samples = samples(&answer.output);
    let wanted = [
        ("pam_oauth2_logins_total{outcome=\"accepted\",verified_by=\"jwt\"}", 3.0),
        ("pam_oauth2_logins_total{outcome=\"accepted\",verified_by=\"tokeninfo\"}", 1.0),
        ("pam_oauth2_logins_total{outcome=\"accepted\",verified_by=\"verdict\"}", 3.0),
        ("pam_oauth2_logins_total{outcome=\"accepted\",verified_by=\"introspection\"}", 0.0),
        ("pam_oauth2_logins_total{outcome=\"refused\",verified_by=\"none\"}", 2.0),
        ("pam_oauth2_logins_total{outcome=\"unavailable\",verified_by=\"none\"}", 1.0),
        ("pam_oauth2_requests_total{endpoint=\"jwks\",result=\"answered\"}", 1.0),
        ("pam_oauth2_requests_total{endpoint=\"discovery\",result=\"answered\"}", 1.0),
        ("pam_oauth2_requests_total{endpoint=\"tokeninfo\",result=\"answered\"}", 2.0),
        ("pam_oauth2_requests_total{endpoint=\"tokeninfo\",result=\"failed\"}", 1.0),
        ("pam_oauth2_cache_total{cache=\"keys\",result=\"hit\"}", 3.0),
        ("pam_oauth2_cache_total{cache=\"keys\",result=\"miss\"}", 1.0),
        ("pam_oauth2_cache_total{cache=\"verdicts\",result=\"hit\"}", 3.0),
        ("pam_oauth2_cache_total{cache=\"verdicts\",result=\"miss\"}", 3.0),
        ("pam_oauth2_cache_unusable_files_total", 0.0),
        ("pam_oauth2_login_seconds_count", 10.0),
        ("pam_oauth2_login_seconds_bucket{le=\"+Inf\"}", 10.0),
    ];
    for (sample, value) in wanted {
        assert_eq!(samples.get(sample), Some(&value), "{sample}: {}", answer.output);
    }
    let buckets: Vec<f64> = answer
        .output
        .lines()
        .filter(|line| line.starts_with("pam_oauth2_login_seconds_bucket"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert!(buckets.is_sorted() && buckets.len() > 5, "{buckets:?}");
    assert!(samples["pam_oauth2_login_seconds_sum"] > 0.0);
    // Nothing of what a login was about.
    for word in ["alice", "unknown", "ztoken"] {
        assert!(!answer.output.contains(word), "{word}");
    }
    let missing = check(world, ["metrics", "--cache-dir", "/nonexistent/cache"], "");
    assert!(missing.code != 0 && missing.output.is_empty(), "{missing:?}");
    assert!(missing.complaint.contains("/nonexistent/cache"), "{missing:?}");
}
