//! What the book tells people to write is understood by the program that it is for.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::artifacts::{self, source};
use harness::book;
use harness::{Server, TeamsSync, Version, World, Ztoken};
use pam_oauth2_arguments::{AccountLine, AuthLine};
use serde_json::Value;
use teams_sync::config::Config;

use crate::check_command::check;

/// Languages of blocks. Those without a test of their own here are read by one that runs the page
/// (`map`, `json`), by a unit test of the module (`revoked`), or say what somebody else wrote.
const LANGUAGES: [&str; 13] =
    ["hba", "ini", "js", "json", "map", "pam", "revoked", "sh", "sql", "text", "toml", "yaml", ""];
/// Linux-PAM before 1.6 cuts a line there.
const LONGEST_PAM_LINE: usize = 1024;

#[test]
fn every_block_is_in_a_language_that_is_checked() {
    for (page, text) in book::pages() {
        for fence in book::fences_of(&page, &text) {
            let known = LANGUAGES.contains(&fence.language.as_str());
            assert!(known, "{}: {:?}", fence.place(), fence.language);
            if fence.language == "toml" && page != "reference/pam-toml.md" {
                let known =
                    ["pam-oauth2", "teams-sync", "ztoken"].contains(&fence.subject.as_str());
                assert!(known, "{}: for which program is it?", fence.place());
            }
        }
    }
}

#[test]
fn the_module_understands_every_pam_line() {
    let (mut auth, mut account) = (0, 0);
    // That page has the grammar of a line.
    let fences = book::fences("pam").into_iter();
    for fence in fences.filter(|fence| fence.page != "reference/pam-arguments.md") {
        for line in fence.text.lines() {
            assert!(line.len() < LONGEST_PAM_LINE, "{}: {line}", fence.place());
            let words: Vec<&str> = line.split_whitespace().collect();
            let [phase, "sufficient", "pam_oauth2.so", arguments @ ..] = &words[..] else {
                panic!("{}: {line}", fence.place());
            };
            let fault = match *phase {
                "auth" => {
                    auth += 1;
                    AuthLine::parse(arguments).map(drop).err()
                }
                "account" => {
                    account += 1;
                    AccountLine::parse(arguments).map(drop).err()
                }
                _ => panic!("{}: {line}", fence.place()),
            };
            assert!(fault.is_none(), "{}: {line}: {}", fence.place(), fault.unwrap());
        }
    }
    assert!(auth >= 10 && account >= 10, "{auth} {account}");
}

/// Files that a configuration names, as far as a check of it reads them.
const NAMED: [(&str, &str); 1] =
    [("/etc/pam_oauth2/google.map", "google   110169484474386276334  alice\n")];

