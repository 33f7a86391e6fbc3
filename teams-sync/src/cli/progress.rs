//! Where a run is, for a person at a terminal; silent for few servers and for pipes.

use std::cell::Cell;
use std::io::{IsTerminal, Write};

use teams_sync::sync::Report;

/// So many are done before anybody wonders.
const FEW: usize = 10;

pub(crate) struct Progress {
    total: usize,
    done: Cell<usize>,
    failed: Cell<usize>,
    shown: bool,
}

impl Progress {
    pub(crate) fn of(total: usize) -> Self {
        let shown = total > FEW && std::io::stderr().is_terminal();
        Self { total, done: Cell::new(0), failed: Cell::new(0), shown }
    }

    pub(crate) fn hear(&self, report: &Report) {
        self.done.set(self.done.get() + 1);
        if report.error.is_some() {
            self.failed.set(self.failed.get() + 1);
        }
        if self.shown {
            let (done, failed) = (self.done.get(), self.failed.get());
            let text = format!("\r{done} of {} servers, {failed} failed", self.total);
            let _closed = std::io::stderr().write_all(text.as_bytes());
        }
    }

    pub(crate) fn end(&self) {
        if self.shown {
            let _closed = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
