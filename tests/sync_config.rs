//! A configuration is right, or nothing of it is used; what is typed wrong is told.

use harness::{Company, TeamsSync};

#[track_caller]
fn refuses(configuration: &str, complaint: &str) {
    let sync = TeamsSync::new(configuration);
    let output = sync.run(&["--config", "teams-sync.toml", "plan"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains(complaint), "{complaint}: {}", output.stderr);
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn unknown_keys_are_errors_with_line_and_column() {
    refuses("[humans]\npam_rol = \"users\"\n", "teams-sync.toml:2:1: unknown field `pam_rol`");
    refuses("[sorce.file]\n", "teams-sync.toml:1:2: unknown field `sorce`");
    refuses(
        "[source.teams_api]\nurl = \"https://x\"\ntoken = \"s3cret\"\n",
        ":3:1: unknown field `token`",
    );
    refuses(
        "[[server]]\nname = \"a\"\ndsn = \"host=a\"\ntaem = \"x\"\n",
        ":4:1: unknown field `taem`",
    );
    refuses("[guard]\nmax_removals = \"three\"\n", ":2:16: invalid type");
    refuses("[guard]\nmax_removals_share = 1.5\n", ":2:22: max_removals_share is between 0 and 1");
    refuses("[humans\n", ":1:8: ");
    refuses("", "the configuration has no [[server]]");
}

#[test]
fn what_could_not_work_is_refused_before_anything_is_asked() {
    let server = "[[server]]\nname = \"a\"\nteam = \"acid\"\ndsn = \"host=a\"\n";
    for (text, complaint) in [
        ("[humans]\npam_role = \"pg_monitor\"\n", "cannot be that role"),
        ("[humans]\npam_role = \"teams_sync_managed\"\n", "cannot be that role"),
        (
            "[humans]\nparameters = { \"role\" = \"postgres\" }\n",
            "cannot be set so for somebody else",
        ),
        ("[humans]\nlevel = \"owner\"\n", "needs to know the roles that own"),
        ("[humans]\nlevel = \"\"\n", "cannot be a role"),
        ("[names]\npattern = \"[a-z]\"\n", "begins with ^ and ends with $"),
        ("[names]\npattern = \"^([a-z]$\"\n", "names.pattern: "),
        ("[infrastructure]\ndefinitions = \"d\"\n", "definitions need roles_dir"),
        ("[[role]]\nname = \"x\"\nuser_flags = [\"login\", \"nologin\"]\n", "opposite"),
        ("[guard]\nconfirm_for = \"soon\"\n", "is no time such as"),
        ("[service]\nperiod = \"10ms\"\n", "period is one second or more"),
        ("[source.file]\npath = \"teams.csv\"\n", "ends with neither .toml nor .yaml nor .yml"),
        ("[source.teams_api]\nurl = \"ftp://x\"\nanonymous = true\n", "teams_api: "),
        ("[teams.\"\"]\n", "cannot be the name of a team"),
    ] {
        refuses(&[text, server].concat(), complaint);
    }
    refuses(&[server, server].concat(), "there is another server \"a\"");
    refuses("[[server]]\nname = \"a\"\ndsn = \"hots=a password=hunter2\"\n", ":3:7: ");
    let sync = TeamsSync::new("[[server]]\nname = \"a\"\ndsn = \"hots=a password=hunter2\"\n");
    let output = sync.run(&["--config", "teams-sync.toml", "plan"]);
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
}

#[test]
fn usage_is_told_and_exits_with_one_and_nothing_waits_for_input() {
    let sync = TeamsSync::new("");
    for arguments in
        [&["frobnicate"][..], &["plan", "--output", "xml"], &["apply", "--release", "x"], &[]]
    {
        let output = sync.run(arguments);
        assert_eq!(output.code, Some(1), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
    for command in ["plan", "apply", "run", "explain", "leavers", "doctor", "adopt", "fake-api"] {
        let output = sync.run(&[command, "--help"]);
        assert_eq!(output.code, Some(0), "{command}: {output:?}");
        assert!(output.stdout.contains("Usage: "), "{command}");
    }
    let help = sync.run(&["--help"]).stdout;
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    assert_eq!(sync.run(&["--version"]).code, Some(0));
    let output = sync.run(&["--config", "missing.toml", "plan"]);
    assert!(output.stderr.contains("missing.toml cannot be read"), "{output:?}");
}

#[test]
fn a_plan_reads_the_same_for_people_programs_and_psql() {
    let server = harness::Server::start(harness::Version::V16);
    let company = Company::of(&server);
    company.teams(&[("acid", &["alice", "bob"]), ("dba", &["carol"])]);
    let sql = company.run(&["plan", "--output", "sql"]);
    assert_eq!(sql.code, Some(2), "{sql:?}");
    assert_eq!(company.run(&["plan", "--output", "sql"]).stdout, sql.stdout, "deterministic");
    let json = company.json(&["plan"]);
    let changes = json["servers"][0]["changes"].as_array().unwrap();
    let first: Vec<_> = sql.stdout.lines().filter(|line| line.contains("; -- ")).collect();
    assert_eq!(first.len(), changes.len());
    for change in changes {
        assert!(!change["why"]["text"].as_str().unwrap().is_empty(), "{change}");
    }
    // psql understands it, and teams-sync finds nothing left to do.
    server.sql(&sql.stdout);
    company.is_in_sync();
}
