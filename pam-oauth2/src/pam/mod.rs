//! The safe face of libpam, module side. A leaf: it knows nothing of tokens or roles.
//!
//! Entry points, items and module data come from `pam-bindings`; [`sys`] declares the one
//! function that it lacks.

mod failure;
mod handle;
mod sys;

pub(crate) use failure::Failure;
pub(crate) use handle::Handle;
