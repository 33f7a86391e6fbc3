//! Random teams, a random dirty catalog, a random crash: the next run converges, foreign roles are
//! never touched, and somebody can always repair the server. MODEL_SECONDS says for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use harness::company::HUMANS;
use harness::relay::Behaviour;
use harness::{Company, Relay, Server, Version, When};

const PEOPLE: [&str; 8] = ["ann", "ben", "cid", "dan", "eva", "fay", "gus", "hal"];
const FOREIGN: [&str; 4] = ["app_owner", "batch", "gus", "hal"];

/// xorshift64*: what goes wrong can be had again from its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % end
    }

    pub(crate) fn one_in(&mut self, end: usize) -> bool {
        self.below(end) == 0
    }

    fn some<'a>(&mut self, all: &[&'a str]) -> Vec<&'a str> {
        all.iter().copied().filter(|_| self.one_in(2)).collect()
    }
}

struct World {
    server: Server,
    relay: Relay,
    company: Company,
    random: Random,
    story: Vec<String>,
}

impl World {
    fn do_sql(&mut self, statement: &str) {
        self.story.push(statement.to_owned());
        // Some of it makes no sense at the moment, which is fine.
        let _ = self.server.try_sql("postgres", statement);
    }

    /// All but the roles of the harness and of initdb.
    fn clear(&mut self) {
        self.story.clear();
        let roles = self.server.sql("select rolname from pg_roles where oid >= 16384");
        for role in roles.lines() {
            self.server.sql(&format!("drop owned by \"{role}\" cascade; drop role \"{role}\""));
        }
    }

    fn foreign_roles(&mut self) {
        for name in FOREIGN {
            if self.random.one_in(2) {
                let flags = ["", "superuser", "createdb", "createrole"][self.random.below(4)];
                self.do_sql(&format!("create role {name} login {flags} password 'x'"));
                if self.random.one_in(2) {
                    self.do_sql(&format!("create role users; grant users to {name}"));
                }
                if self.random.one_in(2) {
                    self.do_sql(&format!(
                        "create role admin; grant admin to {name} with admin option"
                    ));
                }
            }
        }
    }

    /// What somebody may have done by hand.
    fn tamper(&mut self) {
        for _ in 0..self.random.below(5) {
            let who = PEOPLE[self.random.below(PEOPLE.len())];
            let statement = match self.random.below(12) {
                0 => format!("alter role {who} superuser"),
                1 => format!("alter role {who} nologin"),
                2 => format!("alter role {who} login createrole replication"),
                3 => format!("revoke users from {who}"),
                4 => format!("grant admin to {who} with admin option"),
                5 => format!("comment on role {who} is 'teams-sync: nonsense'"),
                6 => format!("comment on role {who} is null"),
                7 => format!("alter role {who} password 'x'"),
                8 => format!("alter role {who} set log_statement = 'none'"),
                9 => format!("grant pg_monitor to {who}"),
                10 => format!("create table if not exists t(); alter table t owner to {who}"),
                _ => format!("set role {who}; grant admin to app_owner"),
            };
            // Only roles that are ours: the others are looked at for any change at all.
            let ours = format!(
                "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member \
                 where roleid = (select oid from pg_roles where rolname = 'teams_sync_managed') \
                 and rolname = '{who}'"
            );
            if self.server.sql(&ours) == "1" {
                self.do_sql(&statement);
            }
        }
    }

    fn random_teams(&mut self) -> BTreeSet<String> {
        let mut acid = self.random.some(&PEOPLE);
        let mut dba = self.random.some(&PEOPLE[..3]);
        if acid.is_empty() {
            acid.push("ann");
        }
        if dba.is_empty() {
            dba.push("ben");
        }
        self.company.teams(&[("acid", &acid), ("dba", &dba)]);
        self.story.push(format!("acid {acid:?} dba {dba:?}"));
        acid.into_iter().chain(dba).map(str::to_owned).collect()
    }

    /// Roles without the marker, with everything of theirs.
    fn foreign(&self) -> BTreeMap<String, String> {
        let rows = self.server.sql(
            "select concat_ws('|', r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, \
             r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolpassword, \
             (select string_agg(g.rolname || m.admin_option, ',' order by g.rolname) \
              from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid), \
             (select setconfig from pg_db_role_setting s where s.setrole = r.oid), \
             shobj_description(r.oid, 'pg_authid')) \
             from pg_authid r where r.rolname not in ('teams_sync_managed', 'users', 'admin') \
             and r.rolname !~ '^pg_' and not exists (select from pg_auth_members m join pg_roles g \
             on g.oid = m.roleid where m.member = r.oid and g.rolname = 'teams_sync_managed')",
        );
        rows.lines()
            .map(|row| (row.split('|').next().unwrap().to_owned(), row.to_owned()))
            .collect()
    }

