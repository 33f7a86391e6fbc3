//! What happens during a login, kept for those who ask: counters for the metrics, warnings for
//! the log, and, for `pam-oauth2-check`, every step with its time.

use std::cell::RefCell;
use std::time::Duration;

use crate::cache::{Answered, Asked, Cached, Counter, Directory, Lookup, Tally};
use crate::clock::Clock;
use crate::redact::{Foreign, Redactor};

/// Belongs to one login.
pub(crate) struct Journal {
    clock: Clock,
    tally: RefCell<Tally>,
    warnings: RefCell<Vec<Text>>,
    steps: Option<RefCell<Vec<Step>>>,
}

/// One thing that was done.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it was: one of a few words.
    pub(crate) name: &'static str,
    pub(crate) text: Text,
    /// When it was over, since the login began.
    pub(crate) at: Duration,
}

/// Our own words, with foreign ones between them.
#[derive(Debug, Default)]
pub(crate) struct Text(Vec<Part>);

#[derive(Debug)]
enum Part {
    Foreign(Foreign),
    Ours(String),
}

impl Journal {
    /// Counts and warns; keeps the steps only where somebody is going to read them.
    pub(crate) fn new(clock: Clock, with_steps: bool) -> Self {
        Self {
            clock,
            tally: RefCell::new(Tally::new()),
            warnings: RefCell::default(),
            steps: with_steps.then(RefCell::default),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Notes a step. `text` is made only where steps are kept.
    pub(crate) fn step(&self, name: &'static str, text: impl FnOnce() -> Text) {
        if let Some(steps) = &self.steps {
            let step = Step { name, text: text(), at: self.clock.elapsed() };
            steps.borrow_mut().push(step);
        }
    }

    /// Something that an administrator should know although it decides nothing.
    pub(crate) fn warn(&self, text: Text) {
        self.warnings.borrow_mut().push(text);
    }

    /// A request was sent, and how it ended.
    pub(crate) fn asked(&self, endpoint: Asked, result: Answered, name: &str) {
        self.count(Counter::Request { endpoint, result });
        self.step("ask", || {
            let did = if result == Answered::Answered { "answered" } else { "did not answer" };
            Text::ours(format!("{name} {did}"))
        });
    }

    /// The cache was looked into.
    pub(crate) fn looked(&self, cache: Cached, result: Lookup) {
        self.count(Counter::Cache { cache, result });
    }

    pub(crate) fn count(&self, counter: Counter) {
        self.tally.borrow_mut().count(counter);
    }

    /// Leaves what was counted, with how the login ended and how long it took.
    pub(crate) fn leave(&self, directory: &Directory, login: Counter) {
        let mut tally = self.tally.replace(Tally::new());
        tally.count(login);
        tally.count_times(Counter::UnusableFile, directory.unusable().into());
        tally.took(self.clock.elapsed());
        tally.add_to(directory);
    }

    pub(crate) fn take_warnings(&self) -> Vec<Text> {
        self.warnings.take()
    }

    pub(crate) fn take_steps(&self) -> Vec<Step> {
        self.steps.as_ref().map(RefCell::take).unwrap_or_default()
    }
}

impl Text {
    pub(crate) fn ours(words: impl Into<String>) -> Self {
        Self(vec![Part::Ours(words.into())])
    }

    #[must_use]
    pub(crate) fn and(mut self, words: impl Into<String>) -> Self {
        self.0.push(Part::Ours(words.into()));
        self
    }

    /// In quotes, when it is shown.
    #[must_use]
    pub(crate) fn foreign(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Foreign(Foreign::new(text.into())));
        self
    }

    /// As visible ASCII.
    pub(crate) fn shown(&self, redactor: Option<&Redactor<'_>>) -> String {
        let shown = self.0.iter().map(|part| match part {
            Part::Ours(words) => crate::redact::visible(words),
            Part::Foreign(text) => text.quoted(redactor),
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests;
