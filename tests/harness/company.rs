//! A company with teams, servers and a `teams-sync` between them.

use serde_json::Value;

use crate::servers::Server;
use crate::teams_sync::{Output, TeamsSync};

/// Teams come from a file; the roles are those of the README.
pub const HUMANS: &str = r#"
[source.file]
path = "teams.toml"

[humans]
pam_role = "users"
admin_role = "admin"
superuser_teams = ["dba"]
parameters = { log_statement = "all" }
"#;

#[derive(Debug)]
pub struct Company {
    pub sync: TeamsSync,
}

impl Company {
    /// With team `acid` owning one server, `orders`, and nobody in any team.
    pub fn of(server: &Server) -> Self {
        Self::with(HUMANS, &[("orders", &server.dsn("postgres"))])
    }

    /// With a configuration, and behind it servers of `acid`, by name and DSN.
    pub fn with(configuration: &str, servers: &[(&str, &str)]) -> Self {
        let sync = TeamsSync::new("");
        let this = Self { sync };
        this.configure(configuration, servers);
        this.teams(&[("acid", &[]), ("dba", &[])]);
        this
    }

    pub fn configure(&self, configuration: &str, servers: &[(&str, &str)]) {
        let mut text = configuration.to_owned();
        for (name, dsn) in servers {
            text.push_str(&format!(
                "\n[[server]]\nname = {name:?}\nteam = \"acid\"\ndsn = {dsn:?}\n"
            ));
        }
        self.sync.file("teams-sync.toml", &text);
    }

    /// From now on these are the teams.
    pub fn teams(&self, teams: &[(&str, &[&str])]) {
        let mut text = String::from("[teams]\n");
        for (team, members) in teams {
            text.push_str(&format!("{team:?} = {members:?}\n"));
        }
        self.sync.file("teams.toml", &text);
    }

    /// `teams-sync` with this configuration.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--config", "teams-sync.toml"];
        all.extend(arguments);
        self.sync.run(&all)
    }

    /// The same, and it has to end so.
    #[track_caller]
    pub fn ends(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = format!("{}\n{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(code), "{arguments:?}: {said}");
        said
    }

    /// Applies, and everything went well.
    #[track_caller]
    pub fn applies(&self) -> String {
        self.ends(&["apply"], 0)
    }

    /// Nothing is to be done.
    #[track_caller]
    pub fn is_in_sync(&self) {
        self.ends(&["plan"], 0);
    }

    /// What a command says to programs.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--output", "json"];
        all.extend(arguments);
        let output = self.run(&all);
        let parsed = serde_json::from_str(&output.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {}\n{}", output.stdout, output.stderr))
    }

    /// The id under which something is held on the first server.
    #[track_caller]
    pub fn held(&self) -> String {
        let plan = self.json(&["plan"]);
        let id = plan["servers"][0]["plan_id"].as_str();
        id.unwrap_or_else(|| panic!("nothing is held: {plan:#}")).to_owned()
    }
}

impl Server {
    /// `rolname` of all who can log in, and are no superuser of the harness.
    pub fn people(&self) -> String {
        self.sql(
            "select coalesce(string_agg(rolname, ',' order by rolname), '') from pg_roles \
             where rolcanlogin and rolname <> 'postgres'",
        )
    }

    /// What a role is a direct member of.
    pub fn memberships(&self, role: &str) -> String {
        self.sql(&format!(
            "select coalesce(string_agg(distinct g.rolname, ',' order by g.rolname), '') \
             from pg_auth_members m join pg_roles g on g.oid = m.roleid \
             join pg_roles r on r.oid = m.member where r.rolname = '{role}'"
        ))
    }

    /// Its attributes that are on, `LOGIN` and so on.
    pub fn attributes(&self, role: &str) -> String {
        self.sql(&format!(
            "select concat_ws(' ', case when rolcanlogin then 'LOGIN' end, \
             case when rolsuper then 'SUPERUSER' end, case when rolcreatedb then 'CREATEDB' end, \
             case when rolcreaterole then 'CREATEROLE' end, \
             case when rolreplication then 'REPLICATION' end, \
             case when rolbypassrls then 'BYPASSRLS' end) from pg_roles where rolname = '{role}'"
        ))
    }
}
