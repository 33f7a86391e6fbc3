//! What a pass over a server means for the conditions of its cluster. Pure, but for the events.
//!
//! One pass makes the roles of the manifest, of robots and of people; here they come apart
//! again, so that a directory that is down is not a cluster that fails.

use std::collections::BTreeMap;

use teams_sync::apply::Failure;
use teams_sync::approve::PlanId;
use teams_sync::desired::Desired;
use teams_sync::plan::record::Kind;
use teams_sync::sync::{Report, SyncError};

use super::directory::Known;
use super::passwords::{Defined, Definition};
use super::retire::Retired;
use crate::api::postgresql::Postgresql;
use crate::api::status::{PeopleStatus, RolePlanStatus, TeamStatus};
use crate::context::Context;
use crate::databases::DatabaseReport;
use crate::databases::pooler::LookupReport;
use crate::report::{Finding, News, Stage};

/// Everything that is known after a pass.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) desired: &'a Desired,
    pub(super) known: &'a BTreeMap<String, Known>,
    /// Who is no person.
    pub(super) defined: &'a Defined,
    pub(super) roles: &'a Report,
    /// `None`: nobody looked.
    pub(super) databases: Option<&'a DatabaseReport>,
    /// What a pooler asks, if there is one.
    pub(super) lookup: Option<&'a LookupReport>,
    /// Users of former passwords.
    pub(super) retired: &'a Retired,
    pub(super) is_dry_run: bool,
    /// An annotation that cannot be understood.
    pub(super) complaint: Option<String>,
}

/// What it means.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) findings: Vec<(Stage, Finding)>,
    /// `None`: nothing is known of people now.
    pub(super) people: Option<PeopleStatus>,
    pub(super) role_plan: Option<RolePlanStatus>,
}

const STAGES: [Stage; 3] = [Stage::Roles, Stage::Databases, Stage::HumanAccess];
/// So many lines of something are shown; there may be hundreds.
const MOST_LINES: usize = 20;

/// The same about all three.
pub(super) fn all(finding: &Finding) -> Judged {
    let findings = STAGES.map(|stage| (stage, finding.clone())).into();
    Judged { findings, people: None, role_plan: None }
}

impl Judged {
    /// What it means for one condition alone.
    pub(super) fn of(mut self, stage: Stage) -> Self {
        self.findings.retain(|(own, _)| *own == stage);
        self
    }
}

pub(super) fn judge(facts: &Facts<'_>) -> Judged {
    if let Some(error) = &facts.roles.error {
        return all(&of_error(error));
    }
    let findings = vec![
        (Stage::Roles, roles(facts)),
        (Stage::Databases, databases(facts)),
        (Stage::HumanAccess, human_access(facts)),
    ];
    Judged { findings, people: Some(people(facts)), role_plan: role_plan(facts) }
}

/// Most of what keeps us out passes by itself: a failover, a restart, somebody else's lock.
fn of_error(error: &SyncError) -> Finding {
    let text = error.to_string();
    match error.kind() {
        "standby" | "read_only" => Finding::waiting("NoPrimary", text),
        "locked" | "collision" | "lost" => Finding::waiting("Busy", text),
        "connect" => Finding::failed("DatabaseUnreachable", text),
        "timeout" => Finding::failed("Timeout", text),
        "other_server" => Finding::failed("OtherServer", text),
        _ => Finding::failed("SyncFailed", text),
    }
}

