//! Would a server-side apply change anything? A reconcile of an unchanged cluster must not
//! write, and an API server answers a superfluous apply with work for itself and all watchers.
//!
//! In: the object that we would apply, and the one in the API server with its managed fields.
//! Out: the fields that differ, none if there is nothing to do. Their values may be secret, and
//! are for whoever knows that the object holds none.
//!
//! Two things make a difference: a field that we want and that is not so ([`value`]), and a field
//! that is ours by an earlier apply and that we want no more ([`owned`]). What others put
//! beside our fields, and what the API server fills in, makes none.

use serde_json::Value;

mod lists;
mod owned;
mod path;
mod quantity;
#[cfg(test)]
mod tests;
mod value;

pub(super) use value::differences;

/// One field that an apply would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `spec.ports[port=5432,protocol=TCP].targetPort`.
    pub path: String,
    /// As it is; null: it is not there.
    pub from: Value,
    /// As it would be, likewise.
    pub to: Value,
}

/// Which paths of `live` an apply of `wanted` by the field manager `manager` would change.
///
/// `wanted` is left as it would be sent: without `stringData`, which no API server shows.
/// An object that the manager never applied always needs it.
pub fn needs_apply(wanted: &Value, live: &Value, manager: &str) -> Vec<String> {
    if owned::fields(live, manager).is_none() {
        return vec!["metadata.managedFields".to_owned()];
    }
    fields(wanted, live, manager).into_iter().map(|field| field.path).collect()
}

/// The same with values; that nothing was ever applied is none of them.
pub fn fields(wanted: &Value, live: &Value, manager: &str) -> Vec<Field> {
    let ours = owned::fields(live, manager);
    let mut found = differences(wanted, live, ours);
    found.extend(ours.into_iter().flat_map(|ours| owned::no_longer_wanted(ours, wanted, live)));
    found
}
