-- What a server has, as one row with one JSON document. It says what it means on PostgreSQL 13 to
-- 18: to_jsonb() of a row has the columns that there are. Names are qualified, so that nothing in
-- public can stand in for anything.
with wanted as (
    select r.oid
    from pg_catalog.pg_roles r
    where r.rolname = any ({names})
    union
    select m.member
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid
    where g.rolname = any ({groups})
    union
    select s.oid
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid
    join pg_catalog.pg_roles r on r.oid = m.member
    join pg_catalog.pg_roles s on s.rolname::pg_catalog.text = r.rolname::pg_catalog.text || {suffix}
    where g.rolname = {marker}
), memberships as (
    select m.member as oid,
           pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'role', g.rolname,
               'grantor', x.rolname,
               'admin', m.admin_option,
               'inherit', pg_catalog.to_jsonb(m) -> 'inherit_option',
               'set', pg_catalog.to_jsonb(m) -> 'set_option'
           ) order by g.rolname, x.rolname) as list
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid
    left join pg_catalog.pg_roles x on x.oid = m.grantor
    where m.member in (select oid from wanted)
    group by m.member
), granted as (
    select m.grantor as oid,
           pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'role', g.rolname,
               'member', x.rolname,
               'admin', m.admin_option,
               'inherit', pg_catalog.to_jsonb(m) -> 'inherit_option',
               'set', pg_catalog.to_jsonb(m) -> 'set_option'
           ) order by g.rolname, x.rolname) as list
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid
    join pg_catalog.pg_roles x on x.oid = m.member
    where m.grantor in (select oid from wanted)
    group by m.grantor
), sessions as (
    select a.usesysid as oid, pg_catalog.count(*) as number
    from pg_catalog.pg_stat_activity a
    where a.usesysid in (select oid from wanted) and a.pid <> pg_catalog.pg_backend_pid()
    group by a.usesysid
), entries as materialized (
    -- Anybody sets them for herself, in any encoding, at any length and as many as she likes: in
    -- ASCII, short ones, the first of them.
    select s.setrole as oid, e.entry, e.place
    from pg_catalog.pg_db_role_setting s
    cross join lateral pg_catalog.unnest(s.setconfig) with ordinality e (entry, place)
    where s.setdatabase = 0 and s.setrole in (select oid from wanted)
        and e.place <= 200 and pg_catalog.octet_length(e.entry) <= 8192
), settings as (
    -- Whoever fills the catalog so that even these are too much has none that we know of.
    select entries.oid,
           pg_catalog.jsonb_agg(pg_catalog.encode(pg_catalog.textsend(entries.entry), 'escape')
                                order by entries.place) as list
    from entries
    where (select pg_catalog.sum(pg_catalog.octet_length(all_of.entry)) from entries all_of) <= 8388608
    group by entries.oid
), roles as (
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'rolname', r.rolname,
               'oid', r.oid::pg_catalog.int8,
               'rolsuper', r.rolsuper,
               'rolinherit', r.rolinherit,
               'rolcreaterole', r.rolcreaterole,
               'rolcreatedb', r.rolcreatedb,
               'rolcanlogin', r.rolcanlogin,
               'rolreplication', r.rolreplication,
               'rolbypassrls', r.rolbypassrls,
               'comment', (
                   select pg_catalog.encode(pg_catalog.textsend(c), 'escape')
                   from pg_catalog.shobj_description(r.oid, 'pg_authid') c
                   where pg_catalog.octet_length(c) <= 8192
               ),
               'settings', coalesce(settings.list, '[]'),
               'memberships', coalesce(memberships.list, '[]'),
               'granted', coalesce(granted.list, '[]'),
               'sessions', coalesce(sessions.number, 0)
           )) as list
    from wanted
    join pg_catalog.pg_roles r on r.oid = wanted.oid
    left join memberships on memberships.oid = r.oid
    left join granted on granted.oid = r.oid
    left join sessions on sessions.oid = r.oid
    left join settings on settings.oid = r.oid
)
select pg_catalog.jsonb_build_object(
    'me', current_user,
    'superuser', (select rolsuper from pg_catalog.pg_roles where rolname = current_user),
    'createrole', (select rolcreaterole from pg_catalog.pg_roles where rolname = current_user),
    'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
    'system_identifier', (select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()),
    'started', pg_catalog.pg_postmaster_start_time(),
    'in_recovery', pg_catalog.pg_is_in_recovery(),
    'read_only', pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool,
    'scram_iterations', pg_catalog.current_setting('scram_iterations', true)::pg_catalog.int4,
    'sees_passwords', pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'select'),
    'foreign_superusers', (
        select pg_catalog.count(*)
        from pg_catalog.pg_roles r
        where r.rolsuper and r.rolcanlogin and not exists (
            select
            from pg_catalog.pg_auth_members m
            join pg_catalog.pg_roles g on g.oid = m.roleid
            where m.member = r.oid and g.rolname = {marker}
                -- Whoever may mark others is not marked by that.
                and not (m.admin_option
                    and coalesce(not (pg_catalog.to_jsonb(m) ->> 'inherit_option')::pg_catalog.bool, false)
                    and coalesce(not (pg_catalog.to_jsonb(m) ->> 'set_option')::pg_catalog.bool, false))
        )
    ),
    'roles', coalesce((select list from roles), '[]')
)::pg_catalog.text
