//! The control plane of Kubernetes that the tests of the operator stand on.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::control_plane::NODES;
use harness::process::send_signal;
use harness::workdir::Workdir;
use harness::{Annex, ApiProxy, ControlPlane, Fault, Kube, Network, eventually};
use serde_json::json;

/// Where this is set, a test of a process that is killed is that process.
const TO_BE_KILLED: &str = "CONTROL_PLANE_TO_BE_KILLED";

const STATEFUL_SET: &str = "
apiVersion: v1
kind: Service
metadata: {name: acid-minimal-cluster}
spec:
  selector: {cluster-name: acid-minimal-cluster}
  ports: [{name: postgresql, port: 5432}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: acid-minimal-cluster}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  serviceName: acid-minimal-cluster
  selector: {matchLabels: {cluster-name: acid-minimal-cluster}}
  template:
    metadata: {labels: {cluster-name: acid-minimal-cluster, spilo-role: master}}
    spec:
      nodeName: node-1
      containers: [{name: postgres, image: spilo}]
  volumeClaimTemplates:
  - metadata: {name: pgdata}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
";

/// The two objects in a namespace.
fn stateful_set(namespace: &str) -> String {
    STATEFUL_SET.replace("metadata: {name:", &format!("metadata: {{namespace: {namespace}, name:"))
}

/// What somebody gets who speaks plain HTTP to an address; nothing where nobody answers. (There may
/// be something between this machine and others that takes every connection.)
fn plain_answer(address: SocketAddr) -> String {
    let attempt = || {
        let time = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, time)?;
        stream.set_read_timeout(Some(time))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    attempt().unwrap_or_default()
}

#[test]
fn addresses_of_a_network_are_there_for_who_is_inside_and_for_nobody_else() {
    let (network, other) = (Network::new(), Network::new());
    let address = network.address();
    assert_ne!(address, network.address());
    let listener = network.enter(|| TcpListener::bind((address, 5432)).unwrap());
    let address = listener.local_addr().unwrap();
    // The other side has the address of the pod, not a loopback one.
    let (_client, server) = network.enter(|| {
        let client = TcpStream::connect(address).unwrap();
        (client, listener.accept().unwrap().1)
    });
    assert_eq!(server.ip(), address.ip());
    assert!(network.reaches(address) && !other.reaches(address));
    let (_reached, _) = listener.accept().unwrap();
    plain_answer(address);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // A program and a task are inside, too.
    let interfaces = network.command("cat").arg("/proc/net/dev").output().unwrap();
    let interfaces = String::from_utf8(interfaces.stdout).unwrap();
    assert_eq!(interfaces.lines().filter(|line| line.contains(':')).count(), 1, "{interfaces}");
    let connected = network.run(async move { TcpStream::connect(address).is_ok() });
    assert!(connected);
}

#[test]
fn what_is_cut_is_silent_and_the_rest_is_reached() {
    let network = Network::new();
    let (one, other) = (network.address(), network.address());
    let _listeners = network.enter(|| {
        [one, other].map(|own| TcpListener::bind((own, 5432)).expect("it can be listened at"))
    });
    let annex = Annex::of(&network);
    let reaches = |address| {
        let address = SocketAddr::from((address, 5432));
        let limit = Duration::from_millis(300);
        let connect = || TcpStream::connect_timeout(&address, limit).map(drop);
        annex.enter(connect).map_err(|error| error.kind())
    };
    assert_eq!((reaches(one), reaches(other)), (Ok(()), Ok(())));
    annex.cut(one);
    assert_eq!((reaches(one), reaches(other)), (Err(ErrorKind::TimedOut), Ok(())));
    annex.mend(one);
    assert_eq!(reaches(one), Ok(()));
}

#[test]
fn the_api_server_answers_inside_and_to_nobody_outside() {
    let plane = ControlPlane::shared();
    let kube = Kube::admin(plane);
    assert!(kube.read("/version").unwrap().contains("\"minor\": \"36\""));
    assert_eq!(kube.names("Node", "", ""), NODES);
    let answer = || plain_answer(plane.socket_address());
    assert!(plane.network().enter(answer).contains("HTTP request to an HTTPS server"));
    assert!(!answer().contains("HTTPS server"));
    let config = plane.kubeconfig_file();
    assert!(std::fs::read_to_string(config).unwrap().contains(plane.admin_token()));
}

