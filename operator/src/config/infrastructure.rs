//! `infrastructure_roles_secrets`: in a ConfigMap one line about one Secret, in the CRD form a
//! list. In: either. Out: which keys of which Secrets hold what. No Secret is read here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{Context, name, word};
use super::{InfrastructureSecret, text};

/// What can be said about a Secret.
const FIELDS: [&str; 8] = [
    "secretname",
    "userkey",
    "passwordkey",
    "rolekey",
    "defaultuservalue",
    "defaultrolevalue",
    "details",
    "template",
];

pub(super) fn read(
    value: &Value,
    context: &mut Context<'_>,
) -> Result<Vec<InfrastructureSecret>, String> {
    match value {
        Value::String(line) => Ok(vec![from_line(line, context)?]),
        Value::Array(items) => {
            let one = |(number, item)| {
                from_object(item, context).map_err(|why| format!("item {}: {why}", number + 1))
            };
            items.iter().enumerate().map(one).collect()
        }
        _ => Err("write a list, each with secretname, userkey, passwordkey and rolekey".to_owned()),
    }
}

fn from_line(line: &str, context: &mut Context<'_>) -> Result<InfrastructureSecret, String> {
    let mut fields = BTreeMap::new();
    for (key, value) in text::pairs(line)? {
        fields.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let bare = fields.get("secretname").is_some_and(|name| !name.contains('/'));
    if bare && context.operator_namespace != "default" {
        // The reference does so, and configurations rely on it.
        context.warnings.push(
            "secretname has no namespace, which means `default` here and not that of the \
             operator; write namespace/name"
                .to_owned(),
        );
    }
    build(&fields, "default")
}

fn from_object(item: &Value, context: &Context<'_>) -> Result<InfrastructureSecret, String> {
    let object = item.as_object().ok_or("it is no object")?;
    let mut fields = BTreeMap::new();
    for (key, value) in object {
        // As the type of Kubernetes would be written, with both parts apart.
        let text = match value {
            Value::Object(parts) => {
                let part = |key: &str| parts.get(key).and_then(Value::as_str).unwrap_or_default();
                match part("namespace") {
                    "" => part("name").to_owned(),
                    namespace => format!("{namespace}/{}", part("name")),
                }
            }
            other => word(other)?,
        };
        fields.insert(key.clone(), text);
    }
    build(&fields, context.operator_namespace)
}

fn build(
    fields: &BTreeMap<String, String>,
    namespace: &str,
) -> Result<InfrastructureSecret, String> {
    if let Some(key) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let key = super::error::escaped(key);
        return Err(format!("{key} is none of {}", FIELDS.join(", ")));
    }
    let get = |key: &str| fields.get(key).filter(|text| !text.is_empty()).cloned();
    let template = match get("template") {
        Some(text) => text::flag(&text).map_err(|why| format!("template: {why}"))?,
        None => false,
    };
    // The keys of the numbered Secret have these names whatever is said.
    let or = |given: Option<String>, of_template: &str| {
        given.or_else(|| template.then(|| of_template.to_owned()))
    };
    let secret = get("secretname").ok_or("secretname is missing")?;
    let secret = InfrastructureSecret {
        secret: name(&secret, namespace).map_err(|why| format!("secretname: {why}"))?,
        userkey: or(get("userkey"), "user"),
        passwordkey: or(get("passwordkey"), "password").ok_or("passwordkey is missing")?,
        rolekey: or(get("rolekey"), "inrole"),
        defaultuservalue: get("defaultuservalue"),
        defaultrolevalue: get("defaultrolevalue"),
        details: get("details"),
        template,
    };
    if secret.userkey.is_none() && secret.defaultuservalue.is_none() {
        return Err("userkey or defaultuservalue has to say what the role is called".to_owned());
    }
    for role in [&secret.defaultuservalue, &secret.defaultrolevalue].into_iter().flatten() {
        super::syntax::group_role(role)?;
    }
    Ok(secret)
}
