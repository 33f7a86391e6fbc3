//! Who is out, and what they left behind: told by the server alone, so that an outage of a source
//! changes nothing about the answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::observed::Wanted;
use crate::plan::record::{Kind, Record};
use crate::role::{RoleName, marker};
use crate::sql;
use crate::sync::{Engine, Server, SyncError, open, read_json};

/// A managed role without login.
#[derive(Clone, Debug, Serialize)]
pub struct Leaver {
    pub role: RoleName,
    pub kind: Kind,
    pub teams: BTreeSet<String>,
    pub since: Option<jiff::Timestamp>,
    pub left: Option<jiff::Timestamp>,
    /// On the primary; they are about to end.
    pub sessions: u32,
    /// Whether the role is a superuser still, or a member of anything but the marker role.
    pub has_power: bool,
    pub owns: Vec<Owned>,
}

/// Objects that a role owns in one database.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Owned {
    #[serde(skip_serializing)]
    pub role: String,
    /// `None` for what belongs to no database: databases and tablespaces themselves.
    pub database: Option<String>,
    pub objects: u64,
}

/// All of them on one server.
pub async fn leavers(server: &Server, engine: &Engine) -> Result<Vec<Leaver>, SyncError> {
    let wanted =
        Wanted { names: BTreeSet::new(), members_of: BTreeSet::from([marker()]), suffix: None };
    let (session, observed, _turn) = open(server, engine, &wanted, sql::BEGIN_TO_LOOK).await?;
    let out: Vec<_> = observed.managed().filter(|(_, role)| !role.attributes.login).collect();
    let names: BTreeSet<RoleName> = out.iter().map(|(name, _)| (*name).clone()).collect();
    let mut owned = owned(&session, &names).await?;
    let leavers = out.into_iter().map(|(name, role)| {
        let record = role.comment.as_deref().and_then(Record::find);
        let record = record.unwrap_or_else(|| Record::new(Kind::Person));
        Leaver {
            role: name.clone(),
            kind: record.kind,
            teams: record.teams,
            since: record.since,
            left: record.left,
            sessions: role.sessions,
            has_power: role.attributes.superuser || role.memberships.len() > 1,
            owns: owned.remove(name.as_str()).unwrap_or_default(),
        }
    });
    // A robot or static role may have been made without login.
    Ok(leavers.filter(|leaver| leaver.left.is_some() || leaver.kind == Kind::Person).collect())
}

/// What these roles own, by role.
pub(crate) async fn owned(
    session: &crate::connect::Session,
    names: &BTreeSet<RoleName>,
) -> Result<BTreeMap<String, Vec<Owned>>, SyncError> {
    let all: Vec<Owned> = read_json(session, &sql::owned(names)).await?;
    let mut by_role: BTreeMap<String, Vec<Owned>> = BTreeMap::new();
    for owned in all {
        by_role.entry(owned.role.clone()).or_default().push(owned);
    }
    Ok(by_role)
}
