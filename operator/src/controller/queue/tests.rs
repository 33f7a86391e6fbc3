use std::sync::Arc;
use std::time::Duration;

use super::{Ended, Queue, Why};
use crate::cluster::ClusterId;

const HOUR: Duration = Duration::from_secs(3600);

fn cluster(name: &str) -> ClusterId {
    ClusterId { namespace: "default".to_owned(), name: name.to_owned() }
}

async fn next(queue: &Queue) -> (String, Why) {
    let (cluster, why) = queue.next().await.expect("it is open");
    (cluster.name, why)
}

/// Whether anything is due now.
async fn is_idle(queue: &Queue) -> bool {
    tokio::time::timeout(Duration::from_millis(1), queue.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_much_happens_to_is_looked_at_once() {
    let queue = Queue::default();
    for _ in 0..10 {
        queue.add(&cluster("a"), Why::Object);
    }
    assert_eq!(next(&queue).await, ("a".to_owned(), Why::Object));
    assert!(is_idle(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn what_happens_during_a_look_is_not_lost_and_not_looked_at_by_a_second_worker() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    next(&queue).await;
    queue.add(&cluster("a"), Why::Manifest);
    assert!(is_idle(&queue).await, "somebody works on it");
    queue.done(&cluster("a"), Ended::Well { again: HOUR });
    assert_eq!(next(&queue).await, ("a".to_owned(), Why::Manifest));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_comes_again_after_its_period() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    next(&queue).await;
    queue.done(&cluster("a"), Ended::Well { again: HOUR });
    let start = tokio::time::Instant::now();
    assert_eq!(next(&queue).await, ("a".to_owned(), Why::Resync));
    assert!(start.elapsed() >= HOUR);
}

#[tokio::test(start_paused = true)]
async fn what_fails_waits_longer_each_time_and_never_longer_than_the_repair_period() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let start = tokio::time::Instant::now();
        next(&queue).await;
        waits.push(start.elapsed().as_secs());
        queue.done(&cluster("a"), Ended::Failed { at_most: Duration::from_secs(5) });
    }
    assert_eq!(waits, [0, 1, 2, 4, 5, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_event_does_not_shorten_the_wait_of_a_failure_but_a_new_manifest_does() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    next(&queue).await;
    queue.done(&cluster("a"), Ended::Failed { at_most: HOUR });
    queue.add(&cluster("a"), Why::Object);
    assert!(is_idle(&queue).await);
    queue.add(&cluster("a"), Why::Manifest);
    assert_eq!(next(&queue).await.1, Why::Manifest);
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_a_row_of_failures() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    next(&queue).await;
    queue.done(&cluster("a"), Ended::Failed { at_most: HOUR });
    next(&queue).await;
    queue.done(&cluster("a"), Ended::Well { again: HOUR });
    queue.add(&cluster("a"), Why::Object);
    assert!(!is_idle(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_does_not_come_again() {
    let queue = Queue::default();
    queue.add(&cluster("a"), Why::Manifest);
    next(&queue).await;
    queue.done(&cluster("a"), Ended::Forget);
    assert!(tokio::time::timeout(HOUR, queue.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn every_worker_gets_work_and_hears_of_the_end() {
    let queue = Arc::new(Queue::default());
    let all_are_busy = Arc::new(tokio::sync::Barrier::new(3));
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let (queue, all_are_busy) = (Arc::clone(&queue), Arc::clone(&all_are_busy));
            tokio::spawn(async move {
                let first = queue.next().await.map(|(cluster, _)| cluster.name);
                all_are_busy.wait().await;
                assert!(queue.next().await.is_none(), "closed");
                first
            })
        })
        .collect();
    tokio::task::yield_now().await;
    for name in ["a", "b", "c"] {
        queue.add(&cluster(name), Why::Manifest);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    queue.close();
    let mut seen = Vec::new();
    for worker in workers {
        seen.extend(worker.await.expect("it ends"));
    }
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_worked_on_does_not_hold_up_the_others() {
    let queue = Queue::default();
    queue.add(&cluster("slow"), Why::Manifest);
    next(&queue).await;
    queue.add(&cluster("slow"), Why::Object);
    queue.add(&cluster("other"), Why::Object);
    assert_eq!(next(&queue).await.0, "other");
}

#[tokio::test]
async fn whoever_waits_for_something_else_hears_that_it_is_closed() {
    let queue = Queue::default();
    let (first, second) = (queue.closed(), queue.closed());
    let close = async {
        tokio::task::yield_now().await;
        queue.close();
    };
    tokio::join!(first, second, close);
    queue.closed().await;
}

#[tokio::test(start_paused = true)]
async fn clusters_that_fail_hold_no_more_than_their_part_of_the_workers() {
    let queue = Queue::with_most_failing(2);
    let names = ["hangs-1", "hangs-2", "hangs-3"];
    for name in names {
        queue.add(&cluster(name), Why::Manifest);
        next(&queue).await;
    }
    for name in names {
        queue.done(&cluster(name), Ended::Failed { at_most: HOUR });
        queue.add(&cluster(name), Why::Manifest);
    }
    queue.add(&cluster("well"), Why::Object);
    let taken = [next(&queue).await.0, next(&queue).await.0, next(&queue).await.0];
    assert_eq!(taken, ["hangs-1", "hangs-2", "well"]);
    assert!(is_idle(&queue).await, "the third waits for one of them");
    queue.done(&cluster("hangs-1"), Ended::Well { again: HOUR });
    assert_eq!(next(&queue).await.0, "hangs-3");
}
