//! The only place that writes SQL about the function of poolers.
//!
//! Sessions begin with the pins of all stages, names in queries are qualified, and names of a
//! manifest stand as quoted identifiers and literals. The body of the function resolves nothing by
//! a path: whoever owns the database may have operators and functions that are called the same.

use std::time::Duration;

use teams_sync::role::RoleName;
use teams_sync::sql::{literal, quote_identifier};

use super::Lookup;
use super::observed::Grantee;
use super::plan::Step;
use crate::databases::sql::{PINS, WRITABLE, limits};

pub(super) const BEGIN: &str = "begin isolation level read committed";
pub(super) const COMMIT: &str = "commit";
pub(super) const ROLLBACK: &str = "rollback";

const NAME: &str = "user_lookup";
/// Superusers and whoever replicates are not known to a pooler, nor is anybody whose time is over.
const BODY: &str = "\n\
    select r.rolname::pg_catalog.text, r.rolpassword\n\
    from pg_catalog.pg_authid as r\n\
    where r.rolname::pg_catalog.text operator(pg_catalog.=) i_username\n\
    and r.rolcanlogin and not r.rolsuper and not r.rolreplication\n\
    and coalesce(r.rolvaliduntil operator(pg_catalog.>) pg_catalog.now(), true)\n";
const PATH: &str = "search_path=pg_catalog, pg_temp";

/// The beginning of a session in one database.
pub(super) fn pins(lock: Duration, statement: Duration) -> String {
    format!("{};\n{PINS};\n{WRITABLE}", limits(lock, statement))
}

/// The list of databases, and the beginning of a session there.
pub(super) fn list(lock: Duration, statement: Duration) -> String {
    format!(
        "{limits};\n{PINS};\n\
         select pg_catalog.jsonb_build_object(\
         'in_recovery', pg_catalog.pg_is_in_recovery(), \
         'read_only', pg_catalog.current_setting('transaction_read_only') = 'on', \
         'databases', coalesce((select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(\
             'name', {name}, \
             'connects', d.datallowconn and d.datconnlimit <> -2, \
             'is_locked', d.oid in (select l.objid from pg_catalog.pg_locks l \
                 where l.locktype = 'object' and l.classid = 1262 and l.objid is not null \
                 and l.mode = 'AccessExclusiveLock' and l.granted)) order by d.datname) \
             from pg_catalog.pg_database d \
             where d.datname not in ('template0', 'template1')), '[]'))::pg_catalog.text",
        limits = limits(lock, statement),
        name = hex("d.datname"),
    )
}

/// A name as bytes in hexadecimal.
fn hex(column: &str) -> String {
    format!("pg_catalog.encode(pg_catalog.namesend({column}), 'hex')")
}

/// Those that an ACL gives a privilege, but for the owner, superusers and what `but` says.
fn others(acl: &str, owner: &str, privilege: &str, but: &str) -> String {
    let name = hex("g.rolname");
    format!(
        "coalesce((select pg_catalog.jsonb_agg(distinct case when a.grantee <> 0 then {name} end) \
         from pg_catalog.aclexplode({acl}) a left join pg_catalog.pg_roles g on g.oid = a.grantee \
         where a.privilege_type = '{privilege}' and a.grantee <> {owner} \
         and not coalesce(g.rolsuper, false){but}), '[]')"
    )
}

fn owner(role: &str) -> String {
    let name = hex(&format!("{role}.rolname"));
    format!("pg_catalog.jsonb_build_object('name', {name}, 'is_superuser', {role}.rolsuper)")
}

