//! Debian packages: in order by the tools of those who look after a distribution.

use std::fs;
use std::process::Command;

use harness::debian::MARK;
use harness::workdir::Workdir;
use harness::{Debian, Packages, artifacts};

/// systemd's own measure, 0 to 10: below 2 it calls a service well protected.
const EXPOSURE: &str = "15";

#[test]
fn lintian_has_nothing_to_say() {
    let packages = Packages::shared().current();
    assert_eq!(packages.len(), 3, "{packages:?}");
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error,warning", "--allow-root", "--no-cfg"]);
    let output = lintian.args(&packages).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "");
}

#[test]
fn a_changelog_with_nothing_unreleased_begins_with_the_release() {
    let workdir = Workdir::new();
    let text = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-20\n\n### Added\n\n- One thing\n  \
                and more.\n\n## [1.2.2] - 2026-11-01\n\n- Two.\n";
    let changelog = workdir.file("CHANGELOG.md", text);
    let mut awk = Command::new("awk");
    awk.args(["-v", "version=1.2.3", "-v", "date=now", "-v", "maintainer=A <a@example.com>", "-f"]);
    let script = artifacts::source().join("packaging/deb/changelog.awk");
    let output = awk.arg(script).arg(changelog).env("TZ", "UTC").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "blue-elephant (1.2.3) unstable; urgency=medium\n\n  [ Added ]\n  * One thing and more.\n\n \
         -- A <a@example.com>  Fri, 20 Nov 2026 00:00:00 +0000\n\n\
         blue-elephant (1.2.2) unstable; urgency=medium\n\n  * Two.\n\n \
         -- A <a@example.com>  Sun, 01 Nov 2026 00:00:00 +0000\n\n"
    );
}

#[test]
fn the_same_input_gives_the_same_packages() {
    let packages = Packages::shared();
    let again = packages.build("again", &[]);
    for (one, other) in packages.current().iter().zip(&again) {
        assert_eq!(one.file_name(), other.file_name());
        assert!(fs::read(one).unwrap() == fs::read(other).unwrap(), "{}", one.display());
    }
    assert_eq!(packages.current().len(), again.len());
}

#[test]
fn the_service_is_sandboxed_and_waits_for_its_configuration() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    debian.run("systemd-analyze verify --man=yes teams-sync.service");
    let security = format!(
        "systemd-analyze security --offline=true --threshold={EXPOSURE} teams-sync.service"
    );
    debian.run(&security);
    let unit = debian.run("cat /lib/systemd/system/teams-sync.service");
    let condition = unit.lines().find(|line| line.starts_with("Condition")).unwrap();
    assert_eq!(condition, "ConditionPathExists=/etc/teams-sync/teams-sync.toml");
    assert_eq!(debian.try_to("test -e /etc/teams-sync/teams-sync.toml").code, Some(1));
    debian.run("test -L /etc/systemd/system/multi-user.target.wants/teams-sync.service");
    // What it runs, as whom it runs.
    let ended = debian.try_to("setpriv --reuid teams-sync --clear-groups teams-sync run");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.complaint.contains("/etc/teams-sync/teams-sync.toml"), "{ended:?}");
}

#[test]
fn the_examples_are_in_order() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    let docs = "/usr/share/doc/libpam-oauth2/examples";
    debian.run(&format!("pam-oauth2-check config {docs}/postgresql"));
    debian.run(&format!("pam-oauth2-check config {docs}/pam_oauth2.toml"));
    let docs = "/usr/share/doc/teams-sync/examples/teams-sync.toml";
    debian.run(&format!("cp {docs} /etc/teams-sync/; echo secret >/etc/teams-sync/token"));
    // It is understood: what fails is the network.
    let plan = debian.try_to("teams-sync plan");
    assert!([Some(5), Some(6)].contains(&plan.code), "{plan:?}");
    let docs = "/usr/share/doc/ztoken/examples/config.toml";
    let token = debian.try_to(&format!("ztoken --no-login --config {docs}"));
    assert_eq!(token.code, Some(2), "{token:?}");
}

#[test]
fn every_command_has_its_manual_and_completions_where_shells_look() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    for page in [
        "8 pam_oauth2",
        "5 pam_oauth2.toml",
        "1 pam-oauth2-check",
        "1 teams-sync-apply",
        "1 ztoken",
    ] {
        let name = page.split(' ').next_back().unwrap();
        let text = debian.run(&format!("MANWIDTH=80 man -P cat --warnings {page} 2>&1"));
        assert!(text.contains(name) && text.contains("EXAMPLES"), "{page}: {text}");
    }
    for command in ["pam-oauth2-check", "teams-sync", "ztoken"] {
        debian.run(&format!(
            "bash -c '. /usr/share/bash-completion/completions/{command}; complete -p {command}'
             zsh -n /usr/share/zsh/vendor-completions/_{command}
             fish --no-execute /usr/share/fish/vendor_completions.d/{command}.fish"
        ));
    }
    // Somebody types a word and the tab key.
    let fish = debian.run("fish -c 'complete --do-complete \"teams-sync expl\"'");
    assert!(fish.starts_with("explain\t"), "{fish}");
}

/// Scripts of these tests delete accounts and install packages.
#[test]
fn a_script_for_a_server_does_nothing_in_any_other_root() {
    let debian = Debian::new();
    debian.run(&format!("rm {MARK}"));
    let ended = debian.try_to("echo done");
    assert_eq!((ended.code, ended.output.as_str()), (Some(125), ""), "{ended:?}");
}
