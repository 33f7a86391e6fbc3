mod admins;
mod adopted;
mod catalog;
mod frozen;
mod leave;
mod memberships;
mod model;
mod people;
mod record;
mod renaming;
mod robots;
mod rotated;
mod scale;
mod wanted;

use super::*;
use crate::approve::{Limits, Releases, approve};
use crate::desired::tests::{Says, name};
use crate::observed::CatalogRole;
use crate::observed::tests::{role, server};

pub(crate) fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

pub(crate) fn style() -> Style {
    Style {
        vocabulary: crate::desired::tests::server().vocabulary,
        revoke_other_memberships: false,
        role_deletion_suffix: None,
        pam_role: name("users"),
        keep_static: false,
        admins_at_creation: false,
        yielding: BTreeSet::new(),
        adopts_people: false,
    }
}

fn with_suffix() -> Style {
    Style { role_deletion_suffix: Some("_deleted".to_owned()), ..style() }
}

/// What a server has that was in sync before anybody.
pub(crate) fn groups() -> Vec<CatalogRole> {
    ["admin", "reporting", "teams_sync_managed", "users"].map(role).to_vec()
}

/// A member of acid, as she is after her first day.
pub(crate) fn alice() -> CatalogRole {
    settled("alice", "acid")
}

/// A member of one team, of which everything is as it should be.
pub(crate) fn settled(name: &str, team: &str) -> CatalogRole {
    role(name)
        .login()
        .managed()
        .member_of("users")
        .member_of("admin")
        .setting("log_statement=all")
        .comment(&format!("teams-sync: person teams={team} roles=admin,users set=log_statement since=2026-11-01T00:00:00Z"))
}

fn planned_with(desired: &Desired, observed: &Observed, style: &Style) -> Plan {
    plan(desired, observed, style, &Checked::new().unwrap(), now())
}

/// What is done about these roles of a PostgreSQL 15, one line each.
fn lines_of(desired: &Desired, observed: &Observed, style: &Style) -> Vec<String> {
    lines(&planned_with(desired, observed, style))
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes().map(ToString::to_string).collect()
}

fn on_15(roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    server(15, groups().into_iter().chain(roles))
}

fn on_16(roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    server(16, groups().into_iter().chain(roles))
}

/// The same, where the source of dba answers.
pub(crate) fn acid<'a>(members: Says<'a>) -> Desired {
    crate::desired::tests::wanted(&[("acid", members), ("dba", Says::Members(&["dora"]))])
}

/// With dora in place, so that she is in no plan.
pub(crate) fn dora() -> CatalogRole {
    role("dora")
        .login()
        .superuser()
        .managed()
        .member_of("users")
        .setting("log_statement=all")
        .comment(
            "teams-sync: person teams=dba roles=users set=log_statement since=2026-11-01T00:00:00Z",
        )
}

fn texts(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(|problem| problem.text.clone()).collect()
}
