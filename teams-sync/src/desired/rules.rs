//! What the local configuration says about teams and people, ready to use.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::Rule;
use crate::role::{Parameter, RoleName};

/// `[humans]` and `[teams]`.
#[derive(Clone, Debug)]
pub struct HumanRules {
    pub pam_role: RoleName,
    pub admin_role: Option<RoleName>,
    pub superuser_teams: BTreeSet<String>,
    pub parameters: Vec<Parameter>,
    pub teams: BTreeMap<String, TeamRules>,
    /// Of teams that have none of their own.
    pub level: LevelName,
}

/// How `level` is written; [`ServerRules::levels`] says what it is on a server.
pub type LevelName = String;

/// `[teams.NAME]`.
#[derive(Clone, Debug, Default)]
pub struct TeamRules {
    pub level: Option<LevelName>,
    pub additional_teams: BTreeSet<String>,
    pub additional_superuser_teams: BTreeSet<String>,
    pub additional_members: BTreeSet<String>,
}

/// `[[server]]`, as far as roles go.
#[derive(Clone, Debug)]
pub struct ServerRules {
    pub team: Option<String>,
    pub additional_teams: BTreeSet<String>,
    /// What each level that is used means here.
    pub levels: BTreeMap<LevelName, Level>,
    /// Every role that our configuration may grant: nobody is called like one of these, and
    /// membership in them is ours to give and to take.
    pub vocabulary: BTreeSet<RoleName>,
}

/// What a team's members get, beyond the PAM role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Level {
    Superuser,
    Roles { roles: Vec<RoleName> },
}

/// One team with a say on a server.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) team: String,
    pub(super) level: Level,
    pub(super) rule: Rule,
}

/// All teams that have one. A team can have several.
pub(super) fn parts(humans: &HumanRules, server: &ServerRules) -> Vec<Part> {
    let mut parts = Vec::new();
    for team in &humans.superuser_teams {
        let rule = Rule::SuperuserTeam;
        parts.push(Part { team: team.clone(), level: Level::Superuser, rule });
    }
    let owner = server.team.as_ref();
    let superuser_edges = |rules: &TeamRules| rules.additional_superuser_teams.clone();
    let of_owner = owner.and_then(|owner| humans.teams.get(owner));
    for team in reachable(&humans.teams, owner.into_iter().cloned().collect(), superuser_edges) {
        // A circle does not lift the team that it began with; naming itself does.
        let by_itself = of_owner.is_some_and(|own| own.additional_superuser_teams.contains(&team));
        if owner == Some(&team) && !by_itself {
            continue;
        }
        let of = owner.cloned().unwrap_or_default();
        let rule = Rule::AdditionalSuperuserTeam { of };
        parts.push(Part { team, level: Level::Superuser, rule });
    }
    let level = |team: &String| {
        let own = humans.teams.get(team).and_then(|rules| rules.level.as_ref());
        let name = own.unwrap_or(&humans.level);
        // The configuration made an entry for every level that it uses.
        server.levels.get(name).cloned().unwrap_or(Level::Roles { roles: Vec::new() })
    };
    let edges = |rules: &TeamRules| rules.additional_teams.clone();
    let mut direct = server.additional_teams.clone();
    direct.extend(of_owner.into_iter().flat_map(edges));
    let from_owner = reachable(&humans.teams, owner.into_iter().cloned().collect(), edges);
    let mut additional = reachable(&humans.teams, direct.clone(), edges);
    additional.extend(direct);
    for team in additional {
        if owner == Some(&team) {
            continue;
        }
        let of = owner.filter(|_| from_owner.contains(&team)).cloned().unwrap_or_default();
        let level = level(&team);
        parts.push(Part { team, level, rule: Rule::AdditionalTeam { of } });
    }
    if let Some(team) = owner {
        parts.push(Part { team: team.clone(), level: level(team), rule: Rule::OwningTeam });
    }
    parts
}

/// Teams that can be reached, in any number of steps, from these; themselves only if they can
/// be. Circles are no problem.
fn reachable(
    teams: &BTreeMap<String, TeamRules>,
    from: BTreeSet<String>,
    edges: impl Fn(&TeamRules) -> BTreeSet<String>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = from.into_iter().collect();
    while let Some(team) = open.pop() {
        for next in teams.get(&team).map(&edges).unwrap_or_default() {
            if found.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    found
}
