//! The guard: what of a plan may be done now, and what waits for a person. Pure.
//!
//! A directory that answers nonsense must not lock a company out, nor let the world in. Whatever
//! is held leaves the role exactly as it is; everything else goes on. The only way to an
//! [`Approved`], which is the only thing that `apply` takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::plan::record::Kind;
use crate::plan::{Change, Plan, Population, RolePlan};
use crate::role::RoleName;

/// How much may happen at once without anybody looking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Removals that are always allowed.
    pub removals: usize,
    /// Of the people who are in, the part that may be removed.
    pub removals_share: f64,
    pub additions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { removals: 3, removals_share: 0.3, additions: 100 }
    }
}

impl Limits {
    fn too_many_removals(&self, removals: usize, population: usize) -> bool {
        // No plan has so many people that the numbers would not be exact.
        #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
        let share = self.removals_share * population as f64;
        #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
        let beyond = removals as f64 > share + 1e-9;
        removals > self.removals && beyond
    }
}

/// Why something is held.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Reason {
    /// More people than allowed would lose something.
    ManyRemovals {
        removals: usize,
        people: usize,
    },
    /// The source of a team says that nobody is in it.
    EmptyTeam {
        team: String,
    },
    /// The files of the infrastructure roles name none.
    NoRobots,
    ManyAdditions {
        additions: usize,
        allowed: usize,
    },
    /// A directory alone does not make superusers.
    Superuser,
    /// Nobody could repair the server any more.
    LastSuperuser,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManyRemovals { removals, people } => {
                write!(f, "{removals} of {people} would lose access at once")
            }
            Self::EmptyTeam { team } => write!(f, "the source of team {team:?} names nobody now"),
            Self::NoRobots => f.write_str("the infrastructure roles are all gone at once"),
            Self::ManyAdditions { additions, allowed } => {
                write!(f, "{additions} people would come at once, and {allowed} may")
            }
            Self::Superuser => {
                f.write_str("no team of humans.superuser_teams makes her a superuser")
            }
            Self::LastSuperuser => f.write_str("no superuser who can log in would be left"),
        }
    }
}

/// What is held of one role.
#[derive(Clone, Debug)]
pub struct Held {
    pub role: RoleName,
    pub reason: Reason,
    /// What would be done, one line each, without what depends on the time of day.
    pub changes: Vec<String>,
}

/// Names what is held: the same for the same changes, on every server and at any time, so that
/// nothing has to be stored.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct PlanId(String);

