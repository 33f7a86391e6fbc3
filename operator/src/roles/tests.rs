//! Who gets what in the end: `teams_sync` itself is asked with these rules.

use std::collections::{BTreeMap, BTreeSet};

use teams_sync::desired::{Desired, desired, teams as asked};
use teams_sync::infrastructure::{Infrastructure, Robot};
use teams_sync::password::Secret;
use teams_sync::plan::record::Kind;
use teams_sync::role::{Attributes, RoleName};
use teams_sync::teams::fetch::Answer;
use teams_sync::why::{Rule, Why};

use super::vectors::{cluster, config};
use super::*;
use crate::api::postgres_team::PostgresTeamSpec;
use crate::cluster::Cluster;
use crate::config::Config;

fn role(name: &str) -> RoleName {
    RoleName::from_catalog(name.to_owned())
}

/// `additionalSuperuserTeams` and so on, as somebody writes them.
fn teams(yaml: &[&str]) -> PostgresTeams {
    let specs: Vec<PostgresTeamSpec> =
        yaml.iter().map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    PostgresTeams::union(&specs)
}

fn with_crd(superusers: bool) -> Config {
    let mut config = config();
    config.identity.enable_postgres_team_crd = true;
    config.identity.enable_postgres_team_crd_superusers = superusers;
    config
}

fn of_team(team: &str) -> Cluster {
    let mut cluster = cluster();
    cluster.spec.team_id = team.to_owned();
    cluster
}

fn wanted(
    cluster: &Cluster,
    config: &Config,
    teams: &PostgresTeams,
    members: &[(&str, &[&str])],
) -> Desired {
    let manifest = of_manifest(cluster, config).unwrap();
    let all = robots(Infrastructure::default(), &manifest, |_| Secret::parse(b"secret").ok());
    let answers: BTreeMap<String, Answer> = members
        .iter()
        .map(|(team, members)| {
            let members = members.iter();
            let named = members.map(|name| ((*name).to_owned(), BTreeSet::from(["api"]))).collect();
            ((*team).to_owned(), Answer::Team(named))
        })
        .collect();
    desired(
        &human_rules(cluster, config, teams),
        &names(config).unwrap(),
        &server_rules(cluster, config, &manifest, &[]),
        &answers,
        &all,
    )
}

/// Name, superuser or not, and what she is a member of.
fn people(desired: &Desired) -> Vec<(&str, bool, Vec<&str>)> {
    let people = desired.roles.iter().filter(|(_, role)| role.kind == Kind::Person);
    people
        .map(|(name, role)| {
            let groups = role.memberships.keys().map(RoleName::as_str).collect();
            (name.as_str(), role.attributes.superuser, groups)
        })
        .collect()
}

fn subjects(desired: &Desired) -> Vec<&str> {
    desired.problems.iter().map(|problem| problem.subject.as_str()).collect()
}

#[test]
fn members_of_the_owning_team_log_in_as_admins_and_what_they_do_is_logged() {
    let teams = PostgresTeams::default();
    let wanted = wanted(&cluster(), &config(), &teams, &[("ACID", &["foo", "bar"])]);
    let member = |name| (name, false, vec!["admin", "zalandos"]);
    assert_eq!(people(&wanted), [member("bar"), member("foo")]);
    let foo = &wanted.roles[&role("foo")];
    assert_eq!(foo.attributes, Attributes::LOGIN);
    assert_eq!(foo.parameters["log_statement"].values, ["all"]);
    assert!(foo.password.is_none());
    assert!(wanted.problems.is_empty(), "{:?}", wanted.problems);
}

#[test]
fn without_an_admin_role_members_only_log_in() {
    let mut config = config();
    config.identity.team_admin_role = None;
    let wanted = wanted(&cluster(), &config, &PostgresTeams::default(), &[("ACID", &["foo"])]);
    assert_eq!(people(&wanted), [("foo", false, vec!["zalandos"])]);
}

#[test]
fn a_team_can_be_superuser_on_its_own_clusters_and_is_not_elsewhere() {
    let mut config = with_crd(false);
    config.identity.enable_team_superuser = true;
    let teams = teams(&["{additionalTeams: {ACID: [helpers], helpers: [ACID]}}"]);
    let members: &[(&str, &[&str])] = &[("ACID", &["foo"]), ("helpers", &["hal"])];
    let own = wanted(&cluster(), &config, &teams, members);
    assert_eq!(
        people(&own),
        [("foo", true, vec!["zalandos"]), ("hal", false, vec!["admin", "zalandos"])]
    );
    let elsewhere = wanted(&of_team("helpers"), &config, &teams, members);
    assert_eq!(
        people(&elsewhere),
        [("foo", false, vec!["admin", "zalandos"]), ("hal", true, vec!["zalandos"])]
    );
}

