use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::role::Flag;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("teams-sync-infrastructure-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), content).unwrap();
        self
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder(files: &[(&str, &str)]) -> Folder {
    files.iter().fold(Folder::new(), |folder, (name, content)| folder.with(name, content))
}

fn numbered(files: &[(&str, &str)]) -> Infrastructure {
    read(Some(folder(files).path()), None, &[])
}

/// Passwords in one folder, definitions in another.
fn defined(passwords: &[(&str, &str)], definitions: &[(&str, &str)]) -> Infrastructure {
    read(Some(folder(passwords).path()), Some(folder(definitions).path()), &[])
}

fn keyed(secret: KeyedSecret, files: &[(&str, &str)]) -> Infrastructure {
    let folder = folder(files);
    read(None, None, &[KeyedSecret { dir: folder.path().to_owned(), ..secret }])
}

fn secret() -> KeyedSecret {
    KeyedSecret {
        dir: PathBuf::new(),
        userkey: Some("user".to_owned()),
        passwordkey: "password".to_owned(),
        rolekey: Some("inrole".to_owned()),
        defaultuservalue: None,
        defaultrolevalue: None,
        details: None,
    }
}

/// Name and groups of each.
fn roles(found: &Infrastructure) -> Vec<(String, Vec<String>)> {
    assert!(found.roles.iter().all(|robot| robot.kind == Kind::Robot));
    let groups = |robot: &Robot| robot.member_of.iter().map(ToString::to_string).collect();
    found.roles.iter().map(|robot| (robot.name.to_string(), groups(robot))).collect()
}

fn one(name: &str, groups: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect())
}

fn broken(found: &Infrastructure) -> Vec<&str> {
    found.broken.iter().map(RoleName::as_str).collect()
}

fn is_fine(found: &Infrastructure) {
    let nothing = found.problems.is_empty() && found.broken.is_empty() && found.frozen.is_none();
    assert!(nothing && found.warnings.is_empty(), "{found:?}");
}

#[test]
fn a_numbered_secret_makes_all_its_roles_however_many() {
    for number in [1, 4, 8, 10, 25] {
        let folder = (1..=number).fold(Folder::new(), |folder, own| {
            folder
                .with(&format!("user{own}"), format!("robot{own}"))
                .with(&format!("password{own}"), "secret")
                .with(&format!("inrole{own}"), "reporting")
        });
        let found = read(Some(folder.path()), None, &[]);
        is_fine(&found);
        let expected: Vec<_> =
            (1..=number).map(|own| one(&format!("robot{own}"), &["reporting"])).collect();
        assert_eq!(roles(&found), expected);
        assert!(found.roles.iter().all(|robot| robot.attributes == Attributes::LOGIN));
    }
}

#[test]
fn numbers_may_have_gaps_and_inrole_is_optional() {
    let found = numbered(&[
        ("user0", "zero"),
        ("password0", "x"),
        ("user3", "etl\n"),
        ("password3", "x\n"),
        ("inrole3", ""),
        ("user12", "web"),
        ("password12", "x"),
        ("inrole12", "pg_monitor\n"),
    ]);
    is_fine(&found);
    assert_eq!(roles(&found), [one("zero", &[]), one("etl", &[]), one("web", &["pg_monitor"])]);
    assert!(found.roles.iter().all(|robot| robot.password == Some(Secret::parse(b"x").unwrap())));
}

#[test]
fn a_number_has_one_way_to_be_written() {
    let found = numbered(&[
        ("user01", "etl"),
        ("user+1", "etl"),
        ("user", "etl"),
        ("user99999999999", "etl"),
        ("User1", "etl"),
    ]);
    assert!(found.roles.is_empty() && found.frozen.is_none());
    assert_eq!(found.warnings.len(), 5);
    assert!(found.warnings.iter().all(|warning| warning.contains("belongs to no role")));
}

