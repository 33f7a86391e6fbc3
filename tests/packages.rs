//! Debian packages: a login with a token on a server that has nothing of ours but them.

use std::path::PathBuf;

use harness::identity_provider::now;
use harness::{Debian, Packages};
use mint::{Jwt, Key};

/// JWTs of an issuer whose keys are in a file.
const PAM: &str = "\
auth     sufficient  pam_oauth2.so  https://issuer.example.com  sub  realm=/employees  \
--verify=jwt  --audience=postgres  --jwks=/etc/pam_oauth2/keys.json  --cache-dir=/var/cache/pam-oauth2
account  sufficient  pam_oauth2.so
";

/// A server where people of the role `users` log in with tokens, as README.md says.
struct Server {
    debian: Debian,
    key: Key,
}

impl Server {
    fn new(packages: &[PathBuf]) -> Self {
        let (debian, key) = (Debian::new(), Key::p256().with_kid("one"));
        debian.install(packages);
        let keys = mint::jwks(&[key.public_jwk()]);
        debian.file("/etc/pam_oauth2/keys.json", keys);
        debian.run(
            "cd /etc/postgresql/15/main
             mv pg_hba.conf former
             cat /usr/share/doc/libpam-oauth2/examples/pg_hba.conf former >pg_hba.conf
             rm former
             pg_ctlcluster 15 main start
             su postgres -c 'psql -qc \"create role users; create role alice login in role users\"'",
        );
        Self { debian, key }
    }

    fn token(&self, user: &str) -> String {
        let key = &self.key;
        Jwt::new(now()).user(user).sign(key, key.algorithm())
    }

    /// What psql says when alice logs in with it, over TLS.
    fn login(&self, token: &str) -> Result<String, String> {
        self.login_of("alice", token)
    }

    fn login_of(&self, user: &str, token: &str) -> Result<String, String> {
        let ended = self.debian.try_with(
            &format!(
                "read -r PGPASSWORD || [ \"$PGPASSWORD\" ]
                 export PGPASSWORD PGSSLMODE=require
                 psql -h localhost -U {user} -d postgres -Atc \\
                     'select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()'"
            ),
            token.as_bytes(),
        );
        match ended.code {
            Some(0) => Ok(ended.output.trim().to_owned()),
            _ => Err(ended.complaint),
        }
    }

    #[track_caller]
    fn assert_logins(&self) {
        assert_eq!(self.login(&self.token("alice")), Ok("alice|t".to_owned()));
        let refusal = self.login(&self.token("bob")).unwrap_err();
        assert!(refusal.contains("PAM authentication failed for user \"alice\""), "{refusal}");
    }
}

#[test]
fn a_token_is_a_login_with_the_packages_alone_before_and_after_an_upgrade() {
    let packages = Packages::shared();
    let server = Server::new(&packages.former());
    let debian = &server.debian;
    debian.file("/etc/pam.d/postgresql", PAM);
    server.assert_logins();
    assert_eq!(debian.run("stat -c '%U %a' /var/cache/pam-oauth2"), "postgres 700\n");

    debian.install(&packages.current());
    let versions = debian.run("dpkg-query -W -f '${Version}\\n' libpam-oauth2 teams-sync ztoken");
    assert!(!versions.contains("0.0.9"), "{versions}");
    assert_eq!(debian.run("cat /etc/pam.d/postgresql"), PAM);
    server.assert_logins();

    // As pam-oauth2/README.md says.
    let check = "runuser -u postgres -- pam-oauth2-check --service postgresql --user alice";
    let accepted = debian.try_with(check, server.token("alice").as_bytes());
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let refused = debian.try_with(check, server.token("bob").as_bytes());
    assert_eq!(refused.code, Some(7), "{refused:?}");

    // Without the module nobody comes in.
    debian.run("dpkg --purge libpam-oauth2");
    assert!(server.login(&server.token("alice")).is_err());
    debian.run("pg_ctlcluster 15 main stop");
}

#[test]
fn what_is_installed_and_purged_leaves_nothing_behind() {
    let packages = Packages::shared();
    let debian = Debian::new();
    let before = debian.listing();
    debian.install(&packages.former());
    debian.install(&packages.current());
    debian.file("/etc/teams-sync/token", "secret");
    debian.file("/var/cache/pam-oauth2/verdicts", "");
    assert_ne!(debian.listing(), before);
    debian.run("apt-get remove --yes libpam-oauth2 teams-sync ztoken");
    assert_eq!(debian.run("cat /etc/teams-sync/token"), "secret");
    debian.run("apt-get purge --yes libpam-oauth2 teams-sync ztoken");
    // But for the account of the service, which Debian keeps.
    debian.run("userdel teams-sync");
    assert_eq!(debian.listing(), before);
    let left = debian.run("dpkg --audit; dpkg-query -W -f '${Package}\\n'");
    assert!(
        !left.contains("oauth2") && !left.contains("teams-sync") && !left.contains("ztoken"),
        "{left}"
    );
}

