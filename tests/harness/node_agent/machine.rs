//! What all pods of an agent share, and the files from which one container is started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Api;
use super::container::{Container, Recipe, log_file};
use super::environment::{Source, resolve};
use super::spilo::{
    self, Certificate, Configured, Environment, HOME, PamFile, Place, configure, localize,
};
use super::volumes;
use crate::certificates::self_signed;
use crate::network::Network;
use crate::postmaster::secret_file;
use crate::sandbox::{Sandbox, system_modules};

/// Why a container does not run.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// Something that it names is missing.
    Waiting(String),
    /// It ended before Patroni was there.
    Failed(String),
}

#[derive(Debug)]
pub(crate) struct Machine {
    /// PAM modules and the CA bundle; the files of all pods are in its folder.
    pub(crate) sandbox: Sandbox,
    pub(crate) hosts: PathBuf,
    pub(crate) patroni: PathBuf,
    pub(crate) network: Arc<Network>,
    /// Host and port of the API server, and who signed its certificate (PEM).
    pub(crate) server: (String, u16),
    pub(crate) authority: String,
}

impl Machine {
    /// `pod` is an object with its address; `folder` is the pod's own.
    pub(crate) fn start(
        &self,
        api: &Api,
        pod: &Value,
        folder: &Path,
    ) -> Result<Container, NotStarted> {
        let container = postgres_container(pod)
            .ok_or_else(|| NotStarted::Waiting("no container postgres".to_owned()))?;
        let namespace = text(pod, "/metadata/namespace");
        let look_up = |source, name: &str| look_up(api, namespace, source, name);
        let mut environment = resolve(pod, container, look_up).map_err(NotStarted::Waiting)?;
        self.add_own(&mut environment, pod);
        let mut mounts =
            volumes::mounts(self, api, pod, container, folder).map_err(NotStarted::Waiting)?;
        let token = self.credentials(api, pod, folder).map_err(NotStarted::Waiting)?;
        mounts.push((token, "/run/secrets/kubernetes.io/serviceaccount".into()));
        let mut configured =
            configure(&environment).map_err(|fault| NotStarted::Failed(fault.0))?;
        configured.environment.insert("HOME".to_owned(), HOME.to_owned());
        let place = Place { ip: text(pod, "/status/podIP"), libraries: &["pg_stat_statements"] };
        localize(&mut configured.patroni, &place);
        mounts.extend(write(&configured, folder));
        mounts.extend(self.shared());
        let data = configured.patroni["postgresql"]["data_dir"].as_str().unwrap_or_default();
        let recipe = Recipe {
            folder,
            hostname: text(pod, "/metadata/name"),
            mounts,
            data,
            environment: &environment,
            visible: &configured.environment,
            command: vec![
                self.patroni.join("bin/python3"),
                "-m".into(),
                "patroni".into(),
                format!("{HOME}/postgres.yml").into(),
            ],
        };
        if let PamFile::Absent(reason) = configured.pam_file {
            note(folder, reason);
        }
        Ok(Container::start(&self.network, &recipe))
    }