#[test]
fn a_robot_without_a_password_stays_as_it_is() {
    for (password, text) in [
        (None, "there is no password for it"),
        (Some(""), "the password is empty"),
        (Some("\n"), "the password is empty"),
        (Some("two\nlines"), "line break"),
        (Some("SCRAM-SHA-256$broken"), "begins like a SCRAM-SHA-256 verifier"),
    ] {
        let folder = Folder::new().with("user1", "etl").with("user2", "web").with("password2", "x");
        let folder = match password {
            None => folder,
            Some(password) => folder.with("password1", password),
        };
        let found = read(Some(folder.path()), None, &[]);
        assert_eq!(roles(&found), [one("web", &[])]);
        assert_eq!(broken(&found), ["etl"]);
        assert!(found.problems.first().unwrap().text.contains(text), "{:?}", found.problems);
        assert!(found.frozen.is_none());
    }
}

#[test]
fn where_the_name_of_a_robot_is_missing_nothing_is_taken_from_any() {
    for (file, content) in [
        ("password1", "x"),
        ("inrole1", "reporting"),
        ("user1", ""),
        ("user1", "pg_monitor"),
        ("user1", "two\nlines"),
    ] {
        let found = numbered(&[(file, content), ("user2", "web"), ("password2", "x")]);
        assert_eq!(roles(&found), [one("web", &[])], "{file}");
        assert_eq!(found.problems.len(), 1, "{file}");
        assert!(found.frozen.is_some(), "{file}");
    }
    let folder = Folder::new().with("user1", b"\xff\xfe");
    let found = read(Some(folder.path()), None, &[]);
    assert!(found.roles.is_empty() && found.frozen.is_some());
}

#[test]
fn a_name_may_hold_what_would_be_hostile_without_quotes() {
    // Who writes these files is trusted, and names are quoted wherever they go.
    let found = numbered(&[("user1", "x\" SUPERUSER; --"), ("password1", "x")]);
    assert_eq!(roles(&found), [one("x\" SUPERUSER; --", &[])]);
}

#[test]
fn keys_have_the_names_that_the_configuration_gives_them() {
    let found = keyed(secret(), &[("user", "etl"), ("password", "x"), ("inrole", "reporting")]);
    is_fine(&found);
    assert_eq!(roles(&found), [one("etl", &["reporting"])]);
    let defaults = KeyedSecret {
        defaultuservalue: Some("web".to_owned()),
        defaultrolevalue: Some("pg_monitor".to_owned()),
        ..secret()
    };
    assert_eq!(
        roles(&keyed(defaults.clone(), &[("password", "x")])),
        [one("web", &["pg_monitor"])]
    );
    let own = &[("user", "etl"), ("password", "x"), ("inrole", "reporting")];
    assert_eq!(roles(&keyed(defaults.clone(), own)), [one("etl", &["reporting"])]);
    let without = KeyedSecret { userkey: None, rolekey: None, ..defaults };
    assert_eq!(roles(&keyed(without, own)), [one("web", &["pg_monitor"])]);
}

#[test]
fn details_are_a_definition() {
    let with_details = KeyedSecret { details: Some("more".to_owned()), ..secret() };
    let yaml = "user_flags: [createdb, NOINHERIT]\ninrole: [admin, \"\"]\ndb_parameters: {log_statement: all, work_mem: 64, jit: false}";
    let found = keyed(
        with_details.clone(),
        &[("user", "etl"), ("password", "x"), ("inrole", "reporting"), ("more", yaml)],
    );
    is_fine(&found);
    assert_eq!(roles(&found), [one("etl", &["admin", "reporting"])]);
    let robot = found.roles.first().unwrap();
    let mut attributes = Attributes::LOGIN;
    attributes.set(Flag::Createdb, true);
    attributes.set(Flag::Inherit, false);
    assert_eq!(robot.attributes, attributes);
    let parameters: Vec<_> = robot.parameters.iter().map(ToString::to_string).collect();
    assert_eq!(parameters, ["jit = \"off\"", "log_statement = \"all\"", "work_mem = \"64\""]);
    // Its name is known, so it alone stays as it is.
    for more in [None, Some("inrole: 3"), Some("inroles: [admin]"), Some("user_flags: [SUPER]")] {
        let files: Vec<_> = [("user", "etl"), ("password", "x")]
            .into_iter()
            .chain(more.map(|more| ("more", more)))
            .collect();
        let found = keyed(with_details.clone(), &files);
        assert!(found.roles.is_empty() && found.frozen.is_none(), "{more:?}");
        assert_eq!((broken(&found), found.problems.len()), (vec!["etl"], 1), "{more:?}");
    }
}

