//! Which roles a server should have, and why: teams and robots in, roles out. Pure.
//!
//! What a team answered and what the configuration says become one set of roles. Whatever is
//! uncertain (a team without an answer, two people with one name) is named here, so that nothing
//! is taken from anybody for its sake.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::infrastructure::Infrastructure;
use crate::names::{self, Names};
use crate::password::Secret;
use crate::plan::record::Kind;
use crate::role::{Attributes, Flag, Parameter, RoleName, marker};
use crate::teams::fetch::Answer;

pub use crate::why::{Problem, Rule, Why};
pub use rules::{HumanRules, Level, LevelName, ServerRules, TeamRules};

use rules::Part;

/// All roles that a server should have.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Roles to be granted that are made where they are missing, without login.
    pub groups: BTreeMap<RoleName, Why>,
    pub roles: BTreeMap<RoleName, DesiredRole>,
    /// Every team that the configuration asks about for this server.
    pub teams: BTreeSet<String>,
    /// Those without an answer, and why there is none.
    pub frozen: BTreeMap<String, String>,
    /// Why it is not even known which teams have a say, if so: then nobody of any team loses
    /// anything. Set by whoever reads the rules; [`desired`] leaves it empty.
    pub frozen_people: Option<String>,
    /// Those whose source names nobody whom we could make a role for.
    pub empty: BTreeSet<String>,
    /// Why nothing is known of the infrastructure roles, if so.
    pub frozen_robots: Option<String>,
    /// Whether the source of the infrastructure roles names none at all.
    pub no_robots: bool,
    /// Roles that are left exactly as they are.
    pub disputed: BTreeMap<RoleName, Problem>,
    pub problems: BTreeSet<Problem>,
}

/// One role as it should be.
#[derive(Clone, Debug)]
pub struct DesiredRole {
    pub kind: Kind,
    pub attributes: Attributes,
    pub memberships: BTreeMap<RoleName, Why>,
    /// Roles whose members may grant this one on. What they have is added, and never revoked for
    /// not being here any more.
    pub admins: BTreeSet<RoleName>,
    pub parameters: BTreeMap<String, Parameter>,
    pub password: Option<Secret>,
    /// Of a rotation: the role whose user it is for a while.
    pub rotated_from: Option<RoleName>,
    /// Teams that name her; none for robots.
    pub teams: BTreeSet<String>,
    /// Why she may log in at all.
    pub why: Why,
    pub superuser: Option<Elevation>,
}

/// Why somebody is to be a superuser, and whether a directory alone could have done that.
#[derive(Clone, Debug)]
pub struct Elevation {
    pub why: Why,
    /// By `humans.superuser_teams` or for a robot: the local configuration itself says so.
    pub local: bool,
}

/// Brings it all together for one server.
pub fn desired(
    humans: &HumanRules,
    names: &Names,
    server: &ServerRules,
    answers: &BTreeMap<String, Answer>,
    robots: &Infrastructure,
) -> Desired {
    let mut desired = Desired::default();
    groups(humans, &mut desired);
    let parts = rules::parts(humans, server);
    desired.teams = teams(humans, server);
    leave_protected(names, &mut desired);
    add_robots(robots, names, &mut desired);
    let members = members(humans, &parts, answers, &mut desired);
    add_people(humans, names, server, &parts, &members, &mut desired);
    desired
}

/// Every team that has a say on a server.
pub fn teams(humans: &HumanRules, server: &ServerRules) -> BTreeSet<String> {
    rules::parts(humans, server).into_iter().map(|part| part.team).collect()
}

fn groups(humans: &HumanRules, desired: &mut Desired) {
    desired.groups.insert(marker(), Why::of(Rule::Marker));
    desired.groups.insert(humans.pam_role.clone(), Why::of(Rule::PamRole));
    if let Some(admin) = &humans.admin_role {
        desired.groups.insert(admin.clone(), Why::of(Rule::AdminRole));
    }
}

/// Whatever was marked by mistake or by hand: a protected role is nobody's to change.
fn leave_protected(names: &Names, desired: &mut Desired) {
    for name in &names.protected {
        let problem = Problem::new(name.to_string(), format!("the role {name} is protected"));
        desired.disputed.insert(name.clone(), problem);
    }
}

