//! Questions and remedies of `doctor`, `leavers` and `adopt`.

use std::collections::BTreeSet;

use super::{array, identifier, keywords, literal};
use crate::role::{Flag, RoleName};

/// Which server this is, as a list of one.
pub const IDENTITY_JSON: &str = "select pg_catalog.jsonb_build_array(system_identifier::pg_catalog.text)::pg_catalog.text \
     from pg_catalog.pg_control_system()";

/// How much these roles own, by database.
pub fn owned(names: &BTreeSet<RoleName>) -> String {
    format!(
        "select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(\
             'role', r.rolname, 'database', d.datname, 'objects', s.objects) order by r.rolname, d.datname), '[]')::pg_catalog.text \
         from (select refobjid, dbid, pg_catalog.count(*) as objects \
               from pg_catalog.pg_shdepend \
               where refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and deptype = 'o' \
               group by refobjid, dbid) s \
         join pg_catalog.pg_roles r on r.oid = s.refobjid \
         left join pg_catalog.pg_database d on d.oid = s.dbid \
         where r.rolname = any ({})",
        array(names)
    )
}

/// What they own in the database that we are in; so many of each.
pub fn objects(names: &BTreeSet<RoleName>, most: usize) -> String {
    format!(
        "select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('role', role, 'object', object)), '[]')::pg_catalog.text \
         from (select r.rolname as role, pg_catalog.pg_describe_object(s.classid, s.objid, s.objsubid) as object, \
                      pg_catalog.row_number() over (partition by r.oid order by s.classid, s.objid) as number \
               from pg_catalog.pg_shdepend s \
               join pg_catalog.pg_roles r on r.oid = s.refobjid \
               join pg_catalog.pg_database d on d.oid = s.dbid and d.datname = pg_catalog.current_database() \
               where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.deptype = 'o' \
                 and r.rolname = any ({})) all_objects \
         where number <= {most} and object is not null",
        array(names)
    )
}

/// What we may do with these roles and parameters. From PostgreSQL 15 on: privileges on parameters
/// are as old as that.
pub fn privileges(
    names: &BTreeSet<RoleName>,
    parameters: &BTreeSet<String>,
    version: u32,
) -> String {
    let list: Vec<_> = parameters.iter().map(|name| literal(name)).collect();
    let list = format!("array[{}]::pg_catalog.text[]", list.join(","));
    let granted = match version >= 150_000 {
        true => "pg_catalog.has_parameter_privilege(s.name, 'set')",
        false => "false",
    };
    format!(
        "select pg_catalog.jsonb_build_object(\
             'admin_of', (select coalesce(pg_catalog.jsonb_object_agg(r.rolname, \
                 pg_catalog.pg_has_role(r.oid, 'member with admin option')), '{{}}') \
                 from pg_catalog.pg_roles r where r.rolname = any ({names})), \
             'parameters', (select coalesce(pg_catalog.jsonb_agg(s.name order by s.name), '[]') \
                 from pg_catalog.pg_settings s \
                 where pg_catalog.lower(s.name) = any ({list}) and s.context in ('superuser', 'superuser-backend') \
                 and not {granted}), \
             'signal_backend', pg_catalog.pg_has_role('pg_signal_backend', 'usage'), \
             'temporary', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'temporary'), \
             'createdb', me.rolcreatedb, 'replication', me.rolreplication, 'bypassrls', me.rolbypassrls\
         )::pg_catalog.text from pg_catalog.pg_roles me where me.rolname = current_user",
        names = array(names)
    )
}

pub fn give_flag(me: &RoleName, flag: Flag) -> String {
    format!("alter role {} {}", identifier(me), keywords(&[flag], true))
}

/// No more than that: whoever is us does not get what the members get.
pub fn give_admin(group: &RoleName, me: &RoleName) -> String {
    let (group, me) = (identifier(group), identifier(me));
    format!("grant {group} to {me} with admin true, inherit false, set false")
}

pub fn give_parameter(parameter: &str, me: &RoleName) -> String {
    format!("grant set on parameter {} to {}", super::setting(parameter), identifier(me))
}

pub fn give_signal(me: &RoleName) -> String {
    format!("grant pg_signal_backend to {} with inherit true", identifier(me))
}

pub fn give_passwords(me: &RoleName) -> String {
    format!("grant select (rolname, rolpassword) on pg_catalog.pg_authid to {}", identifier(me))
}

pub fn give_temporary(database: &str, me: &RoleName) -> String {
    let database = postgres_protocol::escape::escape_identifier(database);
    format!("grant temporary on database {database} to {}", identifier(me))
}
