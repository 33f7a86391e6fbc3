use std::path::Path;
use std::time::Duration;

use super::*;
use crate::desired::Level;

const README: &str = include_str!("../../README.md");

fn parse(text: &str) -> Result<Config, String> {
    let parsed = Config::parse(text, "teams-sync.toml", Path::new("/etc/teams-sync"), &|_| None);
    parsed.map_err(|error| error.to_string())
}

#[test]
fn the_example_of_the_readme_is_a_configuration() {
    let example = README.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = parse(example).unwrap();
    let server = &config.servers[0];
    assert_eq!((server.name.as_str(), server.standbys.len()), ("orders", 1));
    assert_eq!(config.warnings, [] as [&str; 0]);
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.humans.teams.len(), 2);
    // What a relative path is relative to.
    assert_eq!(
        config.infrastructure.definitions.as_deref(),
        Some(Path::new("/etc/teams-sync/robots.yaml"))
    );
}

#[test]
fn a_level_is_what_the_server_and_the_levels_table_say() {
    let text = r#"
[humans]
admin_role = "boss"
[levels]
read-only = ["readers"]
support = ["pg_monitor", "readers"]
[teams.acid]
level = "owner"
[teams.a]
level = "read-only"
[teams.b]
level = "support"
[teams.c]
level = "analysts"
[teams.d]
level = "superuser"
[[server]]
name = "one"
team = "acid"
dsn = "host=a"
owner_roles = ["orders_owner"]
"#;
    let config = parse(text).unwrap();
    let levels = &config.servers[0].rules.levels;
    let roles = |names: &[&str]| Level::Roles {
        roles: names.iter().map(|name| name.parse().unwrap()).collect(),
    };
    for (level, roles) in [
        ("owner", roles(&["orders_owner"])),
        ("read-only", roles(&["readers"])),
        ("support", roles(&["pg_monitor", "readers"])),
        ("analysts", roles(&["analysts"])),
        ("admin", roles(&["boss"])),
        ("superuser", Level::Superuser),
    ] {
        assert_eq!(levels[level], roles, "{level}");
    }
    let vocabulary = &config.servers[0].rules.vocabulary;
    for group in ["users", "boss", "readers", "pg_monitor", "analysts", "orders_owner"] {
        assert!(vocabulary.contains(&group.parse().unwrap()), "{group}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_its_line() {
    let at = |text: &str| parse(text).unwrap_err();
    let error = at("[humans]\nlevels = 1\npassword = \"hunter2\"\n");
    assert!(error.starts_with("teams-sync.toml:2:1: unknown field `levels`"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = at("[guard]\nmax_additions = -1\n");
    assert!(error.starts_with("teams-sync.toml:2:17: "), "{error}");
    let error = at("[humans]\nparameters = { log_statement = \"all\", \"a b\" = 1 }\n");
    assert!(error.starts_with("teams-sync.toml:2:47: \"a b\": "), "{error}");
    let error = at("[[server]]\nname = \"a\"\ndsn = \"\"\ndsn = \"\"\n");
    assert!(error.contains(":4:1: duplicate key"), "{error}");
}

#[test]
fn times_are_written_as_people_do() {
    for (text, time) in [("30s", 30), ("30m", 1800), ("1h 30m", 5400), ("2 hours", 7200)] {
        let text = format!("[guard]\nconfirm_for = {text:?}\n");
        assert_eq!(parse(&text).unwrap().confirm_for, Some(Duration::from_secs(time)), "{text}");
    }
    assert_eq!(parse("[guard]\nconfirm_for = \"never\"\n").unwrap().confirm_for, None);
    for text in ["", "30", "-30s", "0s", "soon", "400d"] {
        assert!(parse(&format!("[guard]\nconfirm_for = {text:?}\n")).is_err(), "{text}");
    }
}