fn add_robots(robots: &Infrastructure, names: &Names, desired: &mut Desired) {
    desired.frozen_robots.clone_from(&robots.frozen);
    desired.no_robots = robots.roles.iter().all(|robot| robot.kind != Kind::Robot);
    desired.problems.extend(robots.problems.iter().cloned());
    for name in &robots.broken {
        let text = format!("{name} is left as it is: its definition cannot be used");
        desired.disputed.insert(name.clone(), Problem::new(name.to_string(), text));
    }
    let mut claimed: BTreeMap<RoleName, usize> = BTreeMap::new();
    for robot in &robots.roles {
        *claimed.entry(robot.name.clone()).or_default() += 1;
    }
    for robot in &robots.roles {
        if names.protected.contains(&robot.name) || desired.groups.contains_key(&robot.name) {
            let text = format!("{} cannot be {}: that role is protected", robot.why, robot.name);
            desired.problems.insert(Problem::new(robot.name.to_string(), text));
            continue;
        }
        if claimed.get(&robot.name).is_some_and(|number| *number > 1) {
            let text = format!("{} is defined more than once; it is left as it is", robot.name);
            let problem = Problem::new(robot.name.to_string(), text);
            desired.problems.insert(problem.clone());
            desired.disputed.insert(robot.name.clone(), problem);
            continue;
        }
        let memberships =
            robot.member_of.iter().map(|group| (group.clone(), robot.why.clone())).collect();
        let superuser =
            robot.attributes.superuser.then(|| Elevation { why: robot.why.clone(), local: true });
        let role = DesiredRole {
            kind: robot.kind,
            attributes: robot.attributes,
            memberships,
            admins: robot.admins.clone(),
            parameters: by_name(&robot.parameters),
            password: robot.password.clone(),
            rotated_from: robot.rotated_from.clone(),
            teams: BTreeSet::new(),
            why: robot.why.clone(),
            superuser,
        };
        desired.roles.insert(robot.name.clone(), role);
    }
}

fn by_name(parameters: &[Parameter]) -> BTreeMap<String, Parameter> {
    parameters.iter().map(|parameter| (parameter.name.clone(), parameter.clone())).collect()
}

/// What is known of one team.
#[derive(Debug, Default)]
struct TeamMembers {
    /// Name of a directory -> what said so.
    all: BTreeMap<String, BTreeSet<String>>,
    /// Those of them whom a source names; `None` where no source was asked.
    sourced: Option<BTreeSet<String>>,
}

fn members(
    humans: &HumanRules,
    parts: &[Part],
    answers: &BTreeMap<String, Answer>,
    desired: &mut Desired,
) -> BTreeMap<String, TeamMembers> {
    let mut members: BTreeMap<String, TeamMembers> = BTreeMap::new();
    for team in parts.iter().map(|part| &part.team).collect::<BTreeSet<_>>() {
        let own = members.entry(team.clone()).or_default();
        let local = humans.teams.get(team).map(|rules| &rules.additional_members);
        for member in local.into_iter().flatten() {
            own.all.entry(member.clone()).or_default().insert("configuration".to_owned());
        }
        let has_local = !own.all.is_empty();
        let frozen = match answers.get(team) {
            Some(Answer::Team(named)) => {
                for (member, sources) in named {
                    let all = own.all.entry(member.clone()).or_default();
                    all.extend(sources.iter().map(|source| (*source).to_owned()));
                }
                own.sourced = Some(named.keys().cloned().collect());
                None
            }
            // A team can be made of the configuration alone. If it was once more than that, its
            // source now names nobody.
            Some(Answer::Unknown(_)) if has_local => {
                own.sourced = Some(BTreeSet::new());
                None
            }
            Some(Answer::NoSource) => None,
            Some(Answer::Unknown(text)) => Some(text.clone()),
            Some(Answer::Frozen { source, error }) => Some(format!("{source}: {error}")),
            None if has_local => None,
            None => Some("no source of teams is configured".to_owned()),
        };
        if let Some(reason) = frozen {
            desired.frozen.insert(team.clone(), reason);
        }
    }
    members
}

