//! The users of former passwords: dropped when nobody should use them any more, whether or not
//! passwords are still rotated.
//!
//! A role goes only if our record in its comment says of which role it is a user, its name has the
//! day of that, it is a member of that role, and nothing asks for it. One that owns something stays,
//! and is told of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use teams_sync::connect::{Dsn, connect, describe};
use teams_sync::desired::Desired;
use teams_sync::plan::record::{Kind, Record};
use teams_sync::role::RoleName;
use teams_sync::sql::{literal, quote_identifier};
use teams_sync::sync::{Engine, last_text};

use crate::config::Config;
use crate::identity::passwords::Current;
use crate::rotation::{expired, is_former};
use crate::secrets::OWN_UNTIL;

/// What came of it, one line each.
#[derive(Debug, Default)]
pub(super) struct Retired {
    pub(super) dropped: Vec<String>,
    pub(super) problems: Vec<String>,
}

/// What there is on a server.
#[derive(Debug, Deserialize)]
struct Found {
    members: Vec<Member>,
    /// A role of the manifest, and whom its Secret is for, who can log in as things are.
    in_use: BTreeSet<(String, String)>,
}

/// A member of a role of the manifest, with a comment of ours.
#[derive(Debug, Deserialize)]
struct Member {
    of: String,
    name: String,
    comment: String,
}

/// Leaves out roles of whose users something could not be done, or waits: a password may be missing.
pub(super) fn settled<'a>(
    mut users: BTreeMap<RoleName, Current>,
    unsettled: impl Iterator<Item = &'a RoleName>,
) -> BTreeMap<RoleName, Current> {
    let unsettled: BTreeSet<&RoleName> = unsettled.collect();
    users.retain(|_, current| !unsettled.contains(&current.username));
    users
}

/// Looks for them on one server, and drops them unless `is_dry_run`. `users`: roles of the manifest
/// whose Secrets could be read, and for which user those are.
pub(super) async fn retire(
    dsn: &Dsn,
    engine: &Engine,
    config: &Config,
    users: &BTreeMap<RoleName, Current>,
    desired: &Desired,
    is_dry_run: bool,
) -> Retired {
    let mut retired = Retired::default();
    // Any role may be one of those that are not known.
    if users.is_empty() || desired.frozen_robots.is_some() {
        return retired;
    }
    let work = on_server(dsn, engine, config, users, desired, is_dry_run, &mut retired);
    // A server can let us in and say nothing more, for as long as it likes.
    match tokio::time::timeout(engine.pass_limit, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => retired.problems.push(error),
        Err(_elapsed) => {
            let limit = engine.pass_limit;
            retired.problems.push(format!(
                "the server did not say within {limit:?} which users of former passwords it has"
            ));
        }
    }
    retired
}

async fn on_server(
    dsn: &Dsn,
    engine: &Engine,
    config: &Config,
    users: &BTreeMap<RoleName, Current>,
    desired: &Desired,
    is_dry_run: bool,
    retired: &mut Retired,
) -> Result<(), String> {
    let session = connect(dsn, &engine.database, engine.connect_limit).await;
    let session = session.map_err(|error| error.to_string())?;
    let query = query(users, &config.identity.pam_role_name);
    let answer = session.batch(&query).await.map_err(|error| describe(&error))?;
    let text = last_text(&answer).ok_or("the catalog gives no row")?;
    let mut found: Found = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let now = Timestamp::now();
    let members = std::mem::take(&mut found.members);
    let gone = gone(&members, users, desired, config, now);
    let (gone, stay) = apart(gone, &found.in_use, users);
    retired.problems.extend(stay);
    for member in gone {
        let own = own(member, users, config, now);
        let line = line(member, own);
        if is_dry_run {
            retired.dropped.push(line);
            continue;
        }
        match session.batch(&statement(member, own)).await.map_err(|error| describe(&error)) {
            Ok(_) => retired.dropped.push(line),
            Err(error) => retired.problems.push(format!("cannot {line}: {error}")),
        }
    }
    session.close(engine.connect_limit).await;
    Ok(())
}

/// The session is in a database that somebody else may own, with settings of her choice.
pub(super) const PINS: &str = "set role none; set search_path = pg_catalog; \
     set statement_timeout = '30s'; set lock_timeout = '5s'";

/// The password that a role has itself, when a user of a former one of it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Own {
    /// It is in the Secret, or was there not long ago.
    Stays,
    /// As old as that of the user.
    IsFormer,
    /// While the role is rotated, it is former as well, and nobody noted since when: the role may
    /// have got a new one between two users.
    Unknown,
}

fn own(
    member: &Member,
    users: &BTreeMap<RoleName, Current>,
    config: &Config,
    now: Timestamp,
) -> Own {
    let current = users.get(&RoleName::from_catalog(member.of.clone()));
    match current.filter(|current| current.username.as_str() != member.of) {
        None => Own::Stays,
        Some(Current { own_until: None, .. }) => Own::Unknown,
        Some(Current { own_until: Some(until), .. }) if is_former(*until, now, config) => {
            Own::IsFormer
        }
        Some(_) => Own::Stays,
    }
}