/// What is there of it in a database.
pub(super) fn observe(lookup: &Lookup) -> String {
    let schema_acl = "coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))";
    let function_acl = "coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))";
    format!(
        "with asker as materialized (select oid from pg_catalog.pg_roles where rolname = {user}), \
         place as materialized (select * from pg_catalog.pg_namespace n where n.nspname = {schema}), \
         named as materialized (select p.* from pg_catalog.pg_proc p \
             where p.pronamespace in (select oid from place) and p.proname = '{NAME}') \
         select pg_catalog.jsonb_build_object(\
         'has_user', exists (select from asker), \
         'schema', (select pg_catalog.jsonb_build_object(\
             'owner', {schema_owner}, \
             'is_usable', exists (select from pg_catalog.aclexplode({schema_acl}) a \
                 where a.privilege_type = 'USAGE' \
                 and (a.grantee = 0 or a.grantee in (select oid from asker))), \
             'creators', {creators}) \
             from place n join pg_catalog.pg_roles o on o.oid = n.nspowner), \
         'lookup', (select pg_catalog.jsonb_build_object(\
             'owner', {function_owner}, \
             'is_ours', o.rolname = session_user, \
             'is_right', {is_right}, \
             'is_replaceable', {is_replaceable}, \
             'is_granted', exists (select from pg_catalog.aclexplode({function_acl}) a \
                 where a.privilege_type = 'EXECUTE' and a.grantee in (select oid from asker)), \
             'askers', {askers}) \
             from named p join pg_catalog.pg_roles o on o.oid = p.proowner \
             where p.proargtypes::pg_catalog.text = '25'), \
         'strangers', (select pg_catalog.count(*) from named p \
             join pg_catalog.pg_roles o on o.oid = p.proowner \
             where p.proargtypes::pg_catalog.text <> '25' and not o.rolsuper))::pg_catalog.text",
        user = role_literal(&lookup.user),
        schema = literal(lookup.schema.as_str()),
        schema_owner = owner("o"),
        function_owner = owner("o"),
        creators = others(schema_acl, "n.nspowner", "CREATE", ""),
        askers = others(
            function_acl,
            "p.proowner",
            "EXECUTE",
            " and a.grantee not in (select oid from asker)",
        ),
        is_right = is_right(),
        is_replaceable = IS_REPLACEABLE,
    )
}

fn role_literal(role: &RoleName) -> String {
    literal(role.as_str())
}

/// Whether what another body can be put into gives rows of two texts.
const IS_REPLACEABLE: &str = "coalesce(p.prokind = 'f' and p.proretset \
    and p.prorettype = 2249 and p.provariadic = 0 and p.pronargdefaults = 0 \
    and p.proallargtypes = array[25, 25, 25]::pg_catalog.oid[] \
    and p.proargmodes::pg_catalog.text = '{i,o,o}' \
    and p.proargnames = array['i_username', 'uname', 'phash'], false)";

fn is_right() -> String {
    format!(
        "coalesce({IS_REPLACEABLE} and p.prosecdef and p.provolatile = 's' and not p.proisstrict \
         and not p.proleakproof and p.prosupport = 0 and p.probin is null \
         and p.proconfig = array[{path}] and p.prosrc = {body} \
         and p.prolang = (select l.oid from pg_catalog.pg_language l where l.lanname = 'sql'), false)",
        path = literal(PATH),
        body = literal(BODY),
    )
}

/// One step.
pub(super) fn statement(lookup: &Lookup, step: &Step) -> String {
    let schema = quote_identifier(lookup.schema.as_str());
    let user = quote_identifier(lookup.user.as_str());
    let function = format!("{schema}.{}(pg_catalog.text)", quote_identifier(NAME));
    match step {
        Step::CreateSchema => format!("create schema {schema} authorization session_user"),
        Step::DropFunction => format!("drop function {function}"),
        // It is there for nobody before it is there for the pooler alone: all is one transaction.
        Step::CreateFunction => {
            let create = definition("create", &schema);
            format!("{create};\nrevoke all on function {function} from public")
        }
        Step::ReplaceFunction => definition("create or replace", &schema),
        Step::TakeFunction => format!("alter function {function} owner to session_user"),
        Step::RevokeFrom(Grantee(None)) => {
            format!("revoke all on function {function} from public cascade")
        }
        Step::RevokeFrom(Grantee(Some(name))) => {
            // One that is no UTF-8 matches nobody, and the last look finds it again.
            let name = quote_identifier(&name.text().unwrap_or_default().replace('\0', ""));
            format!("revoke all on function {function} from {name} cascade")
        }
        Step::GrantExecute => format!("grant execute on function {function} to {user}"),
        Step::GrantUsage => format!("grant usage on schema {schema} to {user}"),
    }
}

/// No row for whoever is not known: with one of nulls, as the reference has it, PgBouncer lets her
/// wait for a minute.
fn definition(verb: &str, schema: &str) -> String {
    format!(
        "{verb} function {schema}.{name}(in i_username pg_catalog.text, \
         out uname pg_catalog.text, out phash pg_catalog.text) returns setof record \
         language sql stable security definer rows 1 set search_path = pg_catalog, pg_temp \
         as {body}",
        name = quote_identifier(NAME),
        body = literal(BODY),
    )
}
