//! Who among people gets what: the rules of `teams_sync` as the configuration, `PostgresTeam`
//! objects and the team of a cluster make them.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use teams_sync::desired::{HumanRules, Level, ServerRules, TeamRules};
use teams_sync::infrastructure::Robot;
use teams_sync::names::{Case, DEFAULT_PATTERN, Names};
use teams_sync::plan::Style;
use teams_sync::role::{Parameter, RoleName, marker};

use super::convert;
use super::manifest::ManifestRoles;
use super::teams::PostgresTeams;
use crate::cluster::Cluster;
use crate::config::Config;

/// What the members of a team get.
const ADMIN: &str = "admin";

/// What the team of a cluster gets where `enable_team_superuser` says so.
const SUPERUSER: &str = "superuser";

/// Which teams have a say, and what their members get. It is of one cluster, because
/// `enable_team_superuser` lifts a team on its own clusters alone.
pub fn human_rules(cluster: &Cluster, config: &Config, teams: &PostgresTeams) -> HumanRules {
    let identity = &config.identity;
    let mut rules = BTreeMap::new();
    if identity.enable_postgres_team_crd {
        fill(&mut rules, &teams.additional_teams, |team| &mut team.additional_teams);
        fill(&mut rules, &teams.additional_members, |team| &mut team.additional_members);
    }
    // Whoever is one needs no admin role beside it.
    if let Some(owner) = owner(cluster).filter(|_| identity.enable_team_superuser) {
        rules.entry(owner).or_default().level = Some(SUPERUSER.to_owned());
    }
    // They were checked with the configuration.
    let parameters = identity.team_api_role_configuration.iter();
    let parameters = parameters.filter_map(|(name, value)| Parameter::parse(name, value).ok());
    HumanRules {
        pam_role: pam_role(config),
        admin_role: admin_role(config),
        superuser_teams: superuser_teams(cluster, config, teams),
        parameters: parameters.collect(),
        teams: rules,
        level: ADMIN.to_owned(),
    }
}

/// Teams whose members are superusers on this cluster. Whoever switched this on trusts what it
/// goes by, so that nobody has to release it for each of them.
fn superuser_teams(cluster: &Cluster, config: &Config, teams: &PostgresTeams) -> BTreeSet<String> {
    let identity = &config.identity;
    let mut all = without_empty(&identity.postgres_superuser_teams);
    let Some(owner) = owner(cluster) else { return all };
    if identity.enable_postgres_team_crd && identity.enable_postgres_team_crd_superusers {
        let edges = &teams.additional_superuser_teams;
        let named_by = |team: &String| edges.get(team).into_iter().flatten();
        let mut open: Vec<&String> = named_by(&owner).collect();
        let mut found = BTreeSet::new();
        while let Some(team) = open.pop() {
            if found.insert(team.clone()) {
                open.extend(named_by(team));
            }
        }
        // A circle does not lift the team that it began with; naming itself does.
        if !named_by(&owner).any(|team| *team == owner) {
            found.remove(&owner);
        }
        all.extend(found);
    }
    if identity.enable_team_superuser {
        all.insert(owner);
    }
    all
}

type Named = BTreeMap<String, BTreeSet<String>>;

fn fill(
    rules: &mut BTreeMap<String, TeamRules>,
    named: &Named,
    place: impl Fn(&mut TeamRules) -> &mut BTreeSet<String>,
) {
    for (team, named) in named {
        place(rules.entry(team.clone()).or_default()).extend(named.iter().cloned());
    }
}

/// What holds on the server of one cluster. `robots`: infrastructure roles, whether or not those
/// of the manifest are already among them.
pub fn server_rules(
    cluster: &Cluster,
    config: &Config,
    manifest_roles: &ManifestRoles,
    robots: &[Robot],
) -> ServerRules {
    let admin = Level::Roles { roles: admin_role(config).into_iter().collect() };
    let mut vocabulary: BTreeSet<RoleName> = groups(config).collect();
    vocabulary.insert(marker());
    let owner_roles = config.identity.additional_owner_roles.iter();
    vocabulary.extend(owner_roles.map(|name| RoleName::from_catalog(name.clone())));
    for (name, role) in &manifest_roles.roles {
        vocabulary.insert(name.clone());
        vocabulary.extend(role.member_of.iter().chain(&role.admins).cloned());
    }
    for robot in robots {
        vocabulary.insert(robot.name.clone());
        vocabulary.extend(robot.member_of.iter().cloned());
    }
    ServerRules {
        team: owner(cluster),
        // Which these are, the rules of its team say.
        additional_teams: BTreeSet::new(),
        levels: BTreeMap::from([
            (ADMIN.to_owned(), admin),
            (SUPERUSER.to_owned(), Level::Superuser),
        ]),
        vocabulary,
    }
}

/// How names of a directory become roles. `None`: the pattern of `teams_sync` is none, which
/// cannot be.
pub fn names(config: &Config) -> Option<Names> {
    Some(Names {
        case: Case::Lower,
        strip_domains: BTreeSet::new(),
        pattern: Regex::new(DEFAULT_PATTERN).ok()?,
        map: BTreeMap::new(),
        reserved_bytes: suffix(config).map_or(0, |suffix| suffix.len()),
        protected: protected(config),
    })
}

/// How a server is planned for. Only what people get by a rule is taken from them again; a role
/// of the manifest that an administrator granted to somebody stays hers.
pub fn style(config: &Config) -> Style {
    let owner_roles = config.identity.additional_owner_roles.iter();
    let owner_roles = owner_roles.map(|name| RoleName::from_catalog(name.clone())).collect();
    convert::style(groups(config), pam_role(config), suffix(config), owner_roles)
}

/// Roles that no person and no infrastructure role can have, and that are left as they are.
fn protected(config: &Config) -> BTreeSet<RoleName> {
    let identity = &config.identity;
    let names = [&identity.super_username, &identity.replication_username];
    let names = names.into_iter().chain(&identity.protected_role_names);
    let names = names.filter(|name| !name.is_empty());
    let mut protected: BTreeSet<RoleName> =
        names.map(|name| RoleName::from_catalog(name.clone())).collect();
    protected.insert(marker());
    protected.extend(groups(config));
    protected
}

/// What people are given.
fn groups(config: &Config) -> impl Iterator<Item = RoleName> {
    std::iter::once(pam_role(config)).chain(admin_role(config))
}

fn pam_role(config: &Config) -> RoleName {
    RoleName::from_catalog(config.identity.pam_role_name.clone())
}

fn admin_role(config: &Config) -> Option<RoleName> {
    let name = config.identity.team_admin_role.as_ref().filter(|name| !name.is_empty());
    name.map(|name| RoleName::from_catalog(name.clone()))
}

/// Whoever leaves loses the way in with or without it.
fn suffix(config: &Config) -> Option<String> {
    let identity = &config.identity;
    let suffix = Some(&identity.role_deletion_suffix);
    suffix.filter(|text| identity.enable_team_member_deprecation && !text.is_empty()).cloned()
}

/// `None`: nobody owns it, and it has no people but superusers.
fn owner(cluster: &Cluster) -> Option<String> {
    Some(&cluster.spec.team_id).filter(|team| !team.is_empty()).cloned()
}

fn without_empty(teams: &BTreeSet<String>) -> BTreeSet<String> {
    teams.iter().filter(|team| !team.is_empty()).cloned().collect()
}