impl FromStr for PlanId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_id = text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Err(format!(
                "a plan id is {ID_LENGTH} hexadecimal digits, as `plan` prints it"
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Long enough that nobody makes a harmless plan and another one with the same id.
const ID_LENGTH: usize = 32;

/// Who may let something through that is held.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    /// By a person: everything.
    pub by_person: BTreeSet<PlanId>,
    /// Because the answer stayed the same for long: everything but superusers, whom a directory
    /// alone must not make, however patient it is, and the last one of whom must not go.
    pub by_time: BTreeSet<PlanId>,
}

/// What may be done. There is no other way to one than [`approve`].
#[derive(Debug)]
#[must_use]
pub struct Approved {
    plan: Plan,
    held: Vec<Held>,
    id: Option<PlanId>,
}

impl Approved {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Of everything that the guard would hold, released or not.
    pub fn id(&self) -> Option<&PlanId> {
        self.id.as_ref()
    }
}

/// Splits a plan into what is done and what is held.
pub fn approve(plan: Plan, limits: &Limits, releases: &Releases) -> Approved {
    let reasons = reasons(&plan, limits);
    let of_role: BTreeMap<&RoleName, &RolePlan> =
        plan.roles.iter().map(|own| (&own.role, own)).collect();
    let held: Vec<Held> = reasons
        .iter()
        .filter_map(|(role, reasons)| Some((*of_role.get(role)?, reasons)))
        .flat_map(|(own, reasons)| held(&plan.population, own, reasons))
        .collect();
    let id = (!held.is_empty()).then(|| id(&held));
    let by_person = id.as_ref().is_some_and(|id| releases.by_person.contains(id));
    let by_time = id.as_ref().is_some_and(|id| releases.by_time.contains(id));
    let stays = |held: &Held| {
        let never_by_time = matches!(held.reason, Reason::Superuser | Reason::LastSuperuser);
        !by_person && (!by_time || never_by_time)
    };
    let held: Vec<Held> = held.into_iter().filter(stays).collect();
    let plan = without(plan, &held);
    Approved { plan, held, id }
}

/// Role -> everything that speaks against what is planned for it.
fn reasons(plan: &Plan, limits: &Limits) -> BTreeMap<RoleName, BTreeSet<Reason>> {
    let mut reasons: BTreeMap<RoleName, BTreeSet<Reason>> = BTreeMap::new();
    let mut hold = |role: &RolePlan, reason: Reason| {
        reasons.entry(role.role.clone()).or_default().insert(reason);
    };
    let population = &plan.population;
    let is_robot = |role: &&RolePlan| role.kind != Kind::Person;
    let removals: Vec<&RolePlan> = plan.roles.iter().filter(|role| role.removes()).collect();
    let (robots, people): (Vec<&RolePlan>, Vec<&RolePlan>) =
        removals.into_iter().partition(is_robot);
    for (removed, number) in [(&people, population.people), (&robots, population.robots)] {
        if limits.too_many_removals(removed.len(), number) {
            for role in removed {
                let reason = Reason::ManyRemovals { removals: removed.len(), people: number };
                hold(role, reason);
            }
        }
    }
    for role in &people {
        for team in &population.empty_teams {
            // Where nobody knows which teams she was in, this may have been one.
            if role.removed_from.contains(team) || role.recorded.is_none() {
                hold(role, Reason::EmptyTeam { team: team.clone() });
            }
        }
    }
    for role in robots.iter().filter(|role| role.kind == Kind::Robot && population.no_robots) {
        hold(role, Reason::NoRobots);
    }
    let additions: Vec<_> = plan.roles.iter().filter(|role| role.adds()).collect();
    if !population.first_sync && additions.len() > limits.additions {
        let (number, allowed) = (additions.len(), limits.additions);
        for role in additions {
            hold(role, Reason::ManyAdditions { additions: number, allowed });
        }
    }
    for role in &plan.roles {
        // Robots are the local configuration's own.
        let rises = role.changes.iter().any(|planned| population.elevates(&planned.change));
        if rises && !role.local_superuser && role.kind == Kind::Person {
            hold(role, Reason::Superuser);
        }
    }
    if population.foreign_superusers + population.other_superusers == 0 {
        for role in plan.roles.iter().filter(|role| role.loses_superuser()) {
            hold(role, Reason::LastSuperuser);
        }
    }
    reasons
}

/// Of a new superuser only that is held; of everything else, the whole role.
fn held<'a>(
    population: &'a Population,
    own: &'a RolePlan,
    reasons: &'a BTreeSet<Reason>,
) -> impl Iterator<Item = Held> + 'a {
    reasons.iter().map(move |reason| {
        let part = own.changes.iter().filter(|planned| {
            let noted = matches!(planned.change, Change::SetComment { .. });
            !noted && (*reason != Reason::Superuser || population.elevates(&planned.change))
        });
        let changes = part.map(ToString::to_string).collect();
        Held { role: own.role.clone(), reason: reason.clone(), changes }
    })
}

fn id(held: &[Held]) -> PlanId {
    let mut context = Context::new(&SHA256);
    for one in held {
        // What is held is what counts, not how many others there are beside it.
        let kind = match &one.reason {
            Reason::EmptyTeam { team } => format!("empty {team:?}"),
            Reason::ManyRemovals { .. } => "removals".to_owned(),
            Reason::NoRobots => "robots".to_owned(),
            Reason::ManyAdditions { .. } => "additions".to_owned(),
            Reason::Superuser => "superuser".to_owned(),
            Reason::LastSuperuser => "last superuser".to_owned(),
        };
        for part in std::iter::once(&kind).chain(&one.changes) {
            context.update(part.as_bytes());
            context.update(b"\n");
        }
    }
    let hash = context.finish();
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    PlanId(hex.chars().take(ID_LENGTH).collect())
}

fn without(mut plan: Plan, held: &[Held]) -> Plan {
    let whole: BTreeSet<&RoleName> = held
        .iter()
        .filter(|held| held.reason != Reason::Superuser)
        .map(|held| &held.role)
        .collect();
    let rise: BTreeSet<&RoleName> = held
        .iter()
        .filter(|held| held.reason == Reason::Superuser)
        .map(|held| &held.role)
        .collect();
    plan.roles.retain(|role| !whole.contains(&role.role));
    plan.out.retain(|role| !whole.contains(role));
    for role in plan.roles.iter_mut().filter(|role| rise.contains(&role.role)) {
        role.changes.retain(|planned| !plan.population.elevates(&planned.change));
    }
    plan.settle();
    plan.roles.retain(|role| !role.changes.is_empty());
    plan
}

#[cfg(test)]
mod tests;
