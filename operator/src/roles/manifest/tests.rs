//! Which roles manifests ask for.

use teams_sync::role::Flag;

use super::*;
use crate::api::spec::{ConnectionPooler, PreparedDatabase};
use crate::roles::vectors::{self, config};

fn empty() -> Cluster {
    let mut cluster = vectors::cluster();
    cluster.spec.users.clear();
    cluster.spec.databases.clear();
    cluster.spec.prepared_databases = None;
    cluster
}

fn with_user(name: &str, flags: &[&str]) -> Cluster {
    let mut cluster = empty();
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    cluster.spec.users.insert(name.to_owned(), Some(flags));
    cluster
}

fn prepared(yaml: &str) -> Cluster {
    let mut cluster = empty();
    let all: BTreeMap<String, Option<PreparedDatabase>> = serde_saphyr::from_str(yaml).unwrap();
    cluster.spec.prepared_databases = Some(all);
    cluster
}

fn roles(cluster: &Cluster) -> ManifestRoles {
    of_manifest(cluster, &config()).unwrap()
}

fn refused(cluster: &Cluster) -> FieldError {
    of_manifest(cluster, &config()).unwrap_err()
}

fn role(name: &str) -> RoleName {
    RoleName::from_catalog(name.to_owned())
}

fn names<'a>(roles: impl IntoIterator<Item = &'a RoleName>) -> Vec<&'a str> {
    roles.into_iter().map(RoleName::as_str).collect()
}

/// Name, groups, admins, search path.
fn shown(roles: &ManifestRoles) -> Vec<String> {
    let line = |(name, role): (&RoleName, &ManifestRole)| {
        let login = if role.attributes.login { "login" } else { "nologin" };
        let path = role.parameters.iter().map(|one| one.values.join(",")).collect::<String>();
        let (groups, admins) = (names(&role.member_of).join(","), names(&role.admins).join(","));
        format!("{name} {login} in[{groups}] admin[{admins}] {path}")
    };
    roles.roles.iter().map(line).collect()
}

#[test]
fn the_manifest_of_the_talk_has_its_users() {
    let all = roles(&vectors::cluster());
    assert_eq!(names(all.roles.keys()), ["foo_user", "zalando"]);
    let zalando = &all.roles[&role("zalando")];
    assert!(zalando.attributes.superuser && zalando.attributes.createdb);
    assert!(zalando.is_database_owner);
    assert!(!all.roles[&role("foo_user")].is_database_owner);
    let secrets: Vec<_> = all.secrets().collect();
    assert_eq!(secrets, [(&role("foo_user"), None), (&role("zalando"), None)]);
    assert_eq!(all.notes, [""; 0]);
}

#[test]
fn valid_names_of_users_are_taken() {
    for name in ["user", "appspace.user", "appspace.dot.user", "user_name", "app_space.user_name"] {
        assert_eq!(names(roles(&with_user(name, &[])).roles.keys()), [name]);
    }
}

#[test]
fn invalid_names_of_users_are_refused() {
    let words = ["_", ".", ".user", "appspace.", "user_", "_user", "-user", "user-", ",", "-"];
    let more = [",user", "user,", "namespace,user", "", "User", "a..b", "naïve", "a b", "!fooBar"];
    for name in words.into_iter().chain(more) {
        let error = refused(&with_user(name, &[]));
        assert_eq!(error.field, format!("spec.users.{name}"));
        assert!(error.reason.contains("cannot be the name of a user"), "{error}");
    }
}

#[test]
fn names_that_postgresql_keeps_or_would_cut_are_refused() {
    for name in ["pg_monitor", "pg_x", "public", "none"] {
        assert!(refused(&with_user(name, &[])).reason.contains("keeps the name"), "{name}");
    }
    assert_eq!(roles(&with_user(&"a".repeat(63), &[])).roles.len(), 1);
    assert!(refused(&with_user(&"a".repeat(64), &[])).reason.contains("63 bytes"));
}

#[test]
fn nobody_takes_a_protected_or_system_role() {
    for name in ["admin", "cron_admin", "postgres", "standby", "zalandos", "teams_sync_managed"] {
        let all = roles(&with_user(name, &["superuser"]));
        assert!(all.roles.is_empty(), "{name}");
        assert_eq!(all.notes.len(), 1, "{name}");
        assert!(all.notes[0].contains(&format!("the user {name} of the manifest is not made")));
    }
}