#[test]
fn a_member_of_a_superuser_team_is_a_superuser_whatever_else_she_is_in() {
    let mut config = config();
    config.identity.postgres_superuser_teams = BTreeSet::from(["postgres_superusers".to_owned()]);
    let members: &[(&str, &[&str])] =
        &[("ACID", &["foo", "both"]), ("postgres_superusers", &["both", "postgres_superuser"])];
    let wanted = wanted(&cluster(), &config, &PostgresTeams::default(), members);
    let found: Vec<_> = people(&wanted).into_iter().map(|(name, on, _)| (name, on)).collect();
    assert_eq!(found, [("both", true), ("foo", false), ("postgres_superuser", true)]);
}

#[test]
fn additional_superuser_teams_need_both_keys_and_are_followed() {
    let teams = teams(&[
        "{additionalSuperuserTeams: {ACID: [dba]}}",
        "{additionalSuperuserTeams: {dba: [root, ACID]}}",
    ]);
    let members: &[(&str, &[&str])] =
        &[("ACID", &["foo"]), ("dba", &["dora"]), ("root", &["rita"])];
    let on = wanted(&cluster(), &with_crd(true), &teams, members);
    let found: Vec<_> = people(&on).into_iter().map(|(name, on, _)| (name, on)).collect();
    assert_eq!(found, [("dora", true), ("foo", false), ("rita", true)]);
    // The configuration itself says so: nobody has to release it.
    let is_local = |name: &str| {
        let role = on.roles.iter().find(|(role, _)| role.as_str() == name).map(|(_, role)| role);
        role.and_then(|role| role.superuser.as_ref()).is_some_and(|elevation| elevation.local)
    };
    assert!(is_local("dora") && is_local("rita"));
    let mut other = config();
    other.identity.enable_postgres_team_crd_superusers = true;
    for off in [with_crd(false), other] {
        let wanted = wanted(&cluster(), &off, &teams, members);
        assert_eq!(people(&wanted), [("foo", false, vec!["admin", "zalandos"])]);
    }
}

#[test]
fn additional_teams_are_followed_in_circles_and_all_objects_count() {
    let teams = teams(&[
        "{additionalTeams: {ACID: [a, b]}, additionalMembers: {ACID: [elephant, '']}}",
        "{additionalTeams: {ACID: [c], c: [d, ACID]}, additionalMembers: {ACID: [dumbo]}}",
    ]);
    let rules = human_rules(&cluster(), &with_crd(false), &teams);
    let server = server_rules(&cluster(), &config(), &ManifestRoles::default(), &[]);
    let found: Vec<String> = asked(&rules, &server).into_iter().collect();
    assert_eq!(found, ["ACID", "a", "b", "c", "d"]);
    let wanted = wanted(&cluster(), &with_crd(false), &teams, &[("ACID", &["foo"])]);
    let found: Vec<_> = people(&wanted).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(found, ["dumbo", "elephant", "foo"]);
    let rules = human_rules(&cluster(), &config(), &teams);
    assert_eq!(rules.teams.len(), 0, "the objects count only where the configuration says so");
}

#[test]
fn nobody_is_called_like_a_role_that_is_granted_or_kept() {
    let mut cluster = cluster();
    cluster.spec.prepared_databases = Some(BTreeMap::new());
    let members = ["admin", "cron_admin", "postgres", "standby", "zalandos", "teams_sync_managed"];
    let robots = ["foo_user", "zalando", "acid_minimal_cluster_owner"];
    let members: Vec<&str> = members.into_iter().chain(robots).collect();
    let teams = PostgresTeams::default();
    let wanted = wanted(&cluster, &config(), &teams, &[("ACID", &members)]);
    assert_eq!(people(&wanted), []);
    let mut expected = members.clone();
    expected.sort_unstable();
    assert_eq!(subjects(&wanted), expected);
    assert_eq!(wanted.roles[&role("foo_user")].kind, Kind::Static);
}

fn robot(name: &str, groups: &[&str]) -> Robot {
    let manifest = of_manifest(&cluster(), &config()).unwrap();
    let mut all = robots(Infrastructure::default(), &manifest, |_| None);
    let mut robot = all.roles.remove(0);
    robot.name = role(name);
    robot.kind = Kind::Robot;
    robot.member_of = groups.iter().map(|name| role(name)).collect();
    robot.why = Why::of(Rule::Infrastructure { origin: "a Secret".to_owned() });
    robot
}

