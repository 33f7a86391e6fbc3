use super::*;

#[test]
fn a_name_that_postgresql_would_change_or_refuse_is_none() {
    for (text, error) in [
        ("", NameError::Empty),
        ("pg_monitor", NameError::Reserved),
        ("PG_monitor", NameError::Reserved),
        ("public", NameError::Reserved),
        ("none", NameError::Reserved),
        ("current_user", NameError::Reserved),
        ("a\0b", NameError::Control),
        ("a\nb", NameError::Control),
    ] {
        assert_eq!(RoleName::parse(text), Err(error), "{text:?}");
    }
    assert_eq!(RoleName::parse(&"x".repeat(64)), Err(NameError::TooLong));
    assert!(RoleName::parse(&"x".repeat(63)).is_ok());
    // 32 characters, 64 bytes.
    assert_eq!(RoleName::parse(&"é".repeat(32)), Err(NameError::TooLong));
    assert!(RoleName::parse(&"é".repeat(31)).is_ok());
}

#[test]
fn a_predefined_role_may_be_granted_and_not_taken() {
    assert!("pg_read_all_data".parse::<RoleName>().is_ok());
    assert!("public".parse::<RoleName>().is_err());
}

#[test]
fn flags_are_read_in_any_case_and_contradictions_refused() {
    let flags = Flags::parse(["createdb", "NOINHERIT", "", "LOGIN"]).unwrap();
    let all = flags.over(Attributes::NOLOGIN);
    assert!(all.createdb && all.login && !all.inherit && !all.superuser);
    assert_eq!(Flags::parse(["LOGIN", "nologin"]), Err(FlagError::Contradiction("LOGIN")));
    assert_eq!(Flags::parse(["LOGIN; --"]), Err(FlagError::Unknown("LOGIN; --".to_owned())));
    assert!(Flags::parse(["LOGIN", "login"]).is_ok());
}

#[test]
fn a_list_is_one_value_for_each_element() {
    let values = |name, value| Parameter::parse(name, value).map(|parsed| parsed.values);
    assert_eq!(
        values("search_path", r#""$user", public, "a,""b""#).unwrap(),
        ["$user", "public", r#"a,"b"#]
    );
    assert_eq!(values("search_path", "").unwrap(), [""]);
    assert_eq!(values("Search_Path", "'a', b").unwrap(), ["a", "b"]);
    assert_eq!(values("log_statement", "a, b").unwrap(), ["a, b"]);
    assert_eq!(values("search_path", r#""a"#), Err(ParameterError::Quote));
    assert_eq!(values("search_path", r#""a"b"#), Err(ParameterError::Quote));
}

#[test]
fn a_parameter_with_a_strange_name_or_value_is_refused() {
    for name in ["", "a b", "a;b", "a.b.c", "a.", "1a", "é"] {
        assert_eq!(Parameter::parse(name, "x"), Err(ParameterError::Name), "{name}");
    }
    assert_eq!(Parameter::parse("role", "postgres"), Err(ParameterError::Forbidden));
    assert_eq!(Parameter::parse("work_mem", "1\n"), Err(ParameterError::Control));
    assert!(Parameter::parse("pg_stat_statements.track_utility", "off").is_ok());
}

#[test]
fn an_entry_of_the_catalog_is_compared_as_postgresql_reads_it() {
    let same = |entry, name, value| entry_matches(entry, &Parameter::parse(name, value).unwrap());
    assert!(same("log_statement=all", "log_statement", "all"));
    assert!(same("TimeZone=UTC", "timezone", "UTC"));
    assert!(!same("log_statement=ddl", "log_statement", "all"));
    assert!(same("application_name=a=b", "application_name", "a=b"));
    assert!(same(r#"search_path="$user", public"#, "search_path", r#""$user",public"#));
    assert!(!same(r#"search_path="a, b""#, "search_path", "a, b"));
    assert_eq!(entry_name("TimeZone=a=b"), "timezone");
}
