//! The only place of the stage that writes SQL.
//!
//! Whoever owns a database may plant operators and functions in it, give it settings, and make
//! objects with names of her choice. So every session begins with [`PINS`], names in queries are
//! qualified, and what a manifest says stands in statements as quoted identifiers and literals.
//! `SET ROLE` keeps nobody in: code that runs under it can take it back. It is here so that the
//! server refuses what the owner of a database could not do herself, untrusted extensions above all.

use std::collections::BTreeSet;
use std::time::Duration;

use teams_sync::role::RoleName;
use teams_sync::sql::{literal, quote_identifier};

use super::names::{DatabaseName, ExtensionName, SchemaName};
use super::plan::{Planned, Step};
use super::wanted::{Prepared, Wanted};

/// What `ALTER DATABASE ... SET` could have changed for us. `session_authorization` is not among it,
/// because the login itself decides that.
pub(super) const PINS: &str = "set role none;\n\
     set search_path = pg_catalog, pg_temp;\n\
     set standard_conforming_strings = on;\n\
     set backslash_quote = safe_encoding;\n\
     set quote_all_identifiers = off;\n\
     set transform_null_equals = off;\n\
     set array_nulls = on;\n\
     set check_function_bodies = on;\n\
     set client_min_messages = warning;\n\
     set default_transaction_isolation = 'read committed';\n\
     set default_transaction_deferrable = off;\n\
     set row_security = on;\n\
     set synchronous_commit = local;\n\
     set idle_in_transaction_session_timeout = '60s';\n\
     select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings \
     where name in ('idle_session_timeout', 'transaction_timeout')";

/// Of an own database, where being read-only is no guard of those who run the server.
pub(super) const WRITABLE: &str = "set default_transaction_read_only = off";

pub(super) fn limits(lock: Duration, statement: Duration) -> String {
    format!(
        "set statement_timeout = {};\nset lock_timeout = {}",
        // Zero would be no limit.
        statement.as_millis().max(1),
        lock.as_millis().max(1)
    )
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(literal).collect();
    format!("array[{}]::pg_catalog.name[]", names.join(","))
}

fn roles(roles: &BTreeSet<RoleName>) -> String {
    names(roles.iter().map(RoleName::as_str))
}

/// The picture of a server, and the beginning of a session there.
pub(crate) fn observe_server(wanted: &Wanted, lock: Duration, statement: Duration) -> String {
    let databases = names(wanted.names().into_iter().map(DatabaseName::as_str));
    let roles = roles(&wanted.roles());
    format!(
        "{limits};\n{PINS};\n\
         select pg_catalog.jsonb_build_object(\
         'in_recovery', pg_catalog.pg_is_in_recovery(), \
         'read_only', pg_catalog.current_setting('transaction_read_only') = 'on', \
         'databases', coalesce((select pg_catalog.jsonb_object_agg(d.datname, \
             pg_catalog.jsonb_build_object(\
             'name', case when r.rolname = any ({roles}) then r.rolname end, \
             'shown', pg_catalog.encode(pg_catalog.textsend(r.rolname::pg_catalog.text), 'escape'))) \
             from pg_catalog.pg_database d join pg_catalog.pg_roles r on r.oid = d.datdba \
             where d.datname = any ({databases})), '{{}}'), \
         'roles', coalesce((select pg_catalog.jsonb_agg(rolname) from pg_catalog.pg_roles \
             where rolname = any ({roles})), '[]'))::pg_catalog.text",
        limits = limits(lock, statement),
    )
}