fn line(member: &Member, own: Own) -> String {
    let Member { name, of, .. } = member;
    let line = format!("drop the user {name} of a former password");
    match own {
        Own::Stays => line,
        Own::IsFormer => format!("{line}, and the password that {of} has itself"),
        Own::Unknown => format!(
            "{line}; the password that {of} has itself stays, for the annotation {OWN_UNTIL} of its Secret does not say until when it was used"
        ),
    }
}

/// One transaction for both.
fn statement(member: &Member, own: Own) -> String {
    let (name, base) = (quote_identifier(&member.name), quote_identifier(&member.of));
    match own {
        Own::IsFormer => format!("drop role {name}; alter role {base} password null"),
        Own::Stays | Own::Unknown => format!("drop role {name}"),
    }
}

fn gone<'a>(
    members: &'a [Member],
    users: &BTreeMap<RoleName, Current>,
    desired: &Desired,
    config: &Config,
    now: Timestamp,
) -> Vec<&'a Member> {
    let is_ours = |member: &&Member| {
        let record = Record::find(&member.comment);
        record.is_some_and(|record| {
            record.kind == Kind::Static && record.rotated_from.as_deref() == Some(&*member.of)
        })
    };
    let is_wanted = |name: &RoleName| {
        desired.roles.contains_key(name)
            || desired.disputed.contains_key(name)
            || desired.groups.contains_key(name)
    };
    let mut all = Vec::new();
    for member in members.iter().filter(is_ours) {
        let name = RoleName::from_catalog(member.name.clone());
        let current = users.get(&RoleName::from_catalog(member.of.clone()));
        if let Some(current) = current.filter(|_| !is_wanted(&name)) {
            let name = [member.name.as_str()];
            if !expired(name, &member.of, current.username.as_str(), now, config).is_empty() {
                all.push(member);
            }
        }
    }
    all
}

/// Those of roles whose Secret is for somebody who can log in; and what is to be told of the others.
/// Where the user of the day could not be made, applications still are who they were before.
fn apart<'a>(
    gone: Vec<&'a Member>,
    in_use: &BTreeSet<(String, String)>,
    users: &BTreeMap<RoleName, Current>,
) -> (Vec<&'a Member>, BTreeSet<String>) {
    let mut told = BTreeSet::new();
    let can_log_in = |member: &&Member| {
        let current = users.get(&RoleName::from_catalog(member.of.clone()));
        let current = current.map(|current| current.username.to_string()).unwrap_or_default();
        let pair = (member.of.clone(), current);
        let can = in_use.contains(&pair);
        if !can {
            let (of, current) = pair;
            told.insert(format!(
                "users of former passwords of {of} stay: its Secret is for {current}, who is not there, or cannot log in as a member of {of}"
            ));
        }
        can
    };
    let gone = gone.into_iter().filter(can_log_in).collect();
    (gone, told)
}

/// Members of these roles that have a comment of ours, people left out; and who of those whom the
/// Secrets are for can log in.
fn query(users: &BTreeMap<RoleName, Current>, pam_role: &str) -> String {
    let list = |names: Vec<&RoleName>| {
        let names: Vec<String> = names.iter().map(|name| literal(name.as_str())).collect();
        names.join(", ")
    };
    let bases = list(users.keys().collect());
    let current = list(users.values().map(|current| &current.username).collect());
    let pam_role = literal(pam_role);
    format!(
        "{PINS}; select json_build_object('members', (select coalesce(json_agg(json_build_object(\
         'of', base.rolname, 'name', own.rolname, 'comment', d.description)), '[]') \
         from pg_auth_members m join pg_roles base on base.oid = m.roleid \
         join pg_roles own on own.oid = m.member \
         join pg_shdescription d on d.objoid = own.oid and d.classoid = 'pg_authid'::regclass \
         where base.rolname in ({bases}) and octet_length(d.description) <= 8192 \
         and strpos(d.description, 'rotated-from=') > 0 \
         and not exists (select from pg_auth_members p join pg_roles g on g.oid = p.roleid \
             where p.member = own.oid and g.rolname = {pam_role})), \
         'in_use', (select coalesce(json_agg(json_build_array(base.rolname, own.rolname)), '[]') \
         from pg_roles base join pg_roles own on own.oid = base.oid or exists (\
             select from pg_auth_members m where m.roleid = base.oid and m.member = own.oid) \
         where base.rolname in ({bases}) and own.rolname in ({current}) and own.rolcanlogin \
         and (own.rolvaliduntil is null or own.rolvaliduntil > now())))"
    )
}

#[cfg(test)]
mod tests;