#[test]
fn what_robots_are_members_of_is_nobodys_name() {
    let robots = [robot("robot_zmon_acid", &["robot_zmon", "pg_monitor"])];
    let rules = server_rules(&cluster(), &config(), &ManifestRoles::default(), &robots);
    for name in ["robot_zmon_acid", "robot_zmon", "pg_monitor", "zalandos", "admin"] {
        assert!(rules.vocabulary.contains(&role(name)), "{name}");
    }
}

#[test]
fn an_infrastructure_role_beats_a_user_and_loses_to_a_prepared_database() {
    let mut cluster = cluster();
    cluster.spec.prepared_databases = Some(BTreeMap::from([("bar".to_owned(), None)]));
    let manifest = of_manifest(&cluster, &config()).unwrap();
    let infrastructure = Infrastructure {
        roles: vec![robot("foo_user", &[]), robot("bar_owner", &[])],
        ..Infrastructure::default()
    };
    let all = robots(infrastructure, &manifest, |_| Secret::parse(b"secret").ok());
    let kind = |name: &str| {
        let found: Vec<_> = all.roles.iter().filter(|robot| robot.name == role(name)).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].kind
    };
    assert_eq!(kind("foo_user"), Kind::Robot);
    assert_eq!(kind("bar_owner"), Kind::Static);
    assert_eq!(all.warnings.len(), 2, "{:?}", all.warnings);
}

#[test]
fn only_roles_that_log_in_have_a_password() {
    let mut cluster = cluster();
    cluster.spec.users.insert("group".to_owned(), Some(vec!["NOLOGIN".to_owned()]));
    let manifest = of_manifest(&cluster, &config()).unwrap();
    let all = robots(Infrastructure::default(), &manifest, |_| Secret::parse(b"secret").ok());
    let found: Vec<_> =
        all.roles.iter().map(|robot| (robot.name.as_str(), robot.password.is_some())).collect();
    assert_eq!(found, [("foo_user", true), ("group", false), ("zalando", true)]);
}

#[test]
fn the_suffix_is_there_only_where_roles_of_leavers_are_renamed() {
    assert_eq!(style(&config()).role_deletion_suffix, None);
    assert_eq!(names(&config()).unwrap().reserved_bytes, 0);
    let mut renamed = config();
    renamed.identity.enable_team_member_deprecation = true;
    assert_eq!(style(&renamed).role_deletion_suffix.as_deref(), Some("_deleted"));
    assert_eq!(names(&renamed).unwrap().reserved_bytes, "_deleted".len());
}

#[test]
fn people_lose_only_what_a_rule_gave_them() {
    let style = style(&config());
    assert_eq!(style.vocabulary, BTreeSet::from([role("admin"), role("zalandos")]));
    assert!(!style.revoke_other_memberships);
}

#[test]
fn a_cluster_without_a_team_has_no_people() {
    let rules = server_rules(&of_team(""), &config(), &ManifestRoles::default(), &[]);
    assert_eq!(rules.team, None);
}

#[test]
fn a_name_belongs_to_one_of_them_and_the_other_is_told_of() {
    let mut cluster = cluster();
    cluster.spec.prepared_databases = Some(BTreeMap::from([("bar".to_owned(), None)]));
    let manifest = of_manifest(&cluster, &config()).unwrap();
    let infrastructure = Infrastructure {
        roles: vec![robot("foo_user", &[]), robot("bar_owner", &[])],
        broken: BTreeSet::from([role("zalando")]),
        ..Infrastructure::default()
    };
    let names = RobotNames::of(&infrastructure);
    let have = |name: &str| names.have(&role(name), &manifest.roles[&role(name)]);
    assert_eq!(
        ["foo_user", "zalando", "bar_owner", "bar_reader"].map(have),
        [true, true, false, false]
    );
    let notes = names.notes(&manifest);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[1].contains("foo_user of the manifest is an infrastructure role"), "{notes:?}");
}

#[test]
fn while_infrastructure_roles_are_unknown_a_user_may_be_one() {
    let manifest = of_manifest(&cluster(), &config()).unwrap();
    let unknown =
        Infrastructure { frozen: Some("not read yet".to_owned()), ..Infrastructure::default() };
    let names = RobotNames::of(&unknown);
    let foo_user = role("foo_user");
    assert!(names.may_have(&foo_user, &manifest.roles[&foo_user]));
    assert!(!names.have(&foo_user, &manifest.roles[&foo_user]));
    let known = RobotNames::of(&Infrastructure::default());
    assert!(!known.may_have(&foo_user, &manifest.roles[&foo_user]));
}
