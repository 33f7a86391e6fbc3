//! Patroni's settings follow the manifest while the cluster runs: no pod is made anew, whoever has
//! to be restarted is, one after the other, and what somebody else has set stays.

use std::sync::{Arc, Mutex};

use harness::cloud::{CLUSTER, Cloud, decoded, minimal, secret_name};
use harness::http_server::{HttpServer, Request};
use harness::patroni::Patroni;
use harness::{Platform, eventually};
use serde_json::{Value, json};

const CONDITION: &str = "PatroniConfigured";
const PAUSE: &str = "acid.zalan.do/pause";
const STANDBY: &str = "acid-standby-cluster";

fn pods(world: &Cloud) -> Vec<Value> {
    world.platform.kube.list("Pod", &world.platform.namespace, &format!("cluster-name={CLUSTER}"))
}

/// uid and how often its container was started, of all pods.
fn lives(world: &Cloud) -> Vec<Value> {
    let life = |pod: &Value| {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        json!([pod["metadata"]["uid"], restarts])
    };
    pods(world).iter().map(life).collect()
}

fn patroni(world: &Cloud, pod: &str) -> Patroni {
    let address = world.agent.pod_ip(&world.platform.namespace, pod);
    Patroni::of(world.platform.network(), address)
}

fn replica(world: &Cloud) -> String {
    let primary = world.primary();
    let other = if primary.ends_with('0') { 1 } else { 0 };
    format!("{CLUSTER}-{other}")
}

/// On each pod.
fn setting(world: &Cloud, name: &str) -> Vec<String> {
    let password = world.password("postgres");
    let ask = |number: usize| {
        let pod = format!("{CLUSTER}-{number}");
        let host = world.agent.pod_ip(&world.platform.namespace, &pod).to_string();
        let show = format!("show {name}");
        let answer = world.agent.psql_in_network(&host, "postgres", &password, "require", &show);
        if answer.accepted { answer.output } else { answer.complaint }
    };
    (0..2).map(ask).collect()
}

#[track_caller]
fn becomes(world: &Cloud, name: &str, wanted: &str) {
    eventually(&format!("{name} is {wanted} everywhere"), || match setting(world, name) {
        found if found == [wanted, wanted] => Ok(()),
        found => Err((found, world.platform.status(CLUSTER))),
    });
}

/// The manifest with this of Patroni, beside what makes it quick, and these parameters.
fn apply(world: &Cloud, more: &Value, parameters: &Value) {
    let mut manifest = minimal(&world.platform.namespace);
    let own = manifest["spec"]["patroni"].as_object_mut().expect("an object");
    own.extend(more.as_object().expect("an object").clone());
    manifest["spec"]["postgresql"]["parameters"] = parameters.clone();
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
}

/// Waits until this generation of the manifest is what Patroni has.
#[track_caller]
fn is_in_sync(world: &Cloud) {
    world.platform.wait_for_condition(CLUSTER, CONDITION, ("True", "InSync"));
}

/// The order in which PostgreSQL was restarted, by roles.
fn restarts(world: &Cloud, since: usize) -> Vec<&'static str> {
    let log = world.operator().log();
    let lines = log.get(since..).unwrap_or_default().lines();
    let roles = lines.filter_map(|line| {
        let (_, rest) = line.split_once("restarting Postgres server within ")?;
        Some(if rest.starts_with("master") { "primary" } else { "replica" })
    });
    roles.collect()
}

fn annotate(world: &Cloud, value: Option<&str>) {
    let patch = json!({ "metadata": { "annotations": { PAUSE: value } } });
    world.platform.kube.patch_merge("postgresql", &world.platform.namespace, CLUSTER, &patch);
}

#[test]
fn settings_slots_and_restarts_follow_the_manifest_and_no_pod_is_made_anew() {
    let mut world = Cloud::new(&[]);
    apply(&world, &json!({}), &json!({}));
    world.platform.wait_for_phase(CLUSTER, "Running");
    is_in_sync(&world);
    let before = lives(&world);
    let foreign = json!({ "slots": { "foreign": { "type": "physical" } } });
    patroni(&world, &world.primary()).patch_config(&foreign);
    what_grows_is_restarted_from_the_replicas_on(&world);
    what_shrinks_is_restarted_from_the_primary_on(&world);
    writes_wait_for_a_standby_while_the_manifest_says_so(&world);
    nothing_is_asked_or_written_while_nothing_changes(&world);
    assert_eq!(lives(&world), before, "no pod is made or started anew");
    nothing_happens_by_itself_during_a_pause(&mut world);
}

