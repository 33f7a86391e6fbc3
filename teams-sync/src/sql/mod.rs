//! The only place that writes SQL with names in it.
//!
//! Every identifier and literal goes through [`identifier`] or [`literal`]; a reviewer of
//! injections reads this file.

mod doctor;

use std::collections::BTreeSet;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::observed::{QUERY, Wanted};
use crate::plan::{Change, Planned};
use crate::role::{Attributes, Flag, RoleName, marker};

pub use doctor::*;

/// Both halves of the advisory lock: `team` and `sync` in ASCII.
const LOCK: (u32, u32) = (0x7465_616d, 0x7379_6e63);

fn identifier(name: &RoleName) -> String {
    quote_identifier(name.as_str())
}

/// Any name, so that it stays one. It must not hold NUL, which ends a message.
pub fn quote_identifier(name: &str) -> String {
    escape_identifier(name)
}

/// Any text, so that it stays one, whatever `standard_conforming_strings` says. Without the blank
/// that escape_literal() writes before `E'...'`. It must not hold NUL, which ends a message.
pub fn literal(text: &str) -> String {
    escape_literal(text).trim_start().to_owned()
}

fn array(names: &BTreeSet<RoleName>) -> String {
    let names: Vec<_> = names.iter().map(|name| literal(name.as_str())).collect();
    format!("array[{}]::pg_catalog.name[]", names.join(","))
}

