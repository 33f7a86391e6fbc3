//! Wherever a run is cut off or killed, the next one finds a server that is as it was or as it
//! should be, and brings it in line.

use harness::company::HUMANS;
use harness::relay::Behaviour;
use harness::teams_sync::Running;
use harness::{Company, Relay, Server, Version, When, eventually};

/// Leavers and newcomers, something in every phase, and roles that are nobody's business.
const BEFORE: &str = "\
create role users; create role admin; create role teams_sync_managed; \
create role foreign_app login createdb; grant users to foreign_app; \
create role leaver login superuser password 'x' in role users, admin, teams_sync_managed; \
create role demoted login superuser in role users, teams_sync_managed; \
comment on role leaver is 'teams-sync: person teams=acid roles=admin,users'; \
comment on role demoted is 'teams-sync: person teams=acid roles=users'";
const AWAY: &str = "drop role if exists leaver, demoted, alice, bob, carol, robo, \
foreign_app, users, admin, teams_sync_managed";
const ROBOTS: &str = "[infrastructure]\nroles_dir = \"robots\"\n";

struct Scene {
    server: Server,
    relay: Relay,
    company: Company,
    direct: Company,
}

impl Scene {
    fn new(version: Version) -> Self {
        let server = Server::start(version);
        let relay = Relay::start(server.port());
        let broken = format!("host=127.0.0.1 port={} user=postgres sslmode=disable", relay.port());
        let make = |dsn: &str| {
            let company = Company::with(&[HUMANS, ROBOTS].concat(), &[("orders", dsn)]);
            std::fs::create_dir(company.sync.folder().join("robots")).unwrap();
            company.sync.file("robots/user1", "robo");
            company.sync.file("robots/password1", "x");
            company.teams(&[("acid", &["alice", "bob", "demoted"]), ("dba", &["carol"])]);
            company
        };
        let (company, direct) = (make(&broken), make(&server.dsn("postgres")));
        Self { server, relay, company, direct }
    }

    fn reset(&self) {
        self.server.sql(AWAY);
        self.server.sql(BEFORE);
    }

    /// Everything that a run changes, in one text.
    fn picture(&self) -> String {
        self.server.sql(
            "select string_agg(concat_ws(' ', rolname, rolcanlogin, rolsuper, rolpassword is null, \
             (select string_agg(g.rolname, ',' order by g.rolname) from pg_auth_members m \
              join pg_roles g on g.oid = m.roleid where m.member = r.oid), \
             (select setconfig from pg_db_role_setting s where s.setrole = r.oid)), E'\\n' order by rolname) \
             from pg_authid r where oid >= 16384",
        )
    }

    /// A run whose message with this number is the last that its server gets, until the relay behaves.
    fn gets_to(&self, number: usize) -> Running {
        self.relay.hold(number);
        let run = self.company.sync.spawn(&["--config", "teams-sync.toml", "apply"]);
        eventually("it gets there", || {
            if self.relay.is_held() { Ok(()) } else { Err(self.relay.messages()) }
        });
        run
    }

    /// The run that follows ends well, whatever was before it.
    fn recovers(&self, what: &str) {
        self.direct.applies();
        self.direct.is_in_sync();
        assert_eq!(self.server.people(), "alice,bob,carol,demoted,foreign_app,robo", "{what}");
        assert_eq!(self.server.attributes("demoted"), "LOGIN", "{what}");
        assert_eq!(self.server.attributes("foreign_app"), "LOGIN CREATEDB", "{what}");
        assert_eq!(self.server.memberships("foreign_app"), "users", "{what}");
    }
}

#[test]
fn a_connection_that_breaks_at_any_message_leaves_all_or_nothing() {
    std::thread::scope(|scope| {
        for version in [Version::V14, Version::V18] {
            scope.spawn(move || {
                let scene = Scene::new(version);
                scene.reset();
                let before = scene.picture();
                scene.company.applies();
                let (after, messages) = (scene.picture(), scene.relay.messages());
                assert!(messages > 8, "{:#?}", scene.relay.statements());
                for number in 1..=messages {
                    for when in [When::Before(number), When::After(number), When::Answered(number)]
                    {
                        let what = format!("{version}: {when:?} of {messages}");
                        scene.reset();
                        let cuts = scene.relay.cuts();
                        scene.relay.cut(when);
                        let output = scene.company.run(&["apply"]);
                        assert_eq!(scene.relay.cuts(), cuts + 1, "{what}");
                        // It tries again by itself; what it says is so.
                        assert!([Some(0), Some(6)].contains(&output.code), "{what}: {output:?}");
                        let picture = scene.picture();
                        match output.code {
                            Some(0) => assert_eq!(picture, after, "{what}"),
                            _ => assert!([&before, &after].contains(&&picture), "{what}"),
                        }
                        scene.recovers(&what);
                    }
                }
            });
        }
    });
}

#[test]
fn a_run_that_is_killed_at_any_message_leaves_all_or_nothing() {
    let scene = Scene::new(Version::V16);
    scene.reset();
    let before = scene.picture();
    scene.company.applies();
    let (after, messages) = (scene.picture(), scene.relay.messages());
    for number in 1..=messages {
        let what = format!("killed at message {number} of {messages}");
        scene.reset();
        let run = scene.gets_to(number);
        run.signal(libc::SIGKILL);
        let output = run.wait();
        assert_eq!(output.code, None, "{what}: {output:?}");
        scene.relay.behave(Behaviour::Forward);
        // The server may be about to do the last that it was told.
        eventually("its backend is gone", || {
            let others =
                "select count(*) from pg_stat_activity where application_name = 'teams-sync'";
            let others = scene.server.sql(others);
            if others == "0" { Ok(()) } else { Err(others) }
        });
        let picture = scene.picture();
        assert!([&before, &after].contains(&&picture), "{what}: {picture}");
        scene.recovers(&what);
    }
}

#[test]
fn a_server_that_dies_in_the_middle_is_brought_in_line_when_it_is_back() {
    let scene = Scene::new(Version::V17);
    for number in [2, 5, 8] {
        scene.reset();
        scene.server.sql("checkpoint");
        let run = scene.gets_to(number);
        scene.server.kill_hard();
        scene.relay.behave(Behaviour::Forward);
        let output = run.wait();
        assert_eq!(output.code, Some(6), "{output:?}");
        scene.server.restart();
        scene.recovers(&format!("killed behind message {number}"));
    }
}