#[test]
fn a_stateful_set_gets_its_pods_and_volumes_and_takes_its_pods_with_it() {
    let kube = Kube::admin(ControlPlane::shared());
    let namespace = kube.namespace();
    kube.apply_yaml(&stateful_set(&namespace));
    let pods = ["acid-minimal-cluster-0", "acid-minimal-cluster-1"];
    let is = |kind: &str, wanted: &[&str]| {
        let names = || kube.names(kind, &namespace, "cluster-name=acid-minimal-cluster");
        eventually(kind, || match names() {
            names if names == wanted => Ok(()),
            names => Err(names),
        });
    };
    is("Pod", &pods);
    is("PersistentVolumeClaim", &pods.map(|pod| format!("pgdata-{pod}")).each_ref().map(|n| &**n));
    // A kubelet would say this; the endpoints are made by a controller then.
    let address = ControlPlane::shared().network().address().to_string();
    kube.patch_status(
        "Pod",
        &namespace,
        pods[0],
        &json!({
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }),
    );
    eventually("endpoints", || {
        let found = kube.get("Endpoints", &namespace, "acid-minimal-cluster").unwrap_or_default();
        let ready = &found["subsets"][0]["addresses"][0]["ip"];
        if *ready == json!(address) { Ok(()) } else { Err(found) }
    });
    let events = kube.events("StatefulSet", &namespace, "acid-minimal-cluster");
    assert!(events.iter().any(|event| event["reason"] == "SuccessfulCreate"), "{events:?}");
    kube.delete("StatefulSet", &namespace, "acid-minimal-cluster");
    // They end when their kubelet says so.
    eventually("the pods are to end", || {
        let pods = kube.list("Pod", &namespace, "");
        let ending = pods.iter().all(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
        if ending { Ok(()) } else { Err(pods) }
    });
    pods.iter().for_each(|pod| kube.delete_now("Pod", &namespace, pod));
    is("Pod", &[]);
    kube.delete("Namespace", "", &namespace);
    eventually("the namespace is gone", || {
        kube.get("Namespace", "", &namespace).map_or(Ok(()), |left| Err(left["status"].clone()))
    });
}

#[test]
fn a_service_account_may_do_what_its_roles_say_and_no_more() {
    let plane = ControlPlane::shared();
    let admin = Kube::admin(plane);
    let namespace = admin.namespace();
    admin.apply_yaml(&format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: postgres-pod, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: postgres-pod, namespace: {namespace}}}
rules:
- {{apiGroups: [''], resources: [configmaps], verbs: [list]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: postgres-pod, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: postgres-pod}}
subjects:
- {{kind: ServiceAccount, name: postgres-pod, namespace: {namespace}}}
"
    ));
    let pod = Kube::with_token(plane, &admin.token(&namespace, "postgres-pod"));
    let may = eventually("the role counts", || {
        pod.try_list("ConfigMap", &namespace, &Default::default())
            .map_err(|refusal| refusal.message)
    });
    assert_eq!(may.len(), 1, "{may:?}");
    let refusal = pod.try_get("Secret", &namespace, "postgres").unwrap_err();
    assert_eq!(refusal.code, 403, "{refusal}");
}

#[test]
fn requests_are_written_down_with_who_asked_for_what() {
    let plane = ControlPlane::shared();
    let kube = Kube::admin(plane);
    let namespace = kube.namespace();
    let mark = plane.mark();
    let object = |value: &str| {
        let metadata = json!({"name": "settings", "namespace": namespace});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}})
    };
    kube.create(&object("one"));
    assert_eq!(kube.try_create(&object("two")).unwrap_err().code, 409);
    let read = kube.get("ConfigMap", &namespace, "settings").unwrap();
    assert_eq!(read["data"]["a"], "one");
    let requests = plane.requests_since(mark);
    let own = requests.iter().filter(|one| one.namespace == namespace && one.user == "admin");
    let own: Vec<_> = own.map(|one| (one.verb.as_str(), one.resource.as_str())).collect();
    assert_eq!(own, [("create", "configmaps"), ("create", "configmaps"), ("get", "configmaps")]);
    let writes = || plane.writes_since(mark, "admin").into_iter();
    let own = || writes().filter(|one| one.namespace == namespace).map(|one| one.status);
    eventually("the answers are written down", || match own().collect::<Vec<_>>() {
        statuses if statuses == [Some(201), Some(409)] => Ok(()),
        statuses => Err(statuses),
    });
    // A token is no change of an object.
    let mark = plane.mark();
    kube.token("default", "default");
    assert!(plane.requests_since(mark).iter().any(|one| one.resource == "serviceaccounts/token"));
    let writes = plane.writes_since(mark, "admin");
    assert!(!writes.iter().any(|one| one.resource == "serviceaccounts/token"), "{writes:?}");
}

