use super::*;
use crate::names::tests::names;
use crate::teams::SourceError;

pub(crate) fn name(text: &str) -> RoleName {
    RoleName::from_catalog(text.to_owned())
}

fn texts(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// The configuration of the issue.
pub(crate) fn humans() -> HumanRules {
    HumanRules {
        pam_role: name("users"),
        admin_role: Some(name("admin")),
        superuser_teams: texts(&["dba"]),
        parameters: vec![Parameter::parse("log_statement", "all").unwrap()],
        teams: BTreeMap::new(),
        level: "admin".to_owned(),
    }
}

/// A server of the team acid.
pub(crate) fn server() -> ServerRules {
    let roles = |all: &[&str]| Level::Roles { roles: all.iter().map(|role| name(role)).collect() };
    ServerRules {
        team: Some("acid".to_owned()),
        additional_teams: BTreeSet::new(),
        levels: BTreeMap::from([
            ("admin".to_owned(), roles(&["admin"])),
            ("read-only".to_owned(), roles(&["pg_read_all_data"])),
            ("read-write".to_owned(), roles(&["pg_read_all_data", "pg_write_all_data"])),
            ("reporting".to_owned(), roles(&["reporting"])),
            ("superuser".to_owned(), Level::Superuser),
        ]),
        vocabulary: ["users", "admin", "pg_read_all_data", "pg_write_all_data", "reporting"]
            .into_iter()
            .map(name)
            .collect(),
    }
}

/// What a source says of a team.
pub(crate) enum Says<'a> {
    Members(&'a [&'a str]),
    Unknown,
    Down,
}
pub(crate) use Says::{Down, Members, Unknown};

