//! `teams-sync fake-api`: a Teams API for demos and tests, until it is stopped.

use teams_sync::fake_api::{FakeApiArguments, run as serve};
use tokio::signal::unix::{SignalKind, signal};

use super::output::{self, Exit};

pub(crate) async fn run(arguments: &FakeApiArguments) -> Exit {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        output::complain("signals cannot be received");
        return Exit::Usage;
    };
    let stopped = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    match serve(arguments, &mut std::io::stdout(), stopped).await {
        Ok(()) => Exit::Fine,
        Err(error) => {
            output::complain(&error.to_string());
            Exit::Usage
        }
    }
}
