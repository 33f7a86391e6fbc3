//! Nothing that a directory can answer locks everybody out, or lets the world in.

use harness::company::HUMANS;
use harness::{Company, Server, Version};

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("p{number}")).collect()
}

/// So many people, of `acid`.
fn team(company: &Company, people: &[String], dba: &[&str]) {
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    company.teams(&[("acid", &people), ("dba", dba)]);
}

#[test]
fn removals_are_held_above_the_limit_and_done_below_it_while_all_else_goes_on() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    team(&company, &names(0..10), &[]);
    company.applies();
    // Three of ten is the share, and three is the number.
    team(&company, &names(3..10), &[]);
    company.applies();
    assert_eq!(server.people().split(',').count(), 7);
    // Four of seven is more than both. Who comes comes all the same.
    let mut left = names(7..10);
    left.push("newcomer".to_owned());
    let session = server.session("p3");
    team(&company, &left, &[]);
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("4 of 7 would lose access at once"), "{said}");
    assert_eq!(server.people(), "newcomer,p3,p4,p5,p6,p7,p8,p9");
    assert_eq!(server.memberships("p3"), "admin,teams_sync_managed,users");
    assert!(session.is_alive());
    company.ends(&["plan"], 2);

    let held = company.held();
    company.ends(&["apply", "--release", "00000000000000000000000000000000"], 4);
    // What somebody has seen is what is released: another answer is another plan.
    team(&company, &left[..2], &[]);
    assert_ne!(company.held(), held);
    company.ends(&["apply", "--release", &held], 4);
    team(&company, &left, &[]);
    assert_eq!(company.held(), held);
    company.ends(&["apply", "--release", &held], 0);
    assert_eq!(server.people(), "newcomer,p7,p8,p9");
    assert!(session.ended().contains("terminating connection"));
    company.is_in_sync();
}

#[test]
fn a_team_that_suddenly_names_nobody_is_held_and_one_that_is_no_longer_configured_is_not() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice"]), ("dba", &["carol", "alice"])]);
    company.applies();
    company.teams(&[("acid", &["alice"]), ("dba", &[])]);
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("the source of team \"dba\" names nobody now"), "{said}");
    // Wholly as they were, superusers included.
    assert_eq!(server.attributes("carol"), "LOGIN SUPERUSER");
    assert_eq!(server.attributes("alice"), "LOGIN SUPERUSER");

    let dsn = server.dsn("postgres");
    let without = HUMANS.replace("superuser_teams = [\"dba\"]", "");
    company.configure(&without, &[("orders", &dsn)]);
    company.applies();
    assert_eq!(server.attributes("carol"), "");
    assert_eq!(server.attributes("alice"), "LOGIN");
    company.is_in_sync();
}

#[test]
fn the_first_sync_has_no_limit_and_later_ones_do() {
    let server = Server::start(Version::V15);
    let company = Company::of(&server);
    team(&company, &names(0..150), &[]);
    company.applies();
    assert_eq!(server.people().split(',').count(), 150);
    team(&company, &names(0..251), &[]);
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("101 people would come at once, and 100 may"), "{said}");
    assert_eq!(server.people().split(',').count(), 150);
    team(&company, &names(0..250), &[]);
    company.applies();
    assert_eq!(server.people().split(',').count(), 250);
}

#[test]
fn teams_sync_never_locks_out_itself_or_the_superuser_of_initdb() {
    let server = Server::start(Version::V16);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice"]), ("dba", &["carol"])]);
    company.applies();
    // Somebody marked them, and no team names them.
    server.sql(
        "create role helper login superuser; \
         grant teams_sync_managed to helper, postgres with inherit true",
    );
    company.configure(HUMANS, &[("orders", &server.dsn("helper"))]);
    company.teams(&[("acid", &["alice"]), ("dba", &["dan"])]);
    let said = company.ends(&["apply"], 3);
    assert!(said.contains("never locks out itself or the superuser of initdb"), "{said}");
    for superuser in ["helper", "postgres"] {
        assert!(server.attributes(superuser).starts_with("LOGIN SUPERUSER"), "{said}");
    }
    // All else is done.
    assert_eq!(server.attributes("carol"), "", "{said}");
    assert_eq!(server.attributes("dan"), "LOGIN SUPERUSER", "{said}");
}

#[test]
fn robots_that_all_vanish_at_once_are_held() {
    let server = Server::start(Version::V15);
    let dsn = server.dsn("postgres");
    let robots = "[infrastructure]\nroles_dir = \"robots\"\n";
    let company = Company::with(&[HUMANS, robots].concat(), &[("orders", &dsn)]);
    std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
    for (key, value) in
        [("user1", "robo"), ("password1", "x"), ("user2", "bobo"), ("password2", "y")]
    {
        company.sync.file(&format!("robots/{key}"), value);
    }
    company.applies();
    let folder = company.sync.folder().join("robots");
    for key in ["user1", "password1", "user2", "password2"] {
        std::fs::remove_file(folder.join(key)).unwrap();
    }
    let said = company.ends(&["apply"], 4);
    assert!(said.contains("the infrastructure roles are all gone at once"), "{said}");
    std::fs::remove_dir(&folder).unwrap();
    let said = company.ends(&["apply"], 5);
    assert!(said.contains("nothing is known of infrastructure roles"), "{said}");
    assert_eq!(server.people(), "bobo,robo");
    // One of two is no surprise.
    std::fs::create_dir(&folder).unwrap();
    company.sync.file("robots/user1", "robo");
    company.sync.file("robots/password1", "x");
    company.applies();
    assert_eq!(server.people(), "robo");
}
