use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// What one address does: connects after a while or never, then answers after a while.
#[derive(Clone, Copy)]
struct Plan {
    connects_after: u64,
    answers_after: u64,
    connects: bool,
    answers: bool,
}

const GOOD: Plan = Plan { connects_after: 0, answers_after: 0, connects: true, answers: true };
const NEVER: u64 = 3_600_000;

/// A result, where there was one in time; the attempts that were started; those that passed.
type Race = (Option<Result<usize, Vec<usize>>>, Vec<usize>, Vec<usize>);

/// Runs a race on one thread and returns its result with the attempts that were started and
/// those that got through the gate.
fn race(plans: &[Plan]) -> Race {
    let started = Rc::new(RefCell::new(Vec::new()));
    let passed = Rc::new(RefCell::new(Vec::new()));
    let addresses =
        (0..plans.len()).map(|n| SocketAddr::from(([127, 0, 0, 1], u16::try_from(n).unwrap())));
    let failures = RefCell::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let result = runtime.block_on(async {
        let race = first_to_connect(addresses.collect(), &failures, |address, gate| {
            let number = usize::from(address.port());
            let plan = plans[number];
            started.borrow_mut().push(number);
            let passed = Rc::clone(&passed);
            async move {
                tokio::time::sleep(Duration::from_millis(plan.connects_after)).await;
                if !plan.connects || !gate.pass() {
                    return Err(number);
                }
                passed.borrow_mut().push(number);
                tokio::time::sleep(Duration::from_millis(plan.answers_after)).await;
                if plan.answers { Ok(number) } else { Err(number) }
            }
        });
        tokio::time::timeout(Duration::from_secs(2), race).await.ok()
    });
    let mut numbers: Vec<usize> = failures.take().into_iter().map(|f| f.error).collect();
    numbers.sort_unstable();
    let result = result.map(|result| result.map_err(|NobodyLeft| numbers));
    (result, started.take(), passed.take())
}

#[test]
fn the_first_address_answers_and_no_other_is_bothered() {
    assert_eq!(race(&[GOOD, GOOD]), (Some(Ok(0)), vec![0], vec![0]));
}

#[test]
fn a_failure_starts_the_next_at_once() {
    let dead = Plan { connects: false, ..GOOD };
    let start = Instant::now();
    assert_eq!(race(&[dead, dead, GOOD, GOOD]), (Some(Ok(2)), vec![0, 1, 2], vec![2]));
    assert!(start.elapsed() < HEAD_START);
    // Also while another one hangs: one head start, not two.
    let hangs = Plan { connects_after: NEVER, ..GOOD };
    let start = Instant::now();
    assert_eq!(race(&[hangs, dead, GOOD]), (Some(Ok(2)), vec![0, 1, 2], vec![2]));
    assert!(start.elapsed() < 2 * HEAD_START);
}

#[test]
fn a_slow_address_is_overtaken_after_its_head_start() {
    let slow = Plan { connects_after: NEVER, ..GOOD };
    assert_eq!(race(&[slow, GOOD]), (Some(Ok(1)), vec![0, 1], vec![1]));
}

#[test]
fn an_address_that_connects_late_can_still_win() {
    let late = Plan { connects_after: 400, ..GOOD };
    let later = Plan { connects_after: NEVER, ..GOOD };
    assert_eq!(race(&[late, later]), (Some(Ok(0)), vec![0, 1], vec![0]));
}

#[test]
fn nobody_else_gets_through_once_somebody_has_even_if_they_never_answer() {
    let mute = Plan { answers_after: NEVER, ..GOOD };
    assert_eq!(race(&[mute, GOOD]), (None, vec![0], vec![0]));
    let failing = Plan { answers_after: 300, answers: false, ..GOOD };
    assert_eq!(race(&[failing, GOOD]), (Some(Err(vec![0])), vec![0], vec![0]));
}

#[test]
fn when_all_fail_each_tells_why() {
    let dead = Plan { connects: false, ..GOOD };
    let late = Plan { connects: false, connects_after: 300, ..GOOD };
    assert_eq!(race(&[dead, dead]), (Some(Err(vec![0, 1])), vec![0, 1], vec![]));
    assert_eq!(race(&[late, dead]), (Some(Err(vec![0, 1])), vec![0, 1], vec![]));
    assert_eq!(race(&[]), (Some(Err(vec![])), vec![], vec![]));
}

#[test]
fn a_gate_lets_one_connection_through_once() {
    let winner = Arc::new(AtomicUsize::new(NOBODY));
    let [first, second] = [0, 1].map(|attempt| Gate { winner: Arc::clone(&winner), attempt });
    assert!(first.pass());
    assert!(!second.pass());
    assert!(!first.pass());
    assert_eq!(winner.load(Ordering::Relaxed), 0);
}
