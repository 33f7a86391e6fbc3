//! Which privilege is missing, and which statement gives it: for an ordinary role on PostgreSQL
//! 16 and later. A superuser lacks nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Missing, groups, passed_on};
use crate::desired::Desired;
use crate::observed::Observed;
use crate::role::{Flag, marker};
use crate::sql;

/// What the server says of us.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Privileges {
    /// Role -> whether we may grant it and change it.
    pub admin_of: BTreeMap<String, bool>,
    /// Parameters that an ordinary role needs to be granted.
    pub parameters: Vec<String>,
    pub signal_backend: bool,
    pub temporary: bool,
    /// Attributes of our own.
    pub createdb: bool,
    pub replication: bool,
    pub bypassrls: bool,
}

pub(super) fn missing(
    desired: &Desired,
    observed: &Observed,
    privileges: &Privileges,
    database: &str,
) -> Vec<Missing> {
    let mut missing = Vec::new();
    if observed.superuser || !observed.has_grantors() {
        return missing;
    }
    let me = &observed.me.0;
    let mut add = |sql: String, why: String| missing.push(Missing { sql, why });
    if !observed.createrole {
        add(sql::give_flag(me, Flag::Createrole), "roles are made".to_owned());
    }
    for (flag, robot) in passed_on(desired) {
        let own = match flag {
            Flag::Createdb => privileges.createdb,
            Flag::Replication => privileges.replication,
            _ => privileges.bypassrls,
        };
        if !own {
            let why = format!(
                "{robot} is to have {}, which only those pass on who have it",
                flag.keyword(true)
            );
            add(sql::give_flag(me, flag), why);
        }
    }
    let admin = |name: &str| privileges.admin_of.get(name).copied().unwrap_or(false);
    for group in groups(desired, observed) {
        if observed.roles.contains_key(group) && !admin(group.as_str()) {
            add(sql::give_admin(group, me), "it is granted to others".to_owned());
        }
    }
    for (name, role) in &observed.roles {
        let ours = role.is_managed() || desired.roles.contains_key(name);
        let group = desired.groups.contains_key(name);
        if ours && !group && *name != *me && !role.attributes.superuser && !admin(name.as_str()) {
            add(sql::give_admin(name, me), "it is managed".to_owned());
        }
    }
    for parameter in &privileges.parameters {
        add(sql::give_parameter(parameter, me), "it is set for roles".to_owned());
    }
    if !privileges.signal_backend {
        add(sql::give_signal(me), "sessions of those who leave are ended".to_owned());
    }
    if desired.roles.values().any(|role| role.password.is_some()) {
        if !observed.sees_passwords {
            let why =
                format!("passwords are compared with what is stored (in database {database:?})");
            add(sql::give_passwords(me), why);
        }
        if !privileges.temporary {
            add(
                sql::give_temporary(database, me),
                "passwords are set without a trace in any log".to_owned(),
            );
        }
    }
    missing
}

pub(super) fn problems(desired: &Desired, observed: &Observed) -> Vec<String> {
    let mut problems = Vec::new();
    let major = observed.version / 10_000;
    if !(13..=18).contains(&major) {
        problems.push(format!(
            "PostgreSQL {major} is not one of those that teams-sync is tested with, 13 to 18"
        ));
    }
    if !observed.superuser && !observed.has_grantors() {
        problems.push(format!(
            "before PostgreSQL 16 teams-sync has to be a superuser, because CREATEROLE was close to that and could do less; {} is none",
            observed.me.0
        ));
    }
    if !observed.superuser {
        for (name, _) in desired.roles.iter().filter(|(_, role)| role.attributes.superuser) {
            problems
                .push(format!("{name} is to be a superuser, which only a superuser can make her"));
        }
        for (name, _) in observed.managed().filter(|(_, role)| role.attributes.superuser) {
            problems.push(format!(
                "{name} is managed and a superuser, whom only a superuser can change"
            ));
        }
    }
    if observed.foreign_superusers == 0 {
        problems.push(format!(
            "every superuser who can log in is in {}: keep one that no directory decides about, for emergencies",
            marker()
        ));
    }
    for problem in &desired.problems {
        problems.push(problem.text.clone());
    }
    problems
}
