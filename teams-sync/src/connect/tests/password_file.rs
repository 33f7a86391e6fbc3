//! Whose password a line is.

use super::super::password_file::read;
use super::files::Folder;

fn find(content: &str, host: &str, user: &str) -> Option<String> {
    let folder = Folder::new();
    let file = read(&folder.write("pgpass", content, 0o600));
    assert_eq!(file.problem, None);
    file.find(host, 5432, "db", user).map(|password| String::from_utf8(password).unwrap())
}

#[test]
fn the_first_line_that_fits_has_the_password() {
    for (content, expected) in [
        ("h:5432:db:u:p", Some("p")),
        ("h:5432:db:u:p\n", Some("p")),
        ("h:5432:db:u:p\r\n", Some("p")),
        ("*:*:*:*:p", Some("p")),
        ("x:*:*:*:q\nh:*:*:*:p\n*:*:*:*:r", Some("p")),
        ("h:5433:db:u:p", None),
        ("h:5432:other:u:p", None),
        ("h:5432:db:other:p", None),
        ("ho:5432:db:u:p", None),
        ("h:54321:db:u:p", None),
        ("**:*:*:*:p", None),
        ("#h:5432:db:u:p", None),
        ("\n\nh:5432:db:u:p", Some("p")),
        ("h:5432:db:u", None),
        ("h:5432:db", None),
        ("h:5432:db:u:", None),
        ("h:5432:db:u:p:q", Some("p")),
        ("h:5432:db:u:p\\:q\\\\r\\s", Some("p:q\\rs")),
        ("h:5432:db:u:p ", Some("p ")),
        ("h:5432:db:u:p\\", Some("p\\")),
        ("", None),
    ] {
        assert_eq!(find(content, "h", "u").as_deref(), expected, "{content:?}");
    }
}

#[test]
fn names_can_have_colons_and_backslashes() {
    let line = "\\:\\:1:5432:*:a\\\\b:p";
    assert_eq!(find(line, "::1", "a\\b").as_deref(), Some("p"));
    assert_eq!(find(line, "::1", "a").as_deref(), None);
    assert_eq!(find("*:*:*:\\*:p", "h", "*").as_deref(), Some("p"));
    assert_eq!(find("*:*:*:\\*:p", "h", "u").as_deref(), None);
    assert_eq!(find("/sock:*:*:u:p", "/sock", "u").as_deref(), Some("p"));
}

#[test]
fn a_password_need_not_be_utf_8() {
    let folder = Folder::new();
    let path = folder.write("pgpass", "", 0o600);
    std::fs::write(&path, b"*:*:*:*:\xff").unwrap();
    assert_eq!(read(&path).find("h", 1, "d", "u"), Some(vec![0xff]));
}

#[test]
fn a_file_that_others_may_read_is_ignored() {
    let folder = Folder::new();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        let file = read(&folder.write("pgpass", "*:*:*:*:p", mode));
        assert!(file.find("h", 1, "d", "u").is_none());
        assert!(file.problem.unwrap().contains("group or others have access"));
    }
    let file = read(folder.path());
    assert!(file.problem.unwrap().contains("not a plain file"));
    let file = read(&folder.path().join("none"));
    assert!(file.problem.unwrap().starts_with("there is no password file"));
}
