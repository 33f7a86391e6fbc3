//! A command in a container, by the API server.
//!
//! In: a pod, a container, words. Out: how the command ended, and the end of what it said. Nothing
//! is written into it, and it is not waited for beyond a limit.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::failure::describe;

/// So much of the end of what a command says is kept, in bytes.
const KEPT: usize = 8192;

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ended {
    pub(super) is_well: bool,
    /// The end of what it said.
    pub(super) text: String,
    /// What the container runtime says about it.
    pub(super) reason: String,
}

/// Why nobody knows how a command ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum ExecError {
    #[error("the command could not be started: {0}")]
    NotStarted(String),
    #[error("the connection ended before the command did")]
    CutOff,
    #[error("the command has not ended within {} seconds", .0.as_secs())]
    TooLong(Duration),
}

/// Runs it, and waits.
pub(super) async fn exec(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    command: &[String],
    at_most: Duration,
) -> Result<Ended, ExecError> {
    let parameters = AttachParams::default().container(container).stdin(false);
    let started = pods.exec(pod, command, &parameters).await;
    let mut process = started.map_err(|error| ExecError::NotStarted(describe(&error)))?;
    let (out, err, status) = (process.stdout(), process.stderr(), process.take_status());
    let read = async {
        let (out, _) = futures_util::join!(end_of(out), end_of(err));
        match status {
            Some(status) => (status.await, out),
            None => (None, out),
        }
    };
    let ended = tokio::time::timeout(at_most, read).await;
    process.abort();
    match ended {
        Err(_elapsed) => Err(ExecError::TooLong(at_most)),
        Ok((None, _)) => Err(ExecError::CutOff),
        Ok((Some(status), text)) => Ok(Ended {
            is_well: status.status.as_deref() == Some("Success"),
            text,
            reason: status.message.unwrap_or_default(),
        }),
    }
}

/// Everything has to be read, or the command is held up.
async fn end_of(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 4096]);
    while let Ok(length) = stream.read(&mut buffer).await {
        let Some(new) = buffer.get(..length).filter(|new| !new.is_empty()) else { break };
        kept.extend_from_slice(new);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
