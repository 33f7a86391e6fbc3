//! Runbooks quote what programs say, and show what they print.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use harness::artifacts::source;
use harness::book;
use harness::{Company, Server, Version, World};

/// All text in the sources of what ships, each literal in one piece: `\` at the end of a line is
/// gone, and so are the blanks that it swallows.
fn literals() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["pam-oauth2", "teams-sync", "operator"]
        .map(|folder| source().join(folder).join("src"))
        .into();
    folders.push(source().join("pam-oauth2/arguments/src"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == "rs") {
                found.extend(literals_of(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn literals_of(text: &str) -> Vec<String> {
    let (mut found, mut literal) = (Vec::new(), None::<String>);
    let mut rest = text.chars().peekable();
    while let Some(own) = rest.next() {
        match (&mut literal, own) {
            (None, '"') => literal = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => found.extend(literal.take()),
            (Some(text), '\\') => match rest.next() {
                Some('\n') => while rest.next_if(|own| own.is_whitespace()).is_some() {},
                Some(escaped) => text.push(escaped),
                None => {}
            },
            (Some(text), own) => text.push(own),
        }
    }
    found
}

/// `...` in a page stands for what differs.
fn is_said(quoted: &str, literal: &str) -> bool {
    let mut rest = literal;
    quoted.split("...").all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn every_sentence_that_a_runbook_quotes_is_one_that_a_program_says() {
    let literals = literals();
    let mut seen = 0;
    for (name, text) in book::pages() {
        if !name.starts_with("runbooks/") {
            continue;
        }
        for quoted in book::code_in_column(&text, "it says") {
            // Options and names of commands stand in the same cells.
            if !quoted.contains(' ') {
                continue;
            }
            let said = literals.iter().any(|literal| is_said(&quoted, literal));
            assert!(said, "docs/{name}: nothing says {quoted:?}");
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// The text block of a page that begins like this.
#[track_caller]
fn shown(page: &str, beginning: &str) -> String {
    let blocks = book::fences_on(page, "text");
    let block = blocks.iter().find(|block| block.text.starts_with(beginning));
    block.unwrap_or_else(|| panic!("{page} has no block {beginning:?}")).text.trim_end().to_owned()
}

#[test]
fn a_held_plan_reads_as_its_runbook_shows_and_is_let_through_as_it_says() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    let all = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];
    company.teams(&[("acid", &all), ("dba", &[])]);
    company.applies();
    company.teams(&[("acid", &all[4..]), ("dba", &[])]);
    let said = company.run(&["plan"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let version = said.stdout.split(['(', ')']).nth(1).unwrap().to_owned();
    let id = company.held();
    let text = said.stdout.replace(&version, "PostgreSQL 15.18");
    let text = text.replace(&id, "0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5");
    assert_eq!(text.trim_end(), shown("runbooks/held-plan.md", "orders"));
    company.ends(&["apply"], 4);
    company.ends(&["apply", "--release", &id], 0);
    assert_eq!(server.people(), "erin,frank,grace");
}

#[test]
fn what_the_log_says_while_the_provider_is_down_is_what_its_runbook_shows() {
    let world = World::new();
    let token = world.grant("alice");
    world.service.stop();
    let outcome = world.login("alice", token);
    outcome.assert_reason("cannot be asked");
    let shown = shown("runbooks/provider-down.md", "pam_oauth2: ");
    let service = format!("localhost:{}", world.service.port());
    let said = outcome.reason().replace(&service, "info.example.com");
    let said = said.replace("from 127.0.0.1", "from 10.2.1.111");
    assert_eq!(said, shown);
}

#[test]
fn somebody_who_is_out_is_told_of_as_her_runbook_shows() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice", "mallory"]), ("dba", &[])]);
    company.applies();
    server.sql("create table hers (); alter table hers owner to mallory");
    let session = server.session("mallory");
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    company.applies();
    assert!(session.ended().contains("terminating connection"));
    let said = company.ends(&["leavers"], 0);
    let shown = shown("runbooks/leaver-still-in.md", "orders:");
    let [said, shown] = [said, shown].map(|text| {
        let (before, rest) = text.split_once("left ").unwrap_or_else(|| panic!("{text}"));
        let (time, after) = rest.split_once(',').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{text}");
        format!("{before}{after}").trim_end().to_owned()
    });
    assert_eq!(said, shown);
}

/// As the page says, by a server that nobody can log in to.
#[test]
fn a_server_without_a_superuser_gets_one_back_in_single_user_mode() {
    let text = book::page("runbooks/local-superuser.md");
    let statement = "alter role postgres with login superuser";
    assert!(text.contains(&format!("echo \"{statement}\"")));
    assert!(text.contains("/usr/lib/postgresql/15/bin/postgres --single -D "));
    let server = Server::start(Version::V15);
    server.sql("alter role postgres nologin");
    server.try_sql("postgres", "select 1").expect_err("it may not log in");
    server.single_user(statement);
    assert_eq!(
        server.attributes("postgres"),
        "LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS"
    );
}