fn what_grows_is_restarted_from_the_replicas_on(world: &Cloud) {
    let mark = world.operator().log().len();
    let more = json!({
        "ttl": 21, "maximum_lag_on_failover": 77_777_777, "failsafe_mode": true,
        "slots": { "first": { "type": "physical" }, "second": { "type": "physical" } },
    });
    apply(world, &more, &json!({ "max_connections": "120", "wal_level": "logical" }));
    becomes(world, "max_connections", "120");
    becomes(world, "wal_level", "logical");
    is_in_sync(world);
    assert_eq!(restarts(world, mark), ["replica", "primary"]);
    let config = patroni(world, &world.primary()).get("config").expect("settings");
    for (key, value) in [
        ("ttl", json!(21)),
        ("maximum_lag_on_failover", json!(77_777_777)),
        ("failsafe_mode", json!(true)),
    ] {
        assert_eq!(config[key], value, "{config:#}");
    }
    assert!(config.get("pg_hba").is_none(), "{config:#}");
    have_slots(world, &["first|physical", "foreign|physical", "second|physical"]);
}

/// Those that are no member's.
#[track_caller]
fn have_slots(world: &Cloud, wanted: &[&str]) {
    let own = "select slot_name || '|' || slot_type from pg_replication_slots \
               where slot_name not like 'acid%' order by 1";
    eventually(&format!("the slots are {wanted:?}"), || {
        match world.login("postgres", &world.password("postgres"), own) {
            Ok(found) if found.lines().eq(wanted.iter().copied()) => Ok(()),
            found => Err((found, world.platform.status(CLUSTER))),
        }
    });
}

/// Patroni restarts a replica by itself to copy a logical slot of the primary to it.
#[track_caller]
fn has_a_copy(world: &Cloud, slot: &str) {
    let host = format!("{CLUSTER}-repl.{}.svc.cluster.local", world.platform.namespace);
    let password = world.password("postgres");
    let own = format!(
        "select pg_is_in_recovery(), slot_name from pg_replication_slots where slot_name = '{slot}'"
    );
    eventually("the replica has a copy of the slot", || {
        let found = world.agent.psql_in_network(&host, "postgres", &password, "require", &own);
        if found.output == format!("t|{slot}") { Ok(()) } else { Err(found) }
    });
}

fn what_shrinks_is_restarted_from_the_primary_on(world: &Cloud) {
    let changed = json!({ "type": "logical", "database": "foo", "plugin": "pgoutput" });
    let more = json!({ "ttl": 21, "slots": { "first": changed } });
    apply(world, &more, &json!({ "max_connections": "120", "wal_level": "logical" }));
    is_in_sync(world);
    has_a_copy(world, "first");
    let mark = world.operator().log().len();
    apply(world, &more, &json!({ "max_connections": "90", "wal_level": "logical" }));
    becomes(world, "max_connections", "90");
    is_in_sync(world);
    assert_eq!(restarts(world, mark), ["primary", "replica"]);
    have_slots(world, &["first|logical", "foreign|physical"]);
    let config = patroni(world, &world.primary()).get("config").expect("settings");
    assert_eq!(config["maximum_lag_on_failover"], 33_554_432, "as Spilo has it: {config:#}");
    assert_eq!(config["failsafe_mode"], false, "as the configuration has it: {config:#}");
}

fn writes_wait_for_a_standby_while_the_manifest_says_so(world: &Cloud) {
    let synchronous = || {
        let all = patroni(world, &world.primary()).get("cluster")?;
        let members = all["members"].as_array().cloned().unwrap_or_default();
        Ok::<_, String>(members.iter().filter(|own| own["role"] == "sync_standby").count())
    };
    let mark = world.operator().log().len();
    let kept = json!({ "max_connections": "90", "wal_level": "logical" });
    for (mode, wanted) in [(json!({ "synchronous_mode": true }), 1), (json!({}), 0)] {
        apply(world, &mode, &kept);
        eventually(&format!("{wanted} synchronous standbys"), || match synchronous() {
            Ok(found) if found == wanted => Ok(()),
            found => Err((found, world.platform.status(CLUSTER))),
        });
        is_in_sync(world);
    }
    have_slots(world, &["foreign|physical"]);
    assert_eq!(restarts(world, mark), <[&str; 0]>::default(), "nothing of it needs one");
}

