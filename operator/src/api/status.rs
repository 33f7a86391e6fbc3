//! The status of a `postgresql`: one word as the reference writes it, and conditions that say
//! what it stands for. Constructors only.

use std::collections::BTreeMap;

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
