//! Everything around clusters: nodes that run pods, an identity provider, a Teams API, and an
//! operator between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use serde_json::{Value, json};

use crate::annex::Annex;
use crate::certificates::Authority;
use crate::control_plane::ControlPlane;
use crate::eventually;
use crate::kube::Kube;
use crate::node_agent::{NodeAgent, Settings};
use crate::operator::{Operator, Platform};
use crate::teams_api::{TOKEN, TeamsApi};
use crate::teams_sync::Output;
use crate::token_service::TokenService;

const HOST: &str = "info.example.com";
/// The cluster of the talk.
pub const CLUSTER: &str = "acid-minimal-cluster";

/// Nodes that run pods, an identity provider, a Teams API, and an operator between them.
#[derive(Debug)]
pub struct Cloud {
    pub agent: NodeAgent,
    pub service: TokenService,
    pub platform: Platform,
    pub teams: TeamsApi,
    /// Whom its pods trust, and clients in its network.
    pub authority: Authority,
    pub operator: Option<Operator>,
    settings: BTreeMap<String, String>,
    /// Where operators run, if not beside the pods.
    annex: Option<Arc<Annex>>,
}

impl Cloud {
    /// With these keys of the configuration above what a cloud needs.
    pub fn new(settings: &[(&str, &str)]) -> Self {
        Self::on(Settings::default().nodes, settings)
    }

    /// The same, where pods can be on these nodes only.
    pub fn on(nodes: Vec<String>, settings: &[(&str, &str)]) -> Self {
        let mut this = Self::prepared(ControlPlane::shared(), nodes, settings);
        this.restart_operator();
        this
    }

    /// The same before an operator comes; [`Cloud::restart_operator`] lets one come.
    pub fn without_operator(settings: &[(&str, &str)]) -> Self {
        Self::prepared(ControlPlane::shared(), Settings::default().nodes, settings)
    }

    /// The same, where pods can be on these nodes only.
    pub fn on_without_operator(nodes: Vec<String>, settings: &[(&str, &str)]) -> Self {
        Self::prepared(ControlPlane::shared(), nodes, settings)
    }

    /// The same at a control plane of one's own, that may be stopped.
    pub fn at(plane: &ControlPlane, settings: &[(&str, &str)]) -> Self {
        let mut this = Self::prepared(plane, Settings::default().nodes, settings);
        this.restart_operator();
        this
    }

