//! Robots have the right password, and nobody else ever sees it.

use harness::company::HUMANS;
use harness::{Company, Server, Version};

const ROBOTS: &str = "[infrastructure]\nroles_dir = \"robots\"\n";
const EVERYTHING: [&str; 9] = [
    "log_statement=all",
    "log_min_duration_statement=0",
    "log_min_error_statement=debug5",
    "log_min_messages=debug5",
    "log_duration=on",
    "debug_print_parse=on",
    "debug_print_rewritten=on",
    "debug_print_plan=on",
    "log_transaction_sample_rate=1",
];

fn company(server: &Server, user: &str) -> Company {
    let company = Company::with(&[HUMANS, ROBOTS].concat(), &[("orders", &server.dsn(user))]);
    std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
    company.sync.file("robots/user1", "robo\n");
    company.sync.file("robots/password1", "s3cret ' \\ \u{fc}\n");
    company
}

fn stored(server: &Server) -> String {
    server.sql("select rolpassword from pg_authid where rolname = 'robo'")
}

fn login(server: &Server, password: &str) -> Result<String, String> {
    let mut dsn = server.tcp_dsn("robo");
    let escaped = password.replace('\\', "\\\\").replace('\'', "\\'");
    dsn.push_str(&format!(" password='{escaped}'"));
    harness::postmaster::query(&dsn, "select current_user")
}

/// Runs of eight characters of it.
fn is_in(secret: &str, log: &str) -> bool {
    let characters: Vec<char> = secret.chars().collect();
    characters.windows(8).any(|part| log.contains(&part.iter().collect::<String>()))
}

#[test]
fn a_robot_logs_in_with_its_password_which_is_in_no_log_on_any_version() {
    std::thread::scope(|scope| {
        let all = Version::ALL.map(|version| {
            scope.spawn(move || {
                let rules = ["host all robo 127.0.0.1/32 scram-sha-256"];
                let server = Server::with(version, &EVERYTHING, &rules);
                let company = company(&server, "postgres");
                let mark = server.mark();
                company.applies();
                let first = stored(&server);
                assert!(first.starts_with("SCRAM-SHA-256$4096:"), "{first}");
                assert_eq!(login(&server, "s3cret ' \\ \u{fc}").as_deref(), Ok("robo"));
                assert!(login(&server, "s3cret").is_err());
                company.is_in_sync();
                company.applies();
                assert_eq!(stored(&server), first, "the salt stays");

                company.sync.file("robots/password1", "another one");
                company.applies();
                assert_ne!(stored(&server), first);
                assert_eq!(login(&server, "another one").as_deref(), Ok("robo"));
                // Somebody set another one by hand.
                server.sql("alter role robo password 'weak'");
                company.applies();
                assert_eq!(login(&server, "another one").as_deref(), Ok("robo"));
                let second = stored(&server);

                // What this test asks for itself is in the log, too: each with what it selects.
                let log = server.log_since(mark);
                assert!(log.contains("teams_sync_password"), "{version}");
                for secret in ["s3cret ' ", "another one", &first, &second] {
                    let (_, rest) = secret.split_at(secret.rfind('$').unwrap_or(0));
                    assert!(!is_in(rest, &log), "{version}: {rest}");
                }
            })
        });
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_password_that_cannot_be_set_leaves_no_trace_either() {
    let server = Server::with(Version::V16, &EVERYTHING, &[]);
    let company = company(&server, "syncer");
    server.sql(
        "create role syncer login createrole; create role users; create role admin; \
         grant users, admin to syncer with admin true; grant pg_signal_backend to syncer; \
         revoke temporary on database postgres from public",
    );
    let mark = server.mark();
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("TEMPORARY on the database is needed"), "{said}");
    let log = server.log_since(mark);
    assert!(!is_in("s3cret ' ", &log) && !log.contains("SCRAM-SHA-256"), "{log}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn md5_becomes_scram_and_a_verifier_is_taken_as_it_is() {
    let server = Server::start(Version::V15);
    let company = company(&server, "postgres");
    server.sql("set password_encryption = md5; create role robo login password 's3cret'");
    company.sync.file("robots/password1", "s3cret");
    company.applies();
    assert!(stored(&server).starts_with("SCRAM-SHA-256$"));
    assert_eq!(server.memberships("robo"), "teams_sync_managed");
    server.sql("create role donor login password 'given'");
    let given = server.sql("select rolpassword from pg_authid where rolname = 'donor'");
    company.sync.file("robots/password1", &format!("{given}\n"));
    company.applies();
    assert_eq!(stored(&server), given);
    company.is_in_sync();
    company.sync.file("robots/password1", &given[..given.len() - 1]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("begins like a SCRAM-SHA-256 verifier and is none"), "{said}");
    assert_eq!(stored(&server), given);
}

#[test]
fn robots_come_in_all_formats_and_a_human_never_takes_one_over() {
    let server = Server::start(Version::V15);
    let more = r#"
definitions = "definitions"
[[infrastructure.secret]]
dir = "monitoring"
userkey = "username"
passwordkey = "pass"
defaultrolevalue = "pg_monitor"
details = "details"
"#;
    let company =
        Company::with(&[HUMANS, ROBOTS, more].concat(), &[("orders", &server.dsn("postgres"))]);
    for folder in ["robots", "definitions", "monitoring", "monitoring/..day"] {
        std::fs::create_dir(company.sync.folder().join(folder)).unwrap();
    }
    for number in 1..=10 {
        company.sync.file(&format!("robots/user{number}"), &format!("robot{number}"));
        company.sync.file(&format!("robots/password{number}"), "x");
    }
    company.sync.file("robots/inrole3", "pg_monitor");
    company.sync.file("robots/etl", "etl-password");
    company.sync.file(
        "definitions/etl",
        "inrole: [pg_signal_backend]\nuser_flags: [createdb]\ndb_parameters: {work_mem: 64MB, search_path: '\"$user\", etl'}\n",
    );
    for (key, value) in
        [("username", "watcher"), ("pass", "w"), ("details", "user_flags: [replication]")]
    {
        company.sync.file(&format!("monitoring/..day/{key}"), value);
        std::os::unix::fs::symlink(
            format!("..data/{key}"),
            company.sync.folder().join("monitoring").join(key),
        )
        .unwrap();
    }
    std::os::unix::fs::symlink("..day", company.sync.folder().join("monitoring/..data")).unwrap();
    company.teams(&[("acid", &["alice", "etl", "robot7"]), ("dba", &[])]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("is called like the role etl of the configuration"), "{said}");
    let robots: Vec<_> = (1..=10).map(|number| format!("robot{number}")).collect();
    let people = server.people();
    for robot in robots.iter().map(String::as_str).chain(["etl", "watcher", "alice"]) {
        assert!(people.split(',').any(|name| name == robot), "{robot}: {people}");
    }
    assert_eq!(server.memberships("robot3"), "pg_monitor,teams_sync_managed");
    assert_eq!(server.memberships("etl"), "pg_signal_backend,teams_sync_managed");
    assert_eq!(server.attributes("etl"), "LOGIN CREATEDB");
    assert_eq!(server.attributes("watcher"), "LOGIN REPLICATION");
    assert_eq!(server.memberships("watcher"), "pg_monitor,teams_sync_managed");
    assert_eq!(server.try_sql("etl", "show search_path").unwrap(), "\"$user\", etl");
    assert_eq!(server.memberships("robot7"), "teams_sync_managed");
}
