use std::collections::BTreeSet;

use super::super::observed::{Catalog, Server};
use super::super::plan::{Plan, Planned, of_database, of_server};
use super::super::sql;
use super::*;
use serde_json::{Value, json};

fn server(databases: Value, roles: &[&str]) -> Server {
    let observed = json!({
        "in_recovery": false, "read_only": false, "databases": databases, "roles": roles,
    });
    serde_json::from_value(observed).unwrap()
}

fn owned_by(owner: &str) -> Value {
    json!({"name": owner, "shown": owner})
}

fn wanted(databases: &[(&str, &str)]) -> Wanted {
    let databases = databases.iter().map(|(name, owner)| (database(name), role(owner)));
    Wanted { databases: databases.collect(), prepared: BTreeMap::new() }
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}

fn problems(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(ToString::to_string).collect()
}

const BAR_ROLES: [&str; 6] = [
    "bar_owner",
    "bar_reader",
    "bar_writer",
    "bar_data_owner",
    "bar_data_reader",
    "bar_data_writer",
];

fn in_bar(prepared: &Prepared, roles: &[&str], catalog: Value) -> Plan {
    let mut there = json!({"schemas": {}, "extensions": {}, "available": {}});
    there.as_object_mut().unwrap().extend(catalog.as_object().unwrap().clone());
    let catalog: Catalog = serde_json::from_value(there).unwrap();
    let server = server(json!({"bar": owned_by("bar_owner")}), roles);
    of_database(&database("bar"), prepared, &prepared.owner, &server, &catalog)
}

#[test]
fn databases_are_made_or_given_to_their_owners_or_left_alone() {
    let now = json!({"moved": {"name": null, "shown": "postgres"}, "there": owned_by("zalando")});
    let wanted = wanted(&[("foo", "zalando"), ("moved", "zalando"), ("there", "zalando")]);
    let plan = of_server(&wanted, &server(now, &["zalando"]));
    let expected = [
        "create database foo, owner zalando",
        "give database moved to zalando; its owner was postgres",
    ];
    assert_eq!(lines(&plan), expected);
    assert_eq!(problems(&plan), <[&str; 0]>::default());
}

#[test]
fn an_owner_that_does_not_exist_is_a_problem_of_that_database_alone() {
    let wanted = wanted(&[("foo", "nobody"), ("good", "zalando")]);
    let plan = of_server(&wanted, &server(json!({}), &["zalando"]));
    assert_eq!(lines(&plan), ["create database good, owner zalando"]);
    let expected = "spec.databases.foo: its owner, the role nobody, does not exist";
    assert_eq!(problems(&plan), [expected]);
    assert_eq!(plan.blocked, BTreeSet::from([database("foo")]));
}

#[test]
fn postgres_may_be_listed_but_is_not_made() {
    let wanted = wanted(&[("postgres", "zalando")]);
    let plan = of_server(&wanted, &server(json!({}), &["zalando"]));
    assert_eq!(lines(&plan), <[&str; 0]>::default());
    assert!(problems(&plan)[0].contains("made with a cluster and not here"), "{plan:?}");
    let there = server(json!({"postgres": owned_by("zalando")}), &["zalando"]);
    let plan = of_server(&wanted, &there);
    assert!(plan.steps.is_empty() && plan.problems.is_empty(), "{plan:?}");
}

#[test]
fn postgres_is_given_to_nobody_and_a_note_says_so() {
    let mut wanted = wanted(&[("postgres", "zalando")]);
    let there = server(json!({"postgres": owned_by("postgres")}), &["zalando", "postgres_owner"]);
    let plan = of_server(&wanted, &there);
    assert!(plan.steps.is_empty() && plan.problems.is_empty(), "{plan:?}");
    assert!(
        wanted.notes()[0]
            .starts_with("spec.databases.postgres: the database postgres is given to nobody")
    );
    wanted.databases.clear();
    let name = database("postgres");
    let roles = Prepared::new(&name, false, &BTreeMap::new(), BTreeMap::new()).unwrap();
    wanted.prepared.insert(name.clone(), roles);
    let plan = of_server(&wanted, &there);
    assert!(plan.steps.is_empty() && plan.blocked.contains(&name), "{plan:?}");
    assert!(problems(&plan)[0].contains("given to nobody"), "{plan:?}");
}

