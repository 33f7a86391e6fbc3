//! The data volumes of a cluster: which of them have to grow, what has to be said about each, and
//! how large new ones are to be. Pure.
//!
//! In: the claims as they are, the size that the manifest asks for, and what the API server had
//! against growing them. Out: the claims that are behind, one finding, one size. Never: a size
//! that is smaller than what a claim asks for already, or a claim that is not a data volume of
//! the cluster.
//!
//! Sizes are compared exactly: 1500Mi is more than 1Gi.

mod claim;
mod told;

use std::collections::BTreeMap;

use crate::build::resources::Quantity;

pub use claim::{Claim, Growth, Phase};
pub use told::{Told, Trouble, told};

/// `storage_resize_mode`: who makes volumes larger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The claims ask for more, and the driver of their class does it.
    Claims,
    /// The same, where the configuration names a way that is not ours.
    InsteadOf(&'static str),
    /// Somebody else.
    Off,
}

impl Mode {
    /// Of the value of the key, which was checked.
    pub fn of(text: &str) -> Self {
        match text {
            "off" => Self::Off,
            "ebs" => Self::InsteadOf("ebs"),
            "mixed" => Self::InsteadOf("mixed"),
            _ => Self::Claims,
        }
    }
}

/// Why a claim that is behind stays so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// Nobody provisioned it.
    NoClass,
    /// There is no such StorageClass.
    UnknownClass(String),
    /// The StorageClass says that its volumes cannot.
    FixedClass(String),
    /// The API server does not allow it.
    Refused(String),
    /// It could not be asked for, and will be again.
    Failed(String),
}

/// By the name of the claim.
pub type Obstacles = BTreeMap<String, Obstacle>;

/// Claims that have to ask for more, and can: an API server takes that of bound ones only.
pub fn behind(claims: &[Claim], wanted: Quantity) -> impl Iterator<Item = &Claim> {
    claims.iter().filter(move |claim| {
        claim.phase == Phase::Bound && !claim.ends && claim.asked.is_some_and(|own| own < wanted)
    })
}

/// How large the volumes of new replicas are: as the manifest says, and never smaller than one
/// that is there, because a replica holds as much as the primary. What a driver gave on top of
/// what was asked for is no reason, and neither is what it did not give.
pub fn of_new(claims: &[Claim], wanted: Quantity) -> Quantity {
    let held = claims.iter().filter_map(|claim| Some(claim.asked?.min(claim.there?)));
    held.fold(wanted, Ord::max)
}

#[cfg(test)]
mod tests;