/// The picture of a prepared database, and the beginning of a session there. Which extensions could
/// be made is asked only where one is missing: the server reads files for it.
pub(crate) fn observe_database(
    prepared: &Prepared,
    known: &BTreeSet<RoleName>,
    lock: Duration,
    statement: Duration,
) -> String {
    let schemas = prepared.schemas.keys().chain(prepared.extensions.values());
    let schemas = names(schemas.map(SchemaName::as_str));
    let extensions = names(prepared.extensions.keys().map(ExtensionName::as_str));
    let roles = roles(known);
    format!(
        "{limits};\n{PINS};\n{WRITABLE};\n\
         with roles as materialized (select oid, rolname from pg_catalog.pg_roles where rolname = any ({roles})), \
         schemas as materialized (select oid, nspname, nspowner, nspacl from pg_catalog.pg_namespace where nspname = any ({schemas})), \
         missing as materialized (select name from pg_catalog.unnest({extensions}) name \
             where not exists (select from pg_catalog.pg_extension e where e.extname = name)) \
         select pg_catalog.jsonb_build_object(\
         'schemas', coalesce((select pg_catalog.jsonb_object_agg(s.nspname, pg_catalog.jsonb_build_object('usage', \
             (select coalesce(pg_catalog.jsonb_agg(distinct r.rolname), '[]') from roles r \
             where r.oid = s.nspowner or exists (select from pg_catalog.aclexplode(s.nspacl) a \
                 where a.grantee = r.oid and a.privilege_type = 'USAGE')))) \
             from schemas s), '{{}}'), \
         'defaults', coalesce((select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(\
             'creator', c.rolname, 'schema', s.nspname, 'kind', d.defaclobjtype, \
             'grantee', g.rolname, 'privilege', a.privilege_type)) \
             from pg_catalog.pg_default_acl d join roles c on c.oid = d.defaclrole \
             left join schemas s on s.oid = d.defaclnamespace \
             cross join pg_catalog.aclexplode(d.defaclacl) a join roles g on g.oid = a.grantee \
             where d.defaclnamespace = 0 or s.oid is not null), '[]'), \
         'extensions', coalesce((select pg_catalog.jsonb_object_agg(e.extname, pg_catalog.jsonb_build_object(\
             'schema', n.nspname, 'relocatable', e.extrelocatable)) \
             from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace \
             where e.extname = any ({extensions})), '{{}}'), \
         'available', case when exists (select from missing) then coalesce((\
             select pg_catalog.jsonb_object_agg(v.name, coalesce(pg_catalog.to_jsonb(v.requires), '[]')) \
             from pg_catalog.pg_available_extensions x \
             join pg_catalog.pg_available_extension_versions v on v.name = x.name and v.version = x.default_version \
             where x.name in (select name from missing)), '{{}}') else '{{}}' end)::pg_catalog.text",
        limits = limits(lock, statement),
    )
}

/// One step: a statement of its own, or a transaction of several.
pub(crate) fn statement(planned: &Planned) -> String {
    let database = quote_identifier(planned.database.as_str());
    match &planned.step {
        // Refused inside of a transaction.
        Step::CreateDatabase { owner } => {
            format!("create database {database} owner {}", role(owner))
        }
        Step::SetOwner { owner, .. } => {
            format!("alter database {database} owner to {}", role(owner))
        }
        Step::CreateSchema { schema, owner, by } => as_role(
            by,
            &format!("create schema if not exists {} authorization {}", name(schema), role(owner)),
        ),
        Step::GrantUsage { schema, to } => {
            format!("grant usage on schema {} to {}", name(schema), role(to))
        }
        Step::SetDefaults { creator, schema, to, grants } => {
            let place = schema.as_ref().map(|schema| format!(" in schema {}", name(schema)));
            let place = place.unwrap_or_default();
            let (creator, to) = (role(creator), role(to));
            let grants = grants.iter().map(|grant| {
                format!("alter default privileges for role {creator}{place} grant {grant} to {to}")
            });
            grants.collect::<Vec<_>>().join(";\n")
        }
        Step::CreateExtension { extension, schema, by } => as_role(
            by,
            &format!(
                "create extension if not exists {} schema {}",
                quote_identifier(extension.as_str()),
                name(schema)
            ),
        ),
        Step::MoveExtension { extension, schema, .. } => {
            let extension = quote_identifier(extension.as_str());
            format!("alter extension {extension} set schema {}", name(schema))
        }
    }
}

/// Ends what a failed step may have left open.
pub(crate) const ROLLBACK: &str = "rollback";

fn as_role(who: &RoleName, statement: &str) -> String {
    format!("begin;\nset local role {};\n{statement};\ncommit", role(who))
}

fn role(role: &RoleName) -> String {
    quote_identifier(role.as_str())
}

fn name(schema: &SchemaName) -> String {
    quote_identifier(schema.as_str())
}
