//! What is said about the volumes of a cluster: the worst of all that there is to say, and
//! everything in words, claims that are alike together.

use std::collections::BTreeMap;

use super::{Claim, Growth, Mode, Obstacle, Obstacles, Phase, of_new};
use crate::build::resources::Quantity;
use crate::report::{Finding, Outcome};
use crate::rolling::MARK;

/// How bad something is, the worst first, and its word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Lost,
    Failed,
    Refused,
    Stuck,
    CannotGrow,
    CannotShrink,
    FileSystem,
    Grows,
    NotBound,
    Left,
}

impl Kind {
    fn reason(self) -> (Outcome, &'static str) {
        match self {
            Self::Lost => (Outcome::Failed, "VolumeLost"),
            Self::Failed => (Outcome::Failed, "GrowthFailed"),
            Self::Refused => (Outcome::Failed, "GrowthRefused"),
            Self::Stuck => (Outcome::Failed, "ResizeFailed"),
            Self::CannotGrow => (Outcome::Partly, "ClassCannotGrow"),
            Self::CannotShrink => (Outcome::Partly, "ShrinkRefused"),
            Self::FileSystem => (Outcome::Waiting, "FileSystemResizePending"),
            Self::Grows => (Outcome::Waiting, "Resizing"),
            Self::NotBound => (Outcome::Waiting, "NotBound"),
            Self::Left => (Outcome::Done, "Ready"),
        }
    }
}

/// Remark -> the claims that it is about.
type Remarks = BTreeMap<(Kind, String), Vec<String>>;

/// What there is to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// One for all claims of a cluster.
    pub finding: Finding,
    /// What somebody has to do something about. Its message has all of them.
    pub troubles: Vec<Trouble>,
}

/// One remark, and whom it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    pub claims: String,
    pub text: String,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.claims, self.text)
    }
}

/// Says it all.
pub fn told(claims: &[Claim], wanted: Quantity, mode: Mode, obstacles: &Obstacles) -> Told {
    let new = of_new(claims, wanted);
    if mode == Mode::Off {
        return Told { finding: off(claims, wanted, new), troubles: Vec::new() };
    }
    let mut remarks = Remarks::new();
    for claim in claims.iter().filter(|claim| !claim.ends) {
        let mut say = |(kind, text): (Kind, String)| {
            remarks.entry((kind, text)).or_default().push(claim.name.clone());
        };
        if let Some(obstacle) = obstacles.get(&claim.name) {
            say(stays(claim, wanted, new, obstacle));
        }
        size(claim, wanted, new).into_iter().for_each(&mut say);
        progress(claim).into_iter().for_each(&mut say);
    }
    let worst = remarks.keys().next().map_or(Kind::Left, |(kind, _)| *kind);
    let (outcome, reason) = worst.reason();
    let all = remarks.iter().map(|((_, text), names)| format!("{}: {text}", names.join(", ")));
    let instead = match mode {
        Mode::InsteadOf(name) => Some(format!(
            "storage_resize_mode {name} is not supported, and acts as pvc: claims ask for more, and the driver of their StorageClass does it"
        )),
        Mode::Claims | Mode::Off => None,
    };
    let message = all.chain(instead).collect::<Vec<_>>().join("; ");
    let is_trouble = |kind: Kind| matches!(kind.reason().0, Outcome::Failed | Outcome::Partly);
    let troubles = remarks.iter().filter(|((kind, _), _)| is_trouble(*kind));
    let troubles = troubles
        .map(|((_, text), names)| Trouble { claims: names.join(", "), text: text.clone() })
        .collect();
    Told { finding: Finding { outcome, reason, message }, troubles }
}

