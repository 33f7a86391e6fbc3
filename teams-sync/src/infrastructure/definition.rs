//! The definition of one role: the YAML under its name in the ConfigMap of
//! zalando/postgres-operator, and under `details` of a Secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::role::{Attributes, Flags, Parameter, RoleName};

/// As it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    #[serde(default)]
    inrole: Vec<String>,
    #[serde(default)]
    user_flags: Vec<String>,
    #[serde(default)]
    db_parameters: BTreeMap<String, Value>,
    /// The role whose members may grant this one on.
    #[serde(default)]
    admin_role: Option<String>,
}

/// YAML makes numbers and booleans of what PostgreSQL takes as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Boolean(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Boolean(true) => "on".to_owned(),
            Self::Boolean(false) => "off".to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// As it is meant.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) member_of: Vec<RoleName>,
    pub(super) admins: BTreeSet<RoleName>,
    pub(super) attributes: Attributes,
    pub(super) parameters: Vec<Parameter>,
}

impl Definition {
    /// From YAML. An empty document is a definition without anything in it.
    pub(super) fn read(yaml: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(yaml).map_err(|_foreign| "it is not UTF-8".to_owned())?;
        let found: Option<Self> = serde_saphyr::from_str(text)
            .map_err(|error| error.to_string().escape_debug().to_string())?;
        Ok(found.unwrap_or_default())
    }

    /// Robots log in unless their flags say otherwise.
    pub(super) fn parse(&self) -> Result<Parsed, String> {
        let flags = Flags::parse(self.user_flags.iter().map(String::as_str))
            .map_err(|error| format!("user_flags: {error}"))?;
        let mut member_of = Vec::new();
        for group in self.inrole.iter().filter(|group| !group.is_empty()) {
            member_of.push(group_name(group)?);
        }
        let mut admins = BTreeSet::new();
        if let Some(admin) = self.admin_role.as_deref().filter(|admin| !admin.is_empty()) {
            let error =
                |error| format!("admin_role: {admin:?} cannot be the name of a role: {error}");
            admins.insert(RoleName::parse_group(admin).map_err(error)?);
        }
        let mut parameters = Vec::new();
        for (name, value) in &self.db_parameters {
            let parameter = Parameter::parse(name, &value.text())
                .map_err(|error| format!("db_parameters: {name:?}: {error}"))?;
            parameters.push(parameter);
        }
        Ok(Parsed { member_of, admins, attributes: flags.over(Attributes::LOGIN), parameters })
    }
}

fn group_name(text: &str) -> Result<RoleName, String> {
    RoleName::parse_group(text)
        .map_err(|error| format!("the role {text:?} cannot be granted: {error}"))
}
