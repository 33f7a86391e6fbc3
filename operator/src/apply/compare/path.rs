//! Where a walk through an object is: `spec.containers[name=postgres].image`.

/// Segments from the root.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(Vec<String>);

impl Path {
    pub(super) fn enter(&mut self, segment: impl Into<String>) {
        self.0.push(segment.into());
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// What the innermost field but one is called.
    pub(super) fn parent(&self) -> &str {
        self.0.iter().rev().nth(1).map_or("", String::as_str)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            let dot = if at == 0 || segment.starts_with('[') { "" } else { "." };
            write!(f, "{dot}{segment}")?;
        }
        Ok(())
    }
}
