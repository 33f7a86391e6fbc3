//! Is this token genuine? Each verifier answers with claims that it vouches for.
//!
//! One file per way to find out. All of them end in a [`Verified`], which nothing outside
//! this folder can make.

pub(crate) mod tokeninfo;

use std::ops::Deref;

/// Something that a verifier vouches for. No `From`, no `Default`: the field is private, so
/// every place of birth lies in this folder.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
impl<T> Verified<T> {
    /// For the tests of those who read claims.
    pub(crate) fn for_test(claims: T) -> Self {
        Self(claims)
    }
}