fn add_people(
    humans: &HumanRules,
    names: &Names,
    server: &ServerRules,
    parts: &[Part],
    members: &BTreeMap<String, TeamMembers>,
    desired: &mut Desired,
) {
    let raw = members.values().flat_map(|members| members.all.keys().map(String::as_str));
    let people = names::people(raw.collect::<BTreeSet<_>>(), names);
    // There are only robots yet.
    let taken = taken(server, desired);
    for (raw, error) in &people.unusable {
        let teams = teams_of(raw, members);
        let text = format!("{raw:?} of {teams} gets no role: {error}");
        desired.problems.insert(Problem::new(raw.escape_debug().to_string(), text));
    }
    for (role, raw) in &people.twins {
        // Two people can take a robot no more than one can.
        if taken.contains(role) {
            let text = format!(
                "two members of teams are called like the role {role} of the configuration, which stays what it is"
            );
            refuse(role, text, desired);
            continue;
        }
        let raw: Vec<_> = raw.iter().map(|raw| format!("{raw:?}")).collect();
        let text = format!(
            "{} would all be the role {role}, which is left as it is: names.map can tell them apart",
            raw.join(" and ")
        );
        let problem = Problem::new(role.to_string(), text);
        desired.problems.insert(problem.clone());
        desired.disputed.insert(role.clone(), problem);
    }
    let role_of: BTreeMap<&str, &RoleName> =
        people.roles.iter().map(|(role, raw)| (raw.as_str(), role)).collect();
    // Somebody whose name two people claim is somebody. Who is called like a robot is nobody.
    let twins = people.twins.iter().flat_map(|(role, all)| all.iter().map(move |raw| (role, raw)));
    let all = people.roles.iter().chain(twins);
    let somebody: BTreeSet<&String> =
        all.filter(|(role, _)| !taken.contains(role)).map(|(_, raw)| raw).collect();
    for (team, own) in members {
        let usable = |raw: &String| somebody.contains(raw);
        if own.sourced.as_ref().is_some_and(|sourced| !sourced.iter().any(usable)) {
            desired.empty.insert(team.clone());
        }
    }
    for part in parts {
        for (raw, sources) in members.get(&part.team).map(|own| &own.all).into_iter().flatten() {
            let Some(role) = role_of.get(raw.as_str()) else { continue };
            let why = Why::team(part.rule.clone(), &part.team, sources);
            add_person(humans, &taken, part, role, why, desired);
        }
    }
}

fn add_person(
    humans: &HumanRules,
    taken: &BTreeSet<RoleName>,
    part: &Part,
    role: &RoleName,
    why: Why,
    desired: &mut Desired,
) {
    if taken.contains(role) {
        let text = format!(
            "a member of team {:?} is called like the role {role} of the configuration, which stays what it is",
            part.team
        );
        refuse(role, text, desired);
        return;
    }
    if desired.disputed.contains_key(role) {
        return;
    }
    let person = desired.roles.entry(role.clone()).or_insert_with(|| DesiredRole {
        kind: Kind::Person,
        attributes: Attributes::LOGIN,
        memberships: BTreeMap::from([(humans.pam_role.clone(), why.with(Rule::PamRole))]),
        admins: BTreeSet::new(),
        parameters: by_name(&humans.parameters),
        password: None,
        rotated_from: None,
        teams: BTreeSet::new(),
        why: why.clone(),
        superuser: None,
    });
    person.teams.insert(part.team.clone());
    match &part.level {
        Level::Superuser => {
            let local = part.rule == Rule::SuperuserTeam;
            // The way in that the configuration itself trusts counts, if there is one.
            if person.superuser.as_ref().is_none_or(|known| local && !known.local) {
                person.superuser = Some(Elevation { why, local });
            }
            person.attributes.set(Flag::Superuser, true);
        }
        Level::Roles { roles, .. } => {
            for group in roles {
                person.memberships.entry(group.clone()).or_insert_with(|| why.clone());
            }
        }
    }
}

/// Every role that the configuration names, and that is nobody's for that.
fn taken(server: &ServerRules, desired: &Desired) -> BTreeSet<RoleName> {
    let mut taken = server.vocabulary.clone();
    taken.extend(desired.groups.keys().cloned());
    for (name, robot) in &desired.roles {
        taken.insert(name.clone());
        taken.extend(robot.memberships.keys().cloned());
        taken.extend(robot.admins.iter().cloned());
    }
    taken
}

/// Nobody gets this role; and if somebody has had it, that is no reason to take it from her.
fn refuse(role: &RoleName, text: String, desired: &mut Desired) {
    let problem = Problem::new(role.to_string(), text);
    desired.problems.insert(problem.clone());
    if !desired.roles.contains_key(role) {
        desired.disputed.insert(role.clone(), problem);
    }
}

fn teams_of(raw: &str, members: &BTreeMap<String, TeamMembers>) -> String {
    let teams: Vec<_> = members
        .iter()
        .filter(|(_, members)| members.all.contains_key(raw))
        .map(|(team, _)| format!("team {team:?}"))
        .collect();
    teams.join(" and ")
}

#[cfg(test)]
pub(crate) mod tests;
