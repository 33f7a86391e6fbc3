//! The one table of everything that can be configured.
//!
//! In: nothing. Out: for each key what it is called in both forms, what it holds, where that
//! goes in a [`Config`], its defaults, and what has to hold. Parsing, defaults, warnings, what is
//! shown, what changed and the documentation all read it. It never holds a value.

mod backup;
mod cloud;
mod identity;
mod kubernetes;
mod poolers;
mod services;
mod top;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use serde_json::Value;

use super::{
    Config, ConnectTo, InfrastructureSecret, Merge, NamespacedName, PodManagementPolicy, Volumes,
};

/// Where a value is in a [`Config`].
pub type At<T> = fn(&mut Config) -> &mut T;

/// What a key holds, and where that goes.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// Empty is false.
    Flag(At<bool>),
    /// Empty is the default: the reference asks whether it is there.
    Nullable(At<bool>),
    OptFlag(At<Option<bool>>),
    Int(At<i32>),
    /// Empty is the default.
    NullableInt(At<i32>),
    Id(At<Option<i64>>),
    Days(At<u32>),
    Port(At<u16>),
    Count(At<usize>),
    /// A part of the whole, 0 to 1.
    Share(At<f64>),
    Time(At<Duration>),
    Text(At<String>),
    /// Empty is none.
    OptText(At<Option<String>>),
    List(At<Vec<String>>),
    Set(At<BTreeSet<String>>),
    Map(At<BTreeMap<String, String>>),
    /// As a map; quotes around a value are no part of it.
    Settings(At<BTreeMap<String, String>>),
    Name(At<NamespacedName>),
    OptName(At<Option<NamespacedName>>),
    Policy(At<PodManagementPolicy>),
    Merge(At<Merge>),
    Connect(At<ConnectTo>),
    /// An object of Kubernetes, as JSON or YAML.
    Object(At<Option<Value>>),
    Containers(At<Vec<Container>>),
    Probe(At<Option<Probe>>),
    Robots(At<Vec<InfrastructureSecret>>),
    Retention(At<Volumes>),
    /// Accepted, with a warning, and not used.
    Unused(Kind),
}

/// What a key that is not used would hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Bool,
    Int,
    List,
    Text,
}

impl Slot {
    /// What it holds, in a word for documentation.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Flag(_) | Self::Nullable(_) | Self::OptFlag(_) | Self::Unused(Kind::Bool) => {
                "bool"
            }
            Self::Int(_)
            | Self::NullableInt(_)
            | Self::Id(_)
            | Self::Days(_)
            | Self::Port(_)
            | Self::Count(_)
            | Self::Unused(Kind::Int) => "number",
            Self::Share(_) => "share",
            Self::Time(_) => "duration",
            Self::List(_) | Self::Set(_) | Self::Unused(Kind::List) => "list",
            Self::Map(_) | Self::Settings(_) | Self::Retention(_) => "map",
            Self::Name(_) | Self::OptName(_) => "[namespace/]name",
            Self::Object(_) => "object",
            Self::Containers(_) => "containers",
            Self::Probe(_) => "probe",
            Self::Robots(_) => "secrets",
            Self::Text(_)
            | Self::OptText(_)
            | Self::Policy(_)
            | Self::Merge(_)
            | Self::Connect(_)
            | Self::Unused(Kind::Text) => "text",
        }
    }
}