    fn prepared(plane: &ControlPlane, nodes: Vec<String>, settings: &[(&str, &str)]) -> Self {
        let network = Arc::clone(plane.network());
        let authority = Authority::new();
        let address = network.address();
        let identity = authority.issue(&[HOST], |_| {});
        let service =
            network.enter(|| TokenService::encrypted_at(&identity, (address, 443).into()));
        let hosts = BTreeMap::from([(HOST.to_owned(), address)]);
        let agent = NodeAgent::with(
            plane,
            Settings { authority: authority.pem(), hosts, nodes, ..Settings::default() },
        );
        let namespace = agent.namespace();
        let platform = Platform::on(plane, &namespace);
        let teams = TeamsApi::start(&network, &["ACID=alice,bob"]);
        let teams_url = teams.url();
        let kube = Kube::admin(plane);
        kube.create(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "postgres-operator", "namespace": namespace },
            "stringData": { "read-only-token-type": "Bearer", "read-only-token-secret": TOKEN },
        }));
        let pam = format!("{} uid realm=/employees", service.url_for(HOST));
        let mut all = vec![
            ("enable_teams_api", "true"),
            ("teams_api_url", teams_url.as_str()),
            ("oauth_token_secret_name", "postgres-operator"),
            ("teams_refresh_period", "1s"),
            ("pam_configuration", pam.as_str()),
            ("pam_role_name", "users"),
        ];
        all.extend(settings);
        let settings = all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings = settings.collect();
        platform.configure(&all);
        let (operator, annex) = (None, None);
        Self { agent, service, platform, teams, authority, operator, settings, annex }
    }

    /// A key of the configuration.
    pub fn setting(&self, key: &str) -> String {
        self.settings.get(key).cloned().unwrap_or_default()
    }

    /// `operator adopt` with these arguments, where the operator runs.
    pub fn adopt(&self, arguments: &[&str]) -> Output {
        self.platform.adopt(|program| self.agent.command(program), arguments)
    }

    /// These keys from now on, beside those that there are.
    pub fn configure(&mut self, settings: &[(&str, &str)]) {
        let new = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.settings.extend(new);
        let all: Vec<(&str, &str)> =
            self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.platform.configure(&all);
    }

    /// Another process takes over, and remembers nothing.
    pub fn restart_operator(&mut self) {
        drop(self.operator.take().map(Operator::stop));
        let operator = self.platform.start_in(|program| {
            let mut command = self.agent.command(program);
            if let Some(annex) = &self.annex {
                annex.confine(&mut command);
            }
            command
        });
        self.operator = Some(operator);
    }

    /// All operators to come run there.
    pub fn operator_is_in(&mut self, annex: &Arc<Annex>) {
        self.annex = Some(Arc::clone(annex));
    }

    /// kill -9. Another one need not wait until its Lease has run out.
    #[track_caller]
    pub fn kill_operator(&mut self) {
        self.operator.take().expect("it runs").kill();
        self.platform.forget_leader();
    }

    /// The operator that runs.
    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().expect("it runs")
    }

    /// What the Secret of a role holds.
    pub fn password(&self, user: &str) -> String {
        self.secret(user, "password")
    }

    /// One key of it, in its text.
    pub fn secret(&self, user: &str, key: &str) -> String {
        decoded(&self.platform.wait_for("Secret", &secret_name(user))["data"][key])
    }

    /// Sets a key of it, as somebody with an editor does.
    pub fn edit_secret(&self, user: &str, key: &str, value: &str) {
        let patch = json!({ "stringData": { key: value } });
        let namespace = &self.platform.namespace;
        self.platform.kube.patch_merge("Secret", namespace, &secret_name(user), &patch);
    }

    /// As this person, at the master Service.
    pub fn login(&self, user: &str, password: &str, statement: &str) -> Result<String, String> {
        let host = format!("{CLUSTER}.{}.svc.cluster.local", self.platform.namespace);
        let outcome = self.agent.psql_in_network(&host, user, password, "require", statement);
        if outcome.accepted { Ok(outcome.output) } else { Err(outcome.complaint) }
    }

    /// Waits until somebody can.
    #[track_caller]
    pub fn logs_in(&self, user: &str, password: &str) {
        eventually(&format!("{user} logs in"), || {
            match self.login(user, password, "select current_user") {
                Ok(name) if name == user => Ok(()),
                other => Err((other, self.platform.status(CLUSTER))),
            }
        });
    }

    /// Whoever is out is no member of the role for people any more, so that her token is taken
    /// for a password; and she may not log in with one either.
    #[track_caller]
    pub fn is_out(&self, user: &str, token: &str) {
        eventually(&format!("{user} is out"), || match self.login(user, token, "select 1") {
            Err(complaint) if complaint.contains("authentication failed") => Ok(()),
            other => Err((other, self.platform.status(CLUSTER))),
        });
        let state = format!("select rolcanlogin from pg_roles where rolname = '{user}'");
        assert_eq!(self.as_superuser(&state), "f");
    }

    #[track_caller]
    pub fn as_superuser(&self, statement: &str) -> String {
        let answer = self.login("postgres", &self.password("postgres"), statement);
        answer.unwrap_or_else(|complaint| panic!("{statement}: {complaint}"))
    }

    /// The pod that is the primary, and ready.
    pub fn primary(&self) -> String {
        eventually("there is a primary", || {
            let pods =
                self.platform.kube.list("Pod", &self.platform.namespace, "spilo-role=master");
            let is_ready = |pod: &&Value| {
                let conditions = pod["status"]["conditions"].as_array().cloned();
                let conditions = conditions.unwrap_or_default();
                conditions.iter().any(|own| own["type"] == "Ready" && own["status"] == "True")
            };
            let ready = pods.iter().find(is_ready).cloned();
            let name = ready.and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned));
            name.ok_or(pods.len())
        })
    }
}

/// The Secret of a role; no underscore is in the name of one.
pub fn secret_name(user: &str) -> String {
    format!("{}.{CLUSTER}.credentials.postgresql.acid.zalan.do", user.replace('_', "-"))
}

/// base64.
pub fn decoded(value: &Value) -> String {
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default());
    String::from_utf8(bytes.expect("base64")).expect("UTF-8")
}

/// The minimal manifest of the talk, with a Patroni that is quick to notice.
pub fn minimal(namespace: &str) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": CLUSTER, "namespace": namespace },
        "spec": {
            "teamId": "ACID", "volume": { "size": "1Gi" }, "numberOfInstances": 2,
            "users": { "zalando": ["superuser", "createdb"], "foo_user": null },
            "databases": { "foo": "zalando" },
            "postgresql": { "version": "15" },
            "patroni": { "ttl": 20, "loop_wait": 1, "retry_timeout": 3 },
        },
    })
}
