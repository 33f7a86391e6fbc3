//! `ztoken exec`: one command with a token, as if `ztoken` were not there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use harness::ztoken::profile;
use harness::{OpenidProvider, Ztoken, eventually};

use crate::ztoken::{logged_in, token_of};

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
    // Without a token there is no command, and no exit code that it could have.
    alice.run(&["logout"]);
    let output = alice.run(&["exec", "--", "touch", "was-here"]);
    assert_eq!(output.code, Some(125), "{output:?}");
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
    // But for the lock of all runs, which is empty.
    let left = fs::read_dir(runtime.join("ztoken")).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), [".lock"]);
}

#[test]
fn the_file_of_who_was_killed_goes_with_the_next_and_that_of_who_runs_stays() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let folder = alice.state().join("exec");
    let files = || {
        let names = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("pgpass-")).count()
    };
    assert_eq!(alice.shell("mkfifo first second").code, Some(0));
    let mut runs = ["first", "second"].map(|pipe| {
        let script = format!("echo ready; read -r line < {pipe}");
        alice.spawn(&["exec", "--passfile", "--", "sh", "-c", &script])
    });
    for run in &mut runs {
        run.wait_for("ready");
    }
    assert_eq!(files(), 4);
    let [mut killed, alive] = runs;
    killed.signal(libc::SIGKILL);
    eventually("it is gone", || if killed.is_alive() { Err("not yet") } else { Ok(()) });
    let output = alice.run(&["exec", "--passfile", "--", "true"]);
    assert_eq!((output.code, files()), (Some(0), 2), "{output:?}");
    alice.shell("echo > first; echo > second");
    assert_eq!(alive.wait().code, Some(0));
    assert_eq!(files(), 0);
}

#[test]
fn a_renewal_that_is_under_way_at_the_end_is_waited_for() {
    let provider = OpenidProvider::start();
    provider.conduct(|conduct| conduct.lifetime = Duration::from_secs(2));
    let alice = logged_in(&provider);
    assert_eq!(alice.shell("mkfifo wait").code, Some(0));
    let mut run = alice.spawn(&["exec", "--", "sh", "-c", "echo ready; read -r line < wait"]);
    run.wait_for("ready");
    provider.conduct(|conduct| conduct.delay = Duration::from_secs(6));
    let asked = provider.asked("POST /token");
    eventually("a renewal begins", || match provider.asked("POST /token") {
        now if now > asked => Ok(()),
        now => Err(now),
    });
    let taken = alice.kept_secret("prod", "refresh_token");
    alice.shell("echo > wait");
    assert_eq!(run.wait().code, Some(0));
    // The provider took it, and the next one is kept.
    assert_ne!(alice.kept_secret("prod", "refresh_token"), taken);
    provider.conduct(|conduct| conduct.delay = Duration::ZERO);
    alice.age("prod", Duration::from_secs(5));
    token_of(&alice.run(&[]));
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
    run.wait_for("the token is not renewed, which is tried every 30 seconds: ");
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
    let cases = [
        (&["--nonsense"][..], 1),
        (&["login", "--browser", "--device"], 1),
        (&["-n", "x"], 1),
        (&[], 1),
        // The small codes are those of its command.
        (&["exec"], 125),
        (&["-n", "x", "exec", "--nonsense", "--", "psql"], 125),
        (&["exec", "--", "true"], 125),
    ];
    for (wrong, code) in cases {
        let output = nobody.run(wrong);
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    }
    assert!(nobody.run(&[]).stderr.contains("there is no configuration"));
}

#[test]
fn what_is_in_memory_is_in_no_core_dump_and_is_read_by_no_other_process_of_hers() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.set("BROWSER", "true");
    let home = alice.home().display().to_string();
    alice.shell(&format!("chown -R 65534:65534 {home}"));
    alice.within(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let mut login = alice.spawn(&["login"]);
    login.wait_for("redirect_uri=");
    // proc(5): it belongs to root where the process is not to be dumped.
    let owner = |name: &str| fs::metadata(format!("/proc/{}/{name}", login.id())).unwrap().uid();
    let status = fs::read_to_string(format!("/proc/{}/status", login.id())).unwrap();
    assert!(status.contains("Uid:\t65534\t"), "{status}");
    assert_eq!((owner("environ"), owner("mem")), (0, 0));
}