/// Nobody is told what to do about it: somebody else does it.
fn off(claims: &[Claim], wanted: Quantity, new: Quantity) -> Finding {
    let others = claims.iter().filter(|claim| !claim.ends);
    let others = others.filter_map(|claim| {
        let asked = claim.asked.filter(|asked| *asked != wanted)?;
        Some(format!("{} asks for {asked}", claim.name))
    });
    let others = others.collect::<Vec<_>>().join(", ");
    let text = "storage_resize_mode is off: volumes are left as they are".to_owned();
    let text = match others.is_empty() {
        true => text,
        false => format!("{text}; {others}, and volume.size is {wanted}; new replicas get {new}"),
    };
    Finding::off("Off", text)
}

/// Why one that is behind stays so.
fn stays(claim: &Claim, wanted: Quantity, new: Quantity, obstacle: &Obstacle) -> (Kind, String) {
    let asked = claim.asked.map(|asked| asked.to_string()).unwrap_or_default();
    let anew = format!(
        "new replicas get {new}, so that a replica that is made anew with its volume has it"
    );
    match obstacle {
        Obstacle::NoClass => {
            let text = format!(
                "stays at {asked} and not {wanted}: it has no StorageClass, and only what one provisioned can grow; {anew}"
            );
            (Kind::CannotGrow, text)
        }
        Obstacle::UnknownClass(class) => {
            let text = format!(
                "stays at {asked} and not {wanted}: there is no StorageClass {class} that would let it grow; {anew}"
            );
            (Kind::CannotGrow, text)
        }
        Obstacle::FixedClass(class) => {
            let text = format!(
                "stays at {asked} and not {wanted}: the StorageClass {class} lets no volume grow; if its driver can, set allowVolumeExpansion: true there; {anew}"
            );
            (Kind::CannotGrow, text)
        }
        Obstacle::Refused(why) => {
            let text =
                format!("stays at {asked} and not {wanted}: the API server refuses it: {why}");
            (Kind::Refused, text)
        }
        Obstacle::Failed(why) => (Kind::Failed, format!("could not be changed: {why}")),
    }
}

/// Of one that asks for more than the manifest.
fn size(claim: &Claim, wanted: Quantity, new: Quantity) -> Option<(Kind, String)> {
    let asked = claim.asked.filter(|asked| *asked > wanted)?;
    if claim.is_by_hand {
        let text = format!(
            "asks for {asked} because somebody said so, and is left alone; volume.size is {wanted}, new replicas get {new}"
        );
        return Some((Kind::Left, text));
    }
    let text = format!(
        "stays at {asked}: volume.size is {wanted}, and no volume can be made smaller; new replicas get {new}, as they have to hold as much; set volume.size to {asked}, or move the data to a new cluster"
    );
    Some((Kind::CannotShrink, text))
}

/// Of one that has something to wait for. Without a pod there is nothing to wait for.
fn progress(claim: &Claim) -> Option<(Kind, String)> {
    match claim.phase {
        Phase::Lost => {
            return Some((
                Kind::Lost,
                "its PersistentVolume is gone, and so is its data".to_owned(),
            ));
        }
        Phase::Pending if claim.is_used => {
            return Some((Kind::NotBound, "has no volume yet".to_owned()));
        }
        Phase::Pending => return None,
        Phase::Bound => {}
    }
    let (asked, there) = (claim.asked?, claim.there?);
    if !claim.is_growing() {
        return None;
    }
    match &claim.growth {
        Growth::Stuck(why) => {
            Some((Kind::Stuck, format!("cannot grow from {there} to {asked}: {why}")))
        }
        Growth::FileSystem if !claim.is_used => {
            let text = format!("its file system grows to {asked} as soon as a pod uses it");
            Some((Kind::Left, text))
        }
        Growth::FileSystem => {
            let text = format!(
                "the disk has {asked}, and its file system still {there}; a driver that can does the rest while the pod runs; where nothing happens within minutes, set the annotation {MARK}: \"true\" on the pod {}, and it is made anew and comes with {asked}: nobody does that by itself",
                claim.pod
            );
            Some((Kind::FileSystem, text))
        }
        Growth::Quiet => Some((Kind::Grows, format!("grows from {there} to {asked}"))),
    }
}