/// The picture of a server.
pub fn observe(wanted: &Wanted) -> String {
    let suffix = wanted.suffix.as_deref().map_or("null::pg_catalog.text".to_owned(), literal);
    // In one go: names can hold anything, and so a place for another one.
    let mut text = String::new();
    let mut rest = QUERY;
    while let Some((before, behind)) = rest.split_once('{') {
        let (place, behind) = behind.split_once('}').unwrap_or_default();
        text.push_str(before);
        text.push_str(&match place {
            "names" => array(&wanted.names),
            "groups" => array(&wanted.members_of),
            "suffix" => suffix.clone(),
            _ => literal(marker().as_str()),
        });
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// Verifiers of these roles, as one JSON object.
pub fn passwords(names: &BTreeSet<RoleName>) -> String {
    format!(
        "select coalesce(pg_catalog.jsonb_object_agg(rolname, rolpassword), '{{}}')::pg_catalog.text \
         from pg_catalog.pg_authid where rolpassword is not null and rolname = any ({})",
        array(names)
    )
}

/// The beginning of a transaction that may change something: alone on this server, bounded, and
/// not held up by a standby that is gone. `ALTER DATABASE ... SET role` makes no other of us.
pub fn begin(wait_for_lock_ms: u128) -> String {
    let (first, second) = LOCK;
    format!(
        "begin isolation level read committed;\n\
         set local role none;\n\
         set local search_path = pg_catalog;\n\
         set local standard_conforming_strings = on;\n\
         set local client_min_messages = warning;\n\
         set local synchronous_commit = local;\n\
         set local idle_in_transaction_session_timeout = '60s';\n\
         set local statement_timeout = 0;\n\
         {};\n\
         set local lock_timeout = '{wait_for_lock_ms}ms';\n\
         select pg_catalog.pg_advisory_xact_lock({first}, {second});\n\
         set local lock_timeout = '5s';\n\
         set local statement_timeout = '30s'",
        free_the_lock()
    )
}

/// Anybody may take an advisory lock, and nobody but a syncer has business with this one: who is
/// neither a superuser nor may make roles loses the session that holds it.
fn free_the_lock() -> String {
    let (first, second) = LOCK;
    format!(
        "select pg_catalog.count(case when me.rolsuper \
             or pg_catalog.pg_has_role('pg_signal_backend', 'usage') \
             then pg_catalog.pg_terminate_backend(a.pid) end) \
         from pg_catalog.pg_locks l \
         join pg_catalog.pg_stat_activity a on a.pid = l.pid \
         join pg_catalog.pg_roles r on r.oid = a.usesysid \
         join pg_catalog.pg_roles me on me.rolname = current_user \
         where l.locktype = 'advisory' and l.granted and l.objsubid = 2 \
         and l.classid::pg_catalog.int8 = {first} and l.objid::pg_catalog.int8 = {second} \
         and not r.rolsuper and not r.rolcreaterole and r.oid <> me.oid"
    )
}

/// COMMIT of a transaction that has failed is a ROLLBACK, and no error; the SELECT is one.
pub const COMMIT: &str = "select 1;\ncommit";

/// The beginning of one that only looks. Not READ ONLY: whether the server is, is what it tells.
pub const BEGIN_TO_LOOK: &str = "begin isolation level read committed;\n\
     set local role none;\n\
     set local search_path = pg_catalog;\n\
     set local standard_conforming_strings = on;\n\
     set local statement_timeout = '30s'";

/// Ends the sessions of these roles; answers with the number of them. Outside of any transaction, so
/// the path is set here: whoever owns the database can have put operators of her own into it.
pub fn terminate(names: &BTreeSet<RoleName>) -> String {
    format!(
        "set role none;\n\
         set search_path = pg_catalog;\n\
         select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) \
         from pg_catalog.pg_stat_activity \
         where pid <> pg_catalog.pg_backend_pid() and usename = any ({})",
        array(names)
    )
}

/// One change, as one statement or more without a semicolon at the end. `None` for a password,
/// which never stands in a statement.
pub fn statement(planned: &Planned, version: u32) -> Option<String> {
    let role = identifier(&planned.role);
    // Options of memberships came with PostgreSQL 16.
    let options = |admin: bool, inherit: bool, set: bool| match version >= 160_000 {
        true => format!(" with admin {admin}, inherit {inherit}, set {set}"),
        false if admin => " with admin option".to_owned(),
        false => String::new(),
    };
    let sql = match &planned.change {
        Change::CreateGroup => format!("create role {role} nologin"),
        Change::Create { attributes } => {
            format!("create role {role} {}", attributes_of(attributes))
        }
        Change::Grant { roles } => {
            let list: Vec<_> = roles.iter().map(identifier).collect();
            // What we granted before keeps its ADMIN OPTION: only what is named changes.
            let options = match *roles == [marker()] {
                true => options(false, false, false),
                false if version >= 160_000 => " with inherit true, set true".to_owned(),
                false => String::new(),
            };
            format!("grant {} to {role}{options}", list.join(", "))
        }
        // With options as CREATE ROLE ... ADMIN gives them.
        Change::GrantAdmin { admin, .. } => {
            format!("grant {role} to {} with admin option", identifier(admin))
        }
        Change::Regrant { role: group, member, options: like } => {
            let admin = if like.admin { "admin true, " } else { "" };
            let options = match version >= 160_000 {
                true => format!(" with {admin}inherit {}, set {}", like.inherit, like.set),
                false => options(like.admin, true, true),
            };
            format!("grant {} to {}{options}", identifier(group), identifier(member))
        }
        Change::Rename { to } => format!("alter role {role} rename to {}", identifier(to)),
        Change::Reset { parameter } => format!("alter role {role} reset {}", setting(parameter)),
        Change::Revoke { role: group, member, grantor } => {
            let by = grantor.as_ref().map(|grantor| format!(" granted by {}", identifier(grantor)));
            let (group, member) = (identifier(group), identifier(member));
            format!("revoke {group} from {member}{}", by.unwrap_or_default())
        }
        Change::Set { parameter } => {
            let values: Vec<_> = parameter.values.iter().map(|value| literal(value)).collect();
            format!("alter role {role} set {} to {}", setting(&parameter.name), values.join(", "))
        }
        Change::SetComment { comment } => {
            format!("comment on role {role} is {}", literal(comment))
        }
        Change::SetPassword { .. } => return None,
        Change::ClearPassword => format!("alter role {role} password null"),
        Change::SwitchOff { flags } => format!("alter role {role} {}", keywords(flags, false)),
        Change::SwitchOn { flags } => format!("alter role {role} {}", keywords(flags, true)),
    };
    Some(sql)
}

fn attributes_of(attributes: &Attributes) -> String {
    let differ = |flag: &Flag| attributes.get(*flag) != Attributes::NOLOGIN.get(*flag);
    let words: Vec<_> = Flag::ALL
        .into_iter()
        .filter(differ)
        .map(|flag| flag.keyword(attributes.get(flag)))
        .collect();
    words.join(" ").to_lowercase()
}

fn keywords(flags: &[Flag], on: bool) -> String {
    let words: Vec<_> = flags.iter().map(|flag| flag.keyword(on)).collect();
    words.join(" ").to_lowercase()
}

/// `Parameter::parse` lets nothing but words and a dot through; quoted all the same.
fn setting(name: &str) -> String {
    name.split('.').map(escape_identifier).collect::<Vec<_>>().join(".")
}

/// Where verifiers lie for the moment. COPY brings them there, whose data no setting of the
/// server writes into a log.
pub const PASSWORD_TABLE: &str = "create temporary table teams_sync_password \
     (role pg_catalog.text, verifier pg_catalog.text) on commit drop";
pub const COPY_PASSWORDS: &str = "copy pg_temp.teams_sync_password from stdin";
pub const FORGET_PASSWORDS: &str = "truncate pg_temp.teams_sync_password";

/// Sets the password of one role to what lies in the table. What fails inside would be logged
/// with its statement, so only the code of the error comes out; and whoever has the role locked is
/// waited for before there is anything to tell.
pub fn set_password(role: &RoleName) -> String {
    let role = literal(role.as_str());
    // In a string, not between dollars: whatever the name holds, it stays a string.
    let body = format!(
        "declare stored pg_catalog.text; failure pg_catalog.text; \
         begin \
         select verifier into strict stored from pg_temp.teams_sync_password where role = {role}; \
         execute pg_catalog.format('alter role %I password null', {role}::pg_catalog.text); \
         execute pg_catalog.format('alter role %I password %L', {role}::pg_catalog.text, stored); \
         exception when query_canceled or others then get stacked diagnostics failure = returned_sqlstate; \
         raise exception using errcode = failure, message = 'the password could not be set'; \
         end"
    );
    format!("do {}", literal(&body))
}

/// Extensions that remember statements, or log them, look into DO blocks as well. A superuser can do
/// without them for the rest of a transaction. `log_statement` and its like see the block alone, in
/// which there is nothing to see.
pub const QUIET: &str = "set local pgaudit.log = none;\n\
     set local log_lock_waits = off;\n\
     set local log_error_verbosity = terse;\n\
     set local pg_stat_statements.track_utility = off";

/// What prints the inside of a block into the log, and anybody may switch off.
pub const QUIET_FOR_ALL: &str = "set local debug_print_parse = off;\n\
     set local debug_print_rewritten = off;\n\
     set local debug_print_plan = off;\n\
     select pg_catalog.set_config(name, 'off', true) from pg_catalog.pg_settings \
     where name = 'md5_password_warnings'";

#[cfg(test)]
mod tests;
