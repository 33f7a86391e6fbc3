//! What README.md tells people to do, word for word, on a Debian that has nothing but PostgreSQL and
//! our packages: somebody logs in with her token.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::certificates::Authority;
use harness::{Debian, Network, OpenidProvider, Packages, book};

/// As the book promises.
const FIVE_MINUTES: Duration = Duration::from_secs(300);
/// Where somebody has put the packages.
const FOLDER: &str = "/root/packages";

struct Site {
    debian: Debian,
    provider: OpenidProvider,
}

/// How `psql` ended, with what it printed or complained about.
type Login = Result<String, String>;

impl Site {
    /// PostgreSQL runs, nothing of ours is installed, and the provider is one that the machine trusts.
    fn new() -> Self {
        let (network, authority) = (Arc::new(Network::new()), Authority::new());
        let debian = Debian::within(&network);
        let provider = OpenidProvider::encrypted_in(&network, &authority.server());
        debian.file("/usr/local/share/ca-certificates/company.crt", authority.pem());
        debian.file("/etc/hosts", "127.0.0.1 localhost db1.example.com\n");
        debian.run("update-ca-certificates; pg_ctlcluster 15 main start; useradd -m alice; useradd -m carol");
        for package in Packages::shared().current() {
            let name = package.file_name().unwrap().to_str().unwrap();
            debian.file(&format!("{FOLDER}/{name}"), fs::read(&package).unwrap());
        }
        Self { debian, provider }
    }

    /// A block as it stands there, but for the URL of the provider.
    fn here(&self, block: &str) -> String {
        block.replace("https://idp.example.com", self.provider.issuer())
    }

    /// Runs blocks one after the other in one shell.
    #[track_caller]
    fn run(&self, blocks: &[String]) -> String {
        self.debian.run(&format!("cd {FOLDER}\n{}", self.here(&blocks.concat())))
    }

    /// A block that asks for a token, as a user of the machine who has none yet and visits the page
    /// that `ztoken` names.
    #[track_caller]
    fn with_a_device(&self, user: &str, block: &str) -> Login {
        self.debian.file("/tmp/block", format!("{}\n", self.here(block)));
        self.debian.file("/tmp/input", "select current_user;");
        // script(1) gives it a terminal, where ztoken finds somebody to ask.
        let script = format!(
            "exec runuser -l {user} -c \"script -qefc 'sh -eu /tmp/block </tmp/input' /dev/null\""
        );
        let mut shell = self.debian.spawn(&script);
        let told = shell.line().expect("ztoken says where to log in");
        let url = told.split_whitespace().find(|word| word.contains("user_code=")).expect(&told);
        let page = self.provider.visit(url.trim_end_matches([',', ';']), true);
        assert!(page.stdout.contains("done"), "{page:?}");
        let ended = shell.wait();
        match ended.code {
            Some(0) => Ok(ended.stdout),
            _ => Err(format!("{}{}", ended.stdout, ended.stderr)),
        }
    }
}

fn commands(page: &str, text: &str) -> Vec<String> {
    let fences = book::fences_of(page, text).into_iter();
    fences.filter(|fence| fence.language == "sh").map(|fence| fence.text).collect()
}

#[test]
fn the_readme_alone_leads_to_a_login_with_a_token_within_five_minutes() {
    let site = Site::new();
    let readme = commands("README.md", &book::of_the_readme("use"));
    let [steps @ .., login] = &readme[..] else { panic!("{readme:?}") };
    assert_eq!(steps.len(), 5, "{steps:?}");

    let start = Instant::now();
    site.run(steps);
    let answer = site.with_a_device("alice", login);
    assert!(
        answer.as_ref().is_ok_and(|rows| rows.lines().any(|row| row.trim() == "alice")),
        "{answer:?}"
    );
    assert!(start.elapsed() < FIVE_MINUTES, "{:?}", start.elapsed());

    // Whoever comes with the token of a customer, even if she is called alice, stays outside.
    site.provider.conduct(|conduct| conduct.realm = "/customers".to_owned());
    let refusal = site.with_a_device("carol", login).unwrap_err();
    assert!(refusal.contains("PAM authentication failed for user \"alice\""), "{refusal}");
    let page = book::page("getting-started.md");
    let [log] = &book::fences_on("getting-started.md", "text")[..] else { panic!() };
    let reason = log.text.split("refused: ").nth(1).unwrap().trim();
    let said = site.debian.run("cat /var/log/postgresql/postgresql-15-main.log");
    assert!(said.contains(reason), "{said}");

    // The book goes on: what the check says, and roles that follow teams.
    let more = commands("getting-started.md", &page);
    let [.., check, install, sync] = &more[..] else { panic!("{more:?}") };
    let verdict = site.with_a_device("root", check).unwrap_err();
    assert!(verdict.contains("/customers"), "{verdict}");
    site.run(std::slice::from_ref(install));
    for (language, path) in [("toml", "teams-sync.toml"), ("yaml", "teams.yaml")] {
        let [file] = &book::fences_on("getting-started.md", language)[..] else { panic!() };
        site.debian.file(&format!("/etc/teams-sync/{path}"), &file.text);
    }
    // No systemd(1) runs here.
    let (commands, service) = sync.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(service, "systemctl restart teams-sync");
    // `plan` ends with 2 where there is something to do.
    site.run(&[commands.replace("teams-sync plan", "teams-sync plan || [ $? = 2 ]")]);
    let roles = "runuser -u postgres -- psql -Atc \"select string_agg(rolname, ',' order by rolname) from pg_roles \
                 where pg_has_role(rolname, 'users', 'member') and rolcanlogin and not rolsuper\"";
    assert_eq!(site.debian.run(roles), "alice,bob\n");
    site.debian.run("pg_ctlcluster 15 main stop");
}

#[test]
fn the_recipe_of_the_readme_overwrites_nothing() {
    let debian = Debian::new();
    let text = book::of_the_readme("use");
    let writes: Vec<String> =
        commands("README.md", &text).into_iter().filter(|block| block.contains("cat >")).collect();
    let paths = ["/etc/pam.d/postgresql", "/etc/ztoken/config.toml"];
    assert_eq!(writes.len(), paths.len(), "{writes:?}");
    for (block, path) in writes.iter().zip(paths) {
        debian.file(path, "mine\n");
        assert_ne!(debian.try_to(block).code, Some(0), "{block}");
        assert_eq!(debian.run(&format!("cat {path}")), "mine\n");
    }
}