pub(crate) fn answers(all: &[(&str, Says<'_>)]) -> BTreeMap<String, Answer> {
    let answer = |says: &Says<'_>| match says {
        Members(members) => Answer::Team(
            members.iter().map(|member| ((*member).to_owned(), BTreeSet::from(["file"]))).collect(),
        ),
        Unknown => Answer::Unknown("no such team".to_owned()),
        Down => {
            Answer::Frozen { source: "file", error: SourceError::Timeout("too slow".to_owned()) }
        }
    };
    all.iter().map(|(team, says)| ((*team).to_owned(), answer(says))).collect()
}

pub(crate) fn robot(name: &str) -> crate::infrastructure::Robot {
    crate::infrastructure::Robot {
        name: RoleName::parse(name).unwrap(),
        kind: Kind::Robot,
        attributes: Attributes::LOGIN,
        member_of: Vec::new(),
        admins: BTreeSet::new(),
        parameters: Vec::new(),
        password: Some(Secret::parse(b"secret").unwrap()),
        rotated_from: None,
        why: Why::of(Rule::Infrastructure { origin: "/robots".to_owned() }),
    }
}

pub(crate) fn robots(
    roles: impl IntoIterator<Item = crate::infrastructure::Robot>,
) -> Infrastructure {
    Infrastructure { roles: roles.into_iter().collect(), ..Infrastructure::default() }
}

pub(crate) fn wanted(all: &[(&str, Says<'_>)]) -> Desired {
    desired(&humans(), &names(), &server(), &answers(all), &Infrastructure::default())
}

/// The roles of people: name, whether a superuser, and what they are in beside the PAM role.
fn people(desired: &Desired) -> Vec<(String, bool, Vec<String>)> {
    let people = desired.roles.iter().filter(|(_, role)| role.kind == Kind::Person);
    people
        .map(|(own, role)| {
            assert!(role.memberships.contains_key(&name("users")), "{own}");
            let groups = role.memberships.keys().filter(|group| **group != name("users"));
            let groups = groups.map(ToString::to_string).collect();
            (own.to_string(), role.attributes.superuser, groups)
        })
        .collect()
}

fn person(name: &str, superuser: bool, groups: &[&str]) -> (String, bool, Vec<String>) {
    (name.to_owned(), superuser, groups.iter().map(|group| (*group).to_owned()).collect())
}

fn with_teams(rules: &[(&str, TeamRules)]) -> HumanRules {
    let teams = rules.iter().map(|(team, rules)| ((*team).to_owned(), rules.clone())).collect();
    HumanRules { teams, ..humans() }
}

fn rules() -> TeamRules {
    TeamRules::default()
}

fn wanted_of(humans: &HumanRules, server: &ServerRules, all: &[(&str, Says<'_>)]) -> Desired {
    desired(humans, &names(), server, &answers(all), &Infrastructure::default())
}

fn subjects(desired: &Desired) -> Vec<&str> {
    desired.problems.iter().map(|problem| problem.subject.as_str()).collect()
}

#[test]
fn members_of_the_owning_team_are_admins_and_superuser_teams_are_superusers() {
    let wanted = wanted(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))]);
    assert_eq!(people(&wanted), [person("alice", false, &["admin"]), person("dora", true, &[])]);
    let alice = wanted.roles.get(&name("alice")).unwrap();
    assert_eq!(alice.attributes, Attributes::LOGIN);
    assert_eq!(alice.parameters.keys().collect::<Vec<_>>(), ["log_statement"]);
    assert_eq!(
        alice.memberships.get(&name("admin")).unwrap().to_string(),
        "team \"acid\" owns this server (says file)"
    );
    assert!(wanted.problems.is_empty());
    let groups: Vec<_> = wanted.groups.keys().map(RoleName::as_str).collect();
    assert_eq!(groups, ["admin", "teams_sync_managed", "users"]);
}

#[test]
fn of_several_teams_everything_counts_and_the_strongest_wins() {
    let level = |level: &str| TeamRules { level: Some(level.to_owned()), ..rules() };
    let humans = with_teams(&[("blue", level("read-only"))]);
    let server = ServerRules { additional_teams: texts(&["blue"]), ..server() };
    let all = [
        ("acid", Members(&["alice", "dora"])),
        ("blue", Members(&["alice", "bob"])),
        ("dba", Members(&["dora"])),
    ];
    let wanted = wanted_of(&humans, &server, &all);
    assert_eq!(
        people(&wanted),
        [
            person("alice", false, &["admin", "pg_read_all_data"]),
            person("bob", false, &["pg_read_all_data"]),
            person("dora", true, &["admin"]),
        ]
    );
    assert_eq!(wanted.roles.get(&name("alice")).unwrap().teams, texts(&["acid", "blue"]));
}

#[test]
fn a_level_is_what_the_server_says_it_is() {
    for (level, superuser, groups) in [
        ("admin", false, &["admin"][..]),
        ("read-only", false, &["pg_read_all_data"]),
        ("read-write", false, &["pg_read_all_data", "pg_write_all_data"]),
        ("reporting", false, &["reporting"]),
        ("superuser", true, &[]),
        ("of-no-server", false, &[]),
    ] {
        let humans = HumanRules { level: level.to_owned(), ..humans() };
        let wanted = wanted_of(&humans, &server(), &[("acid", Members(&["alice"]))]);
        assert_eq!(people(&wanted), [person("alice", superuser, groups)], "{level}");
    }
}

#[test]
fn additional_teams_are_transitive_and_circles_end() {
    let to = |teams: &[&str]| TeamRules { additional_teams: texts(teams), ..rules() };
    let humans = with_teams(&[
        ("acid", to(&["blue"])),
        ("blue", to(&["crew"])),
        ("crew", to(&["acid", "blue", "crew"])),
        ("else", to(&["far"])),
    ]);
    let asked = teams(&humans, &server());
    assert_eq!(asked, texts(&["acid", "blue", "crew", "dba"]));
    let server = ServerRules { additional_teams: texts(&["else"]), ..server() };
    assert_eq!(teams(&humans, &server), texts(&["acid", "blue", "crew", "dba", "else", "far"]));
}

#[test]
fn why_says_whose_additional_team_it_is() {
    let to = |teams: &[&str]| TeamRules { additional_teams: texts(teams), ..rules() };
    let humans = with_teams(&[("acid", to(&["blue"])), ("else", to(&["far"]))]);
    let server = ServerRules { additional_teams: texts(&["else"]), ..server() };
    let all =
        [("blue", Members(&["bob"])), ("else", Members(&["erin"])), ("far", Members(&["fay"]))];
    let wanted = wanted_of(&humans, &server, &all);
    let why = |person: &str| wanted.roles.get(&name(person)).unwrap().why.to_string();
    assert_eq!(why("bob"), "team \"blue\" is an additional team of \"acid\" (says file)");
    assert_eq!(why("erin"), "team \"else\" is an additional team of this server (says file)");
    assert_eq!(why("fay"), "team \"far\" is an additional team of this server (says file)");
}

#[test]
fn additional_superuser_teams_are_transitive_and_their_word_is_not_the_configurations_own() {
    let to = |teams: &[&str]| TeamRules { additional_superuser_teams: texts(teams), ..rules() };
    let humans = with_teams(&[("acid", to(&["blue"])), ("blue", to(&["crew"]))]);
    let all = [("crew", Members(&["carol", "dora"])), ("dba", Members(&["dora"]))];
    let wanted = wanted_of(&humans, &server(), &all);
    assert_eq!(people(&wanted), [person("carol", true, &[]), person("dora", true, &[])]);
    let local = |person: &str| {
        wanted.roles.get(&name(person)).and_then(|role| role.superuser.as_ref()).unwrap().local
    };
    assert!(!local("carol"));
    assert!(local("dora"));
}

#[test]
fn a_circle_of_superuser_teams_does_not_lift_the_team_that_it_began_with() {
    let to = |teams: &[&str]| TeamRules { additional_superuser_teams: texts(teams), ..rules() };
    let members = || [("acid", Members(&["alice"])), ("blue", Members(&["bob"]))];
    let circle = with_teams(&[("acid", to(&["blue"])), ("blue", to(&["acid"]))]);
    let wanted = wanted_of(&circle, &server(), &members());
    assert_eq!(people(&wanted), [person("alice", false, &["admin"]), person("bob", true, &[])]);
    let own = with_teams(&[("acid", to(&["acid"]))]);
    let wanted = wanted_of(&own, &server(), &members());
    assert_eq!(people(&wanted), [person("alice", true, &["admin"])]);
}

#[test]
fn a_team_without_an_answer_is_frozen_and_the_others_are_not() {
    let wanted = wanted(&[("acid", Down), ("dba", Members(&["dora"]))]);
    assert_eq!(wanted.frozen, BTreeMap::from([("acid".to_owned(), "file: too slow".to_owned())]));
    assert_eq!(people(&wanted), [person("dora", true, &[])]);
    assert!(wanted.empty.is_empty());
}

#[test]
fn a_team_that_no_source_knows_is_frozen_unless_the_configuration_makes_it_up() {
    let virtual_team = TeamRules { additional_members: texts(&["vera"]), ..rules() };
    let humans = with_teams(&[("acid", virtual_team)]);
    let wanted = wanted_of(&humans, &server(), &[("acid", Unknown), ("dba", Unknown)]);
    assert_eq!(wanted.frozen.keys().collect::<Vec<_>>(), ["dba"]);
    assert_eq!(people(&wanted), [person("vera", false, &["admin"])]);
    // Whoever was in it by the word of a source is held.
    assert_eq!(wanted.empty, texts(&["acid"]));
    let nobody_asked = wanted_of(&humans, &server(), &[]);
    assert_eq!(people(&nobody_asked), [person("vera", false, &["admin"])]);
    assert_eq!(nobody_asked.frozen.keys().collect::<Vec<_>>(), ["dba"]);
    assert!(nobody_asked.empty.is_empty());
}

#[test]
fn members_of_the_configuration_come_in_though_the_source_is_down() {
    let more = TeamRules { additional_members: texts(&["vera"]), ..rules() };
    let humans = with_teams(&[("acid", more)]);
    let wanted = wanted_of(&humans, &server(), &[("acid", Down), ("dba", Members(&["dora"]))]);
    assert_eq!(people(&wanted), [person("dora", true, &[]), person("vera", false, &["admin"])]);
    assert_eq!(wanted.frozen.keys().collect::<Vec<_>>(), ["acid"]);
}

#[test]
fn a_team_of_nobody_whom_a_role_could_be_made_for_is_empty() {
    for members in [&[][..], &["x y", "pg_monitor"], &["postgres"], &["etl"], &["admin"]] {
        let all = answers(&[("acid", Members(members)), ("dba", Members(&["dora"]))]);
        let robots = robots([robot("etl")]);
        let wanted = desired(&humans(), &names(), &server(), &all, &robots);
        assert_eq!(wanted.empty, texts(&["acid"]), "{members:?}");
    }
    let twins = wanted(&[("acid", Members(&["alice", "Alice"])), ("dba", Members(&["dora"]))]);
    assert!(twins.empty.is_empty(), "somebody is there, if nobody knows who");
}

#[test]
fn a_bad_name_is_that_persons_problem_alone() {
    let wanted = wanted(&[
        ("acid", Members(&["alice", "x\" SUPERUSER; --", "pg_monitor"])),
        ("dba", Members(&["dora"])),
    ]);
    assert_eq!(people(&wanted), [person("alice", false, &["admin"]), person("dora", true, &[])]);
    assert_eq!(subjects(&wanted), ["pg_monitor", "x\\\" SUPERUSER; --"]);
    assert!(wanted.problems.iter().all(|problem| problem.text.contains("team \"acid\"")));
}

#[test]
fn two_people_with_one_name_are_both_left_as_they_are() {
    let wanted =
        wanted(&[("acid", Members(&["Alice", "bob"])), ("dba", Members(&["alice@example.com"]))]);
    assert_eq!(people(&wanted), [person("bob", false, &["admin"])]);
    assert_eq!(subjects(&wanted), ["alice"]);
    assert!(wanted.disputed.contains_key(&name("alice")));
}

#[test]
fn a_robot_wins_over_a_person_and_over_two_of_them() {
    for members in [&["etl", "alice"][..], &["etl", "ETL", "alice"]] {
        let all = answers(&[("acid", Members(members)), ("dba", Members(&["dora"]))]);
        let wanted = desired(&humans(), &names(), &server(), &all, &robots([robot("etl")]));
        assert_eq!(wanted.roles.get(&name("etl")).unwrap().kind, Kind::Robot, "{members:?}");
        assert!(!wanted.disputed.contains_key(&name("etl")), "{members:?}");
        assert_eq!(subjects(&wanted), ["etl"], "{members:?}");
    }
}

#[test]
fn nobody_gets_a_role_that_the_configuration_grants_and_nobody_loses_one_for_that() {
    let more = crate::infrastructure::Robot { member_of: vec![name("etl_group")], ..robot("etl") };
    let all = answers(&[
        ("acid", Members(&["reporting", "users", "etl_group", "Users"])),
        ("dba", Members(&["dora"])),
    ]);
    let wanted = desired(&humans(), &names(), &server(), &all, &robots([more]));
    assert_eq!(people(&wanted), [person("dora", true, &[])]);
    assert_eq!(subjects(&wanted), ["etl_group", "reporting", "users"]);
    for left in ["etl_group", "reporting", "users"] {
        assert!(wanted.disputed.contains_key(&name(left)), "{left}");
    }
}

#[test]
fn a_protected_role_is_nobodys_to_change() {
    let all = answers(&[("acid", Members(&["postgres", "alice"])), ("dba", Members(&["dora"]))]);
    let wanted = desired(&humans(), &names(), &server(), &all, &robots([robot("postgres")]));
    assert!(!wanted.roles.contains_key(&name("postgres")));
    assert!(wanted.disputed.contains_key(&name("postgres")));
    assert_eq!(subjects(&wanted), ["postgres", "postgres"]);
}

#[test]
fn robots_with_a_broken_or_a_second_definition_are_left_as_they_are() {
    let mut all = robots([robot("etl"), robot("web"), robot("web")]);
    all.broken.insert(name("etl2"));
    all.problems.push(Problem::new("etl2", "there is no password for etl2"));
    let members = answers(&[("acid", Members(&["etl2", "web"])), ("dba", Members(&["dora"]))]);
    let wanted = desired(&humans(), &names(), &server(), &members, &all);
    let roles: Vec<_> = wanted.roles.keys().map(RoleName::as_str).collect();
    assert_eq!(roles, ["dora", "etl"]);
    assert!(wanted.disputed.contains_key(&name("etl2")));
    assert!(wanted.disputed.contains_key(&name("web")));
    assert_eq!(subjects(&wanted), ["etl2", "web"]);
}

#[test]
fn what_is_not_known_of_robots_is_passed_on() {
    let none = robots([crate::infrastructure::Robot { kind: Kind::Static, ..robot("app") }]);
    let frozen = Infrastructure { frozen: Some("unreadable".to_owned()), ..none };
    let wanted = desired(&humans(), &names(), &server(), &answers(&[]), &frozen);
    assert_eq!(wanted.frozen_robots.as_deref(), Some("unreadable"));
    assert!(wanted.no_robots);
    assert_eq!(wanted.roles.keys().collect::<Vec<_>>(), [&name("app")]);
}