#[test]
fn a_proxy_refuses_loses_and_counts_requests_and_cuts_watches() {
    let plane = ControlPlane::shared();
    let proxy = ApiProxy::start(plane);
    let direct = Kube::admin(plane);
    let config = plane.kubeconfig_at(&proxy.url(), plane.admin_token());
    let kube = Kube::with_kubeconfig(plane, &config);
    let namespace = kube.namespace();
    let secret = |name: &str| {
        let metadata = json!({"name": name, "namespace": namespace});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    };
    let is_create = |request: &harness::Request| request.method() == "POST";
    proxy.fail_next(1, Fault::Status(409, "Conflict"), is_create);
    assert_eq!(kube.try_create(&secret("one")).unwrap_err().code, 409);
    kube.create(&secret("one"));
    proxy.fail_next(1, Fault::TooManyRequests(1), is_create);
    assert_eq!(kube.try_create(&secret("two")).unwrap_err().code, 429);
    proxy.fail_next(1, Fault::Lost, is_create);
    assert_eq!(kube.try_create(&secret("three")).unwrap_err().code, 0);
    proxy.fail_next(1, Fault::AnswerLost, is_create);
    assert_eq!(kube.try_create(&secret("four")).unwrap_err().code, 0);
    assert_eq!(direct.names("Secret", &namespace, ""), ["four", "one"]);
    assert_eq!(proxy.faults(), 4);
    proxy.fail_next(1, Fault::BlackHole, is_create);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| kube.try_create(&secret("five")));
        eventually("it is held", || if proxy.faults() == 5 { Ok(()) } else { Err("not yet") });
        assert_eq!(direct.names("Secret", &namespace, ""), ["four", "one"]);
        proxy.behave();
        held.join().unwrap().unwrap();
    });
    let creates = proxy.requests().into_iter().filter(is_create);
    assert_eq!(creates.filter(|create| create.path().ends_with("/secrets")).count(), 6);
    let path = format!("/api/v1/namespaces/{namespace}/secrets?watch=true&timeoutSeconds=60");
    let watch = std::thread::spawn({
        let kube = kube.clone();
        move || kube.read(&path)
    });
    eventually("a watch is open", || if proxy.watches() == 1 { Ok(()) } else { Err("none") });
    assert_eq!(proxy.cut_watches(), 1);
    assert!(watch.join().unwrap().is_err());
}

#[test]
fn nothing_is_lost_when_parts_of_it_stop() {
    let plane = ControlPlane::start();
    let kube = Kube::admin(&plane);
    let namespace = kube.namespace();
    plane.stop_controllers();
    kube.apply_yaml(&stateful_set(&namespace));
    assert_eq!(kube.names("Pod", &namespace, ""), [""; 0]);
    let uid = || {
        let found = kube.try_get("StatefulSet", &namespace, "acid-minimal-cluster");
        found.map(|found| found["metadata"]["uid"].clone())
    };
    let before = uid().unwrap();
    plane.stop_api_server();
    assert_eq!(uid().unwrap_err().code, 0);
    plane.start_api_server();
    assert_eq!(uid().unwrap(), before);
    plane.kill_api_server();
    plane.start_api_server();
    assert_eq!(uid().unwrap(), before);
    plane.stop_etcd();
    eventually("the API server notices", || match kube.read("/readyz") {
        Err(_) => Ok(()),
        Ok(ready) => Err(ready),
    });
    plane.start_etcd();
    assert_eq!(uid().unwrap(), before);
    plane.start_controllers();
    eventually("the controllers catch up", || match kube.names("Pod", &namespace, "").len() {
        2 => Ok(()),
        other => Err(other),
    });
}

/// Processes of a list that are still there, the dead ones that nobody waited for left out.
fn alive(processes: &[u32]) -> Vec<u32> {
    let is_alive = |process: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"));
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    };
    processes.iter().copied().filter(is_alive).collect()
}

/// Every network namespace that a process is in.
fn networks() -> BTreeSet<std::path::PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| std::fs::read_link(entry.path().join("ns/net")).ok()).collect()
}

#[test]
fn nothing_runs_on_when_the_process_of_the_tests_is_killed() {
    if std::env::var_os(TO_BE_KILLED).is_some() {
        let plane = ControlPlane::start();
        let network = plane.network().enter(|| std::fs::read_link("/proc/thread-self/ns/net"));
        let processes: Vec<u32> = plane.processes().into_iter().map(|(_, id)| id).collect();
        let told = json!({"processes": processes, "network": network.unwrap()});
        writeln!(std::io::stdout(), "\nto be killed: {told}").unwrap();
        // The end of the input does not come.
        std::io::stdin().lines().count();
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture"]);
    command.arg("control_plane::nothing_runs_on_when_the_process_of_the_tests_is_killed");
    // Nobody cleans up behind a process that was killed.
    let workdir = Workdir::new();
    command.env(TO_BE_KILLED, "yes").env("TMPDIR", workdir.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let told = lines.find_map(|line| line.strip_prefix("to be killed: ").map(str::to_owned));
    let told: serde_json::Value = serde_json::from_str(&told.expect("it starts")).unwrap();
    let processes: Vec<u32> = serde_json::from_value(told["processes"].clone()).unwrap();
    let network = std::path::PathBuf::from(told["network"].as_str().unwrap());
    assert_eq!(alive(&processes).len(), 3);
    assert!(networks().contains(&network));
    send_signal(child.id(), libc::SIGKILL);
    child.wait().unwrap();
    eventually("its processes are gone", || match alive(&processes) {
        none if none.is_empty() => Ok(()),
        some => Err(some),
    });
    assert!(!networks().contains(&network));
}