#[test]
fn the_module_understands_every_configuration_file() {
    let world = World::without_postgres();
    let file = |name: &str, text: &str| world.sandbox.workdir.file(name, text);
    let mut seen = 0;
    for fence in book::fences("toml").iter().filter(|fence| fence.subject == "pam-oauth2") {
        let mut text = fence.text.clone();
        for (path, content) in NAMED {
            let name = path.rsplit('/').next().unwrap();
            text = text.replace(path, &file(name, content).display().to_string());
        }
        let path = file("pam_oauth2.toml", &text).display().to_string();
        let answer = check(&world, ["config", &path], "");
        assert_eq!(answer.code, 0, "{}: {answer:?}", fence.place());
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn teams_sync_understands_every_configuration_file() {
    let mut seen = 0;
    for fence in book::fences("toml").iter().filter(|fence| fence.subject == "teams-sync") {
        let place = fence.place();
        let parsed =
            Config::parse(&fence.text, &place, &PathBuf::from("/etc/teams-sync"), &|_| None);
        parsed.unwrap_or_else(|error| panic!("{error}"));
        seen += 1;
    }
    assert!(seen >= 2, "{seen}");
}

/// A profile that is understood has nobody who is logged in; one that is not is a mistake.
#[test]
fn ztoken_understands_every_profile() {
    let mut seen = 0;
    for fence in book::fences("toml").iter().filter(|fence| fence.subject == "ztoken") {
        let output = Ztoken::new(&fence.text).run(&["--no-login", "whoami"]);
        assert_eq!(output.code, Some(2), "{}: {output:?}", fence.place());
        seen += 1;
    }
    let readme = fs::read_to_string(source().join("ztoken/README.md")).unwrap();
    let fences = book::fences_of("ztoken/README.md", &readme).into_iter();
    for fence in fences.filter(|fence| fence.language == "toml") {
        // Nobody is logged in, or the token of the pod is not there: that comes after the profile.
        let output = Ztoken::new(&fence.text).run(&["--no-login", "whoami"]);
        let is_understood = output.code == Some(2) || output.stderr.contains("service account");
        assert!(is_understood, "{}: {output:?}", fence.place());
        seen += 1;
    }
    let output = Ztoken::new("[profile.it]\nisuer = 'https://a.example'\n").run(&["whoami"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(seen >= 10, "{seen}");
}

/// `teams.yaml` is what the configuration of the same page names.
#[test]
fn teams_sync_finds_the_people_of_the_file_that_a_page_shows() {
    let server = Server::start(Version::V15);
    let [config] = &book::fences_on("getting-started.md", "toml")[..] else { panic!() };
    let [teams] = &book::fences_on("getting-started.md", "yaml")[..] else { panic!() };
    let sync = TeamsSync::new(&config.text.replace(
        "host=/var/run/postgresql user=teams-sync dbname=postgres",
        &server.dsn("postgres"),
    ));
    sync.file("teams.yaml", &teams.text);
    server.sql("create role users; create role alice login in role users");
    for (words, code) in [(&["adopt"][..], 0), (&["plan"], 2), (&["apply"], 0), (&["plan"], 0)] {
        let output = sync.run(&[&["--config", "teams-sync.toml"], words].concat());
        assert_eq!(output.code, Some(code), "{words:?}: {output:?}");
    }
    assert_eq!(server.people(), "alice,bob");
}

#[test]
fn postgresql_loads_every_list_for_pg_hba() {
    let world = World::new();
    let path = PathBuf::from(world.postgres().sql("show hba_file"));
    let before = fs::read_to_string(&path).unwrap();
    let mut seen = 0;
    for fence in book::fences("hba") {
        fs::write(&path, &fence.text).unwrap();
        let rules = fence.text.lines().filter(|line| !line.trim().is_empty()).count();
        // It shows what the file says, and the server goes on with what it has.
        let found = world.postgres().sql(
            "select count(*) filter (where error is null), coalesce(string_agg(error, '; '), '') \
             from pg_hba_file_rules",
        );
        fs::write(&path, &before).unwrap();
        assert_eq!(found, format!("{rules}|"), "{}", fence.place());
        seen += rules;
    }
    assert!(seen >= 10, "{seen}");
}

/// Each block is one transaction on a server that has the roles of the book.
#[test]
fn postgresql_runs_every_statement() {
    let mut seen = 0;
    for fence in book::fences("sql") {
        let server = Server::start(Version::V15);
        server.sql(
            "create role users; create role app_owner login; create role app_user login; \
             create role mallory login",
        );
        if fence.text.starts_with("drop role alice_emergency") {
            server.sql("create role alice_emergency");
        }
        server.sql(&fence.text);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

/// Commands of ours in a line for a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.replace("$(", " | ").replace(')', " | ");
    let parts = line.split(['|', ';', '&']).map(words);
    let commands = parts.map(|words| {
        let is_before = |word: &String| word.split('=').count() == 2 && !word.starts_with('-');
        let mut words: Vec<String> = words.into_iter().skip_while(is_before).collect();
        if words.first().is_some_and(|word| word == "runuser") {
            let end = words.iter().position(|word| word == "--").map_or(words.len(), |at| at + 1);
            words.drain(..end);
        }
        words
    });
    commands.filter(|words| words.first().is_some_and(|name| program(name).is_some())).collect()
}

/// Quotes hold blanks together.
fn words(text: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    for own in text.chars() {
        match (quote, own) {
            (None, '\'' | '"') => quote = Some(own),
            (Some(open), own) if own == open => quote = None,
            (None, own) if own.is_whitespace() => {
                found.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            (_, own) => word.push(own),
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

fn program(name: &str) -> Option<PathBuf> {
    match name {
        "operator" => Some(artifacts::operator()),
        "pam-oauth2-check" => Some(artifacts::check()),
        "teams-sync" => Some(artifacts::teams_sync()),
        "ztoken" => Some(artifacts::ztoken()),
        _ => None,
    }
}

/// clap reads what stands before `--help`, refuses what it does not know, and prints the help
/// otherwise.
#[test]
fn programs_have_every_option_that_a_command_names() {
    let mut seen = BTreeSet::new();
    for fence in book::fences("sh") {
        let text = fence.text.replace("\\\n", " ");
        for command in text.lines().flat_map(commands) {
            let [name, arguments @ ..] = &command[..] else { continue };
            // What stands behind is for the module.
            let end = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
            let mut run = Command::new(program(name).unwrap());
            let output = run.args(&arguments[..end]).arg("--help").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {command:?}: {said}", fence.place());
            seen.insert(command.join(" "));
        }
    }
    assert!(seen.len() >= 12, "{seen:#?}");
}

#[test]
fn files_of_the_repository_that_a_command_names_are_there() {
    let mut seen = 0;
    for fence in book::fences("sh") {
        for word in fence.text.split_whitespace() {
            if ["docs/", "operator/", "packaging/", "tests/"]
                .iter()
                .any(|own| word.starts_with(own))
            {
                assert!(source().join(word).exists(), "{}: {word}", fence.place());
                seen += 1;
            }
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[test]
fn every_answer_that_is_shown_is_one_json_object() {
    let fences = book::fences("json");
    assert!(!fences.is_empty());
    for fence in fences {
        let parsed: Result<Value, _> = serde_json::from_str(&fence.text);
        assert!(parsed.is_ok_and(|value| value.is_object()), "{}", fence.place());
    }
}
