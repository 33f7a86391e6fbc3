//! The roles that every Spilo cluster has, and the scripts that make them at the bootstrap and
//! after each promotion.

/// `bootstrap.post_init`; its last argument is a connection string.
pub const POST_INIT: &str = r#"#!/bin/sh
for connection; do :; done
exec /usr/lib/postgresql/15/bin/psql -X -q -w -v ON_ERROR_STOP=1 -d "$connection" \
    -f /scripts/roles.sql
"#;

/// A callback; its last three arguments are the action, the role and the scope. Recovery may go on
/// for a while after a promotion.
pub const ROLE_CHANGE: &str = r#"#!/bin/sh
user=$1
shift $(($# - 3))
case $2 in master | primary) ;; *) exit 0 ;; esac
psql() {
    /usr/lib/postgresql/15/bin/psql -X -A -t -q -w -v ON_ERROR_STOP=1 \
        -h /run/postgresql -U "$user" -d postgres "$@"
}
tries=0
until [ "$(psql -c 'select pg_is_in_recovery()')" = f ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || exit 1
    sleep 0.1
done
psql -f /scripts/roles.sql
"#;

/// Makes the roles, or makes them again what they were. The name of the role of people is spliced
/// in as it is, as Spilo does: it has to be a plain identifier.
pub fn roles_sql(human_role: &str) -> String {
    let roles = [
        ("admin", "CREATEDB NOLOGIN NOCREATEROLE NOSUPERUSER NOREPLICATION INHERIT"),
        ("cron_admin", "NOCREATEDB NOLOGIN NOCREATEROLE NOSUPERUSER NOREPLICATION INHERIT"),
        (human_role, "NOCREATEDB NOLOGIN NOCREATEROLE NOSUPERUSER NOREPLICATION INHERIT"),
        ("robot_zmon", "NOCREATEDB NOLOGIN NOCREATEROLE NOSUPERUSER NOREPLICATION INHERIT"),
    ];
    let mut sql = "SET client_min_messages = warning;\nDO $$\nBEGIN\n".to_owned();
    for (role, attributes) in roles {
        sql += &format!(
            "IF EXISTS (SELECT FROM pg_catalog.pg_authid WHERE rolname = '{role}') THEN\n\
             ALTER ROLE {role} WITH {attributes};\nELSE\n\
             CREATE ROLE {role} WITH {attributes};\nEND IF;\n"
        );
    }
    sql + "GRANT cron_admin TO admin;\nEND;$$;\n"
}
