//! What is kept of a login: whole, and for its owner's eyes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use harness::secrets::holds_part_of;
use harness::ztoken::profile;
use harness::{OpenidProvider, Ztoken};

use crate::ztoken::{NEARLY_OVER, logged_in, token_of};
use crate::ztoken_faults::{Scripted, good};

#[test]
fn what_is_kept_is_for_its_owner_alone() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let file = alice.state().join("prod.json");
    let mode = |path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!([mode(alice.state()), mode(file.clone())], [0o700, 0o600]);

    let refused = |words: &str| {
        let output = alice.run(&[]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.stderr.contains(words), "{output:?}");
    };
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    refused("is open to others (mode 640)");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(65534), None).unwrap();
    refused("belongs to user 65534");
    chown(&file, Some(0), None).unwrap();
    token_of(&alice.run(&[]));
    fs::rename(&file, alice.state().join("elsewhere")).unwrap();
    symlink("elsewhere", &file).unwrap();
    refused("is a symbolic link");
    fs::remove_file(&file).unwrap();
    fs::set_permissions(alice.state(), Permissions::from_mode(0o755)).unwrap();
    refused("is open to others (mode 755)");
    fs::set_permissions(alice.state(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(alice.run(&["login"]).code, Some(0));
}

#[test]
fn a_damaged_file_is_no_login_and_breaks_nothing() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let kept = alice.kept("prod").unwrap();
    for damaged in
        ["", "{}", &kept[..kept.len() / 2], &kept.replace("\"version\":1", "\"version\":9")]
    {
        alice.file(".local/state/ztoken/prod.json", damaged);
        let output = alice.run(&[]);
        assert_eq!(output.code, Some(2), "{output:?}");
    }
    assert_eq!(alice.run(&["login"]).code, Some(0));
}

#[test]
fn whoever_is_killed_leaves_all_or_nothing_and_no_lock() {
    let provider = OpenidProvider::start();
    let robot = Ztoken::new(&format!(
        "[profile.prod]\nissuer = \"{}\"\nclient_id = \"robot\"\nflow = \"client_credentials\"\n\
         client_secret_file = \"secret\"\nresource = \"urn:example:postgres\"\n",
        provider.issuer()
    ));
    robot.file(".config/ztoken/secret", provider.secret());
    token_of(&robot.run(&[]));
    robot.age("prod", NEARLY_OVER);
    let usual = robot.run(&[]).elapsed;
    let mut ended = 0;
    for part in 0..40 {
        robot.age("prod", NEARLY_OVER);
        let run = robot.spawn(&[]);
        harness::eventually::pause(usual * part / 32);
        run.signal(libc::SIGKILL);
        ended += usize::from(run.wait().code == Some(0));
        // Whole, whatever was killed.
        robot.kept_secret("prod", "access_token");
    }
    assert!(ended < 40, "nobody was killed");
    token_of(&robot.run(&[]));
    let files = fs::read_dir(robot.state()).unwrap().count();
    assert_eq!(files, 2, "the tokens and the lock");
}

#[test]
fn on_a_full_disk_there_is_still_a_token_and_the_kept_one_stays() {
    let provider = OpenidProvider::start();
    let mut alice = logged_in(&provider);
    alice.age("prod", NEARLY_OVER);
    let kept = alice.kept("prod").unwrap();
    let state = alice.state().display().to_string();
    // A disk with room for what is there, and for nothing else.
    let full = format!(
        "mkdir /tmp/kept && cp -p {state}/prod.json /tmp/kept && \
         mount -t tmpfs -o nr_blocks=2,nr_inodes=6,mode=0700 tmpfs {state} && \
         cp -p /tmp/kept/prod.json {state} && head -c 4096 /dev/zero >{state}/other && \
         \"$@\"; code=$?; cmp {state}/prod.json /tmp/kept/prod.json && [ ! -e {state}/prod.json.new ] && \
         exit $code"
    );
    let script = format!("mount -t tmpfs tmpfs /tmp && {full}");
    let home = alice.home().display().to_string();
    // The home lies in /tmp as well.
    let script = script.replace("mount -t tmpfs tmpfs /tmp", &format!("mkdir -p {home}/tmp"));
    let script = script.replace("/tmp/kept", &format!("{home}/tmp/kept"));
    alice.within(&["unshare", "--mount", "--", "sh", "-c", &script, "sh"]);
    let output = alice.run(&[]);
    token_of(&output);
    assert!(output.stderr.contains("the present token still lasts"), "{output:?}");
    assert!(output.stderr.contains("No space left"), "{output:?}");
    // What could not be kept was not asked for: the login is still good when there is room again.
    assert_eq!(provider.asked("POST /token"), 1);
    alice.within(&[]);
    assert_eq!(alice.kept("prod").unwrap(), kept);
    token_of(&alice.run(&[]));
    assert_eq!(provider.asked("POST /token"), 2);
}

