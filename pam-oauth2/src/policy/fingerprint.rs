//! One number for everything that a policy was read from.

use ring::digest::{Context, SHA256};

/// SHA-256 over a list of parts, each with its length, so that no two lists read alike.
pub(super) struct Fingerprint(Context);

impl Fingerprint {
    /// `kind` says what the parts are; no kind may be the beginning of another.
    pub(super) fn of(kind: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(kind);
        Self(context)
    }

    pub(super) fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(self.0.finish().as_ref());
        fingerprint
    }
}