#[test]
fn a_keyed_secret_without_a_name_or_a_password_takes_nothing_from_a_robot() {
    let nameless = keyed(secret(), &[("password", "x")]);
    assert!(nameless.roles.is_empty() && nameless.frozen.is_some());
    let without = keyed(secret(), &[("user", "etl")]);
    assert_eq!((broken(&without), without.frozen.is_some()), (vec!["etl"], false));
}

#[test]
fn definitions_have_their_passwords_under_their_names() {
    let passwords = [("etl", "x\n"), ("web", "y"), ("unused", "z")];
    let definitions = [
        (
            "etl",
            "inrole: [reporting]\nuser_flags: [createrole]\ndb_parameters: {search_path: 'a, b'}",
        ),
        ("web", "{}"),
        ("group", "user_flags: [NOLOGIN]"),
    ];
    let found = defined(&passwords, &definitions);
    assert!(found.problems.is_empty() && found.frozen.is_none());
    assert_eq!(roles(&found), [one("etl", &["reporting"]), one("group", &[]), one("web", &[])]);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings.concat().contains("/unused belongs to no role"));
    let etl = found.roles.first().unwrap();
    assert!(etl.attributes.createrole && etl.attributes.login);
    assert_eq!(etl.parameters.first().unwrap().values, ["a", "b"]);
    assert_eq!(found.roles.get(1).unwrap().password, None);
}

#[test]
fn an_empty_definition_is_one_without_anything_in_it() {
    for yaml in ["", "{}", "\n", "# nothing", "null", "inrole: []", "admin_role: ''"] {
        let found = defined(&[("etl", "x")], &[("etl", yaml)]);
        is_fine(&found);
        assert_eq!(roles(&found), [one("etl", &[])], "{yaml:?}");
    }
}

#[test]
fn a_definition_says_who_may_grant_the_role_on() {
    let found =
        defined(&[("etl", "x"), ("web", "y")], &[("etl", "admin_role: admin"), ("web", "")]);
    is_fine(&found);
    let admins: Vec<_> = found.roles.iter().map(|robot| robot.admins.len()).collect();
    assert_eq!(admins, [1, 0]);
    assert_eq!(found.roles[0].admins.first().unwrap().as_str(), "admin");
}

#[test]
fn a_definition_that_cannot_be_used_leaves_its_robot_as_it_is() {
    for yaml in [
        "inroles: [reporting]",
        "password: secret",
        "inrole: reporting",
        "inrole: [public]",
        "user_flags: [LOGIN, NOLOGIN]",
        "user_flags: [\"LOGIN; --\"]",
        "db_parameters: {role: postgres}",
        "db_parameters: {\"a b\": x}",
        "admin_role: public",
        "admin_role: [admin]",
        "[",
        "text",
        "- inrole",
        "inrole: [a]\ninrole: [b]",
    ] {
        let found = defined(&[("etl", "x"), ("web", "x")], &[("etl", yaml), ("web", "{}")]);
        assert_eq!(roles(&found), [one("web", &[])], "{yaml:?}");
        assert_eq!((broken(&found), found.problems.len()), (vec!["etl"], 1), "{yaml:?}");
        assert!(found.frozen.is_none());
    }
}