fn nothing_is_asked_or_written_while_nothing_changes(world: &Cloud) {
    world.operator().wait_until_idle();
    let version = || {
        let manifest = world.platform.get("postgresql", CLUSTER).unwrap_or_default();
        manifest["metadata"]["resourceVersion"].clone()
    };
    let before = version();
    // A change that makes it look at the cluster.
    let label = json!({ "metadata": { "labels": { "example.com/look": "here" } } });
    let service = format!("{CLUSTER}-repl");
    world.platform.kube.patch_merge("Service", &world.platform.namespace, &service, &label);
    world.operator().wait_until_idle();
    assert_eq!(version(), before);
}

/// Somebody restarts the primary alone for a change by hand, and pauses the cluster, while no
/// operator runs.
fn nothing_happens_by_itself_during_a_pause(world: &mut Cloud) {
    drop(world.operator.take().map(harness::Operator::stop));
    let (primary, replica) = (world.primary(), replica(world));
    let name = "superuser_reserved_connections";
    let by_hand = json!({ "postgresql": { "parameters": { name: 4 } } });
    patroni(world, &primary).patch_config(&by_hand);
    let pending = |world: &Cloud, pod: &str| {
        let own = patroni(world, pod).get("patroni");
        own.map(|own| own["pending_restart"] == true)
    };
    for pod in [&primary, &replica] {
        eventually(&format!("{pod} has to be restarted"), || match pending(world, pod) {
            Ok(true) => Ok(()),
            other => Err(other),
        });
    }
    patroni(world, &primary).restart();
    annotate(world, Some("true"));
    world.restart_operator();
    let wanted = ("False", "RestartPending");
    let said = world.platform.wait_for_condition(CLUSTER, CONDITION, wanted);
    assert!(said.contains(&replica) && said.contains("pause"), "{said}");
    world.agent.kill(&world.platform.namespace, &primary);
    nobody_takes_over(world, &replica);
    assert_eq!(pending(world, &replica), Ok(true));
    world.agent.revive(&world.platform.namespace, &primary);
    annotate(world, None);
    becomes(world, name, "4");
    is_in_sync(world);
    let config = patroni(world, &world.primary()).get("config").expect("settings");
    assert!(config.get("pause").is_none(), "{config:#}");
    let told = world.platform.events(CLUSTER);
    for words in ["Patroni is paused by the manifest", "The pause is over"] {
        assert!(told.iter().any(|event| event.contains(words)), "{words}: {told:?}");
    }
    // A pause that somebody else has begun stays.
    patroni(world, &world.primary()).patch_config(&json!({ "pause": true }));
    world.restart_operator();
    let said = world.platform.wait_for_condition(CLUSTER, CONDITION, ("True", "Paused"));
    assert!(said.contains("somebody else"), "{said}");
}

/// Long after nobody leads any more, nobody has taken over.
fn nobody_takes_over(world: &Cloud, replica: &str) {
    let own = || patroni(world, replica).get("patroni");
    let since = eventually("nobody leads any more", || match own() {
        Ok(own) if own["cluster_unlocked"] == true => Ok(own["dcs_last_seen"].clone()),
        other => Err(other),
    });
    let since = since.as_i64().expect("a time");
    let later = eventually("some turns later", || match own() {
        Ok(own) if own["dcs_last_seen"].as_i64().is_some_and(|now| now > since + 3) => Ok(own),
        other => Err(other),
    });
    assert_eq!(later["role"], "replica", "{later:#}");
    assert_eq!(later["pause"], true, "{later:#}");
}