#[test]
fn a_database_that_both_maps_name_has_the_owner_of_the_plain_one() {
    let mut wanted = wanted(&[("bar", "zalando")]);
    wanted.prepared.insert(database("bar"), bar(PreparedSchema::default(), false, &[]));
    let plan = of_server(&wanted, &server(json!({}), &["zalando", "bar_owner"]));
    assert_eq!(lines(&plan), ["create database bar, owner zalando"]);
    let expected = "spec.preparedDatabases.bar: it is in spec.databases as well, so its owner is \
                    zalando and not bar_owner";
    assert_eq!(problems(&plan), [expected]);
}

#[test]
fn a_new_prepared_database_gets_what_it_always_got() {
    let prepared = bar(PreparedSchema::default(), false, &[("pg_trgm", "data")]);
    let plan = in_bar(&prepared, &BAR_ROLES, json!({"available": {"pg_trgm": []}}));
    let tables = "SELECT on tables; SELECT on sequences; EXECUTE on functions; USAGE on types";
    let writes = "INSERT, UPDATE, DELETE on tables; USAGE, UPDATE on sequences; \
                  EXECUTE on functions; USAGE on types";
    let makes = |reader: &str, creator: &str, grants: &str| {
        format!("grant {reader} what {creator} makes in schema data of database bar: {grants}")
    };
    let usage = |to: &str| format!("grant USAGE on schema data in database bar to {to}");
    let expected = [
        format!(
            "grant bar_reader what bar_owner makes in database bar: {tables}; USAGE on schemas"
        ),
        format!(
            "grant bar_writer what bar_owner makes in database bar: {writes}; USAGE on schemas"
        ),
        "create schema data in database bar, owner bar_data_owner".to_owned(),
        usage("bar_reader"),
        usage("bar_writer"),
        usage("bar_data_reader"),
        usage("bar_data_writer"),
        makes("bar_reader", "bar_data_owner", tables),
        makes("bar_writer", "bar_data_owner", writes),
        makes("bar_data_reader", "bar_data_owner", tables),
        makes("bar_data_writer", "bar_data_owner", writes),
        makes("bar_data_reader", "bar_owner", tables),
        makes("bar_data_writer", "bar_owner", writes),
        "create extension pg_trgm in schema data of database bar".to_owned(),
    ];
    assert_eq!(lines(&plan), expected);
}

#[test]
fn only_privileges_that_are_missing_are_granted() {
    let without = PreparedSchema { default_roles: false, default_users: false };
    let row = |schema: Value, kind: &str, grantee: &str, privilege: &str| {
        json!({"creator": "bar_owner", "schema": schema, "kind": kind, "grantee": grantee,
               "privilege": privilege})
    };
    let mut rows = Vec::new();
    for place in [json!(null), json!("data")] {
        for (to, r, s) in [
            ("bar_reader", &["SELECT"][..], &["SELECT"][..]),
            ("bar_writer", &["INSERT", "UPDATE", "DELETE"], &["USAGE", "UPDATE"]),
        ] {
            rows.extend(r.iter().map(|one| row(place.clone(), "r", to, one)));
            rows.extend(s.iter().map(|one| row(place.clone(), "S", to, one)));
            rows.push(row(place.clone(), "f", to, "EXECUTE"));
            rows.push(row(place.clone(), "T", to, "USAGE"));
            if place.is_null() {
                rows.push(row(place.clone(), "n", to, "USAGE"));
            }
        }
    }
    let usage = json!({"data": {"usage": ["bar_owner", "bar_reader", "bar_writer"]}});
    let prepared = bar(without, false, &[]);
    let plan = in_bar(&prepared, &BAR_ROLES, json!({"schemas": usage, "defaults": rows}));
    assert!(plan.steps.is_empty() && plan.problems.is_empty(), "{plan:?}");

    let lost = [
        row(json!("data"), "r", "bar_writer", "UPDATE"),
        row(json!(null), "n", "bar_reader", "USAGE"),
    ];
    rows.retain(|row| !lost.contains(row));
    let usage = json!({"data": {"usage": ["bar_owner", "bar_reader"]}});
    let plan = in_bar(&prepared, &BAR_ROLES, json!({"schemas": usage, "defaults": rows}));
    let expected = [
        "grant bar_reader what bar_owner makes in database bar: USAGE on schemas",
        "grant USAGE on schema data in database bar to bar_writer",
        "grant bar_writer what bar_owner makes in schema data of database bar: UPDATE on tables",
    ];
    assert_eq!(lines(&plan), expected);
}

