//! Where tokens come from, and that they stay there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::SourceError;
use super::super::token::TokenSource;
use super::{Folder, PATIENCE};

fn of_command(arguments: &[&str]) -> TokenSource {
    let argv = arguments.iter().map(|it| (*it).to_owned()).collect();
    TokenSource::configured(None, None, Some(argv), false).unwrap()
}

fn of_file(path: PathBuf) -> TokenSource {
    TokenSource::configured(Some(path), None, None, false).unwrap()
}

async fn text(source: &TokenSource) -> Result<String, String> {
    match source.token(PATIENCE).await {
        Ok(token) => Ok(token.unwrap().expose().to_owned()),
        Err(SourceError::Auth(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_file_is_read_anew_each_time_without_its_last_newline() {
    let folder = Folder::new();
    let source = of_file(folder.file("token", "one\n"));
    assert_eq!(text(&source).await.unwrap(), "one");
    folder.file("token", "two\r\n");
    assert_eq!(text(&source).await.unwrap(), "two");
    folder.file("token", "three");
    assert_eq!(text(&source).await.unwrap(), "three");
}

#[tokio::test]
async fn what_fits_no_header_is_no_token() {
    let folder = Folder::new();
    for wrong in ["", "\n", "a b", "a\n\n", "a\nb\n", "caf\u{e9}", "a\u{7f}", "a\u{0}", "\ta"] {
        let fault = text(&of_file(folder.file("token", wrong))).await.unwrap_err();
        assert!(fault.contains("token"), "{fault}");
        assert!(!fault.contains('\n') && !fault.contains("caf"), "{fault}");
    }
    let all: String = (0x21..=0x7e_u8).map(char::from).collect();
    assert_eq!(text(&of_file(folder.file("token", &all))).await.unwrap(), all);
}

#[tokio::test]
async fn a_token_file_is_a_small_regular_file() {
    let folder = Folder::new();
    let limit = 64 * 1024;
    let large = of_file(folder.file("token", "x".repeat(limit + 1)));
    assert!(text(&large).await.unwrap_err().contains("larger than 65536 bytes"));
    let exact = of_file(folder.file("token", "x".repeat(limit)));
    assert_eq!(text(&exact).await.unwrap().len(), limit);
    let directory = of_file(folder.0.clone());
    assert!(text(&directory).await.unwrap_err().contains("not a regular file"));
    let missing = of_file(folder.0.join("missing"));
    assert!(text(&missing).await.unwrap_err().contains("cannot be read"));
}

#[tokio::test]
async fn a_fifo_does_not_hold_anybody_up() {
    let folder = Folder::new();
    let fifo = folder.0.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(text(&of_file(fifo)).await.unwrap_err().contains("not a regular file"));
}

#[tokio::test]
async fn an_environment_variable_is_a_token() {
    // Cargo sets it for each test.
    let set = TokenSource::configured(None, Some("CARGO_PKG_NAME".to_owned()), None, false);
    assert_eq!(text(&set.unwrap()).await.unwrap(), "teams-sync");
    let unset = TokenSource::configured(None, Some("NOBODY_SETS_THIS".to_owned()), None, false);
    assert!(text(&unset.unwrap()).await.unwrap_err().contains("NOBODY_SETS_THIS is not set"));
}

#[tokio::test]
async fn the_output_of_a_command_is_a_token() {
    assert_eq!(text(&of_command(&["printf", "%s\\n", "abc"])).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_command_that_fails_says_why_in_one_line() {
    let fault = text(&of_command(&["sh", "-c", "echo 'no\u{1b}[2J\nway' >&2; exit 3"])).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault, "the token command sh ended with 3: \"no\\u{1b}[2J\\nway\"",);
    let fault = text(&of_command(&["/nowhere/at-all"])).await.unwrap_err();
    assert!(fault.contains("cannot be started"), "{fault}");
    let fault = text(&of_command(&["true"])).await.unwrap_err();
    assert!(fault.contains("is empty"), "{fault}");
    let fault = text(&of_command(&["sh", "-c", "head -c 70000 /dev/zero | tr '\\0' x"])).await;
    assert!(fault.unwrap_err().contains("more than 65536 bytes"));
}

#[tokio::test]
async fn the_arguments_of_a_command_are_in_no_message() {
    let fault = text(&of_command(&["false", "s3cret"])).await.unwrap_err();
    assert!(!fault.contains("s3cret"), "{fault}");
}

#[tokio::test]
async fn a_command_that_does_not_end_is_killed() {
    let folder = Folder::new();
    let pid = folder.0.join("pid");
    let script = format!("echo $$ > {}; exec sleep 60", pid.display());
    let source = of_command(&["sh", "-c", &script]);
    let fault = source.token(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(fault.reason(), "auth");
    assert!(fault.to_string().contains("was killed"), "{fault}");
    let number = std::fs::read_to_string(&pid).unwrap();
    let proc = Path::new("/proc").join(number.trim());
    let gone = async {
        // Killed, and reaped or about to be.
        while std::fs::read_to_string(proc.join("stat")).is_ok_and(|stat| !stat.contains(" Z ")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn the_token_of_a_command_is_used_again_until_it_is_refused() {
    let folder = Folder::new();
    let script = folder.file("script", "#!/bin/sh\necho x >> $0.log\nwc -l < $0.log | tr -d ' '\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let source = of_command(&["sh", script.to_str().unwrap()]);
    assert_eq!(text(&source).await.unwrap(), "1");
    assert_eq!(text(&source).await.unwrap(), "1");
    let first = source.token(PATIENCE).await.unwrap().unwrap();
    let second = source.token_after(&first, PATIENCE).await.unwrap().unwrap();
    assert_eq!(second.expose(), "2");
    // Somebody else was refused with the old one meanwhile: the new one is there already.
    assert_eq!(source.token_after(&first, PATIENCE).await.unwrap().unwrap().expose(), "2");
}

#[tokio::test]
async fn a_token_is_not_printed() {
    let folder = Folder::new();
    let source = of_file(folder.file("token", "s3cret"));
    let token = source.token(PATIENCE).await.unwrap();
    assert_eq!(format!("{token:?}"), "Some(Token([redacted]))");
    let source = of_command(&["echo", "s3cret-too"]);
    source.token(PATIENCE).await.unwrap();
    assert_eq!(format!("{source:?}"), "Command(Some(\"echo\"))");
}

#[test]
fn exactly_one_source_of_tokens_is_configured() {
    let file = || Some(PathBuf::from("/token"));
    let env = || Some("TOKEN".to_owned());
    let argv = || Some(vec!["echo".to_owned()]);
    for right in [
        TokenSource::configured(file(), None, None, false),
        TokenSource::configured(None, env(), None, false),
        TokenSource::configured(None, None, argv(), false),
        TokenSource::configured(None, None, None, true),
    ] {
        right.unwrap();
    }
    for (wrong, word) in [
        (TokenSource::configured(None, None, None, false), "anonymous = true"),
        (TokenSource::configured(file(), env(), None, false), "not several"),
        (TokenSource::configured(file(), env(), argv(), false), "not several"),
        (TokenSource::configured(None, env(), argv(), false), "not several"),
        (TokenSource::configured(file(), None, None, true), "take it or the token away"),
        (TokenSource::configured(None, None, Some(Vec::new()), false), "token_command is empty"),
    ] {
        let fault = wrong.unwrap_err().to_string();
        assert!(fault.contains(word), "{fault}");
    }
}
