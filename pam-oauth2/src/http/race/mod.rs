//! Several addresses, one answer (after RFC 8305, "Happy Eyeballs").
//!
//! Attempts start one after the other: the next as soon as the one before has failed, or
//! when it has had [`HEAD_START`] and nobody is connected. The first attempt whose
//! connection stands, TLS included, passes the [`Gate`]; all others end there. So the token
//! is sent once, however many addresses a host has.

use std::cell::RefCell;
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

/// Lets one connection through, once.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    winner: Arc<AtomicUsize>,
    attempt: usize,
}

impl Gate {
    fn pass(&self) -> bool {
        let Self { winner, attempt } = self;
        winner.compare_exchange(NOBODY, *attempt, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// An attempt that is under way.
struct Attempt<F> {
    number: usize,
    address: SocketAddr,
    future: Pin<Box<F>>,
}

/// An attempt that has failed.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Failed<E> {
    pub(super) number: usize,
    pub(super) address: SocketAddr,
    pub(super) error: E,
}

/// Runs `attempt` for each address as described above, which must not be none.
///
/// Errors: nothing but that there is no result. Why is in `failures`, which outlives the race
/// if that is dropped: of the attempt that was connected, or else of all so far.
pub(super) async fn first_to_connect<T, E, F>(
    addresses: Vec<SocketAddr>,
    failures: &RefCell<Vec<Failed<E>>>,
    mut attempt: impl FnMut(SocketAddr, Gate) -> F,
) -> Result<T, NobodyLeft>
where
    F: Future<Output = Result<T, E>>,
{
    let winner = Arc::new(AtomicUsize::new(NOBODY));
    let mut waiting = addresses.into_iter().enumerate();
    let mut running: Vec<Attempt<F>> = Vec::new();
    let mut latest = NOBODY;
    let mut next_start: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
    poll_fn(move |context| {
        loop {
            let mut failures = failures.borrow_mut();
            if let Poll::Ready(result) = poll_all(&mut running, context, &mut failures) {
                return Poll::Ready(Ok(result));
            }
            let connected = winner.load(Ordering::Relaxed);
            if connected != NOBODY {
                running.retain(|attempt| attempt.number == connected);
                failures.retain(|failed| failed.number == connected);
                return end_if_idle(&running);
            }
            let latest_failed = failures.iter().any(|failed| failed.number == latest);
            let must_wait = !running.is_empty() && !latest_failed;
            if must_wait && next_start.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let Some((number, address)) = waiting.next() else {
                return end_if_idle(&running);
            };
            let gate = Gate { winner: Arc::clone(&winner), attempt: number };
            let future = Box::pin(attempt(address, gate));
            running.push(Attempt { number, address, future });
            latest = number;
            let now = Instant::now();
            next_start.as_mut().reset(now.checked_add(HEAD_START).unwrap_or(now));
        }
    })
    .await
}

/// Every attempt has failed.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct NobodyLeft;

fn end_if_idle<T, F>(running: &[Attempt<F>]) -> Poll<Result<T, NobodyLeft>> {
    if running.is_empty() { Poll::Ready(Err(NobodyLeft)) } else { Poll::Pending }
}

/// Polls every attempt once; drops those that failed, keeping their errors.
fn poll_all<T, E, F>(
    running: &mut Vec<Attempt<F>>,
    context: &mut Context<'_>,
    failures: &mut Vec<Failed<E>>,
) -> Poll<T>
where
    F: Future<Output = Result<T, E>>,
{
    let mut done = None;
    running.retain_mut(|attempt| match attempt.future.as_mut().poll(context) {
        Poll::Pending => true,
        Poll::Ready(Ok(result)) => {
            done = Some(result);
            false
        }
        Poll::Ready(Err(error)) => {
            let Attempt { number, address, future: _ } = *attempt;
            failures.push(Failed { number, address, error });
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