#[test]
fn a_role_that_is_missing_costs_what_it_was_for_and_no_more() {
    let prepared = bar(PreparedSchema::default(), false, &[]);
    let roles: Vec<_> = BAR_ROLES.into_iter().filter(|name| *name != "bar_data_owner").collect();
    let plan = in_bar(&prepared, &roles, json!({}));
    let expected =
        "spec.preparedDatabases.bar.schemas.data: the role bar_data_owner does not exist";
    assert_eq!(problems(&plan), [expected]);
    assert_eq!(plan.steps.len(), 2, "those of the whole database: {plan:?}");
}

#[test]
fn extensions_are_made_moved_or_impossible() {
    let extensions = [
        ("cube", "data"),
        ("earthdistance", "data"),
        ("absent", "data"),
        ("hstore", "data"),
        ("plpgsql", "data"),
        ("citext", "elsewhere"),
        ("pg_trgm", "data"),
    ];
    let without = PreparedSchema { default_roles: false, default_users: false };
    let prepared = bar(without, false, &extensions);
    let catalog = json!({
        "available": {"cube": ["earthdistance"], "earthdistance": [], "citext": []},
        "extensions": {
            "hstore": {"schema": "public", "relocatable": true},
            "plpgsql": {"schema": "pg_catalog", "relocatable": false},
            "pg_trgm": {"schema": "data", "relocatable": true},
        },
    });
    let mut plan = in_bar(&prepared, &BAR_ROLES, catalog);
    plan.steps.retain(|planned| planned.field.contains(".extensions."));
    let expected = [
        "create extension earthdistance in schema data of database bar",
        "move extension hstore of database bar from schema public to data",
        "create extension cube in schema data of database bar",
    ];
    assert_eq!(lines(&plan), expected);
    let at = "spec.preparedDatabases.bar.extensions";
    let expected = [
        format!("{at}.absent: the server has no extension absent to install"),
        format!("{at}.citext: the schema elsewhere does not exist in bar"),
        format!(
            "{at}.plpgsql: the extension plpgsql is in schema pg_catalog and cannot be moved to \
             data: it is not relocatable"
        ),
    ];
    assert_eq!(problems(&plan), expected);
}

#[test]
fn extensions_that_need_each_other_are_left_to_the_server_to_refuse() {
    let prepared = bar(PreparedSchema::default(), false, &[("a", "data"), ("b", "data")]);
    let plan = in_bar(&prepared, &BAR_ROLES, json!({"available": {"a": ["b"], "b": ["a"]}}));
    let of_extensions = |line: &&String| line.starts_with("create extension");
    assert_eq!(lines(&plan).iter().filter(of_extensions).count(), 2);
}

#[test]
fn names_stand_in_statements_as_nothing_but_names() {
    let evil = "x\"; alter role mallory superuser; --";
    let wanted = Wanted {
        databases: BTreeMap::from([(database(evil), role(evil))]),
        prepared: BTreeMap::new(),
    };
    let plan = of_server(&wanted, &server(json!({}), &[evil]));
    let [planned] = &plan.steps[..] else { panic!("{plan:?}") };
    let quoted = "\"x\"\"; alter role mallory superuser; --\"";
    assert_eq!(sql::statement(planned), format!("create database {quoted} owner {quoted}"));
    let place = SchemaName::parse_existing("f", evil).unwrap();
    let step = super::super::plan::Step::CreateExtension {
        extension: extension("x\"; drop database foo; -x"),
        schema: place,
        by: role("o'; \\"),
    };
    let planned = Planned { database: database("bar"), field: String::new(), step };
    let expected = format!(
        "begin;\nset local role \"o'; \\\";\n\
         create extension if not exists \"x\"\"; drop database foo; -x\" schema {quoted};\ncommit"
    );
    assert_eq!(sql::statement(&planned), expected);
}

#[test]
fn no_plan_holds_a_word_that_takes_anything_away() {
    let prepared = bar(PreparedSchema::default(), true, &[("hstore", "data")]);
    let everybody: Vec<_> = ["bar_owner_user", "zalando"].into_iter().chain(BAR_ROLES).collect();
    let plan = in_bar(&prepared, &everybody, json!({"available": {"hstore": []}}));
    assert!(plan.steps.len() > 10);
    for planned in &plan.steps {
        let text = sql::statement(planned).to_lowercase();
        for word in ["drop", "revoke", "cascade", "reassign"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}