#[test]
fn one_file_may_hold_all_definitions() {
    let passwords = folder(&[("etl", "x"), ("web", "y")]);
    let read_file = |text: &str| {
        let file = folder(&[("roles.yaml", text)]);
        read(Some(passwords.path()), Some(&file.path().join("roles.yaml")), &[])
    };
    let found = read_file("etl:\n  inrole: [reporting]\nweb:\n");
    is_fine(&found);
    assert_eq!(roles(&found), [one("etl", &["reporting"]), one("web", &[])]);
    let found = read_file("etl: {inroles: [reporting]}\nweb: {}");
    assert_eq!((roles(&found), broken(&found)), (vec![one("web", &[])], vec!["etl"]));
    assert!(read_file("{}").frozen.is_none());
    for text in ["", "[]", "text", "etl: {", "etl: {}\netl: {}"] {
        let found = read_file(text);
        assert!(found.frozen.is_some() && found.roles.is_empty(), "{text:?}");
    }
}

#[test]
fn a_role_with_two_definitions_is_there_twice_and_others_decide() {
    let found =
        numbered(&[("user1", "etl"), ("password1", "x"), ("user2", "etl"), ("password2", "y")]);
    assert_eq!(roles(&found), [one("etl", &[]), one("etl", &[])]);
}

#[test]
fn what_cannot_be_read_freezes_every_robot() {
    let missing = Path::new("/no/such/folder");
    assert!(read(Some(missing), None, &[]).frozen.unwrap().contains("/no/such/folder"));
    let fine = folder(&[("user1", "etl"), ("password1", "x")]);
    assert!(read(Some(fine.path()), Some(missing), &[]).frozen.is_some());
    let lost = KeyedSecret { dir: missing.to_owned(), ..secret() };
    let found = read(Some(fine.path()), None, &[lost]);
    assert!(found.frozen.is_some() && found.roles.is_empty());
    // A folder in it, a link to nowhere.
    let folder = fine.with("x", "y");
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    assert!(read(Some(folder.path()), None, &[]).frozen.unwrap().contains("no regular file"));
    fs::remove_dir(folder.path().join("lost+found")).unwrap();
    symlink("/no/such/file", folder.path().join("password3")).unwrap();
    assert!(read(Some(folder.path()), None, &[]).frozen.is_some());
}

#[test]
fn a_fifo_does_not_hold_us_up() {
    let folder = folder(&[("user1", "etl")]);
    let fifo = folder.path().join("password1");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let found = read(Some(folder.path()), None, &[]);
    assert!(found.frozen.unwrap().contains("no regular file"));
}

#[test]
fn a_key_is_up_to_a_mebibyte() {
    let largest = Folder::new().with("x", vec![b'x'; 1024 * 1024]);
    assert_eq!(read_folder(largest.path()).unwrap().get("x").unwrap().len(), 1024 * 1024);
    let larger = Folder::new().with("x", vec![b'x'; 1024 * 1024 + 1]);
    assert!(matches!(read_folder(larger.path()), Err(FolderError::TooLarge(_))));
}

#[test]
fn a_mounted_secret_is_read_through_its_links() {
    let folder = Folder::new();
    let day = folder.path().join("..2026_11_25");
    fs::create_dir(&day).unwrap();
    fs::write(day.join("user1"), "etl").unwrap();
    fs::write(day.join("password1"), "x").unwrap();
    symlink("..2026_11_25", folder.path().join("..data")).unwrap();
    for key in ["user1", "password1"] {
        symlink(format!("..data/{key}"), folder.path().join(key)).unwrap();
    }
    let found = read(Some(folder.path()), None, &[]);
    is_fine(&found);
    assert_eq!(roles(&found), [one("etl", &[])]);
}

fn keys(files: &[(&str, &str)]) -> Keys {
    files.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into())).collect()
}

fn keyed_part(files: &[(&str, &str)], definitions: Option<&[(&str, &str)]>) -> Part {
    Part::Keyed {
        origin: "pg/monitoring".to_owned(),
        secret: keys(files),
        userkey: Some("user".to_owned()),
        passwordkey: "password".to_owned(),
        rolekey: Some("inrole".to_owned()),
        defaultuservalue: None,
        defaultrolevalue: None,
        details: None,
        definitions: definitions.map(keys),
    }
}