#[test]
fn flags_are_read_in_any_case_and_with_no_before_them() {
    for flags in [["superuser", "createdb"], ["SUPERUSER", "CREATEDB"], ["SuperUser", "createDB"]] {
        let all = roles(&with_user("foo", &flags));
        let attributes = all.roles[&role("foo")].attributes;
        let on = Flag::ALL.into_iter().filter(|flag| attributes.get(*flag)).collect::<Vec<_>>();
        assert_eq!(on, [Flag::Createdb, Flag::Inherit, Flag::Login, Flag::Superuser]);
    }
    let all = roles(&with_user("foo", &["NOINHERIT", "bypassrls", "nocreaterole"]));
    let attributes = all.roles[&role("foo")].attributes;
    assert!(!attributes.inherit && attributes.bypassrls && !attributes.createrole);
}

#[test]
fn a_flag_that_is_none_is_shown_with_its_place() {
    let error = refused(&with_user("foo_user", &["!superuser", "createdb"]));
    assert_eq!(error.field, "spec.users.foo_user[0]");
    let error = refused(&with_user("foobar", &["superuser1", "createdb"]));
    assert_eq!(error.field, "spec.users.foobar[0]");
    let error = refused(&with_user("foobar", &["createdb", "login", "password", "inherit"]));
    assert_eq!(error.field, "spec.users.foobar[2]");
    assert!(error.reason.contains("\"password\" is no attribute of a role"), "{error}");
}

#[test]
fn a_flag_and_its_opposite_are_refused() {
    let error = refused(&with_user("foobar", &["inherit", "noinherit"]));
    assert_eq!(error.field, "spec.users.foobar[1]");
    assert!(error.reason.contains("INHERIT and its opposite"), "{error}");
}

#[test]
fn a_user_without_login_has_no_secret() {
    let all = roles(&with_user("foo", &["nologin"]));
    assert!(!all.roles[&role("foo")].attributes.login);
    assert_eq!(all.secrets().count(), 0);
}

#[test]
fn the_team_admin_role_may_grant_users_unless_it_is_switched_off() {
    let cluster = with_user("foo", &[]);
    assert_eq!(names(&roles(&cluster).roles[&role("foo")].admins), ["admin"]);
    let mut without = config();
    without.identity.enable_admin_role_for_users = false;
    let all = of_manifest(&cluster, &without).unwrap();
    assert!(all.roles[&role("foo")].admins.is_empty());
}

#[test]
fn owners_of_databases_are_members_of_the_additional_owner_roles() {
    let mut cluster = with_user("foo_owner", &[]);
    cluster.spec.users.insert("bar_owner".to_owned(), None);
    cluster.spec.users.insert("app_user".to_owned(), None);
    for (database, owner) in [("foo", "foo_owner"), ("bar", "bar_owner"), ("x", "nobody")] {
        cluster.spec.databases.insert(database.to_owned(), owner.to_owned());
    }
    let mut config = config();
    config.identity.additional_owner_roles = vec!["cron_admin".to_owned(), "part_man".to_owned()];
    let all = of_manifest(&cluster, &config).unwrap();
    for owner in ["foo_owner", "bar_owner"] {
        assert_eq!(names(&all.roles[&role(owner)].member_of), ["cron_admin", "part_man"]);
    }
    assert!(all.roles[&role("app_user")].member_of.is_empty());
    assert_eq!(all.roles.len(), 3);
}

#[test]
fn an_owner_is_no_member_of_a_role_that_is_a_member_of_it() {
    let mut cluster = prepared("{foo: }");
    cluster.spec.users.insert("app".to_owned(), None);
    let mut config = config();
    config.identity.additional_owner_roles = vec!["admin".to_owned(), "foo_owner".to_owned()];
    let all = of_manifest(&cluster, &config).unwrap();
    assert!(all.roles[&role("foo_owner")].member_of.is_empty());
    assert!(all.roles[&role("foo_data_owner")].member_of.contains(&role("admin")));
    assert!(!all.roles[&role("foo_data_owner")].member_of.contains(&role("foo_owner")));
    assert!(all.notes.iter().all(|note| note.contains("no circles")), "{:?}", all.notes);
    assert_eq!(all.notes.len(), 2);
}

