//! What the configuration and a manifest say of pods is what live pods are, by one roll; and a new major
//! version as far as Spilo's script, which is played.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::kube::Refusal;
use harness::kubelet::{Answer, Asked};
use harness::{ControlPlane, Writer, eventually};
use serde_json::{Value, json};

/// The Secret of the certificate.
const CERTIFICATE: &str = "postgres-tls";

/// The Services of the primary and of replicas.
fn hosts(world: &Cloud) -> [String; 2] {
    ["", "-repl"]
        .map(|own| format!("{CLUSTER}{own}.{}.svc.cluster.local", world.platform.namespace))
}

/// Waits until writes wait for somebody.
fn has_a_synchronous_standby(world: &Cloud) {
    eventually("there is a synchronous standby", || {
        let statement = "select count(*) from pg_stat_replication where sync_state = 'sync'";
        match world.login("postgres", &world.password("postgres"), statement) {
            Ok(found) if found == "1" => Ok(()),
            other => Err(other),
        }
    });
}

/// A client that believes our authority alone, and no server of another name.
fn verified(world: &Cloud, host: &str) -> Result<String, String> {
    let password = world.password("postgres");
    let statement = "select version from pg_stat_ssl where pid = pg_backend_pid()";
    let outcome =
        world.agent.psql_in_network(host, "postgres", &password, "verify-full", statement);
    if outcome.accepted { Ok(outcome.output) } else { Err(outcome.complaint) }
}

/// As somebody changes the configuration and the manifest while no operator looks: the next one
/// finds everything at once.
fn everything_is_changed_at_once(world: &mut Cloud, manifest: &mut Value) {
    let names = hosts(world);
    let identity = world.authority.issue(&[&names[0], &names[1]], |_| {});
    world.platform.kube.create(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "namespace": world.platform.namespace, "name": CERTIFICATE },
        "stringData": { "tls.crt": identity.certificate_pem, "tls.key": identity.key_pem },
    }));
    world.operator.take().expect("it runs").stop();
    world.configure(&[
        ("additional_pod_capabilities", "SYS_NICE,CHOWN"),
        ("min_cpu_limit", "503m"),
        ("min_memory_limit", "502Mi"),
        ("set_memory_request_to_limit", "true"),
        ("max_memory_request", "300Mi"),
    ]);
    manifest["spec"]["tls"] = json!({ "secretName": CERTIFICATE });
    manifest["spec"]["postgresql"]["version"] = json!("16");
    world.platform.kube.try_apply(manifest).expect("it is accepted");
    world.restart_operator();
}

fn has_what_was_asked_for(pod: &Value) {
    let postgres = &pod["spec"]["containers"][0];
    assert_eq!(postgres["securityContext"]["capabilities"]["add"], json!(["SYS_NICE", "CHOWN"]));
    let amounts = json!({
        "limits": { "cpu": "503m", "memory": "502Mi" },
        "requests": { "cpu": "100m", "memory": "300Mi" },
    });
    assert_eq!(postgres["resources"], amounts);
    let env = postgres["env"].as_array().expect("variables");
    for (name, value) in
        [("SSL_CERTIFICATE_FILE", "/tls/tls.crt"), ("SSL_PRIVATE_KEY_FILE", "/tls/tls.key")]
    {
        assert!(env.contains(&json!({ "name": name, "value": value })), "{name}: {env:#?}");
    }
    let of = |list: &Value, key: &str, value: &str| {
        let found = list.as_array().into_iter().flatten().find(|own| own[key] == value);
        found.unwrap_or_else(|| panic!("no {value}: {list:#}")).clone()
    };
    let mount = of(&postgres["volumeMounts"], "mountPath", "/tls");
    let volume = of(&pod["spec"]["volumes"], "name", mount["name"].as_str().expect("a name"));
    assert_eq!(volume["secret"]["secretName"], CERTIFICATE);
}

/// While the script ran: whether a pod had the label of critical operations, and what came of its
/// eviction.
type Kept = BTreeMap<String, (Value, Result<(), Refusal>)>;

fn is_script(asked: &Asked) -> bool {
    asked.command.last().is_some_and(|line| line.contains("inplace_upgrade.py "))
}

/// Spilo's script fails, as it does where its image has no such version; before, somebody drains all
/// nodes.
fn the_script_is_played(world: &Cloud) -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(Kept::new()));
    let (kube, namespace) = (world.platform.kube.clone(), world.platform.namespace.clone());
    let seen = Arc::clone(&kept);
    ControlPlane::shared().kubelet().conduct(&world.platform.namespace, move |asked| {
        if !is_script(asked) {
            return Some(Answer::well("0\n"));
        }
        for pod in kube.list("Pod", &namespace, "application=spilo") {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let label = pod["metadata"]["labels"]["critical-operation"].clone();
            let evicted = kube.evict(&namespace, name);
            seen.lock().unwrap().insert(name.to_owned(), (label, evicted));
        }
        Some(Answer::failed("no such version\n", 1))
    });
    kept
}

