//! A command in a container, by the API server.
//!
//! In: a pod, a container, words. Out: how the command ended, and the end of what it said. Nothing
//! is written into it, and it is not waited for beyond a limit.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::failure::describe;

/// For commands that only look.
pub const SHORT: Duration = Duration::from_secs(30);
/// So much of the end of what a command says is kept, in bytes.
pub const KEPT: usize = 8192;

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    pub is_well: bool,
    /// Where it has ended by itself, and not well.
    pub code: Option<i32>,
    /// The end of what it said.
    pub text: String,
    /// What the container runtime says about it.
    pub reason: String,
}

/// Why nobody knows how a command ended. Only the first says that it does not run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExecError {
    #[error("the command could not be started: {0}")]
    NotStarted(String),
    #[error("nobody knows whether the command was started: {0}")]
    Unanswered(String),
    #[error("the connection ended before the command did")]
    CutOff,
    #[error("the command has not ended within {} seconds", .0.as_secs())]
    TooLong(Duration),
}

/// Runs it, and waits.
pub async fn exec(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    command: &[String],
    at_most: Duration,
) -> Result<Ended, ExecError> {
    let parameters = AttachParams::default().container(container).stdin(false);
    let started = pods.exec(pod, command, &parameters).await;
    let mut process = started.map_err(|error| unstarted(&error))?;
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
            code: code(&status),
            text,
            reason: status.message.unwrap_or_default(),
        }),
    }
}

/// Only an API server that refuses has started nothing. A request that was sent and not answered,
/// or whose answer says that something broke on the way, may have reached a kubelet.
fn unstarted(error: &kube::Error) -> ExecError {
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) => {
            ExecError::NotStarted(describe(error))
        }
        other => ExecError::Unanswered(describe(other)),
    }
}

/// The code that it ended with; a container runtime that lost it says none.
fn code(status: &Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let own = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    own.message.as_deref()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
    use kube::Api;
    use serde_json::json;

    use super::{ExecError, SHORT, code, exec, unstarted};
    use crate::testing::{FakeApi, refusal};

    #[tokio::test]
    async fn only_what_was_refused_is_certain_not_to_run() {
        for (status, is_certain) in
            [(403, true), (404, true), (429, true), (500, false), (504, false)]
        {
            let api = FakeApi::new(move |_| refusal(status));
            let pods = Api::namespaced(api.client(), "default");
            let ended = exec(&pods, "acid-0", "postgres", &["x".to_owned()], SHORT).await;
            let says = matches!(ended, Err(ExecError::NotStarted(_)));
            assert_eq!(says, is_certain, "{status}: {ended:?}");
        }
        let late = kube::Error::Service("the API server has not answered".into());
        assert!(matches!(unstarted(&late), ExecError::Unanswered(_)));
    }

    #[test]
    fn a_code_is_what_the_command_ended_with_and_no_error_of_a_runtime() {
        let status = |details| -> Status {
            let status = json!({ "status": "Failure", "message": "x", "details": details });
            serde_json::from_value(status).unwrap()
        };
        let ended = json!({ "causes": [{ "reason": "ExitCode", "message": "75" }] });
        assert_eq!(code(&status(ended)), Some(75));
        assert_eq!(code(&status(json!({ "causes": [{ "message": "75" }] }))), None);
        assert_eq!(code(&status(json!(null))), None);
    }
}
