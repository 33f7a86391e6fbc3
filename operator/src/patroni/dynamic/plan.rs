//! What has to be changed, and what is to be remembered of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::wanted::Wanted;
use super::{defaults, same, standby};
use crate::api::status::PatroniStatus;

/// The way from what Patroni says to what is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// For `PATCH /config`; `None`: all is as it should be.
    pub patch: Option<Value>,
    /// What the patch does, in words.
    pub changes: Vec<String>,
    /// What stays although the manifest does not ask for it any more, and what waits.
    pub stays: Vec<String>,
    /// What is ours from the moment on that Patroni gets the patch. To be written down before.
    pub before: PatroniStatus,
    /// What is ours once it has it.
    pub after: PatroniStatus,
    /// Whether Patroni is paused now or by the patch, by whomever.
    pub is_paused: bool,
    /// Whether the patch ends that the cluster follows another one.
    pub promotes: bool,
}

impl Plan {
    /// Whether something that was ours is not to be any more. That it is not there has to be
    /// certain then, or it stays for ever.
    pub fn forgets(&self, ours: &PatroniStatus) -> bool {
        let after = &self.after;
        ours.pause && !after.pause
            || !ours.settings.is_subset(&after.settings)
            || !ours.parameters.is_subset(&after.parameters)
            || !ours.slots.is_subset(&after.slots)
    }
}

/// `ours`: what was asked for before. `config`: `GET /config`.
pub fn plan(wanted: &Wanted, ours: &PatroniStatus, config: &Map<String, Value>) -> Plan {
    let mut draft = Draft { ours, config, patch: Map::new(), plan: Plan::default() };
    draft.plan.before = ours.clone();
    draft.plan.after =
        PatroniStatus { restarts: ours.restarts.clone(), ..PatroniStatus::default() };
    draft.settings(wanted);
    draft.parameters(wanted);
    draft.slots(wanted);
    draft.pause(wanted);
    draft.standby(wanted);
    let Draft { patch, mut plan, .. } = draft;
    plan.patch = (!patch.is_empty()).then_some(Value::Object(patch));
    plan
}

struct Draft<'a> {
    ours: &'a PatroniStatus,
    config: &'a Map<String, Value>,
    patch: Map<String, Value>,
    plan: Plan,
}