#[test]
fn a_standby_cluster_follows_another_one_and_is_promoted_when_its_manifest_says_so() {
    let world = Cloud::new(&[("kubernetes_use_configmaps", "true")]);
    let namespace = &world.platform.namespace;
    let mut source = minimal(namespace);
    source["spec"]["numberOfInstances"] = json!(1);
    world.platform.kube.try_apply(&source).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    world.as_superuser("create table followed as select 42 as answer");
    for user in ["postgres", "standby"] {
        let name = secret_name(user).replace(CLUSTER, STANDBY);
        let data = &world.platform.wait_for("Secret", &secret_name(user))["data"];
        let (user, password) = (decoded(&data["username"]), decoded(&data["password"]));
        world.platform.kube.create(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": name, "namespace": namespace,
                "labels": { "application": "spilo", "cluster-name": STANDBY, "team": "ACID" } },
            "stringData": { "username": user, "password": password },
        }));
    }
    let mut standby = source.clone();
    standby["metadata"]["name"] = json!(STANDBY);
    let host = format!("{CLUSTER}.{namespace}.svc.cluster.local");
    standby["spec"]["standby"] = json!({ "standby_host": host, "standby_port": "5432" });
    world.platform.kube.try_apply(&standby).expect("it is accepted");
    world.platform.wait_for_condition(STANDBY, CONDITION, ("True", "InSync"));
    for condition in ["RolesSynced", "DatabasesSynced"] {
        world.platform.wait_for_condition(STANDBY, condition, ("Unknown", "Standby"));
    }
    let pod = format!("{STANDBY}-0");
    let host = format!("{STANDBY}.{namespace}.svc.cluster.local");
    let password = world.password("postgres");
    let ask = |sql: &str| {
        let answer = world.agent.psql_in_network(&host, "postgres", &password, "require", sql);
        if answer.accepted { Ok(answer.output) } else { Err(answer.complaint) }
    };
    let is = |sql: &str, wanted: &str| {
        eventually(&format!("{sql} gives {wanted}"), || match ask(sql) {
            Ok(found) if found == wanted => Ok(()),
            found => Err((found, world.platform.status(STANDBY))),
        });
    };
    is("select pg_is_in_recovery()", "t");
    world.as_superuser("insert into followed values (43)");
    is("select string_agg(answer::text, ' ' order by 1) from followed", "42 43");
    let uid = |pod: &str| world.platform.wait_for("Pod", pod)["metadata"]["uid"].clone();
    let before = uid(&pod);

    let spec = standby["spec"].as_object_mut().expect("an object");
    spec.remove("standby");
    spec.insert("databases".to_owned(), json!({ "foo": "zalando", "own": "zalando" }));
    world.platform.kube.try_apply(&standby).expect("it is accepted");
    is("select pg_is_in_recovery()", "f");
    world.platform.wait_for_condition(STANDBY, "DatabasesSynced", ("True", "Synced"));
    is("select count(*) from pg_database where datname = 'own'", "1");
    world.platform.wait_for_condition(STANDBY, CONDITION, ("True", "InSync"));
    assert_eq!(uid(&pod), before, "nobody restarts it");
    let config = patroni(&world, &pod).get("config").expect("settings");
    assert!(config.get("standby_cluster").is_none(), "{config:#}");
    let told = world.platform.events(STANDBY);
    assert!(told.iter().any(|event| event.contains("has been promoted")), "{told:?}");
    assert!(world.platform.status(STANDBY)["patroni"].get("standby").is_none());
    assert_eq!(world.as_superuser("select pg_is_in_recovery()"), "f");
}