    /// One run, which may be cut off or killed.
    fn crash(&mut self) {
        let number = 1 + self.random.below(14);
        match self.random.below(4) {
            0 => {}
            1 => self.relay.cut(When::Before(number)),
            2 => self.relay.cut(When::Answered(number)),
            _ => {
                self.story.push(format!("killed at {number}"));
                self.relay.behave(Behaviour::Slow(Duration::from_millis(5)));
                let connections = self.relay.connections();
                let mut run = self.company.sync.spawn(&["--config", "teams-sync.toml", "apply"]);
                while run.is_alive()
                    && !(self.relay.connections() > connections && self.relay.messages() >= number)
                {
                    harness::eventually::pause(Duration::from_millis(1));
                }
                run.signal(libc::SIGKILL);
                run.wait();
                self.relay.behave(Behaviour::Forward);
                return;
            }
        }
        let output = self.company.run(&["apply"]);
        self.story.push(format!("apply: {:?}", output.code));
        self.relay.cut(When::Before(usize::MAX));
    }

    fn converges(&mut self, wanted: &BTreeSet<String>, foreign: &BTreeMap<String, String>) {
        let mut output = self.company.run(&["apply"]);
        if output.code == Some(4) {
            let held = self.company.held();
            output = self.company.run(&["apply", "--release", &held]);
        }
        let said = format!("{:#?}\n{}\n{}", self.story, output.stdout, output.stderr);
        let conflicts: BTreeSet<&String> =
            wanted.iter().filter(|name| foreign.contains_key(*name)).collect();
        let code = if conflicts.is_empty() { 0 } else { 3 };
        assert_eq!(output.code, Some(code), "{said}");
        let plan = self.company.run(&["plan"]);
        assert_eq!(plan.code, Some(0), "a converged server: {}\n{said}", plan.stdout);
        let now = self.foreign();
        for (name, row) in foreign {
            assert_eq!(now.get(name), Some(row), "{said}");
        }
        let people = self.server.people();
        let people: BTreeSet<String> =
            people.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let expected: BTreeSet<String> = wanted
            .iter()
            .filter(|name| !foreign.contains_key(*name))
            .chain(foreign.keys().filter(|name| *name != "postgres"))
            .cloned()
            .collect();
        assert_eq!(people, expected, "{said}");
    }

    fn somebody_can_repair(&self) {
        let superusers = "select count(*) from pg_roles where rolsuper and rolcanlogin";
        assert_ne!(self.server.sql(superusers), "0", "{:#?}", self.story);
    }
}

fn live(version: Version, seed: u64, until: Instant) -> usize {
    let server = Server::start(version);
    let relay = Relay::start(server.port());
    let dsn = format!("host=127.0.0.1 port={} user=postgres sslmode=disable", relay.port());
    let company = Company::with(HUMANS, &[("orders", &dsn)]);
    let mut world = World { server, relay, company, random: Random(seed), story: Vec::new() };
    let mut runs = 0;
    while runs == 0 || Instant::now() < until {
        world.clear();
        world.foreign_roles();
        for _ in 0..3 {
            let wanted = world.random_teams();
            world.tamper();
            let foreign = world.foreign();
            world.crash();
            world.somebody_can_repair();
            world.converges(&wanted, &foreign);
            world.somebody_can_repair();
            runs += 1;
        }
    }
    runs
}

#[test]
#[allow(clippy::print_stdout, reason = "whoever lets it run for long wants to know how far it got")]
fn a_random_server_converges_after_any_crash() {
    let seconds = std::env::var("MODEL_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(20));
    let seed = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    println!("MODEL_SEED={seed}");
    std::thread::scope(|scope| {
        let versions = [Version::V13, Version::V15, Version::V16, Version::V18];
        let all = versions.map(|version| scope.spawn(move || live(version, seed, until)));
        for (one, version) in all.into_iter().zip(versions) {
            println!("{version}: {} runs", one.join().unwrap());
        }
    });
}
