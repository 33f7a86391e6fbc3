//! Would a server-side apply change anything? A reconcile of an unchanged cluster must not
//! write, and an API server answers a superfluous apply with work for itself and all watchers.
//!
//! In: the object that we would apply, and the one in the API server with its managed fields.
//! Out: the paths that differ, none if there is nothing to do. Never a value: it may be secret.
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

/// Which paths of `live` an apply of `wanted` by the field manager `manager` would change.
///
/// `wanted` is left as it would be sent: without `stringData`, which no API server shows.
/// An object that the manager never applied always needs it.
pub fn needs_apply(wanted: &Value, live: &Value, manager: &str) -> Vec<String> {
    let Some(ours) = owned::fields(live, manager) else {
        return vec!["metadata.managedFields".to_owned()];
    };
    let mut found = differences(wanted, live, Some(ours));
    found.extend(owned::no_longer_wanted(ours, wanted));
    found
}