/// What a Patroni answers that is none.
#[derive(Clone, Debug)]
enum Mood {
    /// To everything.
    Says(u16, &'static str),
    /// `GET /config`; a patch is refused with 409 first if so.
    Works { refuses: bool },
    /// That of another cluster, at the address of a pod of ours, takes any patch.
    IsAnothers,
}

#[test]
fn a_patroni_that_answers_with_nonsense_is_told_of_and_nothing_is_done_until_it_does_better() {
    let platform = Platform::new();
    platform.configure(&[
        ("repair_period", "1s"),
        ("patroni_api_check_interval", "100ms"),
        ("patroni_api_check_timeout", "500ms"),
    ]);
    let operator = platform.start();
    let mood = Arc::new(Mutex::new(Mood::Says(503, "no config yet")));
    let address = platform.network().address();
    let fake = platform.network().enter(|| {
        let mood = Arc::clone(&mood);
        HttpServer::at((address, 8008).into(), None, move |connection, request| {
            let (code, body) = answer(&mood, request);
            let length = body.len();
            write!(connection, "HTTP/1.1 {code} Fine\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        })
    });
    let spec = json!({ "patroni": { "ttl": 29, "slots": { "own": { "type": "physical" } } } });
    platform.apply(CLUSTER, &spec);
    let pod = format!("{CLUSTER}-0");
    platform.wait_for("Pod", &pod);
    let namespace = &platform.namespace;
    let label = json!({ "metadata": { "labels": { "spilo-role": "master" } } });
    platform.kube.patch_merge("Pod", namespace, &pod, &label);
    platform.kube.patch_status(
        "Pod",
        namespace,
        &pod,
        &json!({
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [{ "type": "Ready", "status": "True" }],
        }),
    );
    let patches = || fake.count(|request| request.method() == "PATCH");
    for (code, body, words) in [
        (503, "no config yet", "503"),
        (200, "<html>\u{1b}[31m", "cannot be understood"),
        (200, "[]", "cannot be understood"),
        (200, "", "cannot be understood"),
        (302, "elsewhere", "302"),
    ] {
        *mood.lock().expect("nobody panics") = Mood::Says(code, body);
        eventually(&format!("it is told of {body:?}"), || {
            let wanted = ("False", "PatroniFailed");
            let said = platform.wait_for_condition(CLUSTER, CONDITION, wanted);
            if said.contains(words) && !said.contains('\u{1b}') { Ok(()) } else { Err(said) }
        });
    }
    *mood.lock().expect("nobody panics") = Mood::IsAnothers;
    eventually("it is told of another cluster's", || {
        let said = platform.wait_for_condition(CLUSTER, CONDITION, ("False", "PatroniFailed"));
        if said.contains("acid-other") { Ok(()) } else { Err(said) }
    });
    assert_eq!(patches(), 0);
    *mood.lock().expect("nobody panics") = Mood::Works { refuses: true };
    eventually("a conflict is told of", || {
        let said = platform.wait_for_condition(CLUSTER, CONDITION, ("False", "PatroniFailed"));
        if said.contains("409") { Ok(()) } else { Err(said) }
    });
    let ours = platform.status(CLUSTER)["patroni"].clone();
    assert_eq!(ours["slots"], json!(["own"]), "it is written down before: {ours}");
    *mood.lock().expect("nobody panics") = Mood::Works { refuses: false };
    let patch = eventually("it has the settings", || {
        let said = platform.status(CLUSTER)["conditions"].clone();
        let requests = fake.requests();
        let patch = requests.iter().rev().find(|request| request.method() == "PATCH");
        let patch = patch.map(|request| serde_json::from_slice::<Value>(&request.body));
        match patch {
            Some(Ok(patch)) => Ok(patch),
            other => Err((other.is_some(), said)),
        }
    });
    let wanted = json!({ "ttl": 29, "slots": { "own": { "type": "physical" } } });
    assert_eq!(patch, wanted, "what is foreign is not touched");
    assert_eq!(operator.stop().code, Some(0));
}

fn instance(scope: &str) -> String {
    let own = json!({ "version": "4.0.4", "scope": scope, "name": format!("{scope}-0") });
    json!({ "state": "running", "role": "primary", "patroni": own }).to_string()
}

fn answer(mood: &Mutex<Mood>, request: &Request) -> (u16, String) {
    let config =
        json!({ "ttl": 30, "loop_wait": 1, "slots": { "foreign": { "type": "physical" } } });
    let mood = mood.lock().expect("nobody panics").clone();
    match (mood, request.method(), request.path()) {
        (Mood::Says(code, body), _, _) => (code, body.to_owned()),
        (Mood::Works { refuses: true }, "PATCH", _) => (409, "conflict".to_owned()),
        (Mood::Works { .. }, "GET" | "PATCH", "/config") => (200, config.to_string()),
        (Mood::Works { .. } | Mood::IsAnothers, _, "/cluster") => {
            let leader =
                json!({ "name": format!("{CLUSTER}-0"), "role": "leader", "state": "running" });
            (200, json!({ "members": [leader] }).to_string())
        }
        (Mood::Works { .. }, _, "/patroni") => (200, instance(CLUSTER)),
        (Mood::IsAnothers, _, "/patroni") => (200, instance("acid-other")),
        (Mood::IsAnothers, _, _) => (200, config.to_string()),
        (Mood::Works { .. }, _, _) => (404, "no such thing".to_owned()),
    }
}
