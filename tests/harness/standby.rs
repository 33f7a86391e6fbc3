//! Streaming replication. Most versions come without pg_basebackup, so the copy is made as its
//! manual describes for doing it by hand ("Making a Base Backup Using the Low Level API").

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::eventually;
use crate::postmaster::{psql, secret_file};
use crate::sandbox::own;
use crate::servers::Server;
use crate::versions::Version;

impl Server {
    /// A streaming replica with the settings and rules of its primary, which follows already.
    pub fn standby_of(primary: &Self) -> Self {
        let settings: Vec<_> = primary.settings.iter().map(String::as_str).collect();
        let mut this = Self::prepare(primary.version(), &settings);
        let name = format!("standby-{}", this.port());
        let source =
            format!("primary_conninfo={} application_name={name}", primary.dsn("postgres"));
        this.postmaster.set(source);
        let label = back_up(primary, this.data());
        secret_file(&this.data().join("backup_label"), &label);
        secret_file(&this.data().join("standby.signal"), "");
        this.launch();
        eventually("the standby streams", || {
            let state = primary.sql(&format!(
                "select state from pg_stat_replication where application_name = '{name}'"
            ));
            if state == "streaming" { Ok(()) } else { Err((state, this.log())) }
        });
        this
    }

    /// Waits until everything that is committed there can be seen here.
    #[track_caller]
    pub fn catch_up_with(&self, primary: &Self) {
        let written = primary.sql("select pg_current_wal_lsn()");
        eventually("the standby catches up", || {
            let replayed = self.sql("select pg_last_wal_replay_lsn()");
            let enough = self.sql(&format!("select '{replayed}'::pg_lsn >= '{written}'::pg_lsn"));
            if enough == "t" { Ok(()) } else { Err((written.clone(), replayed)) }
        });
    }

    /// Makes a standby a primary; it takes writes afterwards.
    #[track_caller]
    pub fn promote(&self) {
        assert_eq!(self.sql("select pg_promote(true, 60)"), "t", "{}", self.log());
    }
}

/// Copies the data folder of a running server; returns what belongs into its backup_label.
fn back_up(server: &Server, to: &Path) -> String {
    let (start, stop) = match server.version() {
        Version::V13 | Version::V14 => {
            ("pg_start_backup('standby', true, false)", "pg_stop_backup(false)")
        }
        _ => ("pg_backup_start('standby', true)", "pg_backup_stop()"),
    };
    let name = format!("backup-{}", to.display());
    let mut command = psql();
    command.args(["-d", &server.dsn("postgres")]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).env("PGAPPNAME", &name);
    let mut session = command.spawn().expect("psql can be started");
    // The backup ends with the session that began it.
    let mut say = session.stdin.take().expect("a pipe");
    writeln!(say, "\\o /dev/null\nselect {start};\n\\o").expect("psql reads");
    eventually("the backup begins", || {
        let began = server.sql(&format!(
            "select count(*) from pg_stat_activity where state = 'idle' \
             and query like 'select {}%' and application_name = left('{name}', 63)",
            start.replace('\'', "''").replace('_', "\\_")
        ));
        if began == "1" { Ok(()) } else { Err(session.try_wait()) }
    });
    copy_living(server.data(), to);
    writeln!(say, "select labelfile from {stop};").expect("psql reads");
    drop(say);
    let output = session.wait_with_output().expect("psql can be waited for");
    let label = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(label.starts_with("START WAL LOCATION"), "{label}{error}");
    label
}

/// Files may come and go meanwhile: what was written counts from the log, which is streamed.
fn copy_living(from: &Path, to: &Path) {
    let output = Command::new("cp").args(["-a", "--"]).args([from, to]).env("LC_ALL", "C").output();
    let output = output.expect("cp can be started");
    for complaint in String::from_utf8_lossy(&output.stderr).lines() {
        assert!(complaint.ends_with("No such file or directory"), "{complaint}");
    }
    fs::remove_file(to.join("postmaster.pid")).expect("a running server has one");
    fs::remove_dir_all(to.join("pg_wal")).expect("a folder");
    fs::create_dir(to.join("pg_wal")).expect("a folder");
    own(&to.join("pg_wal"));
}
