//! The harness itself: programs are run with a time limit, and nothing of them stays.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use harness::{TeamsSync, artifacts};

fn shell() -> TeamsSync {
    TeamsSync::of("/bin/sh".into(), "answer = 42\n")
}

#[test]
fn teams_sync_is_built_and_run() {
    let path = artifacts::teams_sync();
    assert!(path.is_file(), "{}", path.display());
    let output = TeamsSync::new("").run(&["--version"]);
    assert!(output.code.is_some(), "{output:?}");
}

#[test]
fn a_run_has_its_folder_and_no_environment_but_its_own() {
    let mut shell = shell();
    shell.set("PGPASSWORD", "a b");
    let output = shell.run(&["-c", "cat teams-sync.toml; env; echo no >&2; exit 3"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(3), "no\n"));
    let mut lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines.remove(0), "answer = 42");
    let foreign = ["PWD=", "PATH=", "LC_ALL=C.UTF-8", "PGPASSWORD=a b", "OLDPWD", "_=", "SHLVL="];
    lines.retain(|line| !foreign.iter().any(|known| line.starts_with(known)));
    assert_eq!(lines, [] as [&str; 0]);
    let killed = shell.run(&["-c", "kill -9 $$"]);
    assert_eq!(killed.code, None);
}

#[test]
fn a_run_without_end_is_killed_and_fails_its_test() {
    let mut shell = shell();
    shell.limit(Duration::from_millis(300));
    let failed = catch_unwind(AssertUnwindSafe(|| shell.run(&["-c", "echo $$; exec sleep 600"])));
    let told = failed.unwrap_err();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("not within 300ms"), "{told}");
    let id = told.lines().nth(1).unwrap();
    assert!(!std::fs::exists(format!("/proc/{id}")).unwrap(), "{told}");
}

#[test]
fn the_lines_of_a_run_come_as_they_are_printed() {
    let script = "echo one; echo two; echo oops >&2; trap 'printf bye; exit 7' TERM; \
                  while :; do sleep 0.05; done";
    let shell = shell();
    let mut run = shell.spawn(&["-c", script]);
    assert_eq!(run.line().as_deref(), Some("one"));
    assert_eq!(run.line().as_deref(), Some("two"));
    run.wait_for("oops");
    assert_eq!(run.error_line().as_deref(), Some("oops"));
    assert!(run.is_alive());
    run.signal(libc::SIGTERM);
    assert_eq!(run.line().as_deref(), Some("bye"));
    assert_eq!(run.line(), None);
    let output = run.wait();
    assert_eq!((output.code, output.stdout.as_str()), (Some(7), "one\ntwo\nbye"));
    assert_eq!(shell.spawn(&["-c", "exec sleep 600"]).stop().code, None);
}
