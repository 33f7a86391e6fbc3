//! Texts that many objects have in common: what owns the fields of one cluster's objects is, letter
//! for letter, what owns those of the next.
//!
//! In: a text. Out: a number for it, and the text for a number. Never: more than so many texts, long
//! ones, or what names one object alone; those keep their own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// A cluster has about forty.
const MOST_TEXTS: usize = 4096;
/// Bytes of one.
const LONGEST: usize = 16 * 1024;

/// Items of lists that are told apart by these are of one object: its owner, and the addresses of a
/// pod.
const OF_ONE: [&str; 2] = [r#"k:{\"uid\""#, r#"k:{\"ip\""#];

static SHARED: LazyLock<RwLock<Shared>> = LazyLock::new(RwLock::default);

#[derive(Debug, Default)]
struct Shared {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u64>,
}

/// The number of a text, which is kept from now on. `None`: there is no room for it.
pub(super) fn number(text: &str) -> Option<u64> {
    let shared = SHARED.read().unwrap_or_else(PoisonError::into_inner);
    let (known, has_room) = (shared.numbers.get(text).copied(), shared.has_room(text));
    drop(shared);
    if known.is_some() || !has_room {
        return known;
    }
    SHARED.write().unwrap_or_else(PoisonError::into_inner).add(text)
}

/// The text of a number that was given out.
pub(super) fn text(number: u64) -> Option<Arc<str>> {
    let shared = SHARED.read().unwrap_or_else(PoisonError::into_inner);
    shared.texts.get(usize::try_from(number).ok()?).cloned()
}

impl Shared {
    fn has_room(&self, text: &str) -> bool {
        let is_of_one = || OF_ONE.iter().any(|key| text.contains(key));
        self.texts.len() < MOST_TEXTS && text.len() <= LONGEST && !is_of_one()
    }

    fn add(&mut self, text: &str) -> Option<u64> {
        if let Some(known) = self.numbers.get(text) {
            return Some(*known);
        }
        if !self.has_room(text) {
            return None;
        }
        let (number, text) = (u64::try_from(self.texts.len()).ok()?, Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LONGEST, MOST_TEXTS, Shared};

    #[test]
    fn equal_texts_have_one_number_and_there_is_an_end_to_them() {
        let mut shared = Shared::default();
        assert_eq!(
            (shared.add("a"), shared.add("b"), shared.add("a")),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(shared.add(&"x".repeat(LONGEST + 1)), None);
        for key in [json!({ "uid": "a" }), json!({ "ip": "10.0.0.1" })] {
            let of_one = json!({ "f:metadata": { format!("k:{key}"): {} } });
            assert_eq!(shared.add(&of_one.to_string()), None);
        }
        for number in 2..MOST_TEXTS {
            assert!(shared.add(&number.to_string()).is_some());
        }
        assert_eq!((shared.add("one more"), shared.add("b")), (None, Some(1)));
        assert_eq!(shared.texts.len(), MOST_TEXTS);
    }
}