#[test]
fn a_robot_needs_no_home_and_no_place_to_write() {
    let provider = OpenidProvider::start();
    let common = format!(
        "issuer = \"{}\"\nclient_id = \"robot\"\nclient_secret_file = \"secret\"\n\
         resource = \"urn:example:postgres\"\n",
        provider.issuer()
    );
    let other = Scripted::answering(&[("200 OK", good("exchanged"))]);
    let configuration = format!(
        "[profile.robot]\nflow = \"client_credentials\"\n{common}\
         [profile.pod]\nflow = \"kubernetes\"\ntoken_file = \"token\"\n\
         [profile.exchange]\nflow = \"kubernetes\"\ntoken_file = \"token\"\nexchange = \"jwt_bearer\"\n\
         issuer = \"{}\"\n",
        other.issuer()
    );
    let mut robot = Ztoken::new(&configuration);
    robot.file(".config/ztoken/secret", provider.secret());
    robot.file(".config/ztoken/token", "projected");
    let file = robot.home().join(".config/ztoken/config.toml").display().to_string();
    let home = robot.home().display().to_string();
    let read_only =
        format!("mount --bind {home} {home} && mount -o remount,bind,ro {home} && exec \"$@\"");
    let worlds = [
        (vec!["env", "-u", "HOME"], "HOME is not set"),
        (vec!["unshare", "--mount", "--", "sh", "-c", &read_only, "sh"], "Read-only file system"),
    ];
    for (words, why) in worlds {
        robot.within(&words);
        let pod = robot.run(&["--config", &file, "-n", "pod"]);
        assert_eq!((token_of(&pod).as_str(), pod.stderr.as_str()), ("projected", ""));
        for name in ["robot", "exchange"] {
            let output = robot.run(&["--config", &file, "-n", name]);
            token_of(&output);
            assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
            assert!(output.stderr.contains(why), "{output:?}");
        }
    }
    // A person does: her next login would be lost.
    robot.configure(&profile(&provider, ""));
    let output = robot.run(&["--config", &file]);
    assert_eq!(output.code, Some(1), "{output:?}");
    robot.within(&["env", "-u", "HOME"]);
    let output = robot.run(&[]);
    assert!(output.stderr.contains("where is the configuration? (--config)"), "{output:?}");
}

#[test]
fn whoever_logs_out_is_out_whatever_was_kept() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let file = alice.state().join("prod.json");
    const REVOKED: &str = "POST /token/revocation";
    // What cannot be believed is deleted all the same.
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let output = alice.run(&["logout"]);
    assert_eq!((output.code, file.exists()), (Some(1), false), "{output:?}");
    assert!(output.stderr.contains("is deleted, but not revoked"), "{output:?}");
    assert_eq!(provider.asked(REVOKED), 0);
    // What the profile could use before it was changed is revoked as well...
    assert_eq!(alice.run(&["login"]).code, Some(0));
    alice.configure(&profile(&provider, "scopes = [\"openid\", \"profile\"]"));
    let output = alice.run(&["logout"]);
    assert_eq!((output.code, file.exists()), (Some(0), false), "{output:?}");
    assert_eq!(provider.asked(REVOKED), 2);
    // ...but goes to no other provider.
    assert_eq!(alice.run(&["login"]).code, Some(0));
    let other = Scripted::answering(&[("200 OK", good("x"))]);
    alice.configure(&profile(&provider, "").replace(provider.issuer(), &other.issuer()));
    let output = alice.run(&["logout"]);
    assert_eq!((output.code, file.exists()), (Some(1), false), "{output:?}");
    assert!(output.stderr.contains("from another provider"), "{output:?}");
    assert_eq!(other.server.requests().len(), 0);
}

#[test]
fn a_token_that_cannot_be_printed_is_an_error() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let output = alice.shell("ztoken >/dev/full");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("cannot be printed"), "{output:?}");
    // Nobody reads: an error, and no signal that a script would take for success.
    let output = alice.shell("mkfifo pipe; : <pipe & exec 3>pipe; wait; ztoken >&3");
    assert_eq!(output.code, Some(1), "{output:?}");
}

#[test]
fn no_token_is_in_a_list_of_processes() {
    let provider = OpenidProvider::start();
    let alice = logged_in(&provider);
    let tokens = ["access_token", "refresh_token"].map(|name| alice.kept_secret("prod", name));
    for options in ["", "--passfile"] {
        let output =
            alice.shell(&format!("ztoken exec {options} -- sh -c 'cat /proc/[0-9]*/cmdline'"));
        // It did see the others.
        assert!(output.stdout.contains("ztoken\0exec"), "{output:?}");
        for token in &tokens {
            let everything = [output.stdout.as_bytes(), output.stderr.as_bytes()].concat();
            assert!(!holds_part_of(&everything, token.as_bytes()), "{options}");
        }
    }
}

#[test]
fn the_keyring_of_the_desktop_keeps_tokens_as_well() {
    let provider = OpenidProvider::start();
    let mut alice = Ztoken::of(&provider);
    alice.configure(&profile(&provider, "store = \"keyring\""));
    fs::create_dir(alice.home().join("runtime")).unwrap();
    fs::set_permissions(alice.home().join("runtime"), Permissions::from_mode(0o700)).unwrap();
    alice.set("XDG_RUNTIME_DIR", &alice.home().join("runtime").display().to_string());
    let script = "\
        printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
        ztoken whoami; echo $?
        ztoken login && ztoken >token && ztoken | cmp token && ztoken whoami
        secret-tool lookup application ztoken profile prod | grep -c access_token
        ls .local/state/ztoken
        ztoken logout; ztoken whoami; echo $?";
    let output = alice.shell(&format!("dbus-run-session -- sh -c '{script}' 2>errors"));
    let errors = fs::read_to_string(alice.home().join("errors")).unwrap();
    let lines: Vec<&str> = output.stdout.lines().filter(|line| !line.contains("  ")).collect();
    assert_eq!(lines, ["2", "1", "prod.lock", "2"], "{output:?} {errors}");
    assert!(output.stdout.contains("user     alice"), "{output:?}");
    let token = fs::read_to_string(alice.home().join("token")).unwrap();
    assert!(!holds_part_of(errors.as_bytes(), token.trim().as_bytes()), "{errors}");
    assert_eq!(provider.asked("POST /token"), 1);

    // Without one it says what to do.
    let output = alice.run(&[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("store = \"file\""), "{output:?}");
}
