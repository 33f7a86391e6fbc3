//! Runs the pod of a Job once, as a kubelet would: its environment, the files of its ConfigMaps, its
//! command, and nothing else of the machine's environment. Nothing of its image: programs are those of
//! the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kube::Kube;
use crate::node_agent::NodeAgent;
use crate::node_agent::environment::{Source, resolve};
use crate::postmaster::bin;
use crate::teams_sync::Output;
use crate::workdir::Workdir;

/// A new root below `$1`: programs of the machine, and the files of volumes where the container wants
/// them, which need not be a place that this machine has.
const ENTER: &str = r#"
set -e
folder=$1
shift
mount --make-rprivate /
mkdir "$folder/root"
mount -t tmpfs tmpfs "$folder/root"
for entry in bin dev etc lib lib32 lib64 libx32 opt proc sbin usr; do
    if [ -L "/$entry" ]; then
        cp -P "/$entry" "$folder/root/$entry"
    elif [ -d "/$entry" ]; then
        mkdir "$folder/root/$entry"
        mount --rbind "/$entry" "$folder/root/$entry"
    fi
done
mkdir -m 1777 "$folder/root/tmp"
mount --bind "$folder/hosts" "$folder/root/etc/hosts"
cp -R "$folder/volumes/." "$folder/root/"
exec /usr/sbin/chroot "$folder/root" /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
"#;

/// To its end, in the network of a cluster.
#[track_caller]
pub fn run(agent: &NodeAgent, kube: &Kube, namespace: &str, name: &str) -> Output {
    let job = kube.get("Job", namespace, name).unwrap_or_else(|| panic!("there is no Job {name}"));
    let pod = &job["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let values = |source: Source, name: &str| {
        let kind = match source {
            Source::ConfigMap => "ConfigMap",
            Source::Secret => "Secret",
        };
        kube.get(kind, namespace, name).map(|object| source.values(&object))
    };
    let mut environment = resolve(pod, container, values).expect("its environment");
    let programs = bin("psql").parent().expect("a folder").display().to_string();
    environment.insert("PATH".to_owned(), format!("{programs}:/usr/bin:/bin"));
    let workdir = Workdir::new();
    let volumes = workdir.folder("volumes");
    for mount in list(&container["volumeMounts"]) {
        let is_it = |volume: &&Value| volume["name"] == mount["name"];
        let volume = list(&pod["spec"]["volumes"]).iter().find(is_it).expect("its volume");
        let source = volume["configMap"]["name"].as_str().expect("a ConfigMap");
        let files = values(Source::ConfigMap, source).expect("the ConfigMap is there");
        let place = mount["mountPath"].as_str().expect("a path").trim_start_matches('/');
        write(&volumes.join(place), &files);
    }
    let hosts = fs::read_to_string(agent.hosts_file()).expect("the names of the cluster");
    workdir.file("hosts", with_short_names(&hosts, namespace));
    let mut command = agent.command(Path::new("sh"));
    command.args(["-c", ENTER, "enter"]).arg(workdir.path());
    command.args(list(&container["command"]).iter().filter_map(Value::as_str));
    command.args(list(&container["args"]).iter().filter_map(Value::as_str));
    command.env_clear().envs(environment);
    let start = std::time::Instant::now();
    let output = command.output().expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        elapsed: start.elapsed(),
    }
}

/// What `search NAMESPACE.svc.cluster.local` in the resolv.conf of a pod does.
fn with_short_names(hosts: &str, namespace: &str) -> String {
    let domain = format!(".{namespace}.svc.cluster.local");
    let line = |line: &str| {
        let short = line.split_whitespace().filter_map(|name| name.strip_suffix(&domain));
        let short: String = short.map(|name| format!(" {name}")).collect();
        format!("{line}{short}\n")
    };
    hosts.lines().map(line).collect()
}

fn write(folder: &PathBuf, files: &BTreeMap<String, String>) {
    fs::create_dir_all(folder).expect("a folder can be made");
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("a file can be written");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