fn roles(facts: &Facts<'_>) -> Finding {
    let mut wrong: Vec<String> = facts
        .roles
        .failures
        .iter()
        .filter(|failure| !is_person(facts, &failure.role))
        .map(failed)
        .collect();
    let (mut waiting, mut unclear) = (Vec::new(), Vec::new());
    let problems = facts.roles.problems.iter();
    for problem in problems.filter(|problem| is_robot(facts, &problem.subject)) {
        let place = match facts.defined.of(&problem.subject) {
            Some(Definition::NoSecret) => &mut waiting,
            Some(Definition::WrongSecret) => &mut wrong,
            // Whoever may be an infrastructure role has to wait for the answer, and nobody else.
            _ if is_wanted(facts, &problem.subject) && facts.desired.frozen_robots.is_none() => {
                &mut wrong
            }
            // A definition that every cluster has makes none of them fail.
            _ => &mut unclear,
        };
        place.push(problem.text.clone());
    }
    if !wrong.is_empty() {
        return Finding::failed("RolesFailed", lines(&wrong));
    }
    if !waiting.is_empty() && !facts.is_dry_run {
        return Finding::waiting("SecretsFirst", lines(&waiting));
    }
    if !facts.retired.problems.is_empty() {
        return Finding::partly("FormerUsersStay", lines(&facts.retired.problems));
    }
    if facts.is_dry_run {
        return Finding::off("DryRun", "nothing is done to roles: see rolePlan");
    }
    let mut text = "the roles of the manifest are in sync".to_owned();
    if let Some(reason) = &facts.desired.frozen_robots {
        text = format!("{text}; infrastructure roles stay as they are: {reason}");
    } else if unclear.is_empty() {
        return Finding::done("Synced", "");
    }
    if !unclear.is_empty() {
        text = format!("{text}; {}", lines(&unclear));
    }
    Finding::partly("InfrastructureRolesUnknown", text)
}

fn databases(facts: &Facts<'_>) -> Finding {
    let Some(report) = facts.databases else {
        return Finding::waiting("RolesFirst", "waits for the roles");
    };
    if let Some(error) = &report.error {
        return Finding::failed("DatabasesFailed", error.to_string());
    }
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return Finding::failed("DatabasesFailed", lines(&problems));
    }
    match facts.is_dry_run {
        true => Finding::off("DryRun", "nothing is done to databases"),
        false => Finding::done("Synced", ""),
    }
}

fn human_access(facts: &Facts<'_>) -> Finding {
    if let Some(complaint) = &facts.complaint {
        return Finding::failed("AnnotationRefused", complaint.clone());
    }
    let mut wrong: Vec<String> = facts
        .roles
        .failures
        .iter()
        .filter(|failure| is_person(facts, &failure.role))
        .map(failed)
        .collect();
    let problems = facts.roles.problems.iter();
    let problems = problems.filter(|problem| !is_robot(facts, &problem.subject));
    wrong.extend(problems.map(|problem| problem.text.clone()));
    let open = facts.roles.ended.iter().filter_map(|ended| {
        let error = ended.error.as_ref()?;
        Some(format!("sessions of leavers on {} may live on: {error}", ended.on))
    });
    wrong.extend(open);
    if !wrong.is_empty() {
        return Finding::failed("PeopleFailed", lines(&wrong));
    }
    if let Some(reason) = &facts.desired.frozen_people {
        let text = format!("nobody leaves until it is known which teams have a say: {reason}");
        // Nothing tells us when it is, so that we look again soon.
        return Finding::waiting("TeamsUnknown", text);
    }
    if !facts.roles.frozen.is_empty() {
        let teams = facts.roles.frozen.iter();
        let teams: Vec<String> = teams.map(|(team, why)| format!("{team}: {why}")).collect();
        let text =
            format!("nobody leaves these teams until they are known again: {}", lines(&teams));
        return Finding::partly("TeamsUnknown", text);
    }
    if let Some(plan) = held_plan(facts) {
        let text = format!(
            "{} changes wait for somebody who annotates the manifest with acid.zalan.do/release-plan: {plan}",
            facts.roles.held.len()
        );
        return Finding::partly("Held", text);
    }
    if facts.is_dry_run {
        return Finding::off("DryRun", "nothing is done to roles: see rolePlan");
    }
    let forgotten = &facts.roles.found.forgotten;
    if !forgotten.is_empty() {
        let names: Vec<String> = forgotten.iter().map(ToString::to_string).collect();
        let text = format!(
            "can log in, are named by no team, and were not made by this operator: {}; they stay until somebody runs: operator adopt --lock-leavers {}",
            lines(&names),
            facts.roles.server
        );
        return Finding::partly("LeaversForgotten", text);
    }
    Finding::done("Synced", "")
}

