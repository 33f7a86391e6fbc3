//! One connection to PostgreSQL: from a connection string to a session that misses no warning.
//!
//! In: a [`Dsn`], a database and a time limit. Out: a [`Session`], or a [`ConnectError`] that
//! says at which server what went wrong. Built on tokio-postgres, and with what that lacks of
//! libpq: password files, verified TLS, messages that say where. It never decides what to ask
//! the server, and it never shows a password.

mod attempt;
mod conninfo;
mod error;
mod os_user;
mod password_file;
mod tls;

#[cfg(test)]
mod tests;

pub use conninfo::{Dsn, DsnError};
pub use error::{ConnectError, ConnectErrorKind, describe};

use attempt::Progress;
use error::Failure;
use futures_util::future::poll_fn;
use futures_util::{TryStreamExt, pin_mut};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, SimpleQueryMessage, Socket};

/// So many bytes of rows one answer may have. A catalog of ten thousand roles has a fraction of it,
/// and a server that sends more is not one to be listened to.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// What a row costs beside its values, and what one counts for that cannot be read.
const ROW: usize = 256;

/// So many warnings are kept between two calls of [`Session::take_warnings`].
const MOST_WARNINGS: usize = 10_000;

/// One connection. Dropping it closes the socket at once, whatever the server is doing.
pub struct Session {
    client: Client,
    heard: Arc<Mutex<Heard>>,
    driver: Driver,
    server: String,
}

/// What the server has warned of: severity WARNING, not NOTICE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// Five characters, such as 01007 for a privilege that was not granted.
    pub sqlstate: String,
    /// In the language of the server, not escaped.
    pub message: String,
}

/// What came from the server without being an answer.
#[derive(Default)]
struct Heard {
    warnings: Vec<Warning>,
    end: Option<String>,
}

struct Driver(JoinHandle<()>);

/// Opens a session in `database`, whatever database `dsn` names. `limit` is for everything
/// together: names, all hosts, TLS and login.
///
/// # Errors
/// What went wrong at each server that was tried.
pub async fn connect(dsn: &Dsn, database: &str, limit: Duration) -> Result<Session, ConnectError> {
    let mut progress = Progress::default();
    if let Ok(result) =
        tokio::time::timeout(limit, attempt::connect(dsn, database, limit, &mut progress)).await
    {
        return result;
    }
    let server = progress.server.take().unwrap_or_else(|| dsn.to_string());
    progress.failures.push(Failure::new(
        &server,
        ConnectErrorKind::Unreachable,
        format!("no connection within the {limit:?} that all servers had together"),
    ));
    Err(ConnectError::of(database, &progress.failures))
}

impl Session {
    /// One attempt at one address. What the server says before the first statement belongs to
    /// none and is dropped.
    async fn open<T>(config: &Config, tls: T, server: &str) -> Result<Self, tokio_postgres::Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, mut connection) = config.connect(tls).await?;
        poll_fn(|cx| drop_early_messages(&mut connection, cx)).await?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let driver = Driver(tokio::spawn(drive(connection, Arc::clone(&heard))));
        Ok(Self { client, heard, driver, server: server.into() })
    }

    /// For everything that is not a simple query.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The server that let us in, as messages should call it: `host:port (address)`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// One simple query of any number of statements, one round trip.
    ///
    /// # Errors
    /// Of the first statement that failed; the server has not run those after it. An answer that is
    /// too large ends the connection, and [`Self::end`] says so.
    pub async fn batch(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        let stream = self.client.simple_query_raw(sql).await?;
        pin_mut!(stream);
        let mut all = Vec::new();
        let mut size = 0_usize;
        while let Some(message) = stream.try_next().await? {
            size = size.saturating_add(size_of_row(&message));
            if size <= LARGEST_ANSWER {
                all.push(message);
                continue;
            }
            all = Vec::new();
            let text = format!("the server sent more than {LARGEST_ANSWER} bytes for one answer");
            lock(&self.heard).end.get_or_insert(text);
            // What is left of the stream is an error as soon as nobody reads from the server.
            self.driver.0.abort();
        }
        Ok(all)
    }

    /// Warnings since the last call: all that came before the last answer. If there were too
    /// many to keep, the last one says so.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<Warning> {
        mem::take(&mut lock(&self.heard).warnings)
    }

    /// Why the connection has ended, if it has: what the server said last, or what broke. The
    /// error of a statement says no more than that the connection is closed.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        lock(&self.heard).end.clone()
    }

    /// Says goodbye to the server and waits until it is said, for `limit` at most.
    pub async fn close(self, limit: Duration) {
        let Self { client, heard: _, mut driver, server: _ } = self;
        drop(client);
        let _ = tokio::time::timeout(limit, &mut driver.0).await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn size_of_row(message: &SimpleQueryMessage) -> usize {
    let SimpleQueryMessage::Row(row) = message else { return ROW };
    let values =
        (0..row.len()).map(|column| row.try_get(column).ok().flatten().map_or(0, str::len));
    values.fold(ROW, usize::saturating_add)
}

/// Done as soon as there is nothing more to read.
fn drop_early_messages<S, T>(
    connection: &mut Connection<S, T>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), tokio_postgres::Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match connection.poll_message(cx) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(None) | Poll::Pending => return Poll::Ready(Ok(())),
        }
    }
}

/// Carries messages both ways until the connection ends. It reads in the order of the wire, so
/// a warning is kept before the answer behind it reaches the client.
async fn drive<S, T>(mut connection: Connection<S, T>, heard: Arc<Mutex<Heard>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => lock(&heard).notice(&notice),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                lock(&heard).end = Some(describe(&error));
                return;
            }
            None => return,
        }
    }
}

impl Heard {
    fn notice(&mut self, notice: &DbError) {
        // The other name is translated into the language of the server.
        let is_warning = match notice.parsed_severity() {
            Some(severity) => severity == Severity::Warning,
            None => notice.severity() == "WARNING",
        };
        if is_warning {
            self.keep(Warning {
                sqlstate: notice.code().code().to_owned(),
                message: notice.message().to_owned(),
            });
        }
    }

    fn keep(&mut self, warning: Warning) {
        match self.warnings.len() {
            kept if kept + 1 < MOST_WARNINGS => self.warnings.push(warning),
            kept if kept < MOST_WARNINGS => self.warnings.push(Warning {
                sqlstate: "01000".into(),
                message: format!("teams-sync kept {kept} warnings and no more"),
            }),
            _ => {}
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    // Nothing in here can be left half done.
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
