//! The pods of the cluster of a [`Cloud`], as Kubernetes and their Patroni have them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cloud::{CLUSTER, Cloud};
use crate::eventually;
use crate::patroni::Patroni;
use crate::watcher::is_ready;
use crate::writer::Writer;

impl Cloud {
    pub fn pods(&self) -> Vec<Value> {
        self.platform.kube.list("Pod", &self.platform.namespace, "application=spilo")
    }

    /// Which pod has which name.
    pub fn uids(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pods = self.pods();
        let own = pods.iter().map(|pod| &pod["metadata"]);
        own.map(|own| (text(&own["name"]), text(&own["uid"]))).collect()
    }

    #[track_caller]
    pub fn all_are_ready(&self, pods: usize) {
        eventually("all pods are ready", || {
            let ready = self.pods().iter().filter(|pod| is_ready(pod)).count();
            if ready == pods { Ok(()) } else { Err(ready) }
        });
    }

    /// Its REST API.
    pub fn patroni(&self, pod: &str) -> Patroni {
        let address = self.agent.pod_ip(&self.platform.namespace, pod);
        Patroni::of(self.platform.network(), address)
    }

    /// Waits until writes wait for somebody; who that is.
    #[track_caller]
    pub fn synchronous_standby(&self) -> String {
        let leader = self.primary();
        eventually("there is a synchronous standby", || {
            let answer = self.patroni(&leader).get("cluster")?;
            let all = answer["members"].as_array().cloned().unwrap_or_default();
            let is_it = |own: &&Value| own["role"] == "sync_standby" && own["state"] == "streaming";
            let name = all.iter().find(is_it).and_then(|own| own["name"].as_str());
            name.map(str::to_owned).ok_or_else(|| answer.to_string())
        })
    }

    /// How often another one has begun to lead.
    #[track_caller]
    pub fn timeline(&self) -> i64 {
        eventually("a primary says its timeline", || {
            let own = self.patroni(&self.primary()).get("patroni")?;
            // In the middle of its promotion it says the one of before, as a replica.
            let leads = ["primary", "master"].iter().any(|role| own["role"] == *role);
            own["timeline"].as_i64().filter(|_| leads).ok_or_else(|| own.to_string())
        })
    }

    /// Waits until it is not this one that leads; who does.
    #[track_caller]
    pub fn leads_another(&self, than: &str) -> String {
        eventually("another one leads", || {
            let now = self.primary();
            if now == than { Err(self.platform.status(CLUSTER)) } else { Ok(now) }
        })
    }

    /// Waits until people are told something that begins so.
    #[track_caller]
    pub fn wait_for_event(&self, words: &str) {
        eventually(&format!("somebody is told {words:?}"), || {
            let told = self.platform.events(CLUSTER);
            if told.iter().any(|own| own.starts_with(words)) { Ok(()) } else { Err(told) }
        });
    }

    /// As a superuser, at the master Service.
    #[track_caller]
    pub fn writer(&self) -> Writer {
        let host = format!("{CLUSTER}.{}.svc.cluster.local", self.platform.namespace);
        Writer::start(&self.agent, &host, "postgres", &self.password("postgres"))
    }

    /// For how long nothing can be written when Patroni of a synchronous cluster of so many pods is
    /// asked for a switchover by hand.
    #[track_caller]
    pub fn patroni_switches_over(&self, writer: &Writer, pods: usize) -> Duration {
        let candidate = self.synchronous_standby();
        let (start, leader) = (Instant::now(), self.primary());
        self.patroni(&leader).switch_over(&leader);
        writer.goes_on();
        let gap = writer.longest_gap_since(start);
        assert_eq!(self.leads_another(&leader), candidate);
        self.all_are_ready(pods);
        gap
    }
}
