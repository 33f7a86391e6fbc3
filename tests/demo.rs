//! `make demo` shows what it promises, and leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use harness::artifacts::program;
use harness::process::send_signal;
use harness::{artifacts, eventually};

fn start() -> Child {
    artifacts::module();
    let mut command = Command::new(program("demo"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.spawn().unwrap()
}

/// Folders and servers of a demo that has ended, by its process id.
fn left_behind(demo: u32) -> Vec<String> {
    let mark = format!("blue-elephant-{demo}-");
    let mut left = Vec::new();
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        left.push(entry.file_name().to_string_lossy().into_owned());
    }
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        left.push(String::from_utf8_lossy(&command).into_owned());
        // What runs in a folder of the demo, whatever it was told.
        let place = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        left.push(format!("in {}", place.display()));
    }
    left.retain(|name| name.contains(&mark));
    left
}

#[test]
fn the_demo_shows_a_login_and_the_reason_of_every_refusal() {
    let demo = start();
    let id = demo.id();
    let output = demo.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for shown in [
        "auth sufficient pam_oauth2.so https://",
        "hostssl all      +users  all           pam",
        "$ export PGPASSWORD=",
        "$ export PGSSLMODE=require",
        "create the role dora",
        "dora         | t        | TLSv1.3",
        r#""realm" of the token is "/customers", and the rules demand "/employees""#,
        "the token expired 60 s ago",
        r#"the token is somebody else's: its "uid" is "emil""#,
        "ended 1 session of people who are out",
        "terminating connection due to administrator command",
        r#"no pg_hba.conf entry for host "127.0.0.1", user "dora""#,
        "cannot be asked: connecting failed: tcp connect error: Connection refused",
    ] {
        assert!(text.contains(shown), "{shown:?} is not in\n{text}");
    }
    assert_eq!(left_behind(id), [] as [&str; 0]);
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    for (line, signal) in [("mount namespace", libc::SIGINT), ("Dora logs in", libc::SIGTERM)] {
        let mut demo = start();
        let id = demo.id();
        let mut output = BufReader::new(demo.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains(line) {
            assert_ne!(output.read_line(&mut text).unwrap(), 0, "{text}");
        }
        send_signal(id, signal);
        output.read_to_string(&mut text).unwrap();
        assert_eq!(demo.wait().unwrap().code(), Some(130), "{text}");
        assert!(text.contains("Interrupted; everything is stopped and removed."), "{text}");
        assert_eq!(left_behind(id), [] as [&str; 0]);
    }
}

#[test]
fn a_demo_that_is_killed_takes_its_server_along() {
    let mut demo = start();
    let id = demo.id();
    let mut output = BufReader::new(demo.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("Dora logs in") {
        assert_ne!(output.read_line(&mut text).unwrap(), 0, "{text}");
    }
    send_signal(id, libc::SIGKILL);
    demo.wait().unwrap();
    let folders = eventually("its servers are gone", || {
        let left = left_behind(id);
        let are_folders = left.iter().all(|name| name.starts_with("blue-elephant-"));
        if are_folders { Ok(left) } else { Err(left) }
    });
    for folder in folders {
        std::fs::remove_dir_all(std::env::temp_dir().join(folder)).unwrap();
    }
}