/// On the primary, by the command of the reference, and no pod leaves its node meanwhile.
fn the_script_runs_once_and_nobody_is_evicted_meanwhile(world: &Cloud, kept: &Mutex<Kept>) {
    let failed = ("False", "UpgradeFailed");
    world.platform.wait_for_condition(CLUSTER, "VersionUpToDate", failed);
    let leader = world.primary();
    let asked = ControlPlane::shared().kubelet().asked(&world.platform.namespace);
    let scripts: Vec<&Asked> = asked.iter().filter(|asked| is_script(asked)).collect();
    let [script] = scripts.as_slice() else { panic!("{asked:#?}") };
    assert_eq!((&script.pod, script.container.as_str()), (&leader, "postgres"));
    let line = "/usr/bin/flock -n -E 75 /scripts/inplace_upgrade.py /bin/bash -c 'set -o pipefail && /usr/bin/python3 /scripts/inplace_upgrade.py 2 2>&1 | tee last_upgrade.log'";
    assert_eq!(script.command, ["/bin/su", "postgres", "-c", line]);

    let kept = kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 2, "{kept:?}");
    for (pod, (label, evicted)) in &kept {
        assert_eq!(label, "true", "{pod}");
        let refused = evicted.clone().expect_err(pod);
        // Two budgets keep the primary, and the API server calls that an error of its own.
        let code = if *pod == leader { 500 } else { 429 };
        assert_eq!(refused.code, code, "{pod}: {refused}");
        assert!(refused.message.contains("isruption"), "{pod}: {refused}");
    }
}

/// Replicas, when the script has ended.
fn a_replica_may_be_evicted_again(world: &Cloud) {
    eventually("no pod has the label any more", || {
        let pods = world.pods();
        let label = |pod: &Value| pod["metadata"]["labels"]["critical-operation"].clone();
        let left = pods.iter().map(label).filter(|label| !label.is_null()).count();
        if left == 0 { Ok(()) } else { Err(left) }
    });
    let (leader, all) = (world.primary(), world.uids());
    let replica = all.keys().find(|pod| **pod != leader).expect("a replica");
    eventually("the replica is evicted", || {
        world.platform.kube.evict(&world.platform.namespace, replica)
    });
    eventually("another one is made", || {
        let now = world.uids();
        if now.get(replica).is_some_and(|uid| *uid != all[replica]) { Ok(()) } else { Err(now) }
    });
}

#[test]
fn what_pods_are_arrives_by_one_roll_with_one_switchover_and_then_the_script_of_an_upgrade_runs() {
    let mut world = Cloud::new(&[]);
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["patroni"]["synchronous_mode"] = json!(true);
    manifest["spec"]["resources"] = json!({
        "requests": { "cpu": "100m", "memory": "100Mi" },
        "limits": { "cpu": "200m", "memory": "200Mi" },
    });
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    has_a_synchronous_standby(&world);
    let [primary, replicas] = hosts(&world);
    let own = verified(&world, &primary).expect_err("each pod has made a certificate of its own");
    assert!(own.contains("certificate verify failed"), "{own}");
    let writer = Writer::start(&world.agent, &primary, "postgres", &world.password("postgres"));
    let (before, leader, leads) = (world.uids(), world.primary(), world.timeline());

    let kept = the_script_is_played(&world);
    everything_is_changed_at_once(&mut world, &mut manifest);
    eventually("both pods are new", || {
        let now = world.uids();
        let is_new = before.iter().all(|(pod, uid)| now.get(pod).is_some_and(|own| own != uid));
        if is_new { Ok(()) } else { Err((now, world.platform.status(CLUSTER))) }
    });
    world.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
    has_a_synchronous_standby(&world);
    let new = world.pods();
    assert_eq!(new.len(), 2);
    new.iter().for_each(has_what_was_asked_for);
    for host in [&primary, &replicas] {
        assert_eq!(verified(&world, host), Ok("TLSv1.3".to_owned()), "{host}");
    }

    let after = world.uids();
    assert_ne!(world.primary(), leader);
    assert_eq!(world.timeline(), leads + 1, "it hands over once");
    let events = world.platform.events(CLUSTER);
    let told = |start: &str| events.iter().filter(|note| note.starts_with(start)).count();
    for start in ["Switching over from ", "Successfully switched over from "] {
        assert_eq!(told(start), 1, "{start}: {events:#?}");
    }
    let reason = events.iter().find(|note| note.starts_with("Performing rolling update of "));
    let reason = reason.unwrap_or_else(|| panic!("{events:#?}"));
    for field in ["securityContext.capabilities", "resources.", "SSL_CERTIFICATE_FILE"] {
        assert!(reason.contains(field), "{field}: {reason}");
    }
    the_script_runs_once_and_nobody_is_evicted_meanwhile(&world, &kept);
    world.operator().wait_until_idle();
    assert_eq!(world.uids(), after, "once is enough");
    a_replica_may_be_evicted_again(&world);
    has_a_synchronous_standby(&world);
    let written = writer.stop();
    assert!(written.lost.is_empty(), "acknowledged and lost: {:?}", written.lost);
}
