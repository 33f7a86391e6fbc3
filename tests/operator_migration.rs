//! Owner and runtime roles, as the book has them: a deployment migrates as the owner of the database,
//! with the Secret that the operator made; the application reads and writes rows, and no more.

use std::fs;

use harness::cloud::{Cloud, decoded};
use harness::teams_sync::Output;
use harness::{book, eventually, job};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-application1-db";
const JOB: &str = "application1-migration";
const PAGE: &str = "recipes/owner-and-runtime-roles.md";

fn example(name: &str) -> Vec<Value> {
    let path = book::folder().join("examples").join(name);
    let text = fs::read_to_string(&path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

struct Scene(Cloud);

impl Scene {
    fn new() -> Self {
        let blocks = book::fences_on(PAGE, "yaml");
        let name = blocks.iter().find_map(|block| {
            let documents: Vec<Value> = serde_saphyr::from_multiple(&block.text).ok()?;
            let text = documents.first()?["data"]["secret_name_template"].as_str()?;
            Some(text.to_owned())
        });
        Self(Cloud::new(&[("secret_name_template", &name.expect("the page has the template"))]))
    }

    fn apply(&self, object: &Value) {
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(self.0.platform.namespace);
        self.0.platform.kube.try_apply(&object).unwrap_or_else(|refusal| panic!("{refusal}"));
    }

    fn password(&self, user: &str) -> String {
        let name = format!("{}.{CLUSTER}.credentials", user.replace('_', "-"));
        decoded(&self.0.platform.wait_for("Secret", &name)["data"]["password"])
    }

    fn ask(&self, database: &str, user: &str, statement: &str) -> Result<String, String> {
        let host = format!("{CLUSTER}.{}.svc.cluster.local", self.0.platform.namespace);
        let password = self.password(user);
        let mut command = self.0.agent.command(harness::postmaster::bin("psql"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PGPASSWORD", password);
        command.env("PGSSLMODE", "require").args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-h", &host, "-U", user, "-d", database, "-c"]);
        let output = command.arg(statement).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    #[track_caller]
    fn is_denied(&self, database: &str, user: &str, statement: &str) {
        let error = self.ask(database, user, statement).expect_err(statement);
        let denied = error.contains("permission denied") || error.contains("must be owner");
        assert!(denied, "{statement}: {error}");
    }

    fn migrate(&self) -> Output {
        job::run(&self.0.agent, &self.0.platform.kube, &self.0.platform.namespace, JOB)
    }

    /// The least of a cluster that a page shows, and one pod of it, which is quick to notice.
    fn cluster(&self, more: &Value) {
        let mut manifest = example("application1.yaml").remove(0);
        let spec = manifest["spec"].as_object_mut().unwrap();
        spec.insert("numberOfInstances".to_owned(), json!(1));
        spec.insert("patroni".to_owned(), json!({ "ttl": 20, "loop_wait": 1, "retry_timeout": 3 }));
        spec.extend(more.as_object().unwrap().clone());
        self.apply(&manifest);
    }

    fn synced(&self) {
        for condition in ["RolesSynced", "DatabasesSynced"] {
            self.0.platform.wait_for_condition(CLUSTER, condition, ("True", "Synced"));
        }
    }
}

#[test]
fn a_deployment_migrates_as_the_owner_and_the_application_reads_and_writes() {
    let scene = Scene::new();
    scene.cluster(&json!({}));
    scene.0.platform.wait_for_phase(CLUSTER, "Running");
    scene.synced();
    for object in example("migration.yaml") {
        scene.apply(&object);
    }
    let first = scene.migrate();
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(first.stdout, "applying V1__roles.sql\napplying V2__orders.sql\n");
    let database = "application1";
    let owner =
        "select string_agg(distinct tableowner, ',') from pg_tables where schemaname = 'public'";
    assert_eq!(scene.ask(database, "app_owner", owner).unwrap(), "app_owner");

    // DML, and nothing else.
    let insert = "insert into orders (title) values ('a blue elephant') returning title";
    assert_eq!(scene.ask(database, "app_user", insert).unwrap(), "a blue elephant");
    scene.ask(database, "app_user", "update orders set title = upper(title)").unwrap();
    let title = scene.ask(database, "app_user", "select title from orders");
    assert_eq!(title.unwrap(), "A BLUE ELEPHANT");
    scene.ask(database, "app_user", "delete from orders").unwrap();
    for statement in [
        "create table mine ()",
        "alter table orders add column mine text",
        "drop table orders",
        "truncate orders",
        "create schema mine",
    ] {
        scene.is_denied(database, "app_user", statement);
    }

    // Again, and with one file more, which fails first.
    let again = scene.migrate();
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{again:?}");
    let files = |third: &str| {
        let mut files = example("migration.yaml").remove(0);
        files["data"]["V3__price.sql"] = json!(third);
        files
    };
    scene.apply(&files(
        "alter table orders add column price numeric; alter table nobody add x int;",
    ));
    let failed = scene.migrate();
    assert_ne!(failed.code, Some(0), "{failed:?}");
    let columns = "select count(*) from information_schema.columns where table_name = 'orders'";
    assert_eq!(scene.ask(database, "app_owner", columns).unwrap(), "2", "all of a file or nothing");
    scene.apply(&files("alter table orders add column price numeric;"));
    let third = scene.migrate();
    assert_eq!(
        (third.code, third.stdout.as_str()),
        (Some(0), "applying V3__price.sql\n"),
        "{third:?}"
    );
    two_at_once(&scene, &files("alter table orders add column price numeric;"));
    a_password_that_was_changed_is_the_one_of_the_next_migration(&scene);
    a_prepared_database_has_its_roles_in_threes(&scene);
}

/// Each file runs once.
fn two_at_once(scene: &Scene, files: &Value) {
    let mut files = files.clone();
    files["data"]["V4__slow.sql"] =
        json!("create table once (); do 'begin perform pg_sleep(1); end';");
    scene.apply(&files);
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| scene.migrate()));
        both.map(|one| one.join().unwrap()).into()
    });
    let said: String = outputs.iter().map(|output| output.stdout.as_str()).collect();
    assert!(outputs.iter().all(|output| output.code == Some(0)), "{outputs:?}");
    assert_eq!(said, "applying V4__slow.sql\n");
}

/// The Secret is the truth, for the database and for the next Job.
fn a_password_that_was_changed_is_the_one_of_the_next_migration(scene: &Scene) {
    let secret = format!("app-owner.{CLUSTER}.credentials");
    let patch = json!({ "stringData": { "password": "another-password-of-the-owner" } });
    let platform = &scene.0.platform;
    platform.kube.patch_merge("Secret", &platform.namespace, &secret, &patch);
    eventually("the next migration logs in", || {
        let output = scene.migrate();
        if output.code == Some(0) { Ok(()) } else { Err(output) }
    });
}

fn a_prepared_database_has_its_roles_in_threes(scene: &Scene) {
    let blocks = book::fences_on(PAGE, "yaml");
    let block = blocks.iter().find(|block| block.text.contains("preparedDatabases")).unwrap();
    let manifest: Value = serde_saphyr::from_str(&block.text).unwrap();
    let prepared = manifest["spec"]["preparedDatabases"].clone();
    scene.cluster(&json!({ "preparedDatabases": prepared }));
    scene.synced();
    let database = "application2";
    scene.ask(database, "application2_owner_user", "create table data.t (id int)").unwrap();
    let write = "insert into data.t values (1) returning id";
    assert_eq!(scene.ask(database, "application2_writer_user", write).unwrap(), "1");
    let read = "select id from data.t";
    assert_eq!(scene.ask(database, "application2_reader_user", read).unwrap(), "1");
    scene.is_denied(database, "application2_reader_user", write);
    scene.is_denied(database, "application2_writer_user", "create table data.mine ()");
    scene.is_denied(database, "application2_writer_user", "drop table data.t");
}
