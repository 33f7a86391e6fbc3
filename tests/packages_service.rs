//! teams-sync as systemd runs it: with the account of the package, and with nothing more than its unit
//! leaves to it, as far as that is the kernel's doing and not that of systemd itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{Debian, Packages, eventually};

/// Here systemd listens.
const NOTIFY: &str = "/run/notify";
/// No writable file (ProtectSystem=strict), an empty /tmp and no homes (PrivateTmp, ProtectHome), no
/// rights and none to be had (CapabilityBoundingSet, NoNewPrivileges, RestrictSUIDSGID). `exec` all
/// along: the number of this process stays.
const SERVICE: &str = "
echo $$ >/run/service
exec unshare --mount sh -euc '
    mount --make-rprivate /
    mount -o remount,bind,ro /
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount -t tmpfs -o mode=000,ro tmpfs /home
    mount -t tmpfs -o mode=000,ro tmpfs /root
    umask 077
    cd /
    exec setpriv --reuid teams-sync --regid teams-sync --init-groups --no-new-privs \\
        --bounding-set=-all --inh-caps=-all \\
        env -i PATH=/usr/bin NOTIFY_SOCKET=/run/notify teams-sync run'
";
const CONFIGURATION: &str = "\
[source.file]
path = \"teams.yaml\"

[humans]
pam_role = \"users\"

[[server]]
name = \"main\"
team = \"acid\"
dsn = \"host=/var/run/postgresql user=teams-sync dbname=postgres\"
";

/// What the unit promises and [`SERVICE`] does.
const LIMITS: [&str; 8] = [
    "User=teams-sync",
    "Group=teams-sync",
    "UMask=0077",
    "CapabilityBoundingSet=",
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "ProtectSystem=strict",
];

#[test]
fn the_service_lives_with_what_its_unit_leaves_to_it() {
    let debian = Debian::new();
    debian.install(&Packages::shared().current());
    let unit = debian.run("cat /lib/systemd/system/teams-sync.service");
    for limit in LIMITS {
        assert!(unit.lines().any(|line| line == limit), "{limit}: {unit}");
    }
    assert!(unit.contains("\nExecStart=/usr/bin/teams-sync run\n"), "{unit}");
    assert!(unit.contains("\nExecReload=/bin/kill -HUP $MAINPID\n"), "{unit}");

    debian.run(
        "pg_ctlcluster 15 main start
         runuser -u postgres -- createuser --superuser teams-sync",
    );
    debian.file("/etc/teams-sync/teams-sync.toml", CONFIGURATION);
    debian.file("/etc/teams-sync/teams.yaml", "teams:\n  acid: [alice]\n");
    let path = debian.outside(NOTIFY);
    let systemd = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();

    let mut service = debian.spawn(SERVICE);
    let hear = |wanted: &str| {
        let mut heard = String::new();
        while !heard.lines().any(|line| line.starts_with(wanted)) {
            let mut buffer = [0; 4096];
            let length =
                systemd.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {heard}"));
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            heard.push('\n');
        }
    };
    let people = |wanted: &str| {
        eventually("the roles follow the team", || {
            let roles = debian.run(
                "runuser -u postgres -- psql -Atc \"select string_agg(rolname, ',' order by rolname) \
                 from pg_roles where rolcanlogin and not rolsuper\"",
            );
            if roles == format!("{wanted}\n") { Ok(()) } else { Err(roles) }
        });
    };
    hear("READY=1");
    people("alice");
    let limits =
        debian.run("grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/$(cat /run/service)/status");
    let own = debian.run("id -u teams-sync");
    let own = own.trim();
    let none = "0000000000000000";
    assert_eq!(
        limits,
        format!(
            "Uid:\t{own}\t{own}\t{own}\t{own}\nCapEff:\t{none}\nCapBnd:\t{none}\nNoNewPrivs:\t1\n"
        )
    );

    debian.file("/etc/teams-sync/teams.yaml", "teams:\n  acid: [alice, bob]\n");
    debian.run("kill -HUP $(cat /run/service)");
    hear("RELOADING=1");
    hear("READY=1");
    people("alice,bob");
    assert!(service.is_alive(), "{}", service.stderr());
    debian.run("kill $(cat /run/service)");
    hear("STOPPING=1");
    assert_eq!(service.wait().code, Some(0));
    debian.run("pg_ctlcluster 15 main stop");
}
