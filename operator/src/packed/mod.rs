//! What is kept of many objects and looked at seldom, in little memory: as its text.
//!
//! JSON as a tree takes up five times its text, since a map of few entries has room for more. So
//! manifests keep what users wrote and the status as [`Packed`].
//!
//! `metadata.managedFields` is a tree of many maps with one entry each, and takes up most of an
//! object in memory, a hundred kilobytes of a StatefulSet. It is looked at where something differs
//! alone, and most objects have it in common with others. So caches keep each tree as a number, which
//! stands for its text. In: an object as the API server tells of it, or one from a cache. Out: the
//! same with numbers, and back.

mod shared;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON as its text. Looking at it makes a tree of it again.
///
/// It takes what is nested too deep for that as well, and says so when it is looked at: one such
/// object in a list would keep us from all others. So it is read from JSON alone, as it comes from an
/// API server: in an event, the type before the object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Packed(
    /// `None`: null.
    Option<Arc<str>>,
);

impl Packed {
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// As a tree.
    ///
    /// # Errors
    /// It is nested too deep.
    pub fn tree(&self) -> Result<Value, serde_json::Error> {
        self.0.as_deref().map_or(Ok(Value::Null), serde_json::from_str)
    }

    /// The same; null, where it is nested too deep.
    pub fn value(&self) -> Value {
        self.tree().unwrap_or_default()
    }
}

impl From<&Value> for Packed {
    fn from(value: &Value) -> Self {
        Self((!value.is_null()).then(|| value.to_string().into()))
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match serde_json::from_str::<Value>(text.get()) {
            Ok(value) => Self::from(&value),
            Err(_too_deep) => Self(Some(text.get().into())),
        })
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// Metadata as it came; without who owns which field, where that is nested too deep.
///
/// # Errors
/// It is no metadata.
pub fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let text = Box::<RawValue>::deserialize(deserializer)?;
    let whole = serde_json::from_str(text.get());
    whole.or_else(|_| without_owners(text.get())).map_err(D::Error::custom)
}

fn without_owners(metadata: &str) -> Result<ObjectMeta, serde_json::Error> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_str(metadata)?;
    fields.remove("managedFields");
    serde_json::from_str(&serde_json::to_string(&fields)?)
}

/// Makes a number of each tree, or a text where there are too many.
pub fn pack(metadata: &mut ObjectMeta) {
    for entry in metadata.managed_fields.iter_mut().flatten() {
        if let Some(fields) = entry.fields_v1.as_mut().filter(|fields| fields.0.is_object()) {
            let text = fields.0.to_string();
            fields.0 = shared::number(&text).map_or(Value::String(text), Value::from);
        }
    }
}

/// Makes trees of these again, in an object that is JSON.
pub fn unpack(object: &mut Value) {
    let Some(entries) = object.pointer_mut("/metadata/managedFields") else { return };
    for entry in entries.as_array_mut().into_iter().flatten() {
        if let Some(fields) = entry.get_mut("fieldsV1")
            && let Cow::Owned(tree) = tree(fields)
        {
            *fields = tree;
        }
    }
}

/// The tree of one owner.
pub fn fields(entry: &ManagedFieldsEntry) -> Option<Cow<'_, Value>> {
    entry.fields_v1.as_ref().map(|fields| tree(&fields.0))
}

fn tree(fields: &Value) -> Cow<'_, Value> {
    match fields {
        Value::String(text) => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
        Value::Number(number) => {
            let text = number.as_u64().and_then(shared::text);
            let tree = text.and_then(|text| serde_json::from_str(&text).ok());
            Cow::Owned(tree.unwrap_or_default())
        }
        tree => Cow::Borrowed(tree),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::{Value, json};

    use super::{Packed, fields, pack, unpack};

    #[test]
    fn whoever_owns_which_field_is_the_same_behind_a_cache() {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "a", "managedFields": [
                { "manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                    "fieldsV1": { "f:data": { ".": {}, "f:password": {} } } },
                { "manager": "n", "operation": "Update" },
            ] },
        });
        let mut secret: Secret = serde_json::from_value(object.clone()).expect("a Secret");
        for _ in 0..2 {
            pack(&mut secret.metadata);
        }
        let entries = secret.metadata.managed_fields.clone().unwrap_or_default();
        assert!(entries[0].fields_v1.as_ref().is_some_and(|own| own.0.is_number()));
        assert_eq!(
            fields(&entries[0]).as_deref(),
            Some(&object["metadata"]["managedFields"][0]["fieldsV1"])
        );
        assert_eq!(fields(&entries[1]), None);
        let mut back = serde_json::to_value(&secret).expect("JSON");
        for _ in 0..2 {
            unpack(&mut back);
        }
        assert_eq!(back, object);
        let mut without = json!({ "metadata": {} });
        unpack(&mut without);
        assert_eq!(without, json!({ "metadata": {} }));
        let mut none = Value::Null;
        unpack(&mut none);
        assert_eq!(none, Value::Null);
    }
    #[test]
    fn json_is_the_same_behind_its_text() {
        for value in [json!(null), json!("Creating"), json!({ "b": [1, 2.5], "a": { "x": null } })]
        {
            let packed: Packed = serde_json::from_value(value.clone()).expect("any JSON");
            assert_eq!((packed.value(), packed.is_null()), (value.clone(), value.is_null()));
            assert_eq!(serde_json::to_value(&packed).expect("JSON"), value);
            assert_eq!(packed, Packed::from(&value));
        }
    }
}