/// What still waits for a person: a plan that was let through has its name, and holds nothing.
fn held_plan<'a>(facts: &Facts<'a>) -> Option<&'a PlanId> {
    facts.roles.plan_id.as_ref().filter(|_| !facts.roles.held.is_empty())
}

fn people(facts: &Facts<'_>) -> PeopleStatus {
    let teams = facts.desired.teams.iter().map(|team| {
        let known = facts.known.get(team);
        let members = facts.desired.roles.values().filter(|role| role.teams.contains(team)).count();
        let seen = known.and_then(|known| known.seen);
        let status = TeamStatus {
            members: i64::try_from(members).unwrap_or(i64::MAX),
            last_seen: seen.map(|at| at.to_string()),
            frozen: facts.roles.frozen.get(team).cloned(),
        };
        (team.clone(), status)
    });
    let held = facts.roles.held.iter();
    PeopleStatus {
        count: i64::try_from(facts.roles.people).unwrap_or(i64::MAX),
        teams: teams.collect(),
        forgotten: shown(
            &facts.roles.found.forgotten.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ),
        plan_id: held_plan(facts).map(ToString::to_string),
        held: shown(
            &held.map(|held| format!("{}: {}", held.role, held.reason)).collect::<Vec<_>>(),
        ),
    }
}

fn role_plan(facts: &Facts<'_>) -> Option<RolePlanStatus> {
    if !facts.is_dry_run {
        return None;
    }
    let changes = facts.roles.changes.iter().map(ToString::to_string);
    let databases = facts.databases.into_iter().flat_map(|report| report.changes.iter().cloned());
    let lookup = facts.lookup.into_iter().flat_map(|report| report.changes.iter().cloned());
    let databases = databases.chain(lookup);
    let retired = facts.retired.dropped.iter().cloned();
    Some(RolePlanStatus {
        changes: shown(&changes.chain(databases).chain(retired).collect::<Vec<_>>()),
        plan_id: facts.roles.plan_id.as_ref().map(ToString::to_string),
    })
}

/// Events about what was done.
pub(super) fn tell(context: &Context, manifest: &Postgresql, facts: &Facts<'_>) {
    if facts.is_dry_run {
        return;
    }
    let mut changes: Vec<String> = facts.roles.changes.iter().map(ToString::to_string).collect();
    changes.extend(facts.retired.dropped.iter().cloned());
    if !changes.is_empty() {
        context.tell(manifest, &News::normal("Roles", lines(&changes)));
    }
    let mut changes = facts.databases.map(|report| report.changes.clone()).unwrap_or_default();
    changes.extend(facts.lookup.into_iter().flat_map(|report| report.changes.iter().cloned()));
    if !changes.is_empty() {
        context.tell(manifest, &News::normal("Databases", lines(&changes)));
    }
    for ended in facts.roles.ended.iter().filter(|ended| ended.sessions > 0) {
        let text = format!("{} sessions of leavers were ended on {}", ended.sessions, ended.on);
        context.tell(manifest, &News::normal("Roles", text));
    }
}

fn failed(failure: &Failure) -> String {
    format!("{}: {}", failure.change, failure.message)
}

fn is_person(facts: &Facts<'_>, role: &teams_sync::role::RoleName) -> bool {
    // Whoever is not desired any more has left.
    facts.desired.roles.get(role).is_none_or(|role| role.kind == Kind::Person)
}

/// Also where it did not become a role that is wanted, as its definition cannot be used.
fn is_robot(facts: &Facts<'_>, subject: &str) -> bool {
    facts.defined.of(subject).is_some() || is_wanted(facts, subject)
}

fn is_wanted(facts: &Facts<'_>, subject: &str) -> bool {
    let role = facts.desired.roles.iter().find(|(name, _)| name.as_str() == subject);
    role.is_some_and(|(_, role)| role.kind != Kind::Person)
}

fn shown(all: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = all.iter().take(MOST_LINES).cloned().collect();
    if all.len() > MOST_LINES {
        shown.push(format!("and {} more", all.len() - MOST_LINES));
    }
    shown
}

pub(super) fn lines(all: &[String]) -> String {
    shown(all).join("; ")
}

#[cfg(test)]
mod tests;