#[test]
fn a_server_that_is_installed_later_finds_its_cache_directory() {
    let debian = Debian::new();
    debian.run("userdel postgres");
    debian.install(&Packages::shared().current());
    assert_eq!(debian.try_to("test -e /var/cache/pam-oauth2").code, Some(1));
    // What dpkg does when postgresql-15 comes.
    debian.run("useradd --system postgres; dpkg-trigger --by-package=postgresql-15 --no-await /usr/lib/postgresql");
    debian.run("dpkg --triggers-only --pending");
    assert_eq!(debian.run("stat -c '%U %a' /var/cache/pam-oauth2"), "postgres 700\n");
}

/// Debian's PostgreSQL without a PAM file of its own uses the common one.
#[test]
fn the_profile_of_pam_auth_update_is_off_and_can_be_used() {
    let server = Server::new(&Packages::shared().current());
    let debian = &server.debian;
    let common = "cat /etc/pam.d/common-auth /etc/pam.d/common-account";
    assert!(!debian.run(common).contains("oauth2"));
    debian.file(
        "/etc/pam_oauth2.toml",
        "[common]\nlogin-field = \"sub\"\n[[common.issuer]]\nurl = \"https://issuer.example.com\"\n\
         audience = \"postgres\"\njwks = \"/etc/pam_oauth2/keys.json\"\n",
    );
    assert!(server.login(&server.token("alice")).is_err());

    debian.run("pam-auth-update --package --enable oauth2");
    server.assert_logins();
    // An account of the system stays subject to the rules for it. PostgreSQL is not root: it may
    // ask pam_unix(8) about an account as a member of the group shadow.
    debian.run("usermod -aG shadow postgres; useradd alice; pg_ctlcluster 15 main restart");
    server.assert_logins();
    debian.run("usermod --expiredate 1 alice");
    assert!(server.login(&server.token("alice")).is_err());
    debian.run("usermod --expiredate '' alice");
    server.assert_logins();
    // One of the system itself, as root is: nobody is that by a token.
    debian.run("usermod --uid 900 alice");
    assert!(server.login(&server.token("alice")).is_err());
    // The same for somebody who is nobody, in spite of a high number.
    debian.run("su postgres -c 'psql -qc \"create role nobody login in role users\"'");
    assert!(server.login_of("nobody", &server.token("nobody")).is_err());

    debian.run("apt-get remove --yes libpam-oauth2");
    assert!(!debian.run(common).contains("oauth2"));
    debian.run("pg_ctlcluster 15 main stop");
}

/// Whatever state our configuration is in, who has a password of the machine gets in with it, and
/// nobody with another one.
#[test]
fn the_profile_of_pam_auth_update_locks_nobody_out() {
    let (debian, key) = (Debian::new(), Key::p256().with_kid("one"));
    debian.install(&Packages::shared().current());
    debian.file("/etc/pam_oauth2/keys.json", mint::jwks(&[key.public_jwk()]));
    debian.run("useradd -m carol; echo carol:secret | chpasswd");
    let su = |password: &str| {
        let password = format!("{password}\n");
        let ended =
            debian.try_with("runuser -u daemon -- su carol -c 'id -un'", password.as_bytes());
        // Whoever is refused learns nothing of us.
        assert!(!ended.complaint.contains("oauth2"), "{ended:?}");
        (ended.code, ended.output)
    };
    let token = Jwt::new(now()).user("carol").sign(&key, key.algorithm());
    assert!(token.len() < 512, "misc_conv(3) takes no more: {}", token.len());

    let (welcome, refused) = ((Some(0), "carol\n".to_owned()), (Some(1), String::new()));
    assert_eq!((su("secret"), su("wrong")), (welcome.clone(), refused.clone()));
    let issuer = |keys: &str| {
        format!(
            "[common]\nlogin-field = \"sub\"\ntimeout = \"1s\"\n[[common.issuer]]\n\
             url = \"https://issuer.example.com\"\naudience = \"postgres\"\njwks = \"{keys}\"\n"
        )
    };
    let (good, away) = (issuer("/etc/pam_oauth2/keys.json"), issuer("https://127.0.0.1:1/keys"));
    debian.run("pam-auth-update --package --enable oauth2");
    for (what, configuration, mode, by_token) in [
        ("absent", None, "644", &refused),
        ("broken", Some("[common"), "644", &refused),
        ("open to all", Some(good.as_str()), "666", &refused),
        ("out of reach", Some(away.as_str()), "644", &refused),
        ("good", Some(good.as_str()), "644", &welcome),
    ] {
        if let Some(text) = configuration {
            debian.file("/etc/pam_oauth2.toml", text);
            debian.run(&format!("chmod {mode} /etc/pam_oauth2.toml"));
        }
        assert_eq!(su("secret"), welcome, "{what}");
        assert_eq!(su("wrong"), refused, "{what}");
        assert_eq!(su(&token), *by_token, "{what}");
    }
    debian.run("apt-get remove --yes libpam-oauth2");
    assert_eq!((su("secret"), su(&token)), (welcome, refused));
}