    /// What a kubelet and the image add.
    fn add_own(&self, environment: &mut Environment, pod: &Value) {
        let own = [
            ("HOSTNAME", text(pod, "/metadata/name").to_owned()),
            ("KUBERNETES_SERVICE_HOST", self.server.0.clone()),
            ("KUBERNETES_SERVICE_PORT", self.server.1.to_string()),
            ("PGHOME", HOME.to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            (
                "PATH",
                "/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
                    .to_owned(),
            ),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
    }

    /// The token of the pod's service account, in a folder as pods have it.
    fn credentials(&self, api: &Api, pod: &Value, folder: &Path) -> Result<PathBuf, String> {
        let namespace = text(pod, "/metadata/namespace");
        let account = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str);
        let path = format!(
            "/api/v1/namespaces/{namespace}/serviceaccounts/{}/token",
            account.unwrap_or("default")
        );
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": 7200 },
        });
        let answer = api.post(&path, &request)?;
        let place = new_folder(&folder.join("serviceaccount"));
        secret_file(&place.join("token"), text(&answer, "/status/token"));
        secret_file(&place.join("ca.crt"), &self.authority);
        secret_file(&place.join("namespace"), namespace);
        Ok(place)
    }

    /// Sources and targets of what is the same for all.
    fn shared(&self) -> Vec<(PathBuf, PathBuf)> {
        let own = self.sandbox.workdir.path();
        let modules = system_modules().canonicalize().expect("a folder of modules");
        let mut mounts = vec![
            (own.join("security"), modules),
            (self.hosts.clone(), "/etc/hosts".into()),
            (self.patroni.clone(), self.patroni.clone()),
        ];
        for file in ["/etc/ssl/certs/ca-certificates.crt", "/etc/resolv.conf"] {
            let name = Path::new(file).file_name().expect("a name");
            mounts.push((own.join("etc").join(name), file.into()));
        }
        // A Python that somebody has built for himself lies in his home.
        let python = fs::canonicalize(self.patroni.join("bin/python3")).expect("Python of Patroni");
        if let Some(prefix) = python.ancestors().nth(2).filter(|prefix| !prefix.starts_with("/usr"))
        {
            mounts.push((prefix.to_owned(), prefix.to_owned()));
        }
        mounts
    }
}

/// The container that runs Spilo.
pub(crate) fn postgres_container(pod: &Value) -> Option<&Value> {
    let containers = pod["spec"]["containers"].as_array()?;
    containers.iter().find(|container| container["name"] == "postgres")
}

/// Text at a JSON pointer; nothing where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The values of a ConfigMap or Secret.
pub(crate) fn look_up(
    api: &Api,
    namespace: &str,
    source: Source,
    name: &str,
) -> Option<BTreeMap<String, String>> {
    let kind = match source {
        Source::ConfigMap => "configmaps",
        Source::Secret => "secrets",
    };
    let object = api.get(&format!("/api/v1/namespaces/{namespace}/{kind}/{name}")).ok()??;
    Some(source.values(&object))
}

/// An empty one.
pub(crate) fn new_folder(path: &Path) -> PathBuf {
    if path.exists() {
        fs::remove_dir_all(path).expect("a folder can be removed");
    }
    fs::create_dir_all(path).expect("a folder can be made");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the mode can be set");
    path.to_owned()
}

/// A line in the log of a container, from before Patroni.
pub(crate) fn note(folder: &Path, line: &str) {
    let path = log_file(folder);
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, format!("{before}{line}\n")).expect("a log can be written");
}

/// Writes what the configure step writes; returns sources and targets.
fn write(configured: &Configured, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let yaml = folder.join("postgres.yml");
    secret_file(&yaml, &format!("{:#}\n", configured.patroni));
    let pam = new_folder(&folder.join("pam.d"));
    let file = |path: PathBuf, content: &str, mode| {
        fs::write(&path, content).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode can be set");
    };
    let deny = "auth required pam_deny.so\naccount required pam_deny.so\n";
    file(pam.join("other"), deny, 0o644);
    if let PamFile::Written(lines) = &configured.pam_file {
        file(pam.join("postgresql"), lines, 0o644);
    }
    let scripts = new_folder(&folder.join("scripts"));
    file(scripts.join("post_init.sh"), spilo::POST_INIT, 0o755);
    file(scripts.join("on_role_change.sh"), spilo::ROLE_CHANGE, 0o755);
    file(scripts.join("roles.sql"), &configured.roles, 0o644);
    let mut mounts = vec![
        (yaml, format!("{HOME}/postgres.yml").into()),
        (pam, "/etc/pam.d".into()),
        (scripts, "/scripts".into()),
    ];
    let pair = match &configured.certificate {
        Certificate::Mounted => None,
        Certificate::Given { certificate, key } => Some((certificate.clone(), key.clone())),
        Certificate::SelfSigned => {
            let identity = self_signed(&["spilo.example.org"]);
            Some((identity.certificate_pem, identity.key_pem))
        }
    };
    if let Some((certificate, key)) = pair {
        let certificates = new_folder(&folder.join("certs"));
        secret_file(&certificates.join("server.crt"), &certificate);
        secret_file(&certificates.join("server.key"), &key);
        mounts.push((certificates, spilo::CERTIFICATES.into()));
    }
    mounts
}
