//! Teams in a file.

use super::super::file::FileConfig;
use super::super::{Source, SourceError};
use super::{Folder, ask, team};

async fn read(name: &str, content: &str) -> Result<super::Team, SourceError> {
    let folder = Folder::new();
    let path = folder.file(name, content);
    ask(&FileConfig { path }.build().unwrap(), "acid").await
}

/// What is said behind the name of the file.
async fn fault(name: &str, content: &str) -> String {
    match read(name, content).await.unwrap_err() {
        SourceError::Malformed(text) => {
            let (_, behind) = text.split_once(name).unwrap();
            behind.to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn toml_and_yaml_say_the_same() {
    let wanted = Ok(team(&["alice", "Bob", "007", "yes", "null"]));
    let toml = "[teams]\nbase = []\nacid = ['alice', 'Bob', '007', 'yes', 'null', 'alice']";
    let yaml = "teams:\n  base: []\n  acid:\n    - alice\n    - Bob\n    - 007\n    - yes\n    \
                - 'null'\n    - alice\n";
    assert_eq!(read("teams.toml", toml).await, wanted);
    assert_eq!(read("teams.yaml", yaml).await, wanted);
    assert_eq!(read("teams.YML", yaml).await, wanted);
}

#[tokio::test]
async fn a_file_is_read_anew_for_each_question() {
    let folder = Folder::new();
    let path = folder.file("teams.toml", "[teams]\nacid = ['alice']");
    let source = FileConfig { path }.build().unwrap();
    assert_eq!(ask(&source, "acid").await, Ok(team(&["alice"])));
    folder.file("teams.toml", "[teams]\nacid = ['bob']");
    assert_eq!(ask(&source, "acid").await, Ok(team(&["bob"])));
    assert_eq!(source.kind(), "file");
}

#[tokio::test]
async fn names_of_teams_are_exact() {
    let text = "[teams]\nAcid = ['alice']";
    assert_eq!(read("teams.toml", text).await.unwrap_err().reason(), "unknown_team");
}

#[tokio::test]
async fn faults_in_toml_have_a_line_and_a_column() {
    for (text, wanted) in [
        ("[teams]\nacid = ['a']\n[other]\n", ", line 3, column 2: unknown field `other`"),
        ("[teams]\nacid = ['a']\nacid = ['b']\n", ", line 3, column 1: duplicate key"),
        ("[teams]\nacid = ['a', 7]\n", ", line 2, column 14: invalid type: integer `7`"),
        ("[teams]\nacid = 'a'\n", ", line 2, column 8: invalid type: string \\\"a\\\""),
        ("[teams]\nacid = ['a'\n", ", line 2, column 12: "),
        ("", ", line 1, column 1: missing field `teams`"),
    ] {
        let fault = fault("teams.toml", text).await;
        assert!(fault.starts_with(wanted), "{fault}");
    }
}

#[tokio::test]
async fn faults_in_yaml_have_a_line_and_a_column() {
    for (text, wanted) in [
        ("teams:\n  acid: [a]\nother: 1\n", ", line 3, column 1: unknown field"),
        ("teams:\n  acid: [a]\n  acid: [b]\n", ", line 3, column 3: duplicate"),
        ("teams:\n  acid: [a]\nteams:\n  base: [b]\n", ", line 3, column 1: duplicate"),
        ("teams:\n  acid: [a, [b]]\n", ", line 2, column 13: expected a name"),
        ("teams:\n  acid: a\n", ", line 2, column 9: expected a list of names"),
        ("teams:\n  acid:\n  base: [b]\n", ", line 2, column 7: "),
        ("teams:\n  acid: ~\n", ", line 2, column 9: "),
        ("teams:\n  acid: [a, ~]\n", ", line 2, column 13: expected a name"),
        ("teams:\n  acid: [a\n", ", line 2, column 9: unclosed bracket '['"),
        ("teams:\n", ", line "),
        ("", ""),
        ("teams:\n  x: &x [a]\n  acid:\n    <<: *x\n", ", line "),
        ("teams:\n  x: &x [a]\n  <<: {acid: *x}\n", ", line 3, column 3: "),
        ("teams: {acid: [a]}\n---\nteams: {acid: [b]}\n", ", line "),
    ] {
        let fault = fault("teams.yaml", text).await;
        assert!(fault.starts_with(wanted), "{text}: {fault}");
        let of_the_library = ["Option", "Policy", "from_str", "\n"];
        assert!(!of_the_library.iter().any(|word| fault.contains(word)), "{fault}");
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_has_a_line() {
    let folder = Folder::new();
    let path = folder.file("teams.toml", b"[teams]\nacid = ['\xff']");
    let error = ask(&FileConfig { path }.build().unwrap(), "acid").await.unwrap_err();
    assert!(error.to_string().ends_with(", line 2: no UTF-8"), "{error}");
}

#[tokio::test]
async fn only_regular_files_are_read() {
    let folder = Folder::new();
    let path = folder.0.join("teams.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = ask(&FileConfig { path }.build().unwrap(), "acid").await.unwrap_err();
    assert!(error.to_string().ends_with("is not a regular file"), "{error}");
}

#[test]
fn the_ending_says_the_format() {
    for path in ["teams", "teams.json", ".toml", "toml"] {
        let fault = FileConfig { path: path.into() }.build().unwrap_err().to_string();
        assert!(fault.contains("neither .toml nor .yaml nor .yml"), "{fault}");
    }
    toml::from_str::<FileConfig>("path = 'x.toml'").unwrap().build().unwrap();
    toml::from_str::<FileConfig>("path = 'x.toml'\nx = 1").unwrap_err();
}
