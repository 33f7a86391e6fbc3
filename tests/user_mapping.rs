//! The claim that names somebody becomes the name of a role.

use std::fs;

use serde_json::{Value, json};

use crate::config_file::{ASK, Scene};

#[test]
fn an_address_becomes_a_role_where_its_domain_is_ours_and_it_is_verified() {
    let scene = Scene::new();
    let section = ASK.replace("'uid'", "'email'");
    scene.write(&format!(
        "{section}\n[strict.user]\nstrip-domain = ['example.org', 'example.com']\nlower-case = true"
    ));
    let mail = |email: &str, verified: Value| {
        scene.described(json!({ "email": email, "email_verified": verified, "uid": "alice" }))
    };
    for email in ["alice@example.org", "Alice@Example.ORG", "ALICE@example.com"] {
        scene.good(email, "alice", &mail(email, json!(true)));
    }
    for email in [
        "alice@example.net",
        "alice@sub.example.org",
        "alice@example.org.evil.example",
        "alice@evil.example@example.org",
        "alice",
        "@example.org",
        "alice @example.org",
        "bob@example.org",
        "alice@example.org ",
        "\u{430}lice@example.org",
    ] {
        scene.bad(email, "alice", &mail(email, json!(true)), "email");
    }
    for verified in [json!(false), json!("true"), json!(1), json!(null)] {
        let token = mail("alice@example.org", verified.clone());
        scene.bad(&verified.to_string(), "alice", &token, "email_verified");
    }
    let absent = scene.described(json!({ "email": "alice@example.org" }));
    scene.bad("no word about it", "alice", &absent, "email_verified");
    // Nobody becomes more than an employee by the way a name is written.
    for role in ["postgres", "admin", "replication", "root", "standby", "pg_monitor"] {
        let token = mail(&format!("{}@example.org", role.to_ascii_uppercase()), json!(true));
        scene.bad(role, role, &token, "email");
    }
}

#[test]
fn expressions_and_map_files_make_roles_and_reserved_ones_stay_out_of_reach() {
    let scene = Scene::new();
    let token = |uid: &str| scene.described(json!({ "uid": uid }));
    scene.ask("[strict.user]\ncapture = '([a-z]+)(?:\\.admin)?'\nreserved = ['root', 'dba']");
    scene.good("captured", "alice", &token("alice.admin"));
    scene.good("not reserved here", "postgres", &token("postgres"));
    scene.bad("reserved here", "dba", &token("dba.admin"), "");
    scene.bad("reserved always", "pg_read_all_data", &token("pg_read_all_data"), "");
    scene.bad("no match as a whole", "alice", &token("alice.admin2"), "");
    scene.bad("another role", "alice.admin", &token("alice.admin"), "");
    // Without any mapping a name is what it is.
    scene.ask("");
    scene.good("not mapped", "postgres", &token("postgres"));
    let map = "# MAP IDENTITY ROLE\n\
               people  bob@partner.example  bob\n\
               people  \"Carol Smith\"  carol\n\
               people  /([a-z]+)@partner\\.example  partner_\\1\n\
               people  eve  postgres\n\
               others  mallory  alice\n";
    scene.file("map", map);
    scene.ask("[strict.user]\nmap-file = 'FOLDER/map'\nmap = 'people'");
    for (identity, role) in [
        ("bob@partner.example", "bob"),
        ("bob@partner.example", "partner_bob"),
        ("Carol Smith", "carol"),
        ("dave@partner.example", "partner_dave"),
    ] {
        scene.good(identity, role, &token(identity));
    }
    for (identity, role) in [
        ("bob@partner.example", "carol"),
        ("mallory", "alice"),
        ("eve", "postgres"),
        ("dave@partner.example.org", "partner_dave"),
        ("carol smith", "carol"),
        ("alice", "alice"),
    ] {
        scene.bad(identity, role, &token(identity), "uid");
    }
    // A line more counts at once, a broken one denies everybody.
    scene.file("map", &format!("{map}people alice alice\n"));
    scene.good("added", "alice", &token("alice"));
    scene.file("map", &format!("{map}people alice\n"));
    scene.wrong("two fields", "map: line 7");
    fs::remove_file(scene.path("map")).unwrap();
    scene.wrong("no map", "map");
}
