//! One change to one role, and how it reads.

use std::fmt;

use serde::Serialize;

use super::record::Record;
use crate::desired::Why;
use crate::password::Secret;
use crate::role::{Attributes, Flag, Parameter, RoleName, marker};

/// What is done to a role.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// For a role that is only there to be granted.
    CreateGroup,
    /// Never as a superuser: that is a change of its own, because it may be held.
    Create {
        attributes: Attributes,
    },
    /// Memberships with the usual options; the marker without any use of it.
    Grant {
        roles: Vec<RoleName>,
    },
    /// Lets `admin` and its members grant the role on: its membership with ADMIN OPTION.
    GrantAdmin {
        admin: RoleName,
        /// Whether the role is a superuser or is to be one, so that all of them can be.
        is_superuser: bool,
    },
    /// One membership, with the options of another.
    Regrant {
        role: RoleName,
        member: RoleName,
        options: Options,
    },
    Rename {
        to: RoleName,
    },
    Reset {
        parameter: String,
    },
    /// `grantor` where PostgreSQL keeps memberships by grantor, or it would touch only our own.
    Revoke {
        role: RoleName,
        member: RoleName,
        grantor: Option<RoleName>,
    },
    Set {
        parameter: Parameter,
    },
    SetComment {
        comment: String,
    },
    SetPassword {
        password: Secret,
    },
    ClearPassword,
    SwitchOff {
        flags: Vec<Flag>,
    },
    SwitchOn {
        flags: Vec<Flag>,
    },
}

/// Of a membership.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Options {
    pub admin: bool,
    pub inherit: bool,
    pub set: bool,
}

/// When a change is made, over all roles of a server: power goes before power comes, so that
/// whatever stops us leaves less of it behind. What fails takes back the changes of its role in
/// its own phase, and no others: who cannot lose a membership loses her login all the same.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    Groups,
    RenameBack,
    Down,
    Revoke,
    Create,
    Up,
    Settings,
    RenameAway,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::Groups,
        Self::RenameBack,
        Self::Down,
        Self::Revoke,
        Self::Create,
        Self::Up,
        Self::Settings,
        Self::RenameAway,
    ];

    /// Whether roles have less after it.
    pub fn takes(self) -> bool {
        matches!(self, Self::Down | Self::Revoke)
    }
}

/// A change, where it belongs, and why it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub phase: Phase,
    /// The role as it is called at that moment.
    pub role: RoleName,
    pub change: Change,
    pub why: Why,
}

impl Change {
    /// Whether somebody has less after it.
    pub fn takes(&self) -> bool {
        match self {
            Self::Revoke { .. } | Self::SwitchOff { .. } => true,
            Self::CreateGroup
            | Self::Create { .. }
            | Self::Grant { .. }
            | Self::GrantAdmin { .. }
            | Self::Regrant { .. }
            | Self::Rename { .. }
            | Self::Reset { .. }
            | Self::Set { .. }
            | Self::SetComment { .. }
            | Self::SetPassword { .. }
            | Self::ClearPassword
            | Self::SwitchOn { .. } => false,
        }
    }

    /// Whether somebody can be a superuser by it.
    pub fn makes_superuser(&self) -> bool {
        match self {
            Self::SwitchOn { flags } => flags.contains(&Flag::Superuser),
            // Whoever may grant a superuser on may grant it to herself.
            Self::GrantAdmin { is_superuser, .. } => *is_superuser,
            _ => false,
        }
    }

    /// A word for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateGroup => "create_group",
            Self::Create { .. } => "create",
            Self::Grant { .. } => "grant",
            Self::GrantAdmin { .. } => "grant_admin",
            Self::Regrant { .. } => "regrant",
            Self::Rename { .. } => "rename",
            Self::Reset { .. } => "reset",
            Self::Revoke { .. } => "revoke",
            Self::Set { .. } => "set",
            Self::SetComment { .. } => "comment",
            Self::SetPassword { .. } => "set_password",
            Self::ClearPassword => "clear_password",
            Self::SwitchOff { .. } => "switch_off",
            Self::SwitchOn { .. } => "switch_on",
        }
    }
}

fn list(roles: &[RoleName]) -> String {
    roles.iter().map(RoleName::to_string).collect::<Vec<_>>().join(", ")
}

fn keywords(flags: &[Flag], on: bool) -> String {
    flags.iter().map(|flag| flag.keyword(on)).collect::<Vec<_>>().join(" ")
}

/// What happens, to whom: one line for people.
impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = &self.role;
        match &self.change {
            Change::CreateGroup => write!(f, "create the role {role} without login"),
            Change::Create { attributes } if attributes.login => {
                write!(f, "create the role {role}")
            }
            Change::Create { .. } => write!(f, "create the role {role} without login"),
            Change::Grant { roles } if *roles == [marker()] => write!(f, "mark {role} as managed"),
            Change::Grant { roles } => write!(f, "grant {} to {role}", list(roles)),
            Change::GrantAdmin { admin, .. } => write!(f, "let {admin} grant {role} on"),
            Change::Regrant { role, member, .. } => {
                write!(f, "grant {role} to {member} from us instead of {}", self.role)
            }
            Change::Rename { to } => write!(f, "rename {role} to {to}"),
            Change::Reset { parameter } => write!(f, "reset {parameter} of {role}"),
            Change::Revoke { role, member, grantor: Some(grantor) } => {
                write!(f, "revoke {role} from {member}, as granted by {grantor}")
            }
            Change::Revoke { role, member, grantor: None } => {
                write!(f, "revoke {role} from {member}")
            }
            Change::Set { parameter } => write!(f, "set {parameter} for {role}"),
            Change::SetComment { comment } if Record::find(comment).is_none() => {
                write!(f, "take our note out of the comment of {role}")
            }
            Change::SetComment { .. } => write!(f, "note in the comment of {role}"),
            Change::SetPassword { .. } => write!(f, "set the password of {role}"),
            Change::ClearPassword => write!(f, "remove the password of {role}"),
            Change::SwitchOff { flags } => {
                write!(f, "alter {role}: {}", keywords(flags, false))
            }
            Change::SwitchOn { flags } => write!(f, "alter {role}: {}", keywords(flags, true)),
        }
    }
}
