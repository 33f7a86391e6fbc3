//! What a rolling update waits for, in words, and for how long before it is called a failure.

use std::fmt;

use jiff::Timestamp;

/// Something that passes by itself, or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// Until a pod is gone.
    Deleting(String),
    /// Until the StatefulSet has made one again.
    Missing {
        there: usize,
        wanted: usize,
    },
    NotReady(Vec<String>),
    /// Until Patroni has written the label of a role.
    Label(String),
    NoLeader,
    /// No member answers.
    Silent(String),
    /// Until these have caught up.
    Streams(Vec<String>),
    NoSynchronousStandby,
    NoCandidate(String),
    Switches,
    /// Until PostgreSQL of a pod runs again, which is restarted for other settings.
    Restarts(String),
    /// Until the time of a switchover.
    Scheduled(String),
    /// A pod came to a node that is about to go.
    Landed(String),
    /// A pod has to leave its node, and no other node takes it.
    NoNode(String),
    /// Until a maintenance window opens.
    Window(Timestamp),
    /// Until pods are gone that are too many.
    TooMany(Vec<String>),
    /// Until somebody ends the pause of Patroni.
    Pauses,
    /// What a pod does must not be interrupted.
    Critical(String),
}

/// Whose patience it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// `pod_deletion_wait_timeout`
    Deletion,
    /// `pod_label_wait_timeout`
    Label,
    /// The same, for a switchover.
    Switchover,
    /// It is known how long it takes, or somebody wants it so.
    Never,
}

impl Waiting {
    pub fn limit(&self) -> Limit {
        match self {
            Self::Deleting(_) | Self::TooMany(_) => Limit::Deletion,
            Self::NoCandidate(_) | Self::Switches => Limit::Switchover,
            Self::Scheduled(_) | Self::Window(_) | Self::Pauses | Self::Critical(_) => Limit::Never,
            Self::Missing { .. }
            | Self::NotReady(_)
            | Self::Restarts(_)
            | Self::Label(_)
            | Self::NoLeader
            | Self::Silent(_)
            | Self::Streams(_)
            | Self::NoSynchronousStandby
            | Self::Landed(_)
            | Self::NoNode(_) => Limit::Label,
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleting(pod) => write!(f, "{pod} is being deleted"),
            Self::Missing { there, wanted } => write!(f, "there are {there} of {wanted} pods"),
            Self::NotReady(pods) => write!(f, "not ready: {}", pods.join(", ")),
            Self::Label(pod) => write!(f, "{pod} has not got the label of its role yet"),
            Self::NoLeader => write!(f, "nobody leads"),
            Self::Silent(problem) => write!(f, "no member says how all are: {problem}"),
            Self::Streams(pods) => write!(f, "not caught up yet: {}", pods.join(", ")),
            Self::NoSynchronousStandby => write!(f, "there is no synchronous standby yet"),
            Self::NoCandidate(leader) => {
                write!(f, "{leader} is the primary, and no other pod could take over")
            }
            Self::Restarts(pod) => write!(f, "PostgreSQL of {pod} is being restarted"),
            Self::Switches => write!(f, "the primary hands over"),
            Self::Scheduled(at) => write!(f, "a switchover is to be at {}", at.escape_debug()),
            Self::Landed(pod) => {
                write!(f, "{pod} came to a node that was about to go already")
            }
            Self::NoNode(pod) => write!(f, "no other node takes {pod}"),
            Self::Window(at) => write!(f, "the next maintenance window opens at {at}"),
            Self::TooMany(pods) => write!(f, "too many, and not gone yet: {}", pods.join(", ")),
            Self::Pauses => {
                write!(
                    f,
                    "Patroni is paused: nobody is disturbed until that ends (`patronictl resume`)"
                )
            }
            Self::Critical(pod) => write!(
                f,
                "{pod} is in the middle of what must not be interrupted; it is made anew when that has ended, or when somebody deletes it"
            ),
        }
    }
}
