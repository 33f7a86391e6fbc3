//! Debian packages: in order by the tools of those who look after a distribution.

use std::fs;
use std::process::Command;

use harness::bills::bills;
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

/// What is built between releases is an upgrade from the last one, and the next one from that.
#[test]
fn a_version_between_releases_lies_between_them() {
    let workdir = Workdir::new();
    let script = artifacts::source().join("packaging/deb/version.sh");
    let version = |changelog: &str| {
        let mut command = Command::new(&script);
        let path = workdir.file("CHANGELOG.md", changelog);
        let output = command.arg(path).env("SOURCE_DATE_EPOCH", "1767225600").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let first = version("## [Unreleased]\n\n- One.\n");
    let released = format!("## [{first}] - 2026-01-01\n\n- One.\n");
    assert_eq!(version(&format!("## [Unreleased]\n\n{released}")), first);
    let between = version(&format!("## [Unreleased]\n\n- Two.\n\n{released}"));
    let commit = between.strip_prefix(&format!("{first}+git20260101000000.")).expect(&between);
    assert!(commit.len() >= 10 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{between}");
    for (one, other) in [(first.clone(), &between), (between.clone(), &format!("{first}.1"))] {
        let mut dpkg = Command::new("dpkg");
        let is_less = dpkg.args(["--compare-versions", &one, "lt", other]).status().unwrap();
        assert!(is_less.success(), "{one} {other}");
    }
}

#[test]
fn packages_without_a_date_are_not_built() {
    let mut script = Command::new(artifacts::source().join("packaging/deb/build.sh"));
    let workdir = Workdir::new();
    script.args([workdir.path(); 3]).env_remove("SOURCE_DATE_EPOCH");
    let output = script.env("GIT_DIR", workdir.path().join("none")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("set SOURCE_DATE_EPOCH"), "{said}");
}

#[test]
fn who_builds_packages_can_answer_for_them() {
    // Any program will do.
    let workdir = Workdir::new();
    let (programs, output) = (workdir.folder("programs"), workdir.folder("output"));
    for name in ["libpam_oauth2.so", "pam-oauth2-check", "teams-sync", "ztoken"] {
        fs::copy("/bin/true", programs.join(name)).unwrap();
    }
    let mut script = Command::new(artifacts::source().join("packaging/deb/build.sh"));
    script.args([&programs, &Packages::shared().manuals(), &output]);
    script.env("DEBFULLNAME", "Alice of Example").env("DEBEMAIL", "alice@example.com");
    let built = script.env("NOTICES", bills()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let packages: Vec<_> =
        fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(packages.len(), 3, "{packages:?}");
    for package in packages {
        let mut dpkg = Command::new("dpkg-deb");
        let output = dpkg.arg("--field").arg(&package).arg("Maintainer").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "Alice of Example <alice@example.com>\n", "{}", package.display());
    }
}

/// Anybody who builds the module anew can compare it with what is installed.
#[test]
fn the_module_in_the_package_is_the_one_that_is_built() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    let installed = debian.run("sha256sum /lib/*/security/pam_oauth2.so | cut -d ' ' -f 1");
    let output = Command::new("sha256sum").arg(artifacts::module()).output().unwrap();
    let built = String::from_utf8(output.stdout).unwrap();
    assert_eq!(built.split(' ').next(), Some(installed.trim_end()));
}

/// Whoever builds them, whenever.
#[test]
fn the_same_input_gives_the_same_packages() {
    let packages = Packages::shared();
    let elsewhere = [("TZ", "Asia/Kathmandu"), ("LC_ALL", "C"), ("HOME", "/nonexistent")];
    let again = packages.build_with("again", &[], &elsewhere);
    for (one, other) in packages.built().iter().zip(&again) {
        assert_eq!(one.file_name(), other.file_name());
        assert!(fs::read(one).unwrap() == fs::read(other).unwrap(), "{}", one.display());
    }
    assert_eq!(packages.built().len(), again.len());
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
    // What it runs, as whom it runs; packages_service.rs has what comes then.
    let ended = debian.try_to("runuser -u teams-sync -- teams-sync run");
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
    // Other programs are root, to whom the cache of PostgreSQL does not belong.
    let common = debian.try_with(
        &format!(
            "pam-oauth2-check --user alice -- --config={docs}/pam_oauth2.toml --section=common 2>&1"
        ),
        b"a.b.c",
    );
    assert!(!common.output.contains("cache") && common.code == Some(7), "{common:?}");

    let docs = "/usr/share/doc/teams-sync/examples/teams-sync.toml";
    debian.run(&format!("cp {docs} /etc/teams-sync/"));
    // As it says at its head.
    let example = debian.run(&format!("sed -n 's/^#   //p' {docs}"));
    let [install, plan, restart] = &example.lines().collect::<Vec<_>>()[..] else {
        panic!("{example}")
    };
    debian.run(&format!("echo secret >token; echo '*:*:*:*:secret' >pgpass; {install}"));
    assert_eq!(*restart, "systemctl restart teams-sync");
    // It is understood, and so are its secrets: what fails is the network.
    let plan = debian.try_to(plan);
    assert!([Some(5), Some(6)].contains(&plan.code), "{plan:?}");
    assert!(!plan.complaint.contains("ignored"), "{plan:?}");
    for secret in ["token", "pgpass"] {
        let read = format!("runuser -u teams-sync -- cat /etc/teams-sync/{secret}");
        assert!(debian.run(&read).contains("secret"));
    }
    let docs = "/usr/share/doc/ztoken/examples/config.toml";
    let token = debian.try_to(&format!("ztoken --no-login --config {docs}"));
    assert_eq!(token.code, Some(2), "{token:?}");
}

#[test]
fn every_command_has_its_manual_and_completions_where_shells_look() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    let pages = debian.run(
        "dpkg -L libpam-oauth2 teams-sync ztoken | sed -n 's|^/usr/share/man/man./\\(.*\\)\\.gz$|\\1|p'",
    );
    for page in pages.lines() {
        let (name, section) = page.rsplit_once('.').unwrap();
        let text = debian.run(&format!("MANWIDTH=80 man -P cat --warnings {section} {name} 2>&1"));
        assert!(text.contains(name) && text.contains("EXAMPLES"), "{page}: {text}");
    }
    assert!(pages.lines().count() >= 14, "{pages}");
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
