//! Robots: roles that exist on every server, with a password, whoever is in which team.
//!
//! Secrets go in, read from files laid out as mounted ones ([`read`]) or by somebody else
//! ([`from_parts`]); roles come out. A definition that is broken is that
//! robot's problem; files that cannot be read at all mean that nothing is known of any robot, and
//! then nothing is taken from one.

mod definition;
mod folder;
mod parts;
mod secrets;

use std::collections::BTreeSet;

use crate::password::Secret;
use crate::plan::record::Kind;
use crate::role::{Attributes, Parameter, RoleName};
use crate::why::{Problem, Why};

pub use folder::{FolderError, Keys, read_file, read_folder};
pub use parts::{Part, from_parts};
pub use secrets::{KeyedSecret, read};

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Infrastructure {
    pub roles: Vec<Robot>,
    pub problems: Vec<Problem>,
    /// Names that something is said about which cannot be understood: these stay as they are.
    pub broken: BTreeSet<RoleName>,
    /// What is there and means nothing.
    pub warnings: Vec<String>,
    /// Why not all of them are known: files that cannot be read, or that hold no name. Nothing is
    /// taken from any robot then.
    pub frozen: Option<String>,
}

/// One robot, or a role that the configuration declares.
#[derive(Clone, Debug)]
pub struct Robot {
    pub name: RoleName,
    pub kind: Kind,
    pub attributes: Attributes,
    pub member_of: Vec<RoleName>,
    /// Roles whose members may grant this one on: they get it WITH ADMIN OPTION.
    pub admins: BTreeSet<RoleName>,
    pub parameters: Vec<Parameter>,
    pub password: Option<Secret>,
    /// The role whose password it has for a while: it is made with the settings of that one, and is
    /// left alone once nothing names it, for whoever rotates passwords to drop.
    pub rotated_from: Option<RoleName>,
    pub why: Why,
}

#[cfg(test)]
mod tests;
