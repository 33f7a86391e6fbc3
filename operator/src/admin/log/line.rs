//! One line of the log: fields go in, text or JSON comes out, clean and bounded.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use teams_sync::service::clean;
use tracing::Level;
use tracing::field::{Field, Visit};

use crate::admin::redact::scrub;
use crate::admin::rings::LogLine;
use crate::admin::shapes;
use crate::cluster::ClusterId;

/// Bytes of a message or a value, as it was told.
const LONGEST_VALUE: usize = 1024;
/// Bytes of a line on the board.
const LONGEST_LINE: usize = 1024;
const MOST_FIELDS: usize = 32;
/// What a line of JSON says anyway; a field of such a name gets another one.
const TAKEN: [&str; 3] = ["time", "level", "msg"];

/// Of a span or an event. The inner one counts where both have a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    message: String,
    /// Without secrets, in order.
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    pub(super) fn extend(&mut self, inner: &Self) {
        for (name, value) in &inner.others {
            self.set(name, value.clone());
        }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        if let Some(other) = self.others.iter_mut().find(|(other, _)| *other == name) {
            other.1 = value;
        } else if self.others.len() < MOST_FIELDS {
            self.others.push((name, value));
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        let text = shorten(scrub(text), LONGEST_VALUE);
        match field.name() {
            "message" => self.message = text,
            name => self.set(name, text.into()),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.others.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    fn cluster(&self) -> Option<ClusterId> {
        let (namespace, name) = self.get("cluster")?.as_str()?.split_once('/')?;
        Some(ClusterId { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    fn worker(&self) -> Option<usize> {
        let value = self.get("worker")?;
        match value {
            Value::String(text) => text.parse().ok(),
            value => usize::try_from(value.as_u64()?).ok(),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }
}

/// What is said, by whom, when.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    pub(super) fields: Fields,
}

impl Line {
    pub(super) fn text(&self) -> String {
        let mut text =
            format!("{:.6} {:>5} {}", self.time, self.level, clean(&self.fields.message));
        append(&mut text, self.fields.others.iter());
        text
    }

    pub(super) fn json(&self) -> String {
        // Strings and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For whoever asks about its cluster or its worker.
    pub(super) fn for_board(&self) -> Option<LogLine> {
        let (cluster, worker) = (self.fields.cluster(), self.fields.worker());
        if cluster.is_none() && worker.is_none() {
            return None;
        }
        let mut message = clean(&self.fields.message).into_owned();
        let others = self.fields.others.iter();
        append(&mut message, others.filter(|(name, _)| !matches!(*name, "cluster" | "worker")));
        let message = shorten(message.into(), LONGEST_LINE);
        Some(LogLine { time: self.time, level: self.level, cluster, worker, message })
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let string = |text: &str| Value::from(&*clean(text));
        let head = [
            (Cow::Borrowed("time"), format!("{:.6}", self.time).into()),
            ("level".into(), shapes::level(self.level).into()),
            ("msg".into(), string(&self.fields.message)),
        ];
        let others = self.fields.others.iter().map(|(name, value)| {
            let name = match TAKEN.contains(name) {
                true => format!("field.{name}").into(),
                false => Cow::Borrowed(*name),
            };
            (name, value.as_str().map_or_else(|| value.clone(), string))
        });
        to.collect_map(head.into_iter().chain(others))
    }
}

/// ` name=value` of each.
fn append<'a>(text: &mut String, fields: impl Iterator<Item = &'a (&'static str, Value)>) {
    for (name, value) in fields {
        text.push(' ');
        text.push_str(name);
        text.push('=');
        match value.as_str() {
            Some(value) if is_plain(value) => text.push_str(value),
            Some(value) => text.push_str(&format!("{value:?}")),
            None => text.push_str(&value.to_string()),
        }
    }
}

/// Whether it can be told from what is around it without quotes.
fn is_plain(value: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\');
    !value.is_empty() && !value.contains(odd) && matches!(clean(value), Cow::Borrowed(_))
}

fn shorten(text: Cow<'_, str>, most: usize) -> String {
    let mut text = text.into_owned();
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}