/// What has to hold of a value, or is known of it.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Why an empty value is refused.
    NotEmpty(&'static str),
    /// Of each text that is not empty.
    Each(fn(&str) -> Result<(), String>),
    /// Of each pair.
    Pairs(fn(&str, &str) -> Result<(), String>),
    /// Of a time, in milliseconds.
    AtLeast(u64),
    /// Of a number, both ends included.
    Within(i64, i64),
    /// Of an object.
    Kind(&'static str),
    /// Never shown.
    Secret,
    /// Has an effect only after the operator started again.
    Restart,
    /// Read and checked, and without an effect as long as what it is for is not there.
    NotYet,
}

/// What the CRD form has where nothing is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CrdDefault {
    Same,
    Nothing,
    Other(&'static str),
}

/// How the contract marks a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    Core,
    Identity,
    Later,
    Deprecated,
    /// Not of zalando/postgres-operator.
    Ours,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    /// What the field is called in the reference, and so in the HTTP API.
    pub field: &'static str,
    pub slot: Slot,
    /// Of the ConfigMap form, as one would write it. Empty: nothing.
    pub default: &'static str,
    pub crd_default: CrdDefault,
    /// Below `configuration` of the CRD form. Empty: directly. `None`: only in a ConfigMap.
    pub group: Option<&'static str>,
    pub mark: Mark,
    pub rules: &'static [Rule],
    pub doc: &'static str,
}

impl Key {
    /// Names that it had in 2018.
    pub fn aliases(&self) -> &'static [&'static str] {
        match self.name {
            "master_dns_name_format" => &["dns_name_format"],
            "pod_service_account_name" => &["service_account_name"],
            "watched_namespace" => &["namespace"],
            _ => &[],
        }
    }

    /// Whether it has an effect at all.
    pub fn is_used(&self) -> bool {
        !matches!(self.slot, Slot::Unused(_))
    }

    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Secret))
    }

    /// Whether a change waits for the operator to start again.
    pub fn needs_restart(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Restart))
    }

    /// Whether it is for something that is not there yet.
    pub fn is_not_yet(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::NotYet))
    }

    /// `group.name`, or the name alone.
    pub fn path(&self) -> String {
        match self.group {
            None | Some("") => self.name.to_owned(),
            Some(group) => format!("{group}.{}", self.name),
        }
    }
}

/// Rows of one group.
macro_rules! keys {
    ($visible:vis $table:ident, $group:expr; $($name:ident $field:ident: $slot:ident($($at:tt)+)
        = $default:literal, $crd:expr, $mark:ident, [$($rule:expr),*], $doc:literal;)+) => {
        $visible const $table: &[$crate::config::keys::Key] = &[$($crate::config::keys::Key {
            name: stringify!($name),
            field: stringify!($field),
            slot: $crate::config::keys::slot!($slot $($at)+),
            default: $default,
            crd_default: $crd,
            group: $group,
            mark: $crate::config::keys::Mark::$mark,
            rules: &[$($rule),*],
            doc: $doc,
        }),+];
    };
}

macro_rules! slot {
    (Unused $kind:ident) => {
        $crate::config::keys::Slot::Unused($crate::config::keys::Kind::$kind)
    };
    ($slot:ident $($at:tt)+) => {
        $crate::config::keys::Slot::$slot(|config| &mut config.$($at)+)
    };
}

use {keys, slot};

const TABLES: [&[Key]; 18] = [
    top::TOP,
    top::DEBUG,
    top::LOGGING_REST_API,
    top::PATRONI,
    top::TIMEOUTS,
    top::CONFIG_MAP_ONLY,
    kubernetes::KUBERNETES,
    kubernetes::POSTGRES_POD_RESOURCES,
    identity::IN_KUBERNETES,
    identity::TEAMS_API,
    identity::USERS,
    services::LOAD_BALANCER,
    services::IN_KUBERNETES,
    cloud::AWS_OR_GCP,
    cloud::SCALYR,
    poolers::CONNECTION_POOLER,
    backup::LOGICAL_BACKUP,
    backup::MAJOR_VERSION_UPGRADE,
];

/// All keys there are.
pub fn all() -> impl Iterator<Item = &'static Key> {
    TABLES.into_iter().flatten()
}

/// The key of that name, or that once had it.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name).or_else(|| all().find(|key| key.aliases().contains(&name)))
}

/// The groups of the CRD form.
pub fn groups() -> BTreeSet<&'static str> {
    all().filter_map(|key| key.group).filter(|group| !group.is_empty()).collect()
}
