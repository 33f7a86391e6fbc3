//! The log: events of this program go in, one line each comes out, as text or JSON; what has the
//! fields `cluster` (`ns/name`) or `worker`, itself or by its spans, goes to the board, too.
//!
//! Libraries do not get a word in: they are less careful with secrets. What others wrote never
//! becomes a line of its own, nor an endless one.

mod line;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use super::board::Board;
use line::{Fields, Line};

/// How lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    /// By the value of `ENABLE_JSON_LOGGING`.
    pub fn by_variable(value: Option<&str>) -> Self {
        match value {
            Some("true") => Self::Json,
            _ => Self::Text,
        }
    }
}

/// The log was set up before.
#[derive(Debug, thiserror::Error)]
#[error("the log is set up already")]
pub struct LogError;

/// Changes the log while it is written.
#[derive(Clone, Debug)]
pub struct LogControl(reload::Handle<Targets, Registry>);

impl LogControl {
    /// Logs to standard error from now on, in the whole process. Panics are lines, too.
    pub fn start(format: LogFormat, is_debug: bool, board: Arc<Board>) -> Result<Self, LogError> {
        let (subscriber, control) = subscriber(format, is_debug, board, std::io::stderr());
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError)?;
        teams_sync::service::log_panics();
        Ok(control)
    }

    /// `debug_logging`, from now on.
    pub fn debug(&self, is_debug: bool) {
        // It fails where nothing logs any more.
        let _ended = self.0.reload(own(is_debug));
    }
}

/// Only what this program itself says.
fn own(is_debug: bool) -> Targets {
    let level = if is_debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    Targets::new().with_target("operator", level).with_target("teams_sync", level)
}

pub(super) fn subscriber<W: Write + Send + 'static>(
    format: LogFormat,
    is_debug: bool,
    board: Arc<Board>,
    to: W,
) -> (impl Subscriber + Send + Sync, LogControl) {
    let (filter, handle) = reload::Layer::new(own(is_debug));
    let lines = Lines { format, board, to: Mutex::new(to) };
    (tracing_subscriber::registry().with(filter).with(lines), LogControl(handle))
}

struct Lines<W> {
    format: LogFormat,
    board: Arc<Board>,
    to: Mutex<W>,
}

impl<W, S> Layer<S> for Lines<W>
where
    W: Write + Send + 'static,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        event.record(&mut fields);
        let line = Line { time: Timestamp::now(), level: *event.metadata().level(), fields };
        let mut text = match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        };
        text.push('\n');
        // There is nobody to tell that it cannot be written.
        let _unheard =
            self.to.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
        if let Some(line) = line.for_board() {
            self.board.logged(line);
        }
    }
}
