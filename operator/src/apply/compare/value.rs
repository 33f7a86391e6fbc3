//! Is everything that we want in an object as we want it?
//!
//! In: both objects, and which fields are ours. Out: the paths that are not as wanted. Maps
//! are compared by our keys, named items by name, everything else as a whole.

use serde_json::{Map, Value};

use super::Field;
use super::lists::{self, Merge};
use super::owned;
use super::path::Path;
use super::quantity;

/// Maps that are one value for Kubernetes: a key more or less is another selection.
const ATOMIC_MAPS: [&str; 4] = ["labelSelector", "matchLabels", "nodeSelector", "selector"];

/// What the API server fills in inside values that are compared as a whole.
const DEFAULTS: [(&str, &str); 7] = [
    ("apiVersion", "v1"),
    ("divisor", "0"),
    ("expirationSeconds", "3600"),
    ("kind", "PersistentVolumeClaim"),
    ("protocol", "TCP"),
    ("scheme", "HTTP"),
    ("volumeMode", "Filesystem"),
];

/// Fields of `live` that are not as `wanted`.
pub(in crate::apply) fn differences(
    wanted: &Value,
    live: &Value,
    ours: Option<&Value>,
) -> Vec<Field> {
    let mut walk = Walk { path: Path::default(), found: Vec::new() };
    for (name, wanted) in wanted.as_object().into_iter().flatten() {
        // What a LIST leaves out of its items.
        if name != "apiVersion" && name != "kind" {
            walk.field(name, wanted, live.get(name), owned::below(ours, name), false);
        }
    }
    walk.found
}

struct Walk {
    path: Path,
    found: Vec<Field>,
}

impl Walk {
    fn differs(&mut self, to: &Value, from: &Value) {
        let (from, to) = (from.clone(), to.clone());
        self.found.push(Field { path: self.path.to_string(), from, to });
    }

    fn field(
        &mut self,
        name: &str,
        wanted: &Value,
        live: Option<&Value>,
        ours: Option<&Value>,
        whole: bool,
    ) {
        self.path.enter(name);
        self.value(name, wanted, live.unwrap_or(&Value::Null), ours, whole);
        self.path.leave();
    }

    /// `name` is the field that it is in, `whole` whether it is part of an atomic value.
    fn value(
        &mut self,
        name: &str,
        wanted: &Value,
        live: &Value,
        ours: Option<&Value>,
        whole: bool,
    ) {
        match (wanted, live) {
            (Value::Null, _) => {}
            (Value::Object(wanted), Value::Object(live)) => {
                // An atomic map that is ours has nothing below it.
                let leaf = ours.and_then(Value::as_object).is_some_and(Map::is_empty);
                let whole = whole || ATOMIC_MAPS.contains(&name) || (leaf && !wanted.is_empty());
                self.map(wanted, live, ours, whole);
            }
            (Value::Array(wanted), Value::Array(live)) => {
                self.list(name, wanted, live, ours, whole);
            }
            (wanted, Value::Null) => {
                // Of what is ours and not there, the server has no other form.
                let same = is_empty(wanted) || ((ours.is_some() || whole) && is_zero(wanted));
                if !same {
                    self.differs(wanted, &Value::Null);
                }
            }
            (wanted, live) => {
                let is_quantity = quantity::is_at(self.path.parent(), name);
                let same = if is_quantity { quantity::same } else { same_number };
                if wanted != live && !same(wanted, live) {
                    self.differs(wanted, live);
                }
            }
        }
    }

    fn map(
        &mut self,
        wanted: &Map<String, Value>,
        live: &Map<String, Value>,
        ours: Option<&Value>,
        whole: bool,
    ) {
        for (name, wanted) in wanted {
            self.field(name, wanted, live.get(name), owned::below(ours, name), whole);
        }
        if !whole {
            return;
        }
        for (name, live) in live {
            let unwanted = wanted.get(name).is_none_or(Value::is_null);
            if unwanted && !is_empty(live) && !is_default(name, live) {
                self.path.enter(name);
                self.differs(&Value::Null, live);
                self.path.leave();
            }
        }
    }

    fn list(
        &mut self,
        name: &str,
        wanted: &[Value],
        live: &[Value],
        ours: Option<&Value>,
        whole: bool,
    ) {
        match if whole { Merge::Atomic } else { Merge::of(name, wanted) } {
            Merge::Keys(keys) => {
                for item in wanted {
                    let key = lists::key(item, keys);
                    self.path.enter(lists::show(&key));
                    match lists::find(live, &key) {
                        Some(live) => {
                            self.value("", item, live, owned::below_item(ours, &key), false);
                        }
                        None => self.differs(item, &Value::Null),
                    }
                    self.path.leave();
                }
            }
            Merge::Set if wanted.iter().all(|item| live.contains(item)) => {}
            Merge::Atomic if wanted.len() == live.len() => {
                for (at, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                    self.path.enter(format!("[{at}]"));
                    self.value("", wanted, live, None, true);
                    self.path.leave();
                }
            }
            Merge::Set | Merge::Atomic => {
                self.differs(&Value::Array(wanted.to_vec()), &Value::Array(live.to_vec()));
            }
        }
    }
}

/// `0` and `0.0`.
fn same_number(one: &Value, other: &Value) -> bool {
    one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
}

/// Nothing, in any of its forms.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(Value::is_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What Go leaves out of its JSON.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_default(name: &str, live: &Value) -> bool {
    // Of a claim in a template, which never has one.
    let text = live.as_str().map_or_else(|| live.to_string(), str::to_owned);
    name == "status" || DEFAULTS.contains(&(name, &text))
}