#[test]
fn the_secret_of_a_user_with_a_namespace_is_there_only_where_that_is_allowed() {
    let cluster = with_user("appspace.dot.user", &[]);
    assert_eq!(roles(&cluster).secrets().next().unwrap().1, None);
    let mut cross = config();
    cross.secrets.enable_cross_namespace_secret = true;
    let all = of_manifest(&cluster, &cross).unwrap();
    assert_eq!(all.secrets().next().unwrap(), (&role("appspace.dot.user"), Some("appspace")));
    let all = of_manifest(&with_user("app_space.user_name", &[]), &cross).unwrap();
    assert_eq!(all.secrets().next().unwrap().1, None);
    assert!(all.notes[0].contains("no namespace can be called app_space"), "{:?}", all.notes);
}

#[test]
fn a_prepared_database_has_an_owner_a_reader_and_a_writer_and_so_has_its_schema() {
    assert_eq!(
        shown(&roles(&prepared("{foo: {defaultUsers: true}}"))),
        [
            "foo_data_owner nologin in[] admin[foo_owner] $user,data",
            "foo_data_reader nologin in[] admin[foo_data_owner] $user,data",
            "foo_data_writer nologin in[foo_data_reader] admin[foo_data_owner] $user,data",
            "foo_owner nologin in[] admin[admin] $user,data",
            "foo_owner_user login in[foo_owner] admin[admin] $user,data",
            "foo_reader nologin in[] admin[foo_owner] $user,data",
            "foo_reader_user login in[foo_reader] admin[foo_owner] $user,data",
            "foo_writer nologin in[foo_reader] admin[foo_owner] $user,data",
            "foo_writer_user login in[foo_writer] admin[foo_owner] $user,data",
        ]
    );
}

#[test]
fn schemas_can_have_users_and_can_have_no_roles() {
    let cluster =
        prepared("{foo: {schemas: {s2: {defaultUsers: true}, s1: {defaultRoles: false}}}}");
    assert_eq!(
        shown(&roles(&cluster)),
        [
            "foo_owner nologin in[] admin[admin] $user,s1,s2",
            "foo_reader nologin in[] admin[foo_owner] $user,s1,s2",
            "foo_s2_owner nologin in[] admin[foo_owner] $user,s2",
            "foo_s2_owner_user login in[foo_s2_owner] admin[foo_owner] $user,s2",
            "foo_s2_reader nologin in[] admin[foo_s2_owner] $user,s2",
            "foo_s2_reader_user login in[foo_s2_reader] admin[foo_s2_owner] $user,s2",
            "foo_s2_writer nologin in[foo_s2_reader] admin[foo_s2_owner] $user,s2",
            "foo_s2_writer_user login in[foo_s2_writer] admin[foo_s2_owner] $user,s2",
            "foo_writer nologin in[foo_reader] admin[foo_owner] $user,s1,s2",
        ]
    );
}

#[test]
fn no_prepared_database_by_name_is_one_with_the_name_of_the_cluster() {
    let all = roles(&prepared("{}"));
    assert_eq!(names(all.roles.keys()).first().copied(), Some("acid_minimal_cluster_data_owner"));
    assert_eq!(all.roles.len(), 6);
    assert_eq!(roles(&empty()).roles.len(), 0);
}

#[test]
fn owners_are_those_of_databases_schemas_and_their_users() {
    let all = roles(&prepared("{a_owner: {defaultUsers: true}}"));
    let owners = all.roles.iter().filter(|(_, role)| role.is_database_owner);
    assert_eq!(
        names(owners.map(|(name, _)| name)),
        ["a_owner_data_owner", "a_owner_owner", "a_owner_owner_user"]
    );
}

