//! Texts that many objects have in common: what owns the fields of one cluster's objects is, letter
//! for letter, what owns those of the next.
//!
//! In: a text. Out: a number for it, and the text for a number. Never: more than so many texts, or
//! long ones; what is beyond keeps its own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// A cluster has about forty.
const MOST_TEXTS: usize = 4096;
/// Bytes of one.
const LONGEST: usize = 16 * 1024;

static SHARED: LazyLock<RwLock<Shared>> = LazyLock::new(RwLock::default);

#[derive(Debug, Default)]
struct Shared {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u64>,
}

/// The number of a text, which is kept from now on. `None`: there is no room for it.
pub(super) fn number(text: &str) -> Option<u64> {
    let known = SHARED.read().unwrap_or_else(PoisonError::into_inner).numbers.get(text).copied();
    known.or_else(|| SHARED.write().unwrap_or_else(PoisonError::into_inner).add(text))
}

/// The text of a number that was given out.
pub(super) fn text(number: u64) -> Option<Arc<str>> {
    let shared = SHARED.read().unwrap_or_else(PoisonError::into_inner);
    shared.texts.get(usize::try_from(number).ok()?).cloned()
}

impl Shared {
    fn add(&mut self, text: &str) -> Option<u64> {
        if let Some(known) = self.numbers.get(text) {
            return Some(*known);
        }
        if self.texts.len() >= MOST_TEXTS || text.len() > LONGEST {
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
    use super::{LONGEST, MOST_TEXTS, Shared};

    #[test]
    fn equal_texts_have_one_number_and_there_is_an_end_to_them() {
        let mut shared = Shared::default();
        assert_eq!(
            (shared.add("a"), shared.add("b"), shared.add("a")),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(shared.add(&"x".repeat(LONGEST + 1)), None);
        for number in 2..MOST_TEXTS {
            assert!(shared.add(&number.to_string()).is_some());
        }
        assert_eq!((shared.add("one more"), shared.add("b")), (None, Some(1)));
        assert_eq!(shared.texts.len(), MOST_TEXTS);
    }
}
