use super::*;

#[test]
fn databases_are_called_whatever_postgresql_takes() {
    for name in ["foo", "my-app", "Foo", "a b", "x\" owner postgres; --", "ünï", "postgres", "1"]
    {
        assert_eq!(DatabaseName::parse("spec.databases", name).unwrap().as_str(), name);
    }
    let long = "x".repeat(64);
    for (name, problem) in [
        ("", NameProblem::Empty),
        (&long, NameProblem::TooLong),
        ("a\0b", NameProblem::Control),
        ("a\nb", NameProblem::Control),
        ("template0", NameProblem::Template),
        ("template1", NameProblem::Template),
    ] {
        let error = DatabaseName::parse("spec.databases", name).unwrap_err();
        assert_eq!(error.problem, problem, "{name:?}");
    }
    let error = DatabaseName::parse("spec.databases", "a\nb").unwrap_err().to_string();
    let expected =
        "spec.databases: \"a\\nb\" cannot be the name of a database: it holds a control character";
    assert_eq!(error, expected);
}

#[test]
fn prepared_databases_and_schemas_are_words_because_roles_are_named_after_them() {
    for name in ["foo", "_foo", "Foo_1"] {
        DatabaseName::parse_prepared("spec.preparedDatabases", name).unwrap();
        schema(name);
    }
    for name in ["my-app", "1foo", "a b", "ünï", "a\"b"] {
        let error = DatabaseName::parse_prepared("spec.preparedDatabases", name).unwrap_err();
        assert_eq!(error.problem, NameProblem::Pattern, "{name}");
        assert_eq!(SchemaName::parse("f", name).unwrap_err().problem, NameProblem::Pattern);
    }
    for name in ["pg_catalog", "pg_foo", "information_schema"] {
        assert_eq!(SchemaName::parse("f", name).unwrap_err().problem, NameProblem::Reserved);
        SchemaName::parse_existing("f", name).unwrap();
    }
}

#[test]
fn extensions_are_names_of_files_in_one_folder() {
    extension("uuid-ossp");
    for name in ["../evil", "a--1.0", "-a", "a\\b"] {
        assert_eq!(ExtensionName::parse("f", name).unwrap_err().problem, NameProblem::NoFile);
    }
}

#[test]
fn roles_of_a_prepared_database_are_those_that_manifests_always_meant() {
    let users = PreparedSchema { default_roles: true, default_users: true };
    let prepared = bar(users, true, &[]);
    let owners = ["bar_owner", "bar_owner_user"].map(role);
    let of_schema = ["bar_data_owner", "bar_data_owner_user"].map(role);
    assert_eq!(prepared.owner, role("bar_owner"));
    let all = &prepared.default_roles;
    assert_eq!(all.creators, owners.clone().into());
    assert_eq!((&all.reader, &all.writer), (&role("bar_reader"), &role("bar_writer")));
    let data = &prepared.schemas[&schema("data")];
    assert_eq!(data.owner, role("bar_data_owner"));
    let [of_database, own] = &data.default_roles[..] else { panic!("{data:?}") };
    assert_eq!(of_database.creators, of_schema.clone().into());
    assert_eq!(of_database.reader, role("bar_reader"));
    assert_eq!(own.creators, owners.into_iter().chain(of_schema).collect());
    assert_eq!((&own.reader, &own.writer), (&role("bar_data_reader"), &role("bar_data_writer")));

    let without = PreparedSchema { default_roles: false, default_users: false };
    let prepared = bar(without, false, &[]);
    let data = &prepared.schemas[&schema("data")];
    assert_eq!(data.owner, role("bar_owner"));
    assert_eq!(data.default_roles, [prepared.default_roles]);
}

#[test]
fn a_name_that_is_too_long_for_its_roles_is_no_prepared_database() {
    let long = "x".repeat(60);
    let long = DatabaseName::parse_prepared("f", &long).unwrap();
    assert!(Prepared::new(&long, false, &BTreeMap::new(), BTreeMap::new()).is_err());
}
