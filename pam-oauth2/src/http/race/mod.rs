//! Several addresses, one answer (after RFC 8305, "Happy Eyeballs").
//!
//! Attempts start one after the other: the next as soon as the one before has failed, or
//! when it has had [`HEAD_START`] and nobody is connected. The first attempt whose
//! connection stands, TLS included, passes the [`Gate`]; all others end there. So the token
//! is sent once, however many addresses a host has.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

/// RFC 8305 section 8, "Connection Attempt Delay".
const HEAD_START: Duration = Duration::from_millis(250);
const NOBODY: usize = usize::MAX;

/// Lets the connection of one attempt through, and no other.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    winner: Arc<AtomicUsize>,
    attempt: usize,
}

impl Gate {
    fn pass(&self) -> bool {
        let entered = self.winner.compare_exchange(
            NOBODY,
            self.attempt,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        entered.is_ok() || entered == Err(self.attempt)
    }
}

/// Runs `attempt` for each address as described above. With no address at all the first
/// attempt would never come; that is an error of the caller and pends until its deadline.
pub(super) async fn first_to_connect<T, E, F>(
    addresses: Vec<SocketAddr>,
    mut attempt: impl FnMut(SocketAddr, Gate) -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let winner = Arc::new(AtomicUsize::new(NOBODY));
    let mut waiting = addresses.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut failures: Vec<(usize, E)> = Vec::new();
    let mut next_start: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
    poll_fn(move |context| {
        loop {
            if let Poll::Ready(result) = poll_all(&mut running, context, &mut failures) {
                return Poll::Ready(Ok(result));
            }
            let connected = winner.load(Ordering::Relaxed);
            if connected != NOBODY {
                running.retain(|(number, _)| *number == connected);
                let own = failures.iter().position(|(number, _)| *number == connected);
                return match own {
                    Some(own) => Poll::Ready(Err(failures.swap_remove(own).1)),
                    None => Poll::Pending,
                };
            }
            if !running.is_empty() && next_start.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            match waiting.next() {
                Some((number, address)) => {
                    let gate = Gate { winner: Arc::clone(&winner), attempt: number };
                    running.push((number, Box::pin(attempt(address, gate))));
                    let now = Instant::now();
                    next_start.as_mut().reset(now.checked_add(HEAD_START).unwrap_or(now));
                }
                None if running.is_empty() && !failures.is_empty() => {
                    // The preferred address tells best what is wrong.
                    return Poll::Ready(Err(failures.swap_remove(0).1));
                }
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// Polls every attempt once; drops those that failed, keeping their errors.
fn poll_all<T, E, F>(
    running: &mut Vec<(usize, Pin<Box<F>>)>,
    context: &mut Context<'_>,
    failures: &mut Vec<(usize, E)>,
) -> Poll<T>
where
    F: Future<Output = Result<T, E>>,
{
    let mut done = None;
    running.retain_mut(|(number, attempt)| match attempt.as_mut().poll(context) {
        Poll::Pending => true,
        Poll::Ready(Ok(result)) => {
            done = Some(result);
            false
        }
        Poll::Ready(Err(error)) => {
            failures.push((*number, error));
            false
        }
    });
    done.map_or(Poll::Pending, Poll::Ready)
}

/// Puts a [`Gate`] behind reqwest's connector.
#[derive(Clone)]
pub(super) struct GateLayer<R> {
    gate: Gate,
    reached: R,
}

impl<R> GateLayer<R> {
    /// `reached` is called by the one attempt that passes.
    pub(super) fn new(gate: Gate, reached: R) -> Self {
        Self { gate, reached }
    }
}

impl<S, R: Clone> Layer<S> for GateLayer<R> {
    type Service = Gated<S, R>;

    fn layer(&self, connector: S) -> Gated<S, R> {
        Gated { connector, layer: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct Gated<S, R> {
    connector: S,
    layer: GateLayer<R>,
}

#[derive(Debug, thiserror::Error)]
#[error("another address was connected first")]
struct Lost;

type BoxError = Box<dyn StdError + Send + Sync>;

impl<S, R, Target> Service<Target> for Gated<S, R>
where
    S: Service<Target, Error = BoxError>,
    S::Future: Send + 'static,
    R: Fn() + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let connecting = self.connector.call(target);
        let GateLayer { gate, reached } = self.layer.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            if !gate.pass() {
                return Err(Lost.into());
            }
            reached();
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests;