#[test]
fn secrets_of_prepared_users_are_in_their_namespace_where_that_is_allowed() {
    let cluster = prepared("{foo: {defaultUsers: true, secretNamespace: apps}}");
    let mut cross = config();
    cross.secrets.enable_cross_namespace_secret = true;
    let all = of_manifest(&cluster, &cross).unwrap();
    let secrets: Vec<_> = all.secrets().map(|(name, place)| (name.as_str(), place)).collect();
    let apps = Some("apps");
    let expected = [("foo_owner_user", apps), ("foo_reader_user", apps), ("foo_writer_user", apps)];
    assert_eq!(secrets, expected);
    let all = roles(&cluster);
    assert!(all.secrets().all(|(_, place)| place.is_none()));
    assert!(all.notes[0].contains("secretNamespace"), "{:?}", all.notes);
}

#[test]
fn a_role_of_a_prepared_database_is_stronger_than_a_user() {
    let mut cluster = prepared("{foo: }");
    cluster.spec.users.insert("foo_owner".to_owned(), Some(vec!["superuser".to_owned()]));
    let all = roles(&cluster);
    assert_eq!(all.roles[&role("foo_owner")].origin, Origin::Prepared);
    assert!(!all.roles[&role("foo_owner")].attributes.superuser);
    assert!(all.notes[0].contains("a prepared database has a role with that name"));
}

#[test]
fn a_database_and_a_schema_with_the_same_roles_have_those_of_the_database() {
    let all = roles(&prepared("{a: {schemas: {b: }}, a_b: {schemas: {c: }}}"));
    assert_eq!(names(&all.roles[&role("a_b_owner")].admins), ["admin"]);
    assert_eq!(all.notes.len(), 3);
}

#[test]
fn names_of_prepared_databases_and_schemas_are_checked() {
    assert_eq!(refused(&prepared("{foo-bar: }")).field, "spec.preparedDatabases.foo-bar");
    let error = refused(&prepared("{foo: {schemas: {\"a\\\"b\": }}}"));
    assert_eq!(error.field, "spec.preparedDatabases.foo.schemas.a\\\"b");
    let long = "d".repeat(57);
    let error = refused(&prepared(&format!("{{{long}: }}")));
    assert!(error.reason.contains("63 bytes"), "{error}");
    assert!(refused(&prepared("{pg_x: }")).reason.contains("keeps the name"));
    assert_eq!(roles(&prepared("{FOO_1: }")).roles.len(), 6);
}

fn with_pooler(user: &str) -> Cluster {
    let mut cluster = vectors::cluster();
    cluster.spec.connection_pooler =
        Some(ConnectionPooler { user: Some(user.to_owned()), ..ConnectionPooler::default() });
    cluster
}

#[test]
fn a_pooler_has_a_role_that_logs_in_and_has_no_other_rights() {
    assert!(!roles(&vectors::cluster()).roles.contains_key(&role("pooler")));
    let all = roles(&with_pooler("pooler"));
    let made = &all.roles[&role("pooler")];
    assert_eq!((made.origin, made.attributes), (Origin::Pooler, Attributes::LOGIN));
    assert!(made.member_of.is_empty() && made.admins.is_empty() && made.parameters.is_empty());
    assert_eq!(made.secret, Some(SecretPlace::default()));
    assert_eq!(pooler_role("pooler", &all, &config()), Ok(role("pooler")));
}

#[test]
fn a_user_of_the_manifest_can_be_the_role_of_a_pooler_and_stays_what_it_is() {
    let all = roles(&with_pooler("foo_user"));
    assert_eq!(all.roles[&role("foo_user")].origin, Origin::Manifest);
    assert_eq!(pooler_role("foo_user", &all, &config()), Ok(role("foo_user")));
}

#[test]
fn a_pooler_never_logs_in_as_somebody_of_the_system() {
    for user in ["postgres", "standby", "zalandos", "admin", "cron_admin"] {
        let all = roles(&with_pooler(user));
        assert!(!all.roles.contains_key(&role(user)), "{user}");
        let reason = pooler_role(user, &all, &config()).expect_err("it cannot");
        assert!(reason.contains("connectionPooler.user"), "{reason}");
    }
    let mut owner = prepared("{foo: }");
    owner.spec.connection_pooler = with_pooler("foo_owner").spec.connection_pooler;
    let reason = pooler_role("foo_owner", &roles(&owner), &config()).expect_err("no login");
    assert!(reason.contains("does not log in"), "{reason}");
}
