//! What is being done to the servers of a cluster: one thing at a time.
//!
//! In: what somebody is about to do. Out: a [`Reserved`], to be kept for as long as it takes, or
//! what is being done already. Never: one that is held after its task has ended. It ends with the
//! value, so a bug that panics ends it as well.

use std::sync::{Arc, Weak};

/// What servers, pods or Patroni's settings of a cluster are disturbed by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum What {
    #[error("PostgreSQL of {0} is being restarted")]
    Restart(String),
    #[error("Patroni's settings are being changed")]
    Settings,
    #[error("a switchover is under way")]
    Switchover,
    #[error("{0} is being made anew")]
    Deletion(String),
    #[error("the script of a major upgrade runs on {0}")]
    Upgrade(String),
}

/// The one place that each of them reserves first.
#[derive(Debug, Default)]
pub struct Disturbance {
    now: Weak<What>,
}

/// Nobody else disturbs the cluster while this is kept.
#[derive(Debug)]
#[must_use = "it ends with this value"]
pub struct Reserved {
    _what: Arc<What>,
}

impl Disturbance {
    /// # Errors
    /// What is being done already: come again.
    pub fn reserve(&mut self, what: What) -> Result<Reserved, What> {
        if let Some(now) = self.now() {
            return Err(now);
        }
        let what = Arc::new(what);
        self.now = Arc::downgrade(&what);
        Ok(Reserved { _what: what })
    }

    /// What is being done now.
    pub fn now(&self) -> Option<What> {
        self.now.upgrade().map(|what| What::clone(&what))
    }

    /// The pod whose PostgreSQL is being restarted.
    pub fn restarts(&self) -> Option<String> {
        match self.now() {
            Some(What::Restart(pod)) => Some(pod),
            _ => None,
        }
    }

    /// Whether the script of a major upgrade runs, and this process waits for it.
    pub fn upgrades(&self) -> bool {
        matches!(self.now(), Some(What::Upgrade(_)))
    }

    /// Whether a switchover was asked for and has not ended.
    pub fn switches(&self) -> bool {
        self.now() == Some(What::Switchover)
    }
}

#[cfg(test)]
mod tests {
    use super::{Disturbance, What};

    #[test]
    fn two_things_are_never_done_to_one_cluster_at_a_time() {
        let all = [
            What::Restart("acid-0".to_owned()),
            What::Settings,
            What::Switchover,
            What::Deletion("acid-1".to_owned()),
            What::Upgrade("acid-0".to_owned()),
        ];
        for first in &all {
            let mut disturbance = Disturbance::default();
            let reserved = disturbance.reserve(first.clone()).expect("nothing is being done");
            for second in &all {
                let refused = disturbance.reserve(second.clone()).map(drop);
                assert_eq!(refused, Err(first.clone()), "{second:?}");
            }
            drop(reserved);
            assert_eq!(disturbance.now(), None);
            assert!(disturbance.reserve(What::Settings).is_ok());
        }
    }

    #[tokio::test]
    async fn what_a_bug_ends_is_not_held_any_more() {
        let mut disturbance = Disturbance::default();
        let reserved = disturbance.reserve(What::Switchover).expect("nothing is being done");
        assert!(disturbance.switches());
        let task = tokio::spawn(async move {
            let _kept = reserved;
            panic!("a bug");
        });
        assert!(task.await.is_err());
        assert_eq!(disturbance.now(), None);
    }
}
