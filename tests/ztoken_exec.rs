//! `ztoken exec`: one command with a token, as if `ztoken` were not there.

use std::fs;
use std::time::Duration;

use harness::ztoken::profile;
use harness::{OpenidProvider, Ztoken, eventually};

use crate::ztoken::logged_in;

#[test]
fn a_command_has_the_token_in_its_environment_and_its_exit_code_is_ours() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let token = alice.kept_secret("prod", "access_token");
    let output = alice.shell("ztoken exec -- sh -c 'echo $PGPASSWORD; exit 37'");
    assert_eq!((output.code, output.stdout), (Some(37), format!("{token}\n")));
    for (command, code) in [("/nowhere/psql", 127), ("/etc/passwd", 126)] {
        let output = alice.run(&["exec", "--", command]);
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.stderr.contains("cannot be started"), "{output:?}");
    }
    // Without a token there is no command.
    alice.run(&["logout"]);
    let output = alice.run(&["exec", "--", "touch", "was-here"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(!alice.home().join("was-here").exists());
}

#[test]
fn signals_reach_the_command_and_its_end_by_one_is_ours() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let script =
        "trap 'echo got it; exit 5' TERM INT USR1; echo ready; while :; do sleep 0.01; done";
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1] {
        let mut run = alice.spawn(&["exec", "--", "sh", "-c", script]);
        run.wait_for("ready");
        run.signal(signal);
        let output = run.wait();
        assert_eq!((output.code, output.stdout.as_str()), (Some(5), "ready\ngot it\n"), "{signal}");
    }
    // A shell tells who was ended by a signal from who was not.
    let killed = |signal| format!("ztoken exec -- sh -c 'kill -{signal} $$'; echo $?");
    for (signal, code) in [("TERM", "143\n"), ("KILL", "137\n"), ("QUIT", "131\n")] {
        let output = alice.shell(&killed(signal));
        assert!(output.stdout.ends_with(code), "{signal}: {output:?}");
    }
    // What is ignored stays ignored: nohup(1).
    let output = alice
        .shell("trap '' HUP; ztoken exec -- sh -c 'kill -HUP $PPID; kill -HUP $$; echo alive'");
    assert_eq!(output.stdout, "alive\n", "{output:?}");
}

#[test]
fn the_file_that_libpq_reads_is_renewed_as_long_as_the_command_runs_and_then_it_is_gone() {
    let provider = OpenidProvider::start();
    provider.conduct(|conduct| conduct.lifetime = Duration::from_secs(2));
    let mut alice = logged_in(&provider);
    alice.configure(&profile(&provider, "min_left = \"1s\""));
    let runtime = alice.home().join("runtime");
    fs::create_dir(&runtime).unwrap();
    alice.set("XDG_RUNTIME_DIR", &runtime.display().to_string());
    alice.set("PGPASSWORD", "of-before");
    let script = "\
        echo \"[$PGPASSWORD]\"; stat -c %a $PGPASSFILE; cp $PGPASSFILE first
        while cmp -s first $PGPASSFILE; do sleep 0.05; done
        cp $PGPASSFILE second";
    let output = alice.run(&["exec", "--passfile", "--", "sh", "-c", script]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "[]\n600\n"), "{output:?}");
    let tokens = ["first", "second"].map(|name| {
        let line = fs::read_to_string(alice.home().join(name)).unwrap();
        line.strip_prefix("*:*:*:*:").unwrap_or_else(|| panic!("{line}")).trim().to_owned()
    });
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(tokens[1], alice.kept_secret("prod", "access_token"));
    assert_eq!(fs::read_dir(runtime.join("ztoken")).unwrap().count(), 0);
}

#[test]
fn a_login_is_kept_alive_by_a_command_that_runs_and_a_failure_is_said_once() {
    let provider = OpenidProvider::start();
    provider.conduct(|conduct| conduct.lifetime = Duration::from_secs(2));
    let alice = logged_in(&provider);
    alice.configure(&profile(&provider, "min_left = \"1s\""));
    let pipe = alice.shell("mkfifo wait");
    assert_eq!(pipe.code, Some(0), "{pipe:?}");
    let mut run = alice.spawn(&["exec", "--", "sh", "-c", "echo ready; read -r line < wait"]);
    run.wait_for("ready");
    eventually("two renewals", || match provider.asked("POST /token") {
        0..3 => Err("not yet"),
        _ => Ok(()),
    });
    provider.revoke_all();
    run.wait_for("the token is not renewed any more");
    alice.shell("echo > wait");
    let output = run.wait();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stderr.matches("not renewed").count(), 1, "{output:?}");
}

#[test]
fn help_has_examples_and_usage_is_told_apart_from_everything_else() {
    let nobody = Ztoken::new("");
    let help = nobody.run(&["--help"]);
    assert!(help.stdout.contains("PGPASSWORD=$(ztoken) psql"), "{help:?}");
    for command in ["login", "logout", "whoami", "exec"] {
        assert_eq!(nobody.run(&[command, "--help"]).code, Some(0), "{command}");
    }
    for wrong in
        [&["--nonsense"][..], &["exec"], &["login", "--browser", "--device"], &["-n", "x"], &[]]
    {
        let output = nobody.run(wrong);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    }
    assert!(nobody.run(&[]).stderr.contains("there is no configuration"));
}