fn numbered_part(files: &[(&str, &str)], definitions: Option<&[(&str, &str)]>) -> Part {
    let definitions = definitions.map(keys);
    Part::Numbered { origin: "pg/legacy".to_owned(), secret: keys(files), definitions }
}

#[test]
fn secrets_in_memory_give_the_roles_that_mounted_ones_give() {
    let found = from_parts(&[
        keyed_part(
            &[("user", "etl"), ("password", "x"), ("inrole", "reporting"), ("web", "y")],
            Some(&[("web", "inrole: [a]")]),
        ),
        numbered_part(
            &[("user1", "one"), ("password1", "p"), ("two", "q"), ("idle", "r")],
            Some(&[("two", "user_flags: [createdb]")]),
        ),
    ]);
    assert!(found.problems.is_empty() && found.broken.is_empty() && found.frozen.is_none());
    let expected =
        [one("web", &["a"]), one("etl", &["reporting"]), one("one", &[]), one("two", &[])];
    assert_eq!(roles(&found), expected);
    let passwords = ["y", "x", "p", "q"].map(|text| Some(Secret::parse(text.as_bytes()).unwrap()));
    assert!(found.roles.iter().map(|robot| robot.password.clone()).eq(passwords));
    assert!(found.roles.last().unwrap().attributes.createdb);
    assert!(found.warnings.concat().starts_with("pg/legacy/idle belongs to no role"));
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn in_memory_a_lost_name_freezes_all_and_a_lost_password_one() {
    let nameless = from_parts(&[keyed_part(&[("password", "x")], None)]);
    assert!(nameless.roles.is_empty());
    assert!(nameless.frozen.unwrap().contains("pg/monitoring has no key"));
    let nameless = from_parts(&[numbered_part(&[("password1", "x")], None)]);
    assert!(nameless.frozen.unwrap().contains("pg/legacy/user1 is missing"));
    let files = [("user", "etl"), ("password", "x")];
    let found = from_parts(&[keyed_part(&files, Some(&[("web", "{}"), ("bad", "inroles: []")]))]);
    assert_eq!(roles(&found), [one("etl", &[])]);
    assert_eq!((broken(&found), found.frozen.is_some()), (vec!["bad", "web"], false));
}

#[test]
fn a_part_shows_names_of_keys_and_no_value() {
    let files = [("user1", "hidden-one"), ("password1", "hidden-two"), ("user", "hidden-three")];
    for part in [numbered_part(&files, Some(&files)), keyed_part(&files, Some(&files))] {
        let shown = format!("{part:?}");
        assert!(shown.contains("password1") && shown.contains("pg/"), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

/// As the kubelet does it: a new folder, and one rename of the link to it.
#[test]
fn while_a_secret_is_exchanged_nothing_of_two_days_is_mixed() {
    let folder = Folder::new();
    let exchange = |day: u32| {
        let name = format!("..day{day}");
        let path = folder.path().join(&name);
        fs::create_dir(&path).unwrap();
        for key in ["a", "b", "c", "d"] {
            fs::write(path.join(key), day.to_string()).unwrap();
        }
        symlink(&name, folder.path().join("..next")).unwrap();
        fs::rename(folder.path().join("..next"), folder.path().join("..data")).unwrap();
        if let Some(before) = day.checked_sub(1) {
            let _ = fs::remove_dir_all(folder.path().join(format!("..day{before}")));
        }
    };
    exchange(0);
    for key in ["a", "b", "c", "d"] {
        symlink(format!("..data/{key}"), folder.path().join(key)).unwrap();
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..200).for_each(exchange);
            done.store(true, Ordering::Relaxed);
        });
        let mut whole = 0;
        while !done.load(Ordering::Relaxed) || whole == 0 {
            // It may give up; what it never does is to mix.
            let Ok(keys) = read_folder(folder.path()) else { continue };
            let days: BTreeSet<Vec<u8>> = keys.values().map(|value| value.to_vec()).collect();
            assert_eq!((keys.len(), days.len()), (4, 1));
            whole += 1;
        }
    });
}