impl Draft<'_> {
    fn settings(&mut self, wanted: &Wanted) {
        for (name, value) in &wanted.settings {
            let there = self.config.get(*name);
            if !same::setting(there, value) {
                self.changes(name, there, value);
                self.patch.insert((*name).to_owned(), value.clone());
            }
        }
        let named: BTreeSet<String> =
            wanted.settings.keys().map(|name| (*name).to_owned()).collect();
        for name in self.ours.settings.difference(&named) {
            let Some(there) = self.config.get(name) else { continue };
            let usual = defaults::setting(name);
            if !there.is_null() && *there != usual {
                self.changes(name, Some(there), &usual);
                self.patch.insert(name.clone(), usual);
            }
        }
        self.plan.before.settings.extend(named.iter().cloned());
        self.plan.after.settings = named;
    }

    fn parameters(&mut self, wanted: &Wanted) {
        let nothing = Map::new();
        let there = self.config.get("postgresql").and_then(|own| own.get("parameters"));
        let there = there.and_then(Value::as_object).unwrap_or(&nothing);
        // PostgreSQL knows no upper case in their names, and Patroni neither.
        let find = |name: &str| there.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let mut patch = Map::new();
        for (name, value) in &wanted.parameters {
            let found = find(name);
            if !found.is_some_and(|(_, there)| same::parameter(there, value)) {
                let value = json!(value);
                self.changes(name, found.map(|(_, there)| there), &value);
                patch.insert(found.map_or(name, |(own, _)| own).clone(), value);
            }
        }
        let is_named =
            |name: &String| wanted.parameters.keys().any(|own| own.eq_ignore_ascii_case(name));
        let named: BTreeSet<String> = wanted.parameters.keys().cloned().collect();
        self.plan.before.parameters.extend(named.iter().cloned());
        self.plan.after.parameters = named;
        for name in self.ours.parameters.iter().filter(|name| !is_named(name)) {
            let Some((own, there)) = find(name).filter(|(_, there)| !there.is_null()) else {
                continue;
            };
            let usual = defaults::parameter(name);
            if defaults::is_kept(name) {
                self.plan.stays.push(format!(
                    "{}{} stays, because a server may not start with less: if it is to be another one, name it in the manifest",
                    name.escape_debug(),
                    same::shown(there).map(|value| format!(" = {value}")).unwrap_or_default()
                ));
                self.plan.after.parameters.insert(name.clone());
            } else if *there != usual {
                self.changes(name, Some(there), &usual);
                patch.insert(own.clone(), usual);
            }
        }
        if !patch.is_empty() {
            self.patch.insert("postgresql".to_owned(), json!({ "parameters": patch }));
        }
    }

    fn slots(&mut self, wanted: &Wanted) {
        let nothing = Map::new();
        let there = self.config.get("slots").and_then(Value::as_object).unwrap_or(&nothing);
        let mut patch = Map::new();
        for (name, slot) in &wanted.slots {
            let found = there.get(name).and_then(Value::as_object);
            let change = slot_patch(found, slot);
            if !change.is_empty() {
                let word = if found.is_some() { "changed" } else { "added" };
                self.plan.changes.push(format!("slot {}: {word}", name.escape_debug()));
                patch.insert(name.clone(), Value::Object(change));
            }
        }
        let named: BTreeSet<String> = wanted.slots.keys().cloned().collect();
        for name in self.ours.slots.difference(&named) {
            if there.contains_key(name) {
                self.plan.changes.push(format!("slot {}: removed", name.escape_debug()));
                patch.insert(name.clone(), Value::Null);
            }
        }
        self.plan.before.slots.extend(named.iter().cloned());
        self.plan.after.slots = named;
        if !patch.is_empty() {
            self.patch.insert("slots".to_owned(), Value::Object(patch));
        }
    }

    /// A pause that somebody else began is ended by nobody here.
    fn pause(&mut self, wanted: &Wanted) {
        let is_paused = !same::setting(self.config.get("pause"), &json!(false));
        match (wanted.pause, is_paused) {
            (true, false) => {
                self.patch.insert("pause".to_owned(), json!(true));
                self.plan.changes.push("pause begins".to_owned());
                self.plan.before.pause = true;
                self.plan.after.pause = true;
            }
            (true, true) => self.plan.after.pause = self.ours.pause,
            (false, true) if self.ours.pause => {
                self.patch.insert("pause".to_owned(), Value::Null);
                self.plan.changes.push("pause ends".to_owned());
            }
            (false, _) => {}
        }
        self.plan.is_paused = wanted.pause || (is_paused && !self.ours.pause);
    }

    /// Whoever leads a standby cluster is promoted by Patroni as soon as it follows nobody.
    fn standby(&mut self, wanted: &Wanted) {
        let there = self.config.get("standby_cluster").and_then(Value::as_object);
        let there = there.filter(|there| !there.is_empty());
        let (change, word) = match (&wanted.standby, there) {
            (Some(source), there) => {
                self.plan.before.standby = true;
                self.plan.after.standby = true;
                let named = standby::named(source);
                self.plan.before.source.extend(named.iter().cloned());
                self.plan.after.source = named;
                let patch = standby::patch(there, source, &self.ours.source);
                let word = format!("follows {}", standby::shown(source));
                ((!patch.is_empty()).then_some(Value::Object(patch)), word)
            }
            (None, Some(_)) if self.ours.standby => {
                self.plan.after.standby = true;
                self.plan.after.source = self.ours.source.clone();
                (Some(Value::Null), "follows nobody any more: it is promoted".to_owned())
            }
            // Until it is known that it was promoted.
            (None, None) => {
                self.plan.after.standby = self.ours.standby;
                (None, String::new())
            }
            // Somebody else made it one, and may have meant it to be.
            (None, Some(_)) => {
                self.plan.stays.push(
                    "the cluster goes on following another one, for it was not this manifest that asked for it: to promote it, put `standby` back until it is InSync, and take it out again".to_owned(),
                );
                (None, String::new())
            }
        };
        let Some(change) = change else { return };
        if self.plan.is_paused {
            self.plan.after.source = self.plan.before.source.clone();
            self.plan.stays.push(format!("waits for the end of the pause: the cluster {word}"));
            return;
        }
        self.plan.promotes = change.is_null();
        self.plan.changes.push(word);
        self.patch.insert("standby_cluster".to_owned(), change);
    }

    fn changes(&mut self, name: &str, from: Option<&Value>, to: &Value) {
        self.plan.changes.push(same::turn(name, from.unwrap_or(&Value::Null), to));
    }
}

/// What has to be changed of one slot. A patch merges, so what is too much is taken away by name.
fn slot_patch(
    there: Option<&Map<String, Value>>,
    wanted: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let nothing = Map::new();
    let there = there.unwrap_or(&nothing);
    let is_same = |key: &String, value: &String| {
        there.get(key).is_some_and(|there| same::parameter(there, value))
    };
    let mut patch = Map::new();
    if wanted.iter().all(|(key, value)| is_same(key, value))
        && there.keys().all(|key| wanted.contains_key(key))
        && !there.is_empty()
    {
        return patch;
    }
    // All of it, so that one that somebody takes away meanwhile is whole.
    patch.extend(wanted.iter().map(|(key, value)| (key.clone(), json!(value))));
    for key in there.keys().filter(|key| !wanted.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}
