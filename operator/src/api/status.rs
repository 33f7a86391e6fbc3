//! The status of a `postgresql`: one word as the reference writes it, and conditions that say
//! what it stands for. Constructors only.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

/// `status`, as we write it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresStatus {
    #[serde(rename = "PostgresClusterStatus", default)]
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleStatus>,
    /// What the last dry run of the roles would do; annotation `acid.zalan.do/role-sync: plan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_plan: Option<RolePlanStatus>,
    #[serde(default, skip_serializing_if = "PatroniStatus::is_empty")]
    pub patroni: PatroniStatus,
}

/// What of Patroni's settings is ours: whatever this manifest has asked for. Only that is ever
/// taken away again, so it is written down before Patroni is told.
///
/// It stands in the status, not in an annotation: only the operator writes there. Whoever replaces
/// a manifest, or compares it with one in a repository, neither loses nor sees it; and like the
/// manifest that it speaks of, it is gone with it. With a new manifest of the same name nothing is
/// taken away that it has not asked for itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PatroniStatus {
    /// `ttl` and its like.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<String>,
    /// Of PostgreSQL.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub parameters: BTreeSet<String>,
    /// Replication slots.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub slots: BTreeSet<String>,
    /// The pause is ours; somebody else's is not ended by us.
    #[serde(skip_serializing_if = "is_false")]
    pub pause: bool,
    /// It was made a standby cluster by its manifest, and is not promoted yet.
    #[serde(skip_serializing_if = "is_false")]
    pub standby: bool,
    /// What of its source the manifest has named: `host`, `port`, `primary_slot_name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub source: BTreeSet<String>,
    /// Pod -> what it was restarted for last, as long as Patroni says that a restart is pending.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<String, RestartStatus>,
}

impl PatroniStatus {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One restart that did not end what it was for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartStatus {
    /// Parameters with their values before and after.
    pub reason: String,
    pub times: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `PostgresClusterStatus`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Phase {
    #[default]
    #[serde(rename = "")]
    Unknown,
    Creating,
    Updating,
    Running,
    CreateFailed,
    UpdateFailed,
    SyncFailed,
    Invalid,
}

/// Who is in, by which team.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeopleStatus {
    /// How many can log in.
    pub count: i64,
    /// Team -> what is known of it.
    #[serde(default)]
    pub teams: BTreeMap<String, TeamStatus>,
    /// Who can log in, is named by no team, and was not made by us: nobody locks them but a person,
    /// with `operator adopt --lock-leavers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<String>,
    /// What waits for a person; release it with `acid.zalan.do/release-plan: PLAN_ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamStatus {
    pub members: i64,
    /// RFC 3339: the last complete answer about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Why nothing is known of it now; nobody is removed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolePlanStatus {
    pub changes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
}
