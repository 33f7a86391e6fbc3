use teams_sync::role::RoleName;

use super::{Missing, query, statement};

fn of(entry: &str) -> Option<String> {
    let missing = Missing { user: "app\"241125".to_owned(), entry: entry.to_owned() };
    statement(&missing).map(|(_, statement)| statement)
}

#[test]
fn a_value_is_taken_over_as_it_is() {
    assert_eq!(
        of("search_path=\"$user\", o'b").as_deref(),
        Some(
            "begin; select pg_catalog.set_config('search_path', '\"$user\", o''b', true); \
             alter role \"app\"\"241125\" set \"search_path\" from current; commit"
        )
    );
    let custom = of("shop.colour=a=b").expect("a statement");
    assert!(custom.contains("'shop.colour', 'a=b'"), "{custom}");
    assert!(custom.contains("set \"shop\".\"colour\" from current"), "{custom}");
}

#[test]
fn who_somebody_is_is_not_copied() {
    for entry in ["role=postgres", "Session_Authorization=postgres", "nothing"] {
        assert_eq!(of(entry), None, "{entry}");
    }
}

#[test]
fn names_are_looked_for_as_literals() {
    let name = |name: &str| RoleName::from_catalog(name.to_owned());
    let query = query(&[(name("o'b"), name("o'b241125"))]);
    assert!(query.contains("values ('o''b', 'o''b241125')"), "{query}");
}
